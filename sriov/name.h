/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people type for a PF or a VF, and what is printed back. */
#ifndef SRIOV_NAME_H
#define SRIOV_NAME_H

#include "sriov/inventory.h"

#define VF_NAME 48 /* "PF/vfN" */

/* name_of_vf - "enp1s0/vf0", the canonical name; returns @buf. */
const char *name_of_vf(const struct pf *pf, const struct vf *vf, char buf[static VF_NAME]);
#define VF_NAME_STR(pf, vf) (name_of_vf((pf), (vf), (char[VF_NAME]){0}))

/**
 * name_find_pf - a PF by its interface, PCI address or libvirt name
 *
 * Return: 0, or -ENODEV naming what was asked and the PFs there are.
 */
int name_find_pf(const struct inventory *inv, const char *text, struct pf **ret,
                 struct error *e) _must_check_;

/**
 * name_find_vf - a VF by PF/vfN, PCI address, pci_0000_01_10_0, or vfN where only one PF has it
 *
 * Return: 0; -ENODEV where there is none (the text says whether the PF is unknown, or has that
 * many VFs only and how to enable more); -EINVAL where vfN is ambiguous, listing the candidates.
 */
int name_find_vf(const struct inventory *inv, const char *text, struct pf **ret_pf,
                 struct vf **ret_vf, struct error *e) _must_check_;

#endif
