/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VFIO device by its fd: regions, config space, interrupts, reset. The unprivileged half of
 * VFIO: nothing here opens a path.
 *
 * What the kernel reports is copied out and checked: a region's areas lie within it, and a
 * capability chain that loops or leaves its buffer is an error, so that callers may index by it.
 *
 * Kernel interface: linux/vfio.h, Documentation/driver-api/vfio.rst. Region and interrupt
 * indices are its VFIO_PCI_*_REGION_INDEX and VFIO_PCI_*_IRQ_INDEX.
 */
#ifndef VFIO_DEVICE_H
#define VFIO_DEVICE_H

#include "basic/error.h"
#include <stdint.h>

#define VFIO_REGION_AREAS_MAX 16
#define VFIO_IRQ_VECTORS_MAX  2048 /* of MSI-X: PCI Local Bus 3.0, 6.8.2 */

/* A part of a region that may be mmapped. */
struct vfio_area {
    uint64_t offset; /* within the region */
    uint64_t size;
};

struct vfio_region {
    uint64_t size;   /* bytes; 0: the device has no such region */
    uint64_t offset; /* of its first byte in the device fd, for pread, pwrite and mmap */
    uint32_t flags;  /* VFIO_REGION_INFO_FLAG_* */
    bool mmap_ok;    /* something of it may be mmapped: num_areas > 0 */
    struct vfio_area areas[VFIO_REGION_AREAS_MAX]; /* the whole region where none are listed */
    unsigned num_areas;
    bool msix_mappable; /* the areas may include the MSI-X table */
};

struct vfio_irq {
    uint32_t count; /* vectors; 0: none of this kind */
    uint32_t flags; /* VFIO_IRQ_INFO_* */
    bool noresize;  /* arming beyond the vectors armed first needs vfio_irq_disable before */
};

/**
 * vfio_device_info - how many regions and kinds of interrupts the device has
 * @ret_flags: VFIO_DEVICE_FLAGS_*: is it PCI, has it a reset
 */
int vfio_device_info(int device, unsigned *ret_num_regions, unsigned *ret_num_irqs,
                     uint32_t *ret_flags) _must_check_;

/**
 * vfio_region_get - size, place and mappable areas of a region
 *
 * Return: 0 (with size 0 for a BAR that isn't there); -EINVAL for an index the device doesn't
 * have; -EPROTO if the kernel's answer contradicts itself; another negative errno.
 */
int vfio_region_get(int device, unsigned index, struct vfio_region *ret,
                    struct error *e) _must_check_;

/**
 * vfio_region_parse - the same from a struct vfio_region_info that is already at hand
 * @info: the structure, aligned for it, and what follows it
 * @size: bytes that are valid at @info
 *
 * Return: 0 or -EPROTO.
 */
int vfio_region_parse(const void *info, size_t size, struct vfio_region *ret) _must_check_;

/**
 * vfio_config_read - read PCI config space through the kernel's virtualised view
 * @config: region VFIO_PCI_CONFIG_REGION_INDEX
 * @len: 1, 2 or 4; @off is a multiple of it
 * @ret: value in host byte order
 *
 * Return: 0; -EINVAL outside the region or for another @len; -EIO for a short read; -errno.
 */
int vfio_config_read(int device, const struct vfio_region *config, unsigned off, unsigned len,
                     uint32_t *ret) _must_check_;

/* vfio_config_write - the same for writing. */
int vfio_config_write(int device, const struct vfio_region *config, unsigned off, unsigned len,
                      uint32_t value) _must_check_;

/* vfio_irq_get - how many vectors there are of a kind; 0 or negative errno. */
int vfio_irq_get(int device, unsigned index, struct vfio_irq *ret) _must_check_;

/**
 * vfio_irq_arm - have the kernel signal eventfds on vectors @start .. @start + @count - 1
 * @eventfds: one a vector; -1 disarms that vector. They stay the caller's; the kernel holds its
 *            own reference until the vector is armed otherwise or disabled.
 *
 * The first call turns the kind of interrupt on in the hardware, also when all its eventfds are
 * -1: how to have MSI-X on with every vector masked. Arming one vector of a kind that is on
 * already leaves the others alone (unless noresize, see struct vfio_irq).
 *
 * Return: 0; -ENOSPC if the host has fewer vectors to give; -EINVAL for a bad range or, of MSI-X
 * that is noresize, a vector above those armed first; another negative errno.
 */
int vfio_irq_arm(int device, unsigned index, unsigned start, const int *eventfds,
                 unsigned count) _must_check_;

/* vfio_irq_disable - turn a kind of interrupt off, all vectors; success if it was off. */
int vfio_irq_disable(int device, unsigned index) _must_check_;

/**
 * vfio_device_reset - function-level reset
 *
 * Takes about 0.1 s. Retried for up to a second while the kernel holds the device's lock. Mapped
 * BARs stay mapped; interrupts should be disabled before.
 *
 * Return: 0; -EOPNOTSUPP where the device has no reset of its own; -EAGAIN; another negative
 * errno.
 */
int vfio_device_reset(int device) _must_check_;

#endif
