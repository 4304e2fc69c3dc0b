/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a device that is bound to vfio-pci: the privileged half of VFIO. */
#ifndef VFIO_OPEN_H
#define VFIO_OPEN_H

#include "basic/error.h"
#include "basic/pci-addr.h"

/* The fds that make a VF usable by a process without privilege. */
struct vfio_fds {
    int container;
    int group;
    int device;
};

#define VFIO_FDS_INIT                                                                              \
    {                                                                                              \
        .container = -1, .group = -1, .device = -1                                                 \
    }

/**
 * vfio_open - open container, group and device
 * @container: an open container with its IOMMU type set, into which the group goes; or -1 to
 *             open a new one. NICs of one VM share a container, so that its memory is mapped and
 *             accounted once.
 * @ret: receives the fds, all owned by the caller (with @container >= 0, a duplicate of it)
 *
 * Getting the device fd resets the function (the kernel does), about 0.1 s.
 *
 * Return: 0; -EBUSY if another process holds the group, named if found; -EOPNOTSUPP if the group
 * isn't viable or the host's IOMMU lacks TYPE1v2; another negative errno.
 */
int vfio_open(const struct pci_addr *dev, int container, struct vfio_fds *ret,
              struct error *e) _must_check_;

/* Closes in the order device, group, container; each becomes -1. */
void vfio_fds_done(struct vfio_fds *fds);
#define _cleanup_vfio_fds_ _cleanup_(vfio_fds_done)

#endif
