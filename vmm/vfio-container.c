/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vfio-container.h"

#include "basic/log.h"
#include "vfio/dma.h"

#include <errno.h>

static struct vfio_container *find(const struct machine *m, uint32_t number)
{
    for (struct vfio_container *c = m->containers; c; c = c->next)
        if (c->number == number)
            return c;
    return NULL;
}

static int check_ranges(const struct memory *memory, int fd, struct error *e)
{
    struct vfio_dma_info info;
    int r = vfio_dma_info_get(fd, &info, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < memory->num_regions; i++) {
        const struct memory_region *region = &memory->regions[i];

        if (!vfio_dma_covers(&info, region->gpa, region->size))
            return error_set(e, -ERANGE,
                             "the host's IOMMU cannot reach guest memory at 0x%llx-0x%llx: give "
                             "the VM less memory",
                             (unsigned long long)region->gpa,
                             (unsigned long long)(region->gpa + region->size - 1));
    }
    return 0;
}

/* The first @count regions, the last one first. */
static void unmap_memory(const struct memory *memory, unsigned count, int fd)
{
    while (count-- > 0) {
        const struct memory_region *region = &memory->regions[count];

        /* What can't be unmapped goes with the container. */
        if (vfio_dma_unmap(fd, region->gpa, region->size, NULL) < 0)
            break;
    }
}

/* All of guest RAM, or nothing. */
static int map_memory(const struct memory *memory, int fd, struct error *e)
{
    for (unsigned i = 0; i < memory->num_regions; i++) {
        const struct memory_region *region = &memory->regions[i];
        int r = vfio_dma_map(fd, region->gpa, region->size, region->hva, true, e);

        if (r < 0) {
            unmap_memory(memory, i, fd);
            return r;
        }
    }
    return 0;
}

static int make(struct machine *m, uint32_t number, int fd, struct vfio_container **ret,
                struct error *e)
{
    struct vfio_container *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return error_set(e, -ENOMEM, "out of memory for a VFIO container");
    r = check_ranges(&m->memory, fd, e);
    if (r == 0)
        r = map_memory(&m->memory, fd, e);
    if (r < 0) {
        free(c);
        return r;
    }
    *c = (struct vfio_container){.next = m->containers, .number = number, .fd = fd};
    m->containers = c;
    *ret = c;
    return 0;
}

/* A group that has joined may narrow what all of them can reach: what is mapped stays mapped, so
 * it is looked at again. */
static int reuse(struct machine *m, struct vfio_container *c, int fd, struct error *e)
{
    int r = check_ranges(&m->memory, c->fd, e);

    if (r == 0)
        close(fd);
    return r;
}

static void leave_kvm(struct machine *m, int group)
{
    if (kvm_vfio_add_group(&m->kvm, group, false) < 0)
        log_warning("KVM keeps hold of a VFIO group: it stays in use until the VM ends");
}

int vfio_container_join(struct machine *m, uint32_t number, int container, int group,
                        struct vfio_container **ret, struct error *e)
{
    struct vfio_container *c = find(m, number);
    int r = kvm_vfio_add_group(&m->kvm, group, true);

    if (r < 0)
        return error_set(e, r, "KVM refuses the VFIO group: %s", strerror(-r));
    r = c ? reuse(m, c, container, e) : make(m, number, container, &c, e);
    if (r < 0) {
        leave_kvm(m, group);
        return r;
    }
    c->num_groups++;
    *ret = c;
    return 0;
}

static void forget(struct machine *m, struct vfio_container *c)
{
    struct vfio_container **link = &m->containers;

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    close(c->fd);
    free(c);
}

void vfio_container_leave(struct machine *m, struct vfio_container *c, int group)
{
    if (--c->num_groups == 0)
        unmap_memory(&m->memory, m->memory.num_regions, c->fd);
    leave_kvm(m, group);
    close(group);
    if (c->num_groups == 0)
        forget(m, c);
}
