/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change, between its plan and its end. All go the same way:
 *
 *   under claim   what there is is read, the plan is made, and its first step (the lease, which
 *                 decides whose the NIC becomes) is run: change_claim
 *   under gate    the rest of the plan runs: change_run
 */
#ifndef SRC_CHANGE_H
#define SRC_CHANGE_H

#include "src/request.h"

struct change {
    struct request *q;
    struct present now;
    struct plan plan;
    struct gate *gate;
};

#define CHANGE_INIT(request)                                                                       \
    {                                                                                              \
        .q = (request), .plan = PLAN_INIT                                                          \
    }
void change_done(struct change *c);
#define _cleanup_change_ _cleanup_(change_done)

/* change_find_gate - under claim: the PF's gate; -EBUSY while its VFs come or go. */
int change_find_gate(struct change *c, const struct pci_addr *pf, struct error *e) _must_check_;

/* change_claim - run the plan's first step while nobody else can decide anything. */
int change_claim(struct change *c, struct error *e) _must_check_;

/* change_unclaim - give back what was claimed for a plan that isn't run after all. */
void change_unclaim(struct change *c);

/* change_run_gated - run the rest under the gate, without a reply. */
int change_run_gated(struct change *c, struct error *e) _must_check_;

/* change_run - what is left once claim is given back: the dry run's reply, or the plan and its. */
int change_run(struct change *c, struct error *e) _must_check_;

/* change_reply - the plan as the request's reply. */
int change_reply(struct change *c, bool accepted, struct error *e) _must_check_;

#endif
