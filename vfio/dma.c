/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/dma.h"

#include "vfio/info.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

/* What kernels that don't count had as their limit. */
#define MAPS_AVAIL_DEFAULT 65535

static int parse_ranges(const void *info, size_t size, uint32_t caps, struct vfio_dma_info *d)
{
    struct vfio_iommu_type1_info_cap_iova_range list;
    struct vfio_iova_range range;
    const void *cap;
    size_t room;
    int found = vfio_info_cap(info, size, caps, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, sizeof(list),
                              &cap, &room);

    if (found < 0)
        return found;
    if (!found) {
        d->ranges[d->num_ranges++] = (struct vfio_dma_range){.start = 0, .end = UINT64_MAX};
        return 0;
    }
    memcpy(&list, cap, sizeof(list));
    if (list.nr_iovas > ELEMENTSOF(d->ranges) ||
        list.nr_iovas > (room - sizeof(list)) / sizeof(range))
        return -EPROTO;
    for (uint32_t i = 0; i < list.nr_iovas; i++) {
        memcpy(&range, (const char *)cap + sizeof(list) + i * sizeof(range), sizeof(range));
        if (range.start > range.end)
            return -EPROTO;
        d->ranges[d->num_ranges++] =
            (struct vfio_dma_range){.start = range.start, .end = range.end};
    }
    return 0;
}

int vfio_dma_info_parse(const void *info, size_t size, struct vfio_dma_info *ret)
{
    const struct vfio_iommu_type1_info *ti = info;
    struct vfio_dma_info d = {.maps_avail = MAPS_AVAIL_DEFAULT};
    const void *cap;
    uint32_t caps;
    size_t room;
    int r;

    if (size < sizeof(*ti))
        return -EPROTO;
    d.page_sizes = ti->flags & VFIO_IOMMU_INFO_PGSIZES && ti->iova_pgsizes
                       ? ti->iova_pgsizes
                       : (uint64_t)sysconf(_SC_PAGESIZE);
    caps = ti->flags & VFIO_IOMMU_INFO_CAPS ? ti->cap_offset : 0;
    if (caps && caps < sizeof(*ti))
        return -EPROTO;
    r = vfio_info_cap(info, size, caps, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
                      sizeof(struct vfio_iommu_type1_info_dma_avail), &cap, &room);
    if (r < 0)
        return r;
    if (r)
        d.maps_avail = ((const struct vfio_iommu_type1_info_dma_avail *)cap)->avail;
    r = parse_ranges(info, size, caps, &d);
    if (r < 0)
        return r;
    *ret = d;
    return 0;
}

int vfio_dma_info_get(int container, struct vfio_dma_info *ret, struct error *e)
{
    const struct vfio_iommu_type1_info ask = {.flags = 0};
    _cleanup_free_ void *info = NULL;
    size_t size;
    int r = vfio_info_get(container, VFIO_IOMMU_GET_INFO, &ask, sizeof(ask), &info, &size);

    if (r == 0)
        r = vfio_dma_info_parse(info, size, ret);
    if (r == -EPROTO)
        return error_set(e, r,
                         "the VFIO container's IOMMU: the kernel describes it in a way that can't "
                         "be (a capability chain or a range out of bounds)");
    if (r < 0)
        return error_set(e, r, "the VFIO container's IOMMU can't be queried: %s", strerror(-r));
    return 0;
}

bool vfio_dma_covers(const struct vfio_dma_info *info, uint64_t start, uint64_t size)
{
    if (size == 0 || size - 1 > UINT64_MAX - start)
        return false;
    for (unsigned i = 0; i < info->num_ranges; i++)
        if (info->ranges[i].start <= start && start + (size - 1) <= info->ranges[i].end)
            return true;
    return false;
}

/* Which of the two things that ENOMEM stands for it is: the limit, or the host. */
static int map_no_memory(uint64_t iova, uint64_t size, struct error *e)
{
    const uint64_t mib = (size + (1U << 20) - 1) >> 20;
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return error_set(e, -ENOMEM,
                         "mapping %" PRIu64 " MiB at 0x%" PRIx64 " for DMA: the host has not "
                         "enough free memory to lock: give the guest less",
                         mib, iova);
    return error_set(e, -ENOMEM,
                     "mapping memory at 0x%" PRIx64 " for DMA: locking %" PRIu64
                     " MiB of guest memory needs RLIMIT_MEMLOCK >= %" PRIu64
                     " MiB (for all of the guest's memory together); have %" PRIu64
                     " MiB: raise it with LimitMEMLOCK= or ulimit -l",
                     iova, mib, mib, (uint64_t)limit.rlim_cur >> 20);
}

static const char *map_reason(int code)
{
    switch (code) {
    case -EEXIST:
        return "part of the range is mapped already";
    case -EINVAL:
        return "the IOMMU can't translate that range, or it isn't page aligned: "
               "give the guest less memory";
    case -ENOSPC:
        return "too many mappings: raise the module parameter dma_entry_limit of vfio_iommu_type1";
    default:
        return strerror(-code);
    }
}

int vfio_dma_map(int container, uint64_t iova, uint64_t size, void *memory, bool writable,
                 struct error *e)
{
    struct vfio_iommu_type1_dma_map map = {
        .argsz = sizeof(map),
        .flags = VFIO_DMA_MAP_FLAG_READ | (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0U),
        .vaddr = (uintptr_t)memory,
        .iova = iova,
        .size = size,
    };
    int r;

    if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) == 0)
        return 0;
    r = -errno;
    if (r == -ENOMEM)
        return map_no_memory(iova, size, e);
    return error_set(e, r, "mapping %" PRIu64 " bytes at 0x%" PRIx64 " for DMA: %s", size, iova,
                     map_reason(r));
}

int vfio_dma_unmap(int container, uint64_t iova, uint64_t size, struct error *e)
{
    struct vfio_iommu_type1_dma_unmap unmap = {
        .argsz = sizeof(unmap),
        .iova = iova,
        .size = size,
    };

    if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
        return error_set(e, -errno, "unmapping %" PRIu64 " bytes at 0x%" PRIx64 " from DMA: %s",
                         size, iova, strerror(errno));
    if (unmap.size != size)
        return error_set(e, -EIO,
                         "unmapping %" PRIu64 " bytes at 0x%" PRIx64
                         " from DMA: the kernel unmapped %" PRIu64,
                         size, iova, (uint64_t)unmap.size);
    return 0;
}
