/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live VMs and the NICs they hold now, as their VMMs say: the agent's end of the conversation
 * that vfio/handoff.h describes.
 *
 * The main thread receives (live_message) and notes who comes and goes; worker threads ask and
 * wait (live_plug, live_unplug). One conversation a VM at a time; states of NICs come between.
 * What a VM holds is known again after a restart of the agent, because its VMM is asked (RESUME).
 */
#ifndef SRC_LIVE_H
#define SRC_LIVE_H

#include "src/event.h"
#include "src/running.h"
#include "vfio/handoff.h"

struct live;

int live_new(struct live **ret) _must_check_;
void live_free(struct live *live);

/* live_set_events - where changes of state are told; NULL nowhere. */
void live_set_events(struct live *live, struct event_queue *events);

/* ---- main thread ---- */

/**
 * live_join - a VMM of that name is there
 * @sock: connected to it, nonblocking; stays the caller's until live_leave
 *
 * Return: 0; -EEXIST if one is there already; -ENOMEM.
 */
int live_join(struct live *live, const char *vm, int sock, pid_t pid) _must_check_;

/* live_set_ready - what its leases say has been handed over; from now on NICs come and go live. */
void live_set_ready(struct live *live, const char *vm);

/* live_leave - it is gone, and every NIC it held with it; whoever waits for it is told. */
void live_leave(struct live *live, const char *vm);

/**
 * live_message - a message came from that VMM
 *
 * @fds become the table's or are closed.
 *
 * Return: 0; -EPROTO for one that nothing asked for.
 */
int live_message(struct live *live, const char *vm, const struct handoff_msg *m,
                 int fds[static HANDOFF_FDS_MAX]) _must_check_;

/* ---- any thread ---- */

/* live_running - the VMs that are there; the caller frees @ret->items. */
int live_running(struct live *live, struct running_list *ret, struct error *e) _must_check_;

/* live_is_ready - is it there, and can NICs be plugged and unplugged? */
bool live_is_ready(struct live *live, const char *vm);

/* live_wait_ready - wait until every VM that is there is ready, or @ms have passed. */
void live_wait_ready(struct live *live, unsigned ms);

/* live_state - where the NIC of a lease stands, 0 if no VMM holds it. */
enum handoff_state live_state(struct live *live, uint64_t generation);

/* live_state_name - "offered", "active", "requested", ...; "" for 0. */
const char *live_state_name(enum handoff_state state);

/* ---- worker threads ---- */

/* live_send - a message that wants no answer. */
int live_send(struct live *live, const char *vm, const struct handoff_msg *m, const int *fds,
              size_t n_fds) _must_check_;

/**
 * live_offer - open the NIC of a lease and send it to the VMM of its VM, which is starting
 * @container: of the VFs that were handed over before, kept for the next; its fd is the caller's
 *
 * From then on the VMM holds it. live_taken waits for its answer.
 *
 * Return: 0; -ENODEV if the VM is gone; what opening failed with.
 */
int live_offer(struct live *live, const struct lease *l, uint32_t seq, int *container,
               struct error *e) _must_check_;

/* live_taken - 0; what the VMM refused with; -ETIMEDOUT or -ENODEV if it doesn't answer. */
int live_taken(struct live *live, const struct lease *l, uint32_t seq,
               struct error *e) _must_check_;

/**
 * live_plug - the same for a VM that is ready: its guest finds a new NIC
 *
 * A VF goes into the container that the VMM has already, if it has one.
 */
int live_plug(struct live *live, const struct lease *l, struct error *e) _must_check_;

/**
 * live_unplug - have the guest give the NIC back, or take it
 * @deadline_ms: after which the VMM takes it by force; 0 at once
 *
 * Return: 0 when no VMM holds it any more (given back, taken, or its VMM ended); -ETIMEDOUT if
 * the VMM itself doesn't answer a while after the deadline.
 */
int live_unplug(struct live *live, const struct lease *l, unsigned deadline_ms,
                struct error *e) _must_check_;

#endif
