/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio NIC whose packets vhost-net moves between the guest's rings and a tap. */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include "vmm/machine.h"

/**
 * virtio_net_new - make the device, not yet plugged in
 * @standby: offer VIRTIO_NET_F_STANDBY: the guest joins it with the VF of the same MAC, and uses
 *           the VF while there is one
 * @tap: of a tap or macvtap opened with IFF_VNET_HDR and not IFF_MULTI_QUEUE
 * @vhost: fresh fd of /dev/vhost-net
 * @ret: its PCI function; destroyed through its ops
 *
 * The fds become the device's on success, and stay the caller's on failure.
 *
 * Return: 0; -EOPNOTSUPP if tap or vhost lack what it can't do without; another negative errno.
 */
int virtio_net_new(struct machine *m, const uint8_t mac[static 6], bool standby, int tap, int vhost,
                   struct pci_device **ret, struct error *e) _must_check_;

#endif
