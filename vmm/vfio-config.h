/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest sees of an assigned function's config space.
 *
 * Made once, from what the device shows: each bit is then the guest's own (config[] through
 * writable[]), constant, or live, which means read from the device whenever the guest reads it.
 * Nothing the guest writes to config space reaches the device but through code that names the
 * bit (bus mastering, in vfio-pci.c).
 *
 * Kept are the IDs, the memory BARs and the capabilities in a table, at the offsets they have, so
 * that drivers with fixed offsets find them. All else is hidden: port BARs, ROM, INTx, the other
 * functions, power states, resets, and every extended capability, which are about the fabric
 * (SR-IOV, ARI, ACS, AER, resizable BARs): that is the host's.
 *
 * No system call: the device is an array of bytes. What it says is checked, as if it were hostile.
 */
#ifndef VMM_VFIO_CONFIG_H
#define VMM_VFIO_CONFIG_H

#include "vmm/pci.h"

struct vfio_config {
    uint8_t live[PCI_CFG_SPACE_SIZE]; /* mask of the bits that the device answers for */
    unsigned msix;                    /* offset of the MSI-X capability; 0: there is none */
    unsigned num_vectors;
    unsigned table_bar, pba_bar;
    uint32_t table, pba; /* offsets within those BARs; they fit */
};

/**
 * vfio_config_make - build the guest's view
 * @hw: the device's config space, read through VFIO
 * @sizes: of the BARs in bytes, as VFIO reports them; 0: no such BAR
 * @d: gets config[], writable[] and the sizes and types of its BARs
 *
 * Return: 0; -EOPNOTSUPP for a bridge, or a BAR that can't be shown to a guest; -EPROTO if the
 * device contradicts itself.
 */
int vfio_config_make(const uint8_t hw[static PCI_CFG_SPACE_SIZE],
                     const uint64_t sizes[static PCI_BARS], struct pci_device *d,
                     struct vfio_config *ret, struct error *e) _must_check_;

#endif
