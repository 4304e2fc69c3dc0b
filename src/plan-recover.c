/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/planner-parts.h"

#include <errno.h>

/* From the lease alone, which holds the whole intent: an assignment that was cut short goes on
 * from where it was (`before` in it is from before the first step), one that stands is kept. */
int planner_keep(const struct present *now, const struct lease *lease, struct plan *ret,
                 struct error *e)
{
    const struct lease *before = lease->phase == LEASE_ASSIGNED ? lease : NULL;
    struct pf *pf = NULL;
    const struct vf *vf;

    if (lease->kind == LEASE_KIND_VIRTIO)
        return planner_finish_virtio(now, lease, ret, e);
    vf = inventory_find_vf(&now->inv, &lease->vf, &pf);
    if (!vf)
        return error_set(e, -ENODEV, "%s, assigned to %s, is gone", lease->id, lease->vm);
    return planner_finish_assign(now, pf, vf, lease, before, ret, e);
}

int planner_undrain(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e)
{
    struct lease l = *lease;
    struct pf *pf = NULL;
    const struct vf *vf = inventory_find_vf(&now->inv, &lease->vf, &pf);

    if (!vf)
        return error_set(e, -ENODEV, "%s, drained from %s, is gone", lease->id, lease->vm);
    l.phase = LEASE_ASSIGNING;
    /* It may have come back as another driver's or with another policy than it left with. */
    l.before = vf->policy;
    return planner_finish_assign(now, pf, vf, &l, lease, ret, e);
}

int planner_recover(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e)
{
    int r;

    switch (lease->phase) {
    case LEASE_ASSIGNING:
        r = planner_keep(now, lease, ret, e);
        if (r == 0)
            ret->direction = PLAN_FORWARD;
        return r;
    case LEASE_RELEASING:
        return planner_release(now, lease, ret, e);
    case LEASE_DRAINING:
        return planner_drain(now, lease, ret, e);
    case LEASE_DRAINED:
        break;
    case LEASE_ASSIGNED:
        /* A `set` that was cut short has changed the lease and perhaps not yet the VF; or its VM
         * runs and was not given the NIC. */
        return planner_keep(now, lease, ret, e);
    case LEASE_QUARANTINED:
        break;
    }
    planner_begin(ret, now, "recover", lease->id);
    return 0;
}
