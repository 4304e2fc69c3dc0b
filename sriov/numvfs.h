/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating and removing the VFs of a PF, through sysfs. Each call is one step of a plan. */
#ifndef SRIOV_NUMVFS_H
#define SRIOV_NUMVFS_H

#include "sriov/inventory.h"

/* numvfs_set_autoprobe - whether the kernel binds drivers to VFs that appear from now on. */
int numvfs_set_autoprobe(const struct pci_addr *pf, bool on, struct error *e) _must_check_;

/**
 * numvfs_write - write sriov_numvfs and count the virtfnN links after
 *
 * The kernel goes between two counts only by way of 0, and may create fewer than asked while
 * returning success. Blocks for as long as the PF's driver takes: 0.1 s to minutes.
 *
 * Return: 0; -ERANGE above sriov_totalvfs; -EIO where the count read back differs (what was
 * created is left for the caller's undo); another negative errno with the kernel's reason in
 * words.
 */
int numvfs_write(const struct pci_addr *pf, unsigned count, struct error *e) _must_check_;

/**
 * numvfs_wait - wait until each VF has its physfn link and, on a host with an IOMMU, its group
 *
 * Return: 0, or -ETIMEDOUT naming the VF that isn't ready.
 */
int numvfs_wait(const struct pci_addr *pf, unsigned count, unsigned timeout_ms,
                struct error *e) _must_check_;

#endif
