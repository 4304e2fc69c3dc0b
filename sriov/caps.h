/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI capabilities, read from config space by libpci. */
#ifndef SRIOV_CAPS_H
#define SRIOV_CAPS_H

#include "basic/pci-addr.h"
#include <stdint.h>

/* What decides whether a card's VFs can be passed through. */
struct pci_caps {
    bool sriov;
    bool ari;
    bool acs;              /* of the ports above it: each keeps peers apart, and has it on */
    unsigned msix_vectors; /* of the function; 0 without MSI-X */
    unsigned vf_total;     /* TotalVFs in config space; the driver may offer fewer */
    uint16_t vf_device;    /* device ID of its VFs */
};

struct caps; /* libpci's access to config space, for as long as one inventory takes */

/* caps_open - Return: NULL if out of memory or where libpci can't work at all. */
struct caps *caps_open(void);

/**
 * caps_read - the capabilities of a function
 *
 * What can't be read (config space above 64 bytes needs root; the device may be gone) counts as
 * not there: capabilities inform, they decide nothing that the kernel wouldn't check.
 *
 * @ret->acs: where no port stands above the function, it is true. Source: PCIe base spec 6.12;
 * the flags are those the kernel asks for before it gives a function a group of its own
 * (REQ_ACS_FLAGS in drivers/iommu/iommu.c).
 */
void caps_read(struct caps *c, const struct pci_addr *addr, struct pci_caps *ret);

struct caps *caps_free(struct caps *c);

static inline void caps_freep(struct caps **c)
{
    caps_free(*c);
}

#endif
