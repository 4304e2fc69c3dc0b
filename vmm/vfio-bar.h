/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A BAR of an assigned function: mapped straight into the guest, but for the parts that must be
 * trapped.
 *
 * A BAR is cut into segments at page boundaries. Those that VFIO lets us mmap become memory slots
 * wherever the guest places the BAR: accesses to them never leave the guest. The others (the
 * pages of the MSI-X table and pending bits, and what can't be mmapped) exit to userspace, where a
 * trap answers, or else the device through VFIO.
 */
#ifndef VMM_VFIO_BAR_H
#define VMM_VFIO_BAR_H

#include "vfio/device.h"
#include "vmm/machine.h"

#define VFIO_TRAPS_MAX    2 /* the MSI-X table and its pending bits */
#define VFIO_SEGMENTS_MAX (2 * (VFIO_REGION_AREAS_MAX + VFIO_TRAPS_MAX) + 1)

struct vfio_bar;

/* A part of a BAR that the VMM answers itself. */
struct vfio_trap {
    uint64_t offset; /* within the BAR */
    uint64_t size;
    const struct bus_ops *ops;
    void *opaque;
};

struct vfio_segment {
    struct vfio_bar *bar;
    uint64_t offset; /* within the BAR; a multiple of the page size, as is the size */
    uint64_t size;
    bool direct; /* mapped into the guest; else trapped */
    int slot;    /* of KVM, while mapped */
};

struct vfio_bar {
    struct machine *machine;
    int device; /* fd, the device's */
    struct vfio_region region;
    uint64_t size; /* as the guest sees it: at least a page, and at least the region's */
    struct vfio_trap traps[VFIO_TRAPS_MAX];
    unsigned num_traps;
    struct vfio_segment segments[VFIO_SEGMENTS_MAX];
    unsigned num_segments;
    uint8_t *memory; /* reserved addresses with the direct segments mapped in; NULL: none are */
};

/**
 * vfio_bar_split - cut the BAR into segments
 * @bar: region, size and traps are filled in; gets its segments
 * @page: the host's page size
 */
void vfio_bar_split(struct vfio_bar *bar, uint64_t page);

/**
 * vfio_bar_open - split it and mmap what may be
 * @bar: machine, device, region, size and traps are filled in
 *
 * Return: 0 or negative errno.
 */
int vfio_bar_open(struct vfio_bar *bar) _must_check_;

/* vfio_bar_close - munmap; the BAR isn't mapped in the guest any more. */
void vfio_bar_close(struct vfio_bar *bar);

/* vfio_bar_map - have it answer at @gpa; 0 or negative errno (it is then mapped nowhere). */
int vfio_bar_map(struct vfio_bar *bar, uint64_t gpa) _must_check_;
void vfio_bar_unmap(struct vfio_bar *bar, uint64_t gpa);

/* vfio_bar_read, _write - an access to a trapped part; all ones where nothing answers. */
uint64_t vfio_bar_read(const struct vfio_bar *bar, uint64_t offset, unsigned len);
void vfio_bar_write(const struct vfio_bar *bar, uint64_t offset, unsigned len, uint64_t value);

#endif
