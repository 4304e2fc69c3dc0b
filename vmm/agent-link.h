/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with the agent (vfio/handoff.h), from the VMM's side.
 *
 *   agent_link_take    before the guest runs: HELLO, then each NIC is taken, until READY. Blocks;
 *                      whatever goes wrong ends the VM.
 *   agent_link_watch   from then on the agent's socket is one of the event loop's sources. It tells
 *                      which NICs come and go, and hears of their states. Whatever goes wrong with
 *                      it ends the conversation and nothing else: the VM runs on.
 *
 * An agent that gave a LISTENER is told states. When it has gone, the next one connects there and
 * says RESUME. An agent that lets messages pile up is taken for gone; by RESUME it, too, learns
 * what there is.
 */
#ifndef VMM_AGENT_LINK_H
#define VMM_AGENT_LINK_H

#include "vmm/nic.h"

struct agent_link {
    struct nic_set *nics;
    int sock;      /* connected to the agent (handoff_connect); -1: there is none */
    int listener;  /* where the next one connects; -1: none was given */
    int candidate; /* connected there, and hasn't said RESUME yet; -1 */
};

#define AGENT_LINK_INIT                                                                            \
    {                                                                                              \
        .sock = -1, .listener = -1, .candidate = -1                                                \
    }

/**
 * agent_link_take - ask the agent for the NICs leased to @nics' machine and plug them in
 * @ret_count: how many there were
 *
 * Blocks until the agent says READY or refuses. Slots follow the order of the leases, so that a
 * NIC keeps its place in the guest.
 *
 * Return: 0; what the agent refused with; -EPROTO if it doesn't speak the protocol.
 */
int agent_link_take(struct agent_link *l, struct nic_set *nics, unsigned *ret_count,
                    struct error *e) _must_check_;

/* agent_link_watch - go on in the machine's loop; before the sandbox. */
int agent_link_watch(struct agent_link *l, struct error *e) _must_check_;

/* agent_link_done - close it, when the machine is gone: that is how the agent knows. */
void agent_link_done(struct agent_link *l);

#endif
