/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CMOS clock, MC146818, ports 0x70 and 0x71: the host's time in UTC, read-only and never in
 * an update. Without one a kernel spins 20,000 reads waiting for an update to end.
 */
#ifndef VMM_CMOS_H
#define VMM_CMOS_H

#include "vmm/bus.h"

struct cmos {
    uint8_t index;
};

/* cmos_init - put @c on the ports; it stays the caller's. -EEXIST if something is there. */
int cmos_init(struct cmos *c, struct bus *pio) _must_check_;

#endif
