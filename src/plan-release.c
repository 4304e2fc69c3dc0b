/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/netdev.h"
#include "src/planner-parts.h"
#include "vfio/bind.h"

#include <errno.h>

/* A lease whose file was damaged doesn't tell what was before: then what is safe, and no address
 * of the host's choosing, as a new VF has none. */
static struct policy policy_of_nobody(const struct policy *actual)
{
    struct policy p = {.set = 0};

    if (policy_has(actual, POLICY_MAC))
        policy_put(&p, POLICY_MAC, 0);
    return planner_complete_policy(&p, actual);
}

static int add_release_vf(struct plan *p, const struct pf *pf, const struct vf *vf,
                          const struct lease *l)
{
    const char *rest = l->before_driver[0] ? l->before_driver : VFIO_DRIVER;
    const struct policy back = l->before.set ? l->before : policy_of_nobody(&vf->policy);

    if (planner_add_vf_step(p, STEP_RESET, &vf->addr, "", "") < 0 ||
        planner_add_policy(p, pf, vf->index, &back, &vf->policy) < 0)
        return -ENOMEM;
    return planner_add_vf_step(p, STEP_BIND, &vf->addr, rest, "");
}

static int add_release_virtio(struct plan *p, const struct lease *l)
{
    struct step *s;

    if (l->parent_is_bridge)
        return 0;
    s = plan_add(p, STEP_NO_MACVTAP);
    if (!s)
        return -ENOMEM;
    netdev_macvtap_name(l->id, s->ifname);
    snprintf(s->detail, sizeof(s->detail), "%s", s->ifname);
    return 0;
}

static int add_forget(struct plan *p, const struct lease *l)
{
    struct step *s = plan_add(p, STEP_FORGET_LEASE);

    if (!s)
        return -ENOMEM;
    s->lease = *l;
    snprintf(s->detail, sizeof(s->detail), "%.63s", l->vm);
    return 0;
}

/* What is left of a damaged lease, made whole: from here on it is known what is done with it. */
static int heal(const struct present *now, const struct pf *pf, const struct vf *vf,
                struct lease *l, struct error *e)
{
    if (l->boot_id[0])
        return 0;
    if (vf) {
        l->pf = pf->addr;
        l->index = vf->index;
    }
    snprintf(l->boot_id, sizeof(l->boot_id), "%s", now->boot_id);
    return lease_next_generation(now->state_dir, &l->generation, e);
}

/* Where the guest's standby takes over: the VF leaves it as by a release, and its lease stays. */
int planner_drain(const struct present *now, const struct lease *lease, struct plan *ret,
                  struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct pf *pf = NULL;
    const struct vf *vf = inventory_find_vf(&now->inv, &lease->vf, &pf);
    int r;

    if (!vf)
        return error_set(e, -ENODEV, "%s, assigned to %s, is gone", lease->id, lease->vm);
    planner_begin(&p, now, "drain", VF_NAME_STR(pf, vf));
    p.direction = PLAN_FORWARD;
    p.has_lease = true;
    p.lease = *lease;
    r = planner_check_released(now, lease, e);
    if (r < 0)
        return r;
    if (planner_add_lease(&p, lease, LEASE_DRAINING, lease) < 0 ||
        planner_add_plug(&p, STEP_UNPLUG, lease, now->deadline_ms) < 0 ||
        add_release_vf(&p, pf, vf, lease) < 0 ||
        planner_add_lease(&p, lease, LEASE_DRAINED, lease) < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}

int planner_release(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct pf *pf = NULL;
    const struct vf *vf = NULL;
    int r;

    if (lease->kind == LEASE_KIND_VF)
        vf = inventory_find_vf(&now->inv, &lease->vf, &pf);
    planner_begin(&p, now, "release", vf ? VF_NAME_STR(pf, vf) : lease->id);
    p.direction = PLAN_FORWARD;
    p.has_lease = true;
    p.lease = *lease;
    r = planner_check_released(now, lease, e);
    if (r == 0)
        r = heal(now, pf, vf, &p.lease, e);
    if (r < 0)
        return r;
    r = planner_add_lease(&p, &p.lease, LEASE_RELEASING, lease);
    if (r == 0)
        r = planner_add_plug(&p, STEP_UNPLUG, &p.lease, now->deadline_ms);
    if (r == 0 && vf)
        r = add_release_vf(&p, pf, vf, lease);
    if (r == 0 && lease->kind == LEASE_KIND_VIRTIO)
        r = add_release_virtio(&p, lease);
    if (r < 0 || add_forget(&p, &p.lease) < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}
