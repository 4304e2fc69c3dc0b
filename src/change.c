/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/change.h"

#include "basic/log.h"

#include <errno.h>

void change_done(struct change *c)
{
    plan_done(&c->plan);
    present_done(&c->now);
}

int change_find_gate(struct change *c, const struct pci_addr *pf, struct error *e)
{
    c->gate = agent_gate(c->q->agent, pf);
    if (!c->gate)
        return error_set(e, -ENOMEM, "out of memory");
    if (c->gate->resizing)
        return error_set(e, -EBUSY,
                         "the VFs of %s are being created or removed: try again when "
                         "that is done",
                         PCI_ADDR_STR(pf));
    return 0;
}

int change_reply(struct change *c, bool accepted, struct error *e)
{
    return request_set_reply(c->q, describe_plan(&c->plan, c->q->dry_run, accepted), e);
}

int change_claim(struct change *c, struct error *e)
{
    struct step *first = c->plan.num_steps > 0 ? &c->plan.steps[0] : NULL;
    int r;

    if (c->q->dry_run || !first || first->type != STEP_LEASE)
        return 0;
    r = step_run(first, e);
    /* It may be on the disk although the kernel couldn't promise so: then it must go again. */
    if (r < 0 && step_undo(first, NULL) < 0)
        error_prefix(e, "the lease of %s may be left behind until sriovd restarts", c->plan.object);
    return r;
}

/* Under the gate: is the lease still what it was when it was claimed? Others may have had their
 * turn at the gate meanwhile: a release, or a VMM that took the NIC. */
static int check_still_so(struct change *c, struct error *e)
{
    struct step *first = c->plan.num_steps > 0 ? &c->plan.steps[0] : NULL;
    int r = 0;

    if (!first || first->type != STEP_LEASE)
        return 0;
    if (lease_stored_phase(c->now.state_dir, &first->lease) != (int)first->lease.phase)
        return error_set(e, -EBUSY, "%s was released or assigned meanwhile: see 'sriovctl list'",
                         c->plan.object);
    if (first->lease.phase == LEASE_RELEASING)
        r = planner_check_released(&c->now, &first->lease, e);
    if (r < 0 && step_undo(first, NULL) < 0)
        error_prefix(e, "%s stays half released until sriovd restarts", c->plan.object);
    return r;
}

int change_run_gated(struct change *c, struct error *e)
{
    int r;

    pthread_mutex_lock(&c->gate->lock);
    r = check_still_so(c, e);
    /* A guest takes its time to give a NIC back: its neighbours on the PF don't wait for it. What
     * is being released is nobody else's to touch meanwhile. */
    if (r == 0 && plan_has(&c->plan, STEP_UNPLUG)) {
        pthread_mutex_unlock(&c->gate->lock);
        r = plan_run_through(&c->plan, STEP_UNPLUG, e);
        pthread_mutex_lock(&c->gate->lock);
    }
    if (r == 0)
        r = plan_run(&c->plan, e);
    pthread_mutex_unlock(&c->gate->lock);
    if (r == 0 && plan_changed(&c->plan))
        event_post(c->now.events, c->q->row->past, c->plan.object, c->plan.lease.vm, "");
    return r;
}

int change_run(struct change *c, struct error *e)
{
    int r;

    if (c->q->dry_run) {
        plan_look(&c->plan);
        return change_reply(c, false, e);
    }
    if (c->q->no_wait) {
        r = change_reply(c, true, e);
        if (r < 0)
            return r;
        worker_tell(&c->q->job);
    }
    r = change_run_gated(c, e);
    if (r < 0 || c->q->no_wait)
        return r;
    return change_reply(c, false, e);
}

void change_unclaim(struct change *c)
{
    if (c->plan.num_steps > 0 && !c->q->dry_run && step_undo(&c->plan.steps[0], NULL) < 0)
        log_error("the lease of %s stays until sriovd restarts", c->plan.object);
}
