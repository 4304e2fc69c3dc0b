/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VFIO container by its fd: which addresses the IOMMU translates, and mapping memory for DMA.
 *
 * Mapping pins the memory: it is charged to the process (RLIMIT_MEMLOCK) and allocated at once.
 * The kernel drops all mappings when the last group leaves the container.
 *
 * Kernel interface: linux/vfio.h, "API for Type1 VFIO IOMMU".
 */
#ifndef VFIO_DMA_H
#define VFIO_DMA_H

#include "basic/error.h"
#include <stdint.h>

#define VFIO_DMA_RANGES_MAX 32

struct vfio_dma_range {
    uint64_t start;
    uint64_t end; /* inclusive */
};

struct vfio_dma_info {
    uint64_t page_sizes; /* bit mask: a map's address, size and memory are multiples of its
                            lowest bit */
    uint32_t maps_avail; /* mappings that may still be made */
    /* Device addresses that can be mapped; on x86 the MSI window 0xfee00000-0xfeefffff is
     * missing. Everything, as one range, where an old kernel lists none. */
    struct vfio_dma_range ranges[VFIO_DMA_RANGES_MAX];
    unsigned num_ranges;
};

/**
 * vfio_dma_info_get - what the container's IOMMUs can map now
 *
 * Changes as groups join the container (the ranges are the intersection).
 *
 * Return: 0; -EPROTO if the kernel's answer contradicts itself; another negative errno.
 */
int vfio_dma_info_get(int container, struct vfio_dma_info *ret, struct error *e) _must_check_;

/* vfio_dma_info_parse - the same from @size valid bytes of a struct vfio_iommu_type1_info that
 * is at hand, aligned for it; 0 or -EPROTO. */
int vfio_dma_info_parse(const void *info, size_t size, struct vfio_dma_info *ret) _must_check_;

/* vfio_dma_covers - does one range hold all of [start, start + size)? */
bool vfio_dma_covers(const struct vfio_dma_info *info, uint64_t start, uint64_t size);

/**
 * vfio_dma_map - let the container's devices read (and write) memory
 * @iova: address the devices use; for guest memory its guest-physical address
 * @memory: what they reach; stays mapped in this process until vfio_dma_unmap
 * @writable: false for memory that devices may only read
 *
 * Return: 0; -ENOMEM with the limit to raise, and to what; -EEXIST if part of the range is mapped
 * already; -EINVAL if the IOMMU can't translate it or it isn't page aligned; -ENOSPC when the
 * container has as many mappings as it may; another negative errno.
 */
int vfio_dma_map(int container, uint64_t iova, uint64_t size, void *memory, bool writable,
                 struct error *e) _must_check_;

/**
 * vfio_dma_unmap - undo a vfio_dma_map with the same @iova and @size
 *
 * Return: 0; -EIO if the kernel unmapped another amount; another negative errno.
 */
int vfio_dma_unmap(int container, uint64_t iova, uint64_t size, struct error *e) _must_check_;

#endif
