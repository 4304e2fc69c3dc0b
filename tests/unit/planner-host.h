/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up host for the planner: two igb cards, of which the first has three VFs, and a storage
 * card with one. What the planner asks the kernel beside its inventory is answered from here, by
 * --wrap (Makefile.am).
 */
#ifndef TESTS_UNIT_PLANNER_HOST_H
#define TESTS_UNIT_PLANNER_HOST_H

#include "src/planner.h"

#define MAC 0x525400123456

extern struct planner_host {
    struct pf pfs[3];
    struct vf vfs[3], nvme;
    struct lease leases[4];
    struct present now;

    /* Answers. */
    int group_error, viable_error, busy, holder, netdev_up;
    bool bridge, tap, macvtap_held;
} host;

/* Set-up and tear-down of each test. */
int planner_host_make(void **state);
int planner_host_free(void **state);

/* planner_host_lease - VF @vf of the first card is @vm's, with MAC + @vf. */
struct lease *planner_host_lease(unsigned vf, const char *vm, enum lease_phase phase);

/* planner_host_virtio_lease - virtio0 is vm1's, with MAC; on br0, or a macvtap on eth0. */
struct lease *planner_host_virtio_lease(bool on_bridge);

/* assert_steps - the plan in one line: its steps, with what is true already in parentheses. */
void assert_steps(const struct plan *p, const char *expected);

#endif
