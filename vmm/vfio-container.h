/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The containers of a machine's VFs: each is one IOMMU address space in which device addresses
 * are guest-physical addresses. Guest RAM is mapped, and so pinned, once a container.
 *
 * The order is the kernel's: a group joins its container (the agent has done that), KVM hears of
 * the group before memory is mapped, so that it knows of devices that bypass the CPU's caches;
 * and on the way back a device's fd is closed first, then KVM forgets the group, then the group
 * is closed. Before the last one goes memory is unmapped: closing would do that too, unless the
 * agent has just put another VF's group into the container, which then finds it as if new.
 *
 * Only the main thread knows of containers, so they need no lock.
 */
#ifndef VMM_VFIO_CONTAINER_H
#define VMM_VFIO_CONTAINER_H

#include "vmm/machine.h"

struct vfio_container {
    struct vfio_container *next;
    uint32_t number; /* of the handoff: VFs with the same number share a container */
    int fd;
    unsigned num_groups;
};

/**
 * vfio_container_join - let a VF's group reach guest RAM
 * @number: which container, by the handoff's number
 * @container: its fd, which comes with every VF; becomes the container's, or is closed if the
 *             machine has that container already
 * @group: fd of the VF's group, which keeps it open until vfio_container_leave
 *
 * On failure nothing has changed and both fds stay the caller's.
 *
 * Return: 0; -ERANGE if the IOMMU can't reach guest RAM or the PCI window, with the range; -ENOMEM
 * with the limit to raise; another negative errno.
 */
int vfio_container_join(struct machine *m, uint32_t number, int container, int group,
                        struct vfio_container **ret, struct error *e) _must_check_;

/* vfio_container_leave - take the group out again, its device being closed; closes the group,
 * and the container with its last one. */
void vfio_container_leave(struct machine *m, struct vfio_container *c, int group);

#endif
