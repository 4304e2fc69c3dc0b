/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address space of emulated registers: one for ports, one for memory-mapped I/O.
 *
 * vCPU threads dispatch exits here under the machine's one lock, so devices need none of their
 * own; whatever is fast never exits to userspace.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "basic/macro.h"
#include <stdint.h>

#define BUS_RANGES_MAX 256

struct bus_ops {
    const char *name;
    /* @len is 1, 2, 4 or 8 and the access lies within the range; values are little-endian. */
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned len);
    void (*write)(void *opaque, uint64_t offset, unsigned len, uint64_t value);
};

struct bus_range {
    uint64_t base, size;
    const struct bus_ops *ops;
    void *opaque;
};

struct bus {
    struct bus_range ranges[BUS_RANGES_MAX]; /* sorted by base, never overlapping */
    unsigned num_ranges;
};

/* bus_add - -EEXIST if it overlaps another range, -ENOSPC if the bus is full. */
int bus_add(struct bus *b, uint64_t base, uint64_t size, const struct bus_ops *ops, void *opaque)
    _must_check_;
void bus_remove(struct bus *b, uint64_t base);

/* bus_read - all ones where nothing answers, or where an access straddles a range's end. */
uint64_t bus_read(const struct bus *b, uint64_t addr, unsigned len);
void bus_write(const struct bus *b, uint64_t addr, unsigned len, uint64_t value);

#endif
