/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drain: every VF of a PF leaves its VM, which keeps its network by the standby; undrain brings
 * them back. A change (change.h) for each VF, all claimed together, run one after the other.
 */
#include "src/change.h"
#include "src/planner-parts.h"

#include <errno.h>

struct drain {
    struct request *q;
    struct present now;
    struct pf *pf;
    struct change *changes; /* one a VF */
    size_t count;
    struct plan all; /* their steps together, for the reply */
};

static void drain_done(struct drain *d)
{
    for (size_t i = 0; i < d->count; i++)
        change_done(&d->changes[i]);
    free(d->changes);
    plan_done(&d->all);
    present_done(&d->now);
}
#define _cleanup_drain_ _cleanup_(drain_done)

static bool is_on(const struct drain *d, const struct lease *l, enum lease_phase phase)
{
    return l->kind == LEASE_KIND_VF && l->phase == phase && pci_addr_eq(&l->pf, &d->pf->addr);
}

/* A VM that would be without network is a reason to refuse, and each of them is named. */
static int check_backed(const struct drain *d, struct error *e)
{
    char list[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < d->now.leases.count; i++) {
        const struct lease *l = &d->now.leases.items[i];

        if (is_on(d, l, LEASE_ASSIGNED) && !planner_find_standby(&d->now, l) && used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s (%s)",
                                     used ? ", " : "", l->id, l->vm);
    }
    if (used == 0)
        return 0;
    return error_set(e, -EBUSY,
                     "cannot drain %s: these have no standby and would lose their network: %s; "
                     "release them, or assign them with 'standby on'",
                     d->pf->name, list);
}

static int record_drained(struct drain *d, bool drained, struct error *e)
{
    struct pf_record rec = {
        .pf = d->pf->addr, .count = (unsigned)d->pf->num_vfs, .autoprobe_before = d->pf->autoprobe};

    if (d->q->dry_run)
        return 0;
    if (pf_record_load(d->now.state_dir, &d->pf->addr, &rec, NULL) < 0)
        snprintf(rec.boot_id, sizeof(rec.boot_id), "%s", d->now.boot_id);
    rec.drained = drained;
    return pf_record_save(d->now.state_dir, &rec, e);
}

static int add_change(struct drain *d, const struct lease *l,
                      int (*planner)(const struct present *now, const struct lease *lease,
                                     struct plan *ret, struct error *e),
                      struct error *e)
{
    struct change *c = &d->changes[d->count];
    int r;

    *c = (struct change)CHANGE_INIT(d->q);
    c->now = d->now;
    /* Borrowed for planning; what it owns is the drain's. */
    r = planner(&d->now, l, &c->plan, e);
    if (r == 0)
        r = change_find_gate(c, &d->pf->addr, e);
    if (r == 0)
        r = change_claim(c, e);
    c->now.inv = (struct inventory)INVENTORY_INIT;
    c->now.leases = (struct lease_list)LEASE_LIST_INIT;
    if (r == 0)
        d->count++;
    else
        plan_done(&c->plan);
    return r;
}

static int plan_all(struct drain *d, bool drain, struct error *e)
{
    const enum lease_phase from = drain ? LEASE_ASSIGNED : LEASE_DRAINED;
    int r = agent_present(d->q->agent, &d->now, e);

    if (d->q->has_deadline)
        d->now.deadline_ms = d->q->deadline_s * 1000;
    if (r == 0)
        r = name_find_pf(&d->now.inv, d->q->name, &d->pf, e);
    if (r == 0 && drain)
        r = check_backed(d, e);
    if (r == 0)
        r = record_drained(d, drain, e);
    if (r < 0)
        return r;
    d->changes = calloc(d->now.leases.count + 1, sizeof(*d->changes));
    if (!d->changes)
        return planner_no_memory(e);
    for (size_t i = 0; r == 0 && i < d->now.leases.count; i++)
        if (is_on(d, &d->now.leases.items[i], from))
            r = add_change(d, &d->now.leases.items[i], drain ? planner_drain : planner_undrain, e);
    for (size_t i = 0; r < 0 && i < d->count; i++)
        change_unclaim(&d->changes[i]);
    return r;
}

/* One that fails is quarantined, or undone, by its plan; the others are drained all the same. */
static int run_all(struct drain *d, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < d->count; i++) {
        struct error why = ERROR_INIT;
        int one = 0;

        if (d->q->dry_run)
            plan_look(&d->changes[i].plan);
        else
            one = change_run_gated(&d->changes[i], &why);
        if (one < 0 && r == 0)
            r = error_set(e, one, "%s", why.text);
        if (plan_append(&d->all, &d->changes[i].plan) < 0)
            return planner_no_memory(e);
    }
    return r;
}

static int request_both(struct request *q, bool drain, struct error *e)
{
    _cleanup_drain_ struct drain d = {.q = q, .all = PLAN_INIT};
    int r;

    pthread_mutex_lock(&q->agent->claim);
    r = plan_all(&d, drain, e);
    pthread_mutex_unlock(&q->agent->claim);
    if (r < 0)
        return r;
    planner_begin(&d.all, &d.now, drain ? "drain" : "undrain", d.pf->name);
    r = run_all(&d, e);
    return r < 0 ? r : request_set_reply(q, describe_plan(&d.all, q->dry_run, false), e);
}

int request_drain(struct request *q, struct error *e)
{
    return request_both(q, true, e);
}

int request_undrain(struct request *q, struct error *e)
{
    return request_both(q, false, e);
}
