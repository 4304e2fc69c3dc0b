/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOMMU groups: may this device be handed to a process at all, and does one hold it now? */
#ifndef VFIO_GROUP_H
#define VFIO_GROUP_H

#include "basic/error.h"
#include "basic/pci-addr.h"

/**
 * vfio_group_of - IOMMU group of a device
 *
 * Return: group number, -EOPNOTSUPP where the host has no IOMMU (with the cure), other -errno.
 */
int vfio_group_of(const struct pci_addr *dev, struct error *e) _must_check_;

/**
 * vfio_group_viable - is every other member of the device's group out of host drivers' hands?
 *
 * The kernel's rule: members may be unbound, on a VFIO driver, or be PCI bridges (pcieport).
 *
 * Return: 0; -EOPNOTSUPP naming the first member and driver in the way, and the sysfs path that
 * shows it.
 */
int vfio_group_viable(const struct pci_addr *dev, struct error *e) _must_check_;

/**
 * vfio_group_busy - does some process hold the group open?
 *
 * /dev/vfio/N opens once: EBUSY is the kernel's own answer, true also for holders that we did
 * not start and after our own restart. @ret_pid gets the holder found in /proc, or 0: a group is
 * held by mappings of its devices too, after their fds are closed. NULL: the search, which reads
 * all of /proc, is spared.
 *
 * Return: 1 held, 0 free (also where there is no such node: no member on vfio-pci), -errno.
 */
int vfio_group_busy(int group, pid_t *ret_pid) _must_check_;

/**
 * vfio_group_idle - can a look at sysfs tell that no process has the device open?
 *
 * vfio-pci lets a function sleep (power/runtime_status) while nobody has it open. Opening the group
 * to ask, as vfio_group_busy does, would make a process that is just opening it fail; who only
 * wants to show what is so asks here first.
 *
 * Return: true if it sleeps; false if it is awake, or that can't be seen.
 */
bool vfio_group_idle(const struct pci_addr *dev);

#endif
