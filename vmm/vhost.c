/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

static int set_memory(int vhost, const struct memory *memory)
{
    _cleanup_free_ struct vhost_memory *table = NULL;

    table = calloc(1, sizeof(*table) + memory->num_regions * sizeof(table->regions[0]));
    if (!table)
        return -ENOMEM;
    table->nregions = memory->num_regions;
    for (unsigned i = 0; i < memory->num_regions; i++)
        table->regions[i] = (struct vhost_memory_region){
            .guest_phys_addr = memory->regions[i].gpa,
            .memory_size = memory->regions[i].size,
            .userspace_addr = (uint64_t)(uintptr_t)memory->regions[i].hva,
        };
    return ioctl(vhost, VHOST_SET_MEM_TABLE, table) < 0 ? -errno : 0;
}

int vhost_init(int vhost, const struct memory *memory, uint64_t *ret_features, struct error *e)
{
    uint64_t features;
    int r;

    if (ioctl(vhost, VHOST_SET_OWNER) < 0)
        return error_set(e, -errno, "vhost-net: cannot become its owner: %s", strerror(errno));
    if (ioctl(vhost, VHOST_GET_FEATURES, &features) < 0)
        return error_set(e, -errno, "vhost-net: cannot read its features: %s", strerror(errno));
    r = set_memory(vhost, memory);
    if (r < 0)
        return error_set(e, r, "vhost-net: cannot give it guest memory: %s", strerror(-r));
    *ret_features = features;
    return 0;
}

int vhost_set_features(int vhost, uint64_t features)
{
    return ioctl(vhost, VHOST_SET_FEATURES, &features) < 0 ? -errno : 0;
}

static int set_backend(int vhost, unsigned index, int tap)
{
    struct vhost_vring_file backend = {.index = index, .fd = tap};

    return ioctl(vhost, VHOST_NET_SET_BACKEND, &backend) < 0 ? -errno : 0;
}

int vhost_ring_start(int vhost, unsigned index, const struct vhost_ring *ring, int tap)
{
    struct vhost_vring_state num = {.index = index, .num = ring->size};
    struct vhost_vring_state base = {.index = index, .num = 0};
    struct vhost_vring_addr addr = {
        .index = index,
        .desc_user_addr = (uint64_t)(uintptr_t)ring->desc,
        .avail_user_addr = (uint64_t)(uintptr_t)ring->avail,
        .used_user_addr = (uint64_t)(uintptr_t)ring->used,
    };
    struct vhost_vring_file kick = {.index = index, .fd = ring->kick};
    int r;

    if (ioctl(vhost, VHOST_SET_VRING_NUM, &num) < 0 ||
        ioctl(vhost, VHOST_SET_VRING_BASE, &base) < 0 ||
        ioctl(vhost, VHOST_SET_VRING_ADDR, &addr) < 0 ||
        ioctl(vhost, VHOST_SET_VRING_KICK, &kick) < 0)
        return -errno;
    r = vhost_ring_set_call(vhost, index, ring->call);
    if (r < 0)
        return r;
    return set_backend(vhost, index, tap);
}

int vhost_ring_stop(int vhost, unsigned index)
{
    return set_backend(vhost, index, -1);
}

int vhost_ring_set_call(int vhost, unsigned index, int call)
{
    struct vhost_vring_file file = {.index = index, .fd = call};

    return ioctl(vhost, VHOST_SET_VRING_CALL, &file) < 0 ? -errno : 0;
}
