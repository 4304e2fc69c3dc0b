/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that can't boot. A corrupt kernel seldom says so: its decompressor halts with interrupts
 * off before there is a console, or the CPU faults until it resets, and that again and again.
 *
 * So until a run's guest has said its first word, two things end the machine: a few triple faults
 * in a row, each soon after the reset; and vCPUs that are found halted with interrupts off, all
 * of them, from which nothing wakes them. That is looked at a few times, at growing intervals,
 * and never again once the guest has spoken: what it does then is its own affair.
 */
#ifndef VMM_EARLY_H
#define VMM_EARLY_H

#include "basic/error.h"
#include <stdint.h>
#include <time.h>

struct machine;

struct early {
    int timer;                /* timerfd; -1 */
    unsigned looks;           /* at this run, so far */
    unsigned faults;          /* triple faults in a row */
    struct timespec started;  /* this run */
    uint64_t output_at_start; /* the console's count then */
};

/* early_init - make @m's timer and add it to its loop. */
int early_init(struct machine *m) _must_check_;
void early_done(struct machine *m);

/* early_start - a run starts from a fresh kernel. */
void early_start(struct machine *m);

/* early_fault - the guest has triple-faulted; true if it is hopeless. */
bool early_fault(struct machine *m);

#endif
