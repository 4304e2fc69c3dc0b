/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A MAC address that a NIC keeps: the same for the same VM and NIC on this host, every time. */
#ifndef SRC_STABLE_MAC_H
#define SRC_STABLE_MAC_H

#include <stdint.h>

/**
 * stable_mac - MAC for a VM's NIC that was assigned without one
 *
 * A locally administered unicast address from a hash of this machine's identity, the VM's name
 * and the NIC's, so that guests find the interface they knew and two hosts don't collide.
 */
uint64_t stable_mac(const char *vm, const char *nic);

#endif
