/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The open files that make a lease a NIC: what a handoff carries. */
#ifndef SRC_NIC_FDS_H
#define SRC_NIC_FDS_H

#include "src/lease.h"
#include "vfio/handoff.h"

struct nic_fds {
    int fds[HANDOFF_FDS_MAX]; /* in the order of the handoff; -1 where there is none */
    size_t count;
};

#define NIC_FDS_INIT                                                                               \
    {                                                                                              \
        .fds = {-1, -1, -1}, .count = 0                                                            \
    }
void nic_fds_done(struct nic_fds *n);
#define _cleanup_nic_fds_ _cleanup_(nic_fds_done)

/**
 * nic_fds_open_vf - container, group and device of a VF
 * @container: into which the VF's group goes; -1 for a new one
 */
int nic_fds_open_vf(const struct lease *l, int container, struct nic_fds *ret,
                    struct error *e) _must_check_;

/* nic_fds_open_virtio - tap (on the bridge, or of the macvtap) and vhost-net. */
int nic_fds_open_virtio(const struct lease *l, struct nic_fds *ret, struct error *e) _must_check_;

#endif
