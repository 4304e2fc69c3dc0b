/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers: whatever may block (sriov_numvfs, a driver's unbind, rtnetlink's lock, a VMM that is
 * slow to answer) runs in a thread of its own, so that the bus always answers.
 *
 *   main thread   worker_start(job)                      job->done(job)  ◄─┐
 *   thread             └──► job->work(job) ─► worker_tell(...) ─► the end ─┘
 *
 * A job's data belongs to its thread until done() is called, which happens in the main thread.
 * Jobs on one PF exclude each other by that PF's gate (agent.h), not here.
 */
#ifndef SRC_WORKER_H
#define SRC_WORKER_H

#include "basic/error.h"
#include <pthread.h>
#include <systemd/sd-event.h>

#define WORKER_JOBS_MAX 64

struct worker;

struct job {
    struct worker *worker;
    void (*work)(struct job *j); /* in the thread */
    void (*done)(struct job *j); /* in the main thread; frees it */
    void (*told)(struct job *j); /* in the main thread, for worker_tell */
    struct job *next;
};

/* worker_new - @event: the main loop; not owned. */
int worker_new(sd_event *event, struct worker **ret) _must_check_;

/* worker_free - waits for the jobs that still run. */
void worker_free(struct worker *w);

/* worker_start - run @j; -EBUSY if WORKER_JOBS_MAX run already. */
int worker_start(struct worker *w, struct job *j) _must_check_;

/* worker_tell - from a job's thread: have job->told called in the main thread, and wait for it. */
void worker_tell(struct job *j);

#endif
