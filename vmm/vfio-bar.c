/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vfio-bar.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#define HUGE_MAPPING_MAX (1ULL << 30) /* the largest page a CPU has */
#define READ_WRITE       (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

/* Trapped in whole pages: that is the grain of the guest's map. */
static bool in_trap(const struct vfio_bar *bar, uint64_t offset, uint64_t page)
{
    for (unsigned i = 0; i < bar->num_traps; i++) {
        const struct vfio_trap *t = &bar->traps[i];

        if (offset + page > t->offset && offset < t->offset + t->size)
            return true;
    }
    return false;
}

/* May all of the page at @offset be mmapped? A page that VFIO gives only in part isn't: the rest
 * of it could be a neighbour's. */
static bool page_is_direct(const struct vfio_bar *bar, uint64_t offset, uint64_t page)
{
    if ((bar->region.flags & READ_WRITE) != READ_WRITE || in_trap(bar, offset, page))
        return false;
    for (unsigned i = 0; i < bar->region.num_areas; i++) {
        const struct vfio_area *a = &bar->region.areas[i];

        if (offset >= a->offset && offset - a->offset < a->size &&
            page <= a->size - (offset - a->offset))
            return true;
    }
    return false;
}

/* First page boundary above @offset at which an answer of page_is_direct may change. */
static uint64_t next_edge(const struct vfio_bar *bar, uint64_t offset, uint64_t page)
{
    uint64_t edges[2 * (VFIO_REGION_AREAS_MAX + VFIO_TRAPS_MAX)], next = bar->size;
    unsigned n = 0;

    for (unsigned i = 0; i < bar->region.num_areas; i++) {
        const struct vfio_area *a = &bar->region.areas[i];

        edges[n++] = (a->offset + page - 1) & -page;
        edges[n++] = (a->offset + a->size) & -page;
    }
    for (unsigned i = 0; i < bar->num_traps; i++) {
        const struct vfio_trap *t = &bar->traps[i];

        edges[n++] = t->offset & -page;
        edges[n++] = (t->offset + t->size + page - 1) & -page;
    }
    for (unsigned i = 0; i < n; i++)
        if (edges[i] > offset && edges[i] < next)
            next = edges[i];
    return next;
}

void vfio_bar_split(struct vfio_bar *bar, uint64_t page)
{
    uint64_t offset = 0;

    bar->num_segments = 0;
    while (offset < bar->size) {
        const uint64_t end = next_edge(bar, offset, page);
        const bool direct = page_is_direct(bar, offset, page);
        struct vfio_segment *last =
            bar->num_segments > 0 ? &bar->segments[bar->num_segments - 1] : NULL;

        if (last && last->direct == direct)
            last->size += end - offset;
        else
            bar->segments[bar->num_segments++] = (struct vfio_segment){
                .bar = bar,
                .offset = offset,
                .size = end - offset,
                .direct = direct,
                .slot = -1,
            };
        offset = end;
    }
}

/* Addresses for the whole BAR, aligned so that kernels that map devices by huge pages can: only
 * addresses, which cost nothing, and never munmapped piecewise. */
static int reserve(struct vfio_bar *bar)
{
    const uint64_t align = bar->size < HUGE_MAPPING_MAX ? bar->size : HUGE_MAPPING_MAX;
    uint8_t *raw = mmap(NULL, bar->size + align, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t head;

    if (raw == MAP_FAILED)
        return -errno;
    head = -(uint64_t)(uintptr_t)raw & (align - 1);
    if (head > 0)
        munmap(raw, head);
    munmap(raw + head + bar->size, align - head);
    bar->memory = raw + head;
    return 0;
}

static int map_segment(struct vfio_bar *bar, struct vfio_segment *s)
{
    int r;

    if (!s->direct)
        return 0;
    if (!bar->memory) {
        r = reserve(bar);
        if (r < 0)
            return r;
    }
    if (mmap(bar->memory + s->offset, s->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             bar->device, (off_t)(bar->region.offset + s->offset)) == MAP_FAILED)
        return -errno;
    return 0;
}

int vfio_bar_open(struct vfio_bar *bar)
{
    bar->memory = NULL;
    vfio_bar_split(bar, (uint64_t)sysconf(_SC_PAGESIZE));
    for (unsigned i = 0; i < bar->num_segments; i++) {
        int r = map_segment(bar, &bar->segments[i]);

        if (r < 0) {
            vfio_bar_close(bar);
            return r;
        }
    }
    return 0;
}

void vfio_bar_close(struct vfio_bar *bar)
{
    if (bar->memory)
        munmap(bar->memory, bar->size);
    bar->memory = NULL;
    bar->num_segments = 0;
}

/* The trap that holds the whole access. @ret_clear: no trap has even a byte of it. */
static const struct vfio_trap *find_trap(const struct vfio_bar *bar, uint64_t offset, unsigned len,
                                         bool *ret_clear)
{
    *ret_clear = true;
    for (unsigned i = 0; i < bar->num_traps; i++) {
        const struct vfio_trap *t = &bar->traps[i];

        if (offset + len <= t->offset || offset >= t->offset + t->size)
            continue;
        *ret_clear = false;
        if (offset >= t->offset && offset + len <= t->offset + t->size)
            return t;
    }
    return NULL;
}

static bool in_region(const struct vfio_bar *bar, uint64_t offset, unsigned len)
{
    return offset < bar->region.size && len <= bar->region.size - offset;
}

uint64_t vfio_bar_read(const struct vfio_bar *bar, uint64_t offset, unsigned len)
{
    bool clear;
    const struct vfio_trap *t = find_trap(bar, offset, len, &clear);
    uint64_t value = 0;

    if (t)
        return t->ops->read(t->opaque, offset - t->offset, len);
    if (!clear || !in_region(bar, offset, len) ||
        pread(bar->device, &value, len, (off_t)(bar->region.offset + offset)) != (ssize_t)len)
        return UINT64_MAX;
    return value;
}

void vfio_bar_write(const struct vfio_bar *bar, uint64_t offset, unsigned len, uint64_t value)
{
    bool clear;
    const struct vfio_trap *t = find_trap(bar, offset, len, &clear);

    if (t) {
        t->ops->write(t->opaque, offset - t->offset, len, value);
        return;
    }
    if (!clear || !in_region(bar, offset, len))
        return;
    if (pwrite(bar->device, &value, len, (off_t)(bar->region.offset + offset)) != (ssize_t)len)
        return; /* as a write that a device drops */
}

static uint64_t segment_read(void *opaque, uint64_t offset, unsigned len)
{
    const struct vfio_segment *s = opaque;

    return vfio_bar_read(s->bar, s->offset + offset, len);
}

static void segment_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    const struct vfio_segment *s = opaque;

    vfio_bar_write(s->bar, s->offset + offset, len, value);
}

static const struct bus_ops segment_ops = {
    .name = "vfio-bar",
    .read = segment_read,
    .write = segment_write,
};

static void unmap_segments(struct vfio_bar *bar, uint64_t gpa, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct vfio_segment *s = &bar->segments[i];

        if (s->direct)
            kvm_slot_remove(&bar->machine->kvm, s->slot);
        else
            bus_remove(&bar->machine->mmio, gpa + s->offset);
        s->slot = -1;
    }
}

int vfio_bar_map(struct vfio_bar *bar, uint64_t gpa)
{
    for (unsigned i = 0; i < bar->num_segments; i++) {
        struct vfio_segment *s = &bar->segments[i];
        int r = s->direct ? kvm_slot_add(&bar->machine->kvm, gpa + s->offset, s->size,
                                         bar->memory + s->offset, 0)
                          : bus_add(&bar->machine->mmio, gpa + s->offset, s->size, &segment_ops, s);

        if (r < 0) {
            unmap_segments(bar, gpa, i);
            return r;
        }
        if (s->direct)
            s->slot = r;
    }
    return 0;
}

void vfio_bar_unmap(struct vfio_bar *bar, uint64_t gpa)
{
    unmap_segments(bar, gpa, bar->num_segments);
}
