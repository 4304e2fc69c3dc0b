/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inventory: the PFs and VFs that the kernel shows now, of any class of device.
 *
 * Read afresh for each question; nothing of it is kept. VFs are found by the PF's virtfnN links
 * and never computed (offset and stride may change with the count). The count is the number of
 * those links: reading sriov_numvfs takes the device lock, and hangs while a driver is slow.
 */
#ifndef SRIOV_INVENTORY_H
#define SRIOV_INVENTORY_H

#include "basic/pci-addr.h"
#include "sriov/caps.h"
#include "sriov/ids.h"
#include "sriov/interface.h"
#include "sriov/policy.h"

#define DRIVER_NAME 64

struct vf {
    struct pci_addr addr;
    unsigned index;                    /* N of virtfnN */
    char driver[DRIVER_NAME];          /* "" where unbound */
    char driver_override[DRIVER_NAME]; /* "" where unset */
    char netdev[IFNAMSIZ];             /* host interface of a VF bound to a network driver */
    int iommu_group;      /* -1 without an IOMMU; changes across boots: never store it */
    int numa_node;        /* -1 unknown */
    bool can_reset;       /* has a function-level reset of its own */
    struct policy policy; /* as the kernel reports it; set == 0 for non-network PFs */
};

struct pf {
    struct pci_addr addr;
    char name[INTERFACE_TITLE]; /* interface, else address */
    int ifindex;                /* 0 for non-network PFs */
    bool link_up;               /* administratively up */
    char driver[DRIVER_NAME];
    char vendor[IDS_NAME]; /* names, from pci.ids, "" if unknown */
    char device[IDS_NAME];
    uint32_t class_code; /* e.g. 0x020000 */
    uint16_t vendor_id, device_id;
    int numa_node;
    unsigned total_vfs; /* sriov_totalvfs: what can be asked for */
    bool autoprobe;     /* sriov_drivers_autoprobe */
    struct pci_caps caps;
    struct vf *vfs; /* sorted by index; one that is just going away is left out */
    size_t num_vfs;
};

struct inventory {
    struct pf *pfs; /* by PCI address */
    size_t num_pfs;
};

#define INVENTORY_INIT                                                                             \
    {                                                                                              \
        .pfs = NULL, .num_pfs = 0                                                                  \
    }

/**
 * inventory_read - read all PFs (devices with sriov_totalvfs) and their VFs
 *
 * Return: 0 with @ret owned by the caller (inventory_done), or negative errno. A host without
 * any PF is success with none.
 */
int inventory_read(struct inventory *ret, struct error *e) _must_check_;

void inventory_done(struct inventory *inv);
#define _cleanup_inventory_ _cleanup_(inventory_done)

/* Look-ups by identity, not by what people type (that is name.h). NULL if there is none. */
struct pf *inventory_find_pf(const struct inventory *inv, const struct pci_addr *addr);
struct vf *inventory_find_vf(const struct inventory *inv, const struct pci_addr *addr,
                             struct pf **ret_pf);

#endif
