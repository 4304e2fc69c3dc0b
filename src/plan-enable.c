/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/planner-parts.h"

#include <errno.h>

static int check_no_leases(const struct present *now, const struct pf *pf, struct error *e)
{
    char list[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < pf->num_vfs; i++) {
        const struct lease *l = lease_find_vf(&now->leases, &pf->vfs[i].addr);

        if (l && used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s (%s)",
                                     used ? ", " : "", VF_NAME_STR(pf, &pf->vfs[i]),
                                     l->vm[0] ? l->vm : lease_phase_name(l->phase));
    }
    if (used == 0)
        return 0;
    return error_set(e, -EBUSY,
                     "cannot change the number of VFs of %s: that removes all of them, and these "
                     "are leased: %s; release them first",
                     pf->name, list);
}

static int check_resizable(const struct present *now, const struct pf *pf, struct error *e)
{
    int r = check_no_leases(now, pf, e);

    for (size_t i = 0; r == 0 && i < pf->num_vfs; i++)
        r = planner_check_not_held(VF_NAME_STR(pf, &pf->vfs[i]), &pf->vfs[i], e);
    return r;
}

static int add_numvfs(struct plan *p, const struct pf *pf, unsigned before, unsigned count)
{
    struct step *s;

    if (planner_add_pf_step(p, STEP_NUMVFS, pf) < 0)
        return -ENOMEM;
    s = &p->steps[p->num_steps - 1];
    s->count = count;
    s->count_before = before;
    snprintf(s->detail, sizeof(s->detail), "%u", count);
    return 0;
}

static int add_record(struct plan *p, const struct present *now, const struct pf *pf,
                      unsigned count, const struct pf_record *old)
{
    struct step *s;

    if (planner_add_pf_step(p, STEP_RECORD_PF, pf) < 0)
        return -ENOMEM;
    s = &p->steps[p->num_steps - 1];
    s->record = (struct pf_record){.pf = pf->addr, .count = count};
    s->record.autoprobe_before = old ? old->autoprobe_before : pf->autoprobe;
    snprintf(s->record.boot_id, sizeof(s->record.boot_id), "%s", now->boot_id);
    s->count_before = old ? old->count : 0;
    return 0;
}

static int add_autoprobe(struct plan *p, const struct pf *pf, bool on)
{
    struct step *s;

    if (planner_add_pf_step(p, STEP_AUTOPROBE, pf) < 0)
        return -ENOMEM;
    s = &p->steps[p->num_steps - 1];
    s->on = on;
    s->on_before = pf->autoprobe;
    snprintf(s->detail, sizeof(s->detail), "%s", on ? "on" : "off");
    return 0;
}

static int add_counted(struct plan *p, enum step_type type, const struct pf *pf, unsigned count)
{
    if (planner_add_pf_step(p, type, pf) < 0)
        return -ENOMEM;
    p->steps[p->num_steps - 1].count = count;
    return 0;
}

static int plan_create_vfs(const struct present *now, const struct pf *pf, unsigned count,
                           const struct pf_record *old, struct plan *p)
{
    const unsigned present = (unsigned)pf->num_vfs;
    unsigned before = present;

    if (add_record(p, now, pf, count, old) < 0 || planner_add_pf_up(p, pf) < 0 ||
        add_autoprobe(p, pf, false) < 0)
        return -ENOMEM;
    if (present > 0 && present != count) {
        if (add_numvfs(p, pf, present, 0) < 0)
            return -ENOMEM;
        before = 0;
    }
    if (add_numvfs(p, pf, before, count) < 0)
        return -ENOMEM;
    if (present != count && add_counted(p, STEP_WAIT_VFS, pf, count) < 0)
        return -ENOMEM;
    return add_counted(p, STEP_REST_VFS, pf, count);
}

static int plan_remove_vfs(const struct pf *pf, const struct pf_record *old, struct plan *p)
{
    if (add_numvfs(p, pf, (unsigned)pf->num_vfs, 0) < 0)
        return -ENOMEM;
    if (old && add_autoprobe(p, pf, old->autoprobe_before) < 0)
        return -ENOMEM;
    return planner_add_pf_step(p, STEP_FORGET_PF, pf);
}

int planner_enable(const struct present *now, const struct pf *pf, unsigned count, struct plan *ret,
                   struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct pf_record rec;
    const struct pf_record *old;
    int r;

    if (count > pf->total_vfs)
        return error_set(e, -ERANGE, "%s offers at most %u VFs, not %u: ask for fewer", pf->name,
                         pf->total_vfs, count);
    if (count != pf->num_vfs) {
        r = check_resizable(now, pf, e);
        if (r < 0)
            return r;
    }
    r = pf_record_load(now->state_dir, &pf->addr, &rec, NULL);
    old = r == 0 && streq(rec.boot_id, now->boot_id) ? &rec : NULL;
    planner_begin(&p, now, "enable", pf->name);
    r = count > 0 ? plan_create_vfs(now, pf, count, old, &p) : plan_remove_vfs(pf, old, &p);
    if (r < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}
