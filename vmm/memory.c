/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/memory.h"

#include <errno.h>
#include <sys/mman.h>

#define HUGE_PAGE (2ULL << 20)

/* KVM and the IOMMU can use a huge page only where guest-physical and host address agree in their
 * low 21 bits, so the mapping starts on a huge page; what that costs is address space alone. */
static int reserve(uint64_t size, uint8_t **ret)
{
    const uint64_t span = size + HUGE_PAGE;
    uint8_t *raw = mmap(NULL, span, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t head;

    if (raw == MAP_FAILED)
        return -errno;
    head = -(uint64_t)(uintptr_t)raw & (HUGE_PAGE - 1);
    if (head > 0)
        munmap(raw, head);
    if (head < HUGE_PAGE)
        munmap(raw + head + size, HUGE_PAGE - head);

    /* Advice: a kernel built without one of these says EINVAL, and the guest runs all the same.
     * A core dump is no place for a guest's secrets. */
    (void)madvise(raw + head, size, MADV_HUGEPAGE);
    (void)madvise(raw + head, size, MADV_DONTDUMP);
    *ret = raw + head;
    return 0;
}

static int add_region(struct memory *m, uint64_t gpa, uint64_t size, struct error *e)
{
    uint8_t *hva = NULL;
    int r = reserve(size, &hva);

    if (r < 0)
        return error_set(e, r, "cannot reserve %llu MiB of guest memory: %s (ask for less)",
                         (unsigned long long)(m->size >> 20), strerror(-r));
    m->regions[m->num_regions++] = (struct memory_region){.gpa = gpa, .size = size, .hva = hva};
    return 0;
}

int memory_init(struct memory *m, uint64_t size, struct error *e)
{
    const uint64_t low = size < MEMORY_HOLE_START ? size : MEMORY_HOLE_START;
    int r;

    if (size < MEMORY_MIN || size > MEMORY_MAX || size % (uint64_t)sysconf(_SC_PAGESIZE) != 0)
        return error_set(e, -EINVAL,
                         "guest memory of %llu bytes is out of range: give 64M to 1T, a multiple "
                         "of 4K",
                         (unsigned long long)size);
    *m = (struct memory){.size = size};
    r = add_region(m, 0, low, e);
    if (r == 0 && size > low)
        r = add_region(m, MEMORY_4G, size - low, e);
    if (r < 0)
        memory_done(m);
    return r;
}

void memory_done(struct memory *m)
{
    for (unsigned i = 0; i < m->num_regions; i++)
        munmap(m->regions[i].hva, m->regions[i].size);
    *m = (struct memory){0};
}

void *memory_at(const struct memory *m, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < m->num_regions; i++) {
        const struct memory_region *r = &m->regions[i];

        if (gpa >= r->gpa && gpa - r->gpa <= r->size && len <= r->size - (gpa - r->gpa))
            return r->hva + (gpa - r->gpa);
    }
    return NULL;
}

uint64_t memory_end(const struct memory *m)
{
    const struct memory_region *last = &m->regions[m->num_regions - 1];
    const uint64_t end = last->gpa + last->size;

    return end > MEMORY_4G ? end : MEMORY_4G;
}
