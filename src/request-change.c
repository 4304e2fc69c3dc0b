/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The changing methods. Each goes the same way (change_begin, change_run):
 *
 *   under claim   what there is is read, the plan is made, and its first step (the lease, which
 *                 decides whose the NIC becomes) is run
 *   under gate    the rest of the plan runs
 */
#include "src/request.h"

#include "basic/log.h"
#include "src/planner-parts.h"

#include <errno.h>

/* A change between its plan and its end. */
struct change {
    struct request *q;
    struct present now;
    struct plan plan;
    struct gate *gate;
};

static void change_done(struct change *c)
{
    plan_done(&c->plan);
    present_done(&c->now);
}
#define _cleanup_change_ _cleanup_(change_done)

static int find_gate(struct change *c, const struct pci_addr *pf, struct error *e)
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

static int reply_with(struct change *c, bool accepted, struct error *e)
{
    return request_set_reply(c->q, describe_plan(&c->plan, c->q->dry_run, accepted), e);
}

/* Run the plan's first step while nobody else can decide anything. */
static int claim_first(struct change *c, struct error *e)
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

/* What is left once claim is given back. */
static int change_run(struct change *c, struct error *e)
{
    int r;

    if (c->q->dry_run) {
        plan_look(&c->plan);
        return reply_with(c, false, e);
    }
    if (c->q->no_wait) {
        r = reply_with(c, true, e);
        if (r < 0)
            return r;
        worker_tell(&c->q->job);
    }
    pthread_mutex_lock(&c->gate->lock);
    r = check_still_so(c, e);
    if (r == 0)
        r = plan_run(&c->plan, e);
    pthread_mutex_unlock(&c->gate->lock);
    if (r == 0 && plan_changed(&c->plan))
        event_post(c->now.events, c->q->row->past, c->plan.object, c->plan.lease.vm, "");
    if (r < 0 || c->q->no_wait)
        return r;
    return reply_with(c, false, e);
}

/* ---- enable ---- */

static int enable_plan(struct change *c, struct error *e)
{
    struct pf *pf;
    int r = agent_present(c->q->agent, &c->now, e);

    if (r < 0)
        return r;
    r = name_find_pf(&c->now.inv, c->q->name, &pf, e);
    if (r == 0)
        r = find_gate(c, &pf->addr, e);
    if (r == 0)
        r = planner_enable(&c->now, pf, c->q->count, &c->plan, e);
    if (r == 0 && !c->q->dry_run)
        c->gate->resizing = true;
    return r;
}

int request_enable(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = {.q = q, .plan = PLAN_INIT};
    struct agent *a = q->agent;
    int r;

    pthread_mutex_lock(&a->claim);
    r = enable_plan(&c, e);
    pthread_mutex_unlock(&a->claim);
    if (r < 0)
        return r;
    r = change_run(&c, e);
    if (!q->dry_run) {
        pthread_mutex_lock(&a->claim);
        c.gate->resizing = false;
        pthread_mutex_unlock(&a->claim);
    }
    return r;
}

/* ---- assign ---- */

static int assign_virtio(struct change *c, struct error *e)
{
    int r = planner_assign_virtio(&c->now, c->q->vm, &c->q->policy, &c->plan, e);

    return r < 0 ? r : find_gate(c, &c->plan.lease.pf, e);
}

static int assign_vf(struct change *c, struct error *e)
{
    const struct pf *pf = NULL;
    const struct vf *vf = NULL;
    struct pf *named_pf;
    struct vf *named_vf;
    int r;

    if (streq(c->q->name, "any")) {
        r = planner_pick(&c->now, &pf, &vf, e);
    } else {
        r = name_find_vf(&c->now.inv, c->q->name, &named_pf, &named_vf, e);
        if (r == 0) {
            pf = named_pf;
            vf = named_vf;
        }
    }
    if (r == 0)
        r = find_gate(c, &pf->addr, e);
    return r < 0 ? r : planner_assign(&c->now, pf, vf, c->q->vm, &c->q->policy, &c->plan, e);
}

/* "any" again for a VM that has a NIC of that MAC already is the same request again. */
static const struct lease *same_again(const struct change *c)
{
    const struct lease *l;

    if (!streq(c->q->name, "any") || !policy_has(&c->q->policy, POLICY_MAC))
        return NULL;
    l = lease_find_mac(&c->now.leases, c->q->policy.value[POLICY_MAC], "");
    return l && streq(l->vm, c->q->vm) && l->phase == LEASE_ASSIGNED ? l : NULL;
}

static int assign_again(struct change *c, const struct lease *l, struct error *e)
{
    struct pf *pf = NULL;
    const struct vf *vf =
        l->kind == LEASE_KIND_VF ? inventory_find_vf(&c->now.inv, &l->vf, &pf) : NULL;
    int r = find_gate(c, &l->pf, e);

    if (r < 0)
        return r;
    if (vf)
        return planner_assign(&c->now, pf, vf, c->q->vm, &c->q->policy, &c->plan, e);
    return planner_keep(&c->now, l, &c->plan, e);
}

static int assign_plan(struct change *c, struct error *e)
{
    const struct lease *again;
    int r = agent_present(c->q->agent, &c->now, e);

    if (r < 0)
        return r;
    again = same_again(c);
    r = again ? assign_again(c, again, e) : assign_vf(c, e);
    /* Only what can't be had falls back: a conflict or a mistake is the caller's to see. */
    if (!again && c->q->fallback_virtio && (r == -EOPNOTSUPP || r == -ENODEV))
        r = assign_virtio(c, e);
    return r < 0 ? r : claim_first(c, e);
}

/* ---- assign ... standby on: the same, and before it the leg that backs it ---- */

static const struct lease *find_standby(const struct present *now, const struct lease *vf)
{
    for (size_t i = 0; i < now->leases.count; i++)
        if (planner_is_pair(&now->leases.items[i], vf) &&
            policy_diff(&now->leases.items[i].wanted, &vf->wanted) == 0)
            return &now->leases.items[i];
    return NULL;
}

/* @c: the VF's plan, its lease claimed. Without a VF (fallback), or with a standby already, @s
 * stays without steps. */
static int standby_plan(const struct change *c, struct change *s, struct error *e)
{
    int r;

    if (c->plan.lease.kind != LEASE_KIND_VF)
        return 0;
    r = agent_present(c->q->agent, &s->now, e);
    if (r < 0 || find_standby(&s->now, &c->plan.lease))
        return r;
    r = planner_assign_standby(&s->now, &c->plan.lease, &s->plan, e);
    if (r == 0)
        r = find_gate(s, &s->plan.lease.pf, e);
    return r < 0 ? r : claim_first(s, e);
}

/* Give back what was claimed for a plan that isn't run. */
static void unclaim(struct change *c)
{
    if (c->plan.num_steps > 0 && !c->q->dry_run && step_undo(&c->plan.steps[0], NULL) < 0)
        log_error("the lease of %s stays until sriovd restarts", c->plan.object);
}

static int assign_pair(struct change *c, struct change *s, struct error *e)
{
    struct agent *a = c->q->agent;
    int r;

    pthread_mutex_lock(&a->claim);
    r = assign_plan(c, e);
    if (r == 0) {
        r = standby_plan(c, s, e);
        if (r < 0)
            unclaim(c);
    }
    pthread_mutex_unlock(&a->claim);
    if (r < 0)
        return r;
    /* The standby first: in the guest the VF then joins what is there. */
    if (s->plan.num_steps > 0 && !c->q->dry_run) {
        pthread_mutex_lock(&s->gate->lock);
        r = plan_run(&s->plan, e);
        pthread_mutex_unlock(&s->gate->lock);
    }
    if (r < 0) {
        unclaim(c);
        return r;
    }
    return change_run(c, e);
}

int request_assign(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = {.q = q, .plan = PLAN_INIT}, s = {.q = q, .plan = PLAN_INIT};
    int r;

    if (q->standby)
        return assign_pair(&c, &s, e);
    pthread_mutex_lock(&q->agent->claim);
    r = assign_plan(&c, e);
    pthread_mutex_unlock(&q->agent->claim);
    return r < 0 ? r : change_run(&c, e);
}

/* ---- release ---- */

static int find_lease(const struct change *c, const struct lease **ret, struct error *e)
{
    struct pf *pf = NULL;
    struct vf *vf = NULL;
    struct pci_addr addr;
    int r = 0;

    *ret = lease_find(&c->now.leases, c->q->name);
    if (*ret)
        return 0;
    /* A VF that is gone still has its lease, by its address. */
    if (pci_addr_parse(c->q->name, &addr) == 0)
        *ret = lease_find_vf(&c->now.leases, &addr);
    if (!*ret)
        r = name_find_vf(&c->now.inv, c->q->name, &pf, &vf, e);
    if (!*ret && r == 0)
        *ret = lease_find_vf(&c->now.leases, &vf->addr);
    if (!*ret && r == 0)
        snprintf(c->q->name, sizeof(c->q->name), "%s", VF_NAME_STR(pf, vf));
    return r;
}

static int check_lease(const struct change *c, const struct lease *l, struct error *e)
{
    if (c->q->only_vm[0] && !streq(l->vm, c->q->only_vm))
        return error_set(e, -ESTALE, "%s is assigned to %s, not to %s: left alone", c->q->name,
                         l->vm, c->q->only_vm);
    if (l->phase == LEASE_ASSIGNING || l->phase == LEASE_RELEASING)
        return error_set(e, -EBUSY, "%s is %s just now: try again when that is done", c->q->name,
                         lease_phase_name(l->phase));
    return 0;
}

static int release_plan(struct change *c, struct error *e)
{
    const struct lease *l = NULL;
    struct pf *pf = NULL;
    int r = agent_present(c->q->agent, &c->now, e);

    if (r == 0)
        r = find_lease(c, &l, e);
    if (r < 0)
        return r;
    if (!l) { /* released already, or never assigned: the wanted state */
        c->plan = (struct plan){.verb = "release", .state_dir = c->now.state_dir};
        snprintf(c->plan.object, sizeof(c->plan.object), "%.47s", c->q->name);
        return 0;
    }
    r = check_lease(c, l, e);
    /* A damaged lease doesn't tell its PF; the VF does. */
    inventory_find_vf(&c->now.inv, &l->vf, &pf);
    if (r == 0)
        r = find_gate(c, pf ? &pf->addr : &l->pf, e);
    if (c->q->has_deadline)
        c->now.deadline_ms = c->q->deadline_s * 1000;
    if (r == 0)
        r = planner_release(&c->now, l, &c->plan, e);
    return r < 0 ? r : claim_first(c, e);
}

int request_release(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = {.q = q, .plan = PLAN_INIT};
    int r;

    pthread_mutex_lock(&q->agent->claim);
    r = release_plan(&c, e);
    pthread_mutex_unlock(&q->agent->claim);
    if (r < 0)
        return r;
    return c.plan.num_steps == 0 ? reply_with(&c, false, e) : change_run(&c, e);
}

/* ---- set ---- */

static int set_plan(struct change *c, struct error *e)
{
    struct pf *pf;
    struct vf *vf;
    int r = agent_present(c->q->agent, &c->now, e);

    if (r == 0)
        r = name_find_vf(&c->now.inv, c->q->name, &pf, &vf, e);
    if (r == 0)
        r = find_gate(c, &pf->addr, e);
    if (r == 0)
        r = planner_set(&c->now, pf, vf, &c->q->policy, &c->plan, e);
    return r < 0 ? r : claim_first(c, e);
}

int request_set(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = {.q = q, .plan = PLAN_INIT};
    int r;

    if (q->policy.set == 0)
        return error_set(e, -EINVAL, "set needs something to set, such as 'vlan 5'");
    pthread_mutex_lock(&q->agent->claim);
    r = set_plan(&c, e);
    pthread_mutex_unlock(&q->agent->claim);
    return r < 0 ? r : change_run(&c, e);
}
