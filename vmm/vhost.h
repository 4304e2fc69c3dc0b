/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-net by its fd: a kernel thread that moves packets between a virtio device's rings and a
 * tap, so that no thread of this process sees them.
 *
 * Kernel interface: linux/vhost.h.
 */
#ifndef VMM_VHOST_H
#define VMM_VHOST_H

#include "vmm/memory.h"

/* A ring that the guest has set up; its addresses have been checked to lie in guest memory. */
struct vhost_ring {
    uint16_t size; /* entries, a power of two */
    void *desc;
    void *avail;
    void *used;
    int kick; /* eventfd the guest's notification signals */
    int call; /* eventfd to signal for an interrupt; -1: the guest wants none */
};

/**
 * vhost_init - make this process the owner and tell the kernel where guest memory is
 * @vhost: a fresh fd of /dev/vhost-net; stays the caller's
 * @ret_features: virtio features that the kernel can do
 *
 * Return: 0; -EBUSY if it has an owner already; another negative errno.
 */
int vhost_init(int vhost, const struct memory *memory, uint64_t *ret_features,
               struct error *e) _must_check_;

/* vhost_set_features - what the guest has agreed to; only while no ring runs. */
int vhost_set_features(int vhost, uint64_t features) _must_check_;

/**
 * vhost_ring_start - hand a ring over, from its first entry, and let packets flow
 * @index: 0 receives, 1 transmits
 * @tap: where the packets go; stays the caller's
 */
int vhost_ring_start(int vhost, unsigned index, const struct vhost_ring *ring,
                     int tap) _must_check_;

/* vhost_ring_stop - take a ring back: when it returns the kernel touches it no more. */
int vhost_ring_stop(int vhost, unsigned index) _must_check_;

/* vhost_ring_set_call - another eventfd for interrupts, or -1, also of a ring that runs. */
int vhost_ring_set_call(int vhost, unsigned index, int call) _must_check_;

#endif
