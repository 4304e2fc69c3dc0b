/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/bus.h"

#include <errno.h>

/* Index of the first range that ends above @addr: the only one that can hold it. */
static unsigned find(const struct bus *b, uint64_t addr)
{
    unsigned low = 0, high = b->num_ranges;

    while (low < high) {
        const unsigned mid = low + (high - low) / 2;
        const struct bus_range *r = &b->ranges[mid];

        if (addr > r->base && addr - r->base >= r->size)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const struct bus_range *find_access(const struct bus *b, uint64_t addr, unsigned len)
{
    const unsigned i = find(b, addr);
    const struct bus_range *r = &b->ranges[i];

    if (i == b->num_ranges || addr < r->base || len > r->size - (addr - r->base))
        return NULL;
    return r;
}

int bus_add(struct bus *b, uint64_t base, uint64_t size, const struct bus_ops *ops, void *opaque)
{
    const unsigned i = find(b, base);

    if (size == 0 || size - 1 > UINT64_MAX - base)
        return -EINVAL;
    if (i < b->num_ranges && b->ranges[i].base <= base + (size - 1))
        return -EEXIST;
    if (b->num_ranges == BUS_RANGES_MAX)
        return -ENOSPC;
    memmove(&b->ranges[i + 1], &b->ranges[i], (b->num_ranges - i) * sizeof(b->ranges[0]));
    b->ranges[i] = (struct bus_range){.base = base, .size = size, .ops = ops, .opaque = opaque};
    b->num_ranges++;
    return 0;
}

void bus_remove(struct bus *b, uint64_t base)
{
    const unsigned i = find(b, base);

    if (i == b->num_ranges || b->ranges[i].base != base)
        return;
    b->num_ranges--;
    memmove(&b->ranges[i], &b->ranges[i + 1], (b->num_ranges - i) * sizeof(b->ranges[0]));
}

uint64_t bus_read(const struct bus *b, uint64_t addr, unsigned len)
{
    const struct bus_range *r = find_access(b, addr, len);
    const uint64_t mask = UINT64_MAX >> (64 - 8 * len);

    return r ? r->ops->read(r->opaque, addr - r->base, len) & mask : mask;
}

void bus_write(const struct bus *b, uint64_t addr, unsigned len, uint64_t value)
{
    const struct bus_range *r = find_access(b, addr, len);

    if (r)
        r->ops->write(r->opaque, addr - r->base, len, value);
}
