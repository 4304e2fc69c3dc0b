/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMs whose VMM is connected now. */
#ifndef SRC_RUNNING_H
#define SRC_RUNNING_H

#include "src/lease.h"

struct running {
    char vm[LEASE_VM];
    pid_t pid;
};

struct running_list {
    struct running *items;
    size_t count;
};

#endif
