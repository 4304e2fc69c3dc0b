/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changing methods of one NIC or PF; each goes the way of change.h. */
#include "src/change.h"
#include "src/numa.h"
#include "src/planner-parts.h"

#include <errno.h>

/* ---- enable ---- */

static int enable_plan(struct change *c, struct error *e)
{
    struct pf *pf;
    int r = agent_present(c->q->agent, &c->now, e);

    if (r < 0)
        return r;
    r = name_find_pf(&c->now.inv, c->q->name, &pf, e);
    if (r == 0)
        r = change_find_gate(c, &pf->addr, e);
    if (r == 0)
        r = planner_enable(&c->now, pf, c->q->count, &c->plan, e);
    if (r == 0 && !c->q->dry_run)
        c->gate->resizing = true;
    return r;
}

int request_enable(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = CHANGE_INIT(q);
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

    return r < 0 ? r : change_find_gate(c, &c->plan.lease.pf, e);
}

/* Where the VM runs; one that doesn't is near to nothing. */
static int node_of_vm(const struct request *q)
{
    for (size_t i = 0; i < q->running.count; i++)
        if (streq(q->running.items[i].vm, q->vm))
            return numa_node_of(q->running.items[i].pid);
    return -1;
}

static int assign_vf(struct change *c, struct error *e)
{
    const struct pf *pf = NULL;
    const struct vf *vf = NULL;
    struct pf *named_pf;
    struct vf *named_vf;
    int r;

    if (streq(c->q->name, "any")) {
        r = planner_pick(&c->now, node_of_vm(c->q), &pf, &vf, e);
    } else {
        r = name_find_vf(&c->now.inv, c->q->name, &named_pf, &named_vf, e);
        if (r == 0) {
            pf = named_pf;
            vf = named_vf;
        }
    }
    if (r == 0)
        r = change_find_gate(c, &pf->addr, e);
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
    int r = change_find_gate(c, &l->pf, e);

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
    return r < 0 ? r : change_claim(c, e);
}

/* ---- assign ... standby on: the same, and before it the leg that backs it ---- */

/* @c: the VF's plan, its lease claimed. Without a VF (fallback), or with a standby already, @s
 * stays without steps. */
static int standby_plan(const struct change *c, struct change *s, struct error *e)
{
    int r;

    if (c->plan.lease.kind != LEASE_KIND_VF)
        return 0;
    r = agent_present(c->q->agent, &s->now, e);
    if (r < 0 || planner_find_standby(&s->now, &c->plan.lease))
        return r;
    r = planner_assign_standby(&s->now, &c->plan.lease, &s->plan, e);
    if (r == 0)
        r = change_find_gate(s, &s->plan.lease.pf, e);
    return r < 0 ? r : change_claim(s, e);
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
            change_unclaim(c);
    }
    pthread_mutex_unlock(&a->claim);
    if (r < 0)
        return r;
    /* The standby first: in the guest the VF then joins what is there. */
    if (s->plan.num_steps > 0 && !c->q->dry_run)
        r = change_run_gated(s, e);
    /* From here on it is one change: told as one, and undone as one. */
    if (r == 0 && plan_append(&c->plan, &s->plan) < 0)
        r = planner_no_memory(e);
    if (r < 0) {
        change_unclaim(c);
        return r;
    }
    return change_run(c, e);
}

int request_assign(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = CHANGE_INIT(q), s = CHANGE_INIT(q);
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
    if (l->phase == LEASE_ASSIGNING || l->phase == LEASE_RELEASING || l->phase == LEASE_DRAINING)
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
        r = change_find_gate(c, pf ? &pf->addr : &l->pf, e);
    if (c->q->has_deadline)
        c->now.deadline_ms = c->q->deadline_s * 1000;
    if (r == 0)
        r = planner_release(&c->now, l, &c->plan, e);
    return r < 0 ? r : change_claim(c, e);
}

int request_release(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = CHANGE_INIT(q);
    int r;

    pthread_mutex_lock(&q->agent->claim);
    r = release_plan(&c, e);
    pthread_mutex_unlock(&q->agent->claim);
    if (r < 0)
        return r;
    return c.plan.num_steps == 0 ? change_reply(&c, false, e) : change_run(&c, e);
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
        r = change_find_gate(c, &pf->addr, e);
    if (r == 0)
        r = planner_set(&c->now, pf, vf, &c->q->policy, &c->plan, e);
    return r < 0 ? r : change_claim(c, e);
}

int request_set(struct request *q, struct error *e)
{
    _cleanup_change_ struct change c = CHANGE_INIT(q);
    int r;

    if (q->policy.set == 0)
        return error_set(e, -EINVAL, "set needs something to set, such as 'vlan 5'");
    pthread_mutex_lock(&q->agent->claim);
    r = set_plan(&c, e);
    pthread_mutex_unlock(&q->agent->claim);
    return r < 0 ? r : change_run(&c, e);
}
