/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/device.h"

#include "vfio/info.h"

#include <endian.h>
#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <time.h>

#define RESET_TRIES    10
#define RESET_DELAY_NS 100000000L

int vfio_device_info(int device, unsigned *ret_num_regions, unsigned *ret_num_irqs,
                     uint32_t *ret_flags)
{
    struct vfio_device_info info = {.argsz = sizeof(info)};

    if (ioctl(device, VFIO_DEVICE_GET_INFO, &info) < 0)
        return -errno;
    *ret_num_regions = info.num_regions;
    *ret_num_irqs = info.num_irqs;
    *ret_flags = info.flags;
    return 0;
}

static int add_area(struct vfio_region *r, uint64_t offset, uint64_t size)
{
    if (size == 0)
        return 0;
    if (offset > r->size || size > r->size - offset || r->num_areas == ELEMENTSOF(r->areas))
        return -EPROTO;
    r->areas[r->num_areas++] = (struct vfio_area){.offset = offset, .size = size};
    return 0;
}

/* The listed areas; the whole region where the kernel lists none. */
static int parse_areas(const void *info, size_t size, uint32_t caps, struct vfio_region *r)
{
    struct vfio_region_info_cap_sparse_mmap sparse;
    struct vfio_region_sparse_mmap_area area;
    const void *cap;
    size_t room;
    int found = vfio_info_cap(info, size, caps, VFIO_REGION_INFO_CAP_SPARSE_MMAP, sizeof(sparse),
                              &cap, &room);

    if (found < 0)
        return found;
    if (!found)
        return add_area(r, 0, r->size);
    memcpy(&sparse, cap, sizeof(sparse));
    if (sparse.nr_areas > (room - sizeof(sparse)) / sizeof(area))
        return -EPROTO;
    for (uint32_t i = 0; i < sparse.nr_areas; i++) {
        int err;

        memcpy(&area, (const char *)cap + sizeof(sparse) + i * sizeof(area), sizeof(area));
        err = add_area(r, area.offset, area.size);
        if (err < 0)
            return err;
    }
    return 0;
}

int vfio_region_parse(const void *info, size_t size, struct vfio_region *ret)
{
    const struct vfio_region_info *ri = info;
    struct vfio_region r;
    const void *cap;
    uint32_t caps;
    size_t room;
    int found;

    if (size < sizeof(*ri) || ri->offset > INT64_MAX || ri->size > INT64_MAX - ri->offset)
        return -EPROTO;
    r = (struct vfio_region){.size = ri->size, .offset = ri->offset, .flags = ri->flags};
    caps = ri->flags & VFIO_REGION_INFO_FLAG_CAPS ? ri->cap_offset : 0;
    if (caps && caps < sizeof(*ri))
        return -EPROTO;
    found = vfio_info_cap(info, size, caps, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
                          sizeof(struct vfio_info_cap_header), &cap, &room);
    if (found < 0)
        return found;
    r.msix_mappable = found;
    if (ri->flags & VFIO_REGION_INFO_FLAG_MMAP) {
        const int err = parse_areas(info, size, caps, &r);

        if (err < 0)
            return err;
    }
    r.mmap_ok = r.num_areas > 0;
    *ret = r;
    return 0;
}

int vfio_region_get(int device, unsigned index, struct vfio_region *ret, struct error *e)
{
    const struct vfio_region_info ask = {.index = index};
    _cleanup_free_ void *info = NULL;
    size_t size;
    int r = vfio_info_get(device, VFIO_DEVICE_GET_REGION_INFO, &ask, sizeof(ask), &info, &size);

    if (r == 0)
        r = vfio_region_parse(info, size, ret);
    if (r == -EPROTO)
        return error_set(e, r,
                         "region %u of the VFIO device: the kernel describes it in a way that "
                         "can't be (a capability chain or an area out of bounds)",
                         index);
    if (r < 0)
        return error_set(e, r, "region %u of the VFIO device can't be queried: %s", index,
                         strerror(-r));
    return 0;
}

static bool config_access_ok(const struct vfio_region *config, unsigned off, unsigned len)
{
    return (len == 1 || len == 2 || len == 4) && off % len == 0 && off < config->size &&
           len <= config->size - off;
}

int vfio_config_read(int device, const struct vfio_region *config, unsigned off, unsigned len,
                     uint32_t *ret)
{
    uint32_t value = 0; /* little-endian: a short read fills the low bytes */
    ssize_t n;

    if (!config_access_ok(config, off, len))
        return -EINVAL;
    n = pread(device, &value, len, (off_t)(config->offset + off));
    if (n < 0)
        return -errno;
    if (n != (ssize_t)len)
        return -EIO;
    *ret = le32toh(value);
    return 0;
}

int vfio_config_write(int device, const struct vfio_region *config, unsigned off, unsigned len,
                      uint32_t value)
{
    const uint32_t le = htole32(value);
    ssize_t n;

    if (!config_access_ok(config, off, len))
        return -EINVAL;
    n = pwrite(device, &le, len, (off_t)(config->offset + off));
    if (n < 0)
        return -errno;
    return n == (ssize_t)len ? 0 : -EIO;
}

int vfio_irq_get(int device, unsigned index, struct vfio_irq *ret)
{
    struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

    if (ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
        return -errno;
    *ret = (struct vfio_irq){
        .count = info.count, .flags = info.flags, .noresize = info.flags & VFIO_IRQ_INFO_NORESIZE};
    return 0;
}

int vfio_irq_arm(int device, unsigned index, unsigned start, const int *eventfds, unsigned count)
{
    union {
        struct vfio_irq_set set;
        char room[sizeof(struct vfio_irq_set) + VFIO_IRQ_VECTORS_MAX * sizeof(int)];
    } u;
    int r;

    if (count == 0 || count > VFIO_IRQ_VECTORS_MAX || start > VFIO_IRQ_VECTORS_MAX - count)
        return -EINVAL;
    u.set = (struct vfio_irq_set){
        .argsz = (uint32_t)(sizeof(u.set) + count * sizeof(int)),
        .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
        .index = index,
        .start = start,
        .count = count,
    };
    memcpy(u.room + sizeof(u.set), eventfds, count * sizeof(int));
    r = ioctl(device, VFIO_DEVICE_SET_IRQS, &u);
    if (r < 0)
        return -errno;
    /* Positive: nothing was armed, and only that many vectors could be. */
    return r > 0 ? -ENOSPC : 0;
}

int vfio_irq_disable(int device, unsigned index)
{
    struct vfio_irq_set set = {
        .argsz = sizeof(set),
        .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
        .index = index,
    };

    /* EINVAL is how the kernel says that this kind isn't on. */
    return ioctl(device, VFIO_DEVICE_SET_IRQS, &set) < 0 && errno != EINVAL ? -errno : 0;
}

int vfio_device_reset(int device)
{
    static const struct timespec delay = {.tv_nsec = RESET_DELAY_NS};

    for (int try = 1; ioctl(device, VFIO_DEVICE_RESET) < 0; try++) {
        /* The kernel only tries the device's lock, which sysfs readers take too. */
        if (errno != EAGAIN || try == RESET_TRIES)
            return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
        nanosleep(&delay, NULL);
    }
    return 0;
}
