/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An assigned PCI function: the guest's driver has the device itself.
 *
 *   config space   a shadow (vfio-config.h); of what the guest writes, only bus mastering
 *                  reaches the device
 *   BARs           memory slots wherever the guest places them (vfio-bar.h); the core maps them
 *                  only while the guest decodes memory: of a VF the hardware never stops to
 *   interrupts     MSI-X by irqfd (msix.h), each vector armed in the device when the guest first
 *                  unmasks it
 *   DMA            guest RAM is mapped in the IOMMU before the device exists (vfio-container.h)
 *
 * The kernel resets the function when the agent opens it, so the first guest finds it clean; a
 * guest that reboots gets a reset of its own.
 */
#ifndef VMM_VFIO_PCI_H
#define VMM_VFIO_PCI_H

#include "vmm/machine.h"

/* What comes with a VF; see struct vfio_fds. */
struct vfio_pci_fds {
    int container;
    int group;
    int device;
};

/**
 * vfio_pci_new - make the device, not yet plugged in
 * @name: for messages, "eth0/vf0"
 * @container: number of its container in the handoff
 * @fds: become the device's on success, and stay the caller's on failure
 * @ret: its PCI function; destroyed through its ops
 *
 * Return: 0; -EOPNOTSUPP for what can't be assigned; -ERANGE if its IOMMU can't reach guest
 * memory; -ENOMEM with the limit to raise; another negative errno.
 */
int vfio_pci_new(struct machine *m, const char *name, uint32_t container,
                 const struct vfio_pci_fds *fds, struct pci_device **ret,
                 struct error *e) _must_check_;

/**
 * vfio_pci_notify - have the kernel signal @eventfd on an event of the device
 * @d: made by vfio_pci_new
 * @index: VFIO_PCI_ERR_IRQ_INDEX: an uncorrectable error; VFIO_PCI_REQ_IRQ_INDEX: its driver is
 *         to let go of it, and the kernel waits for its fd to be closed
 *
 * Return: 0; -EOPNOTSUPP if the device has no such event; another negative errno.
 */
int vfio_pci_notify(struct pci_device *d, unsigned index, int eventfd) _must_check_;

#endif
