/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/netdev.h"
#include "src/planner-parts.h"
#include "src/stable-mac.h"

#include <errno.h>

static int pick_parent(const struct present *now, struct lease *l, struct error *e)
{
    if (now->fallback_bridge[0]) {
        if (!netdev_is_bridge(now->fallback_bridge))
            return error_set(e, -EOPNOTSUPP,
                             "the fallback bridge %s isn't there, or isn't a bridge: create it, or "
                             "change Bridge= in sriovd.conf",
                             now->fallback_bridge);
        snprintf(l->parent, sizeof(l->parent), "%.*s", IFNAMSIZ - 1, now->fallback_bridge);
        l->parent_is_bridge = true;
        return 0;
    }
    for (size_t i = 0; i < now->inv.num_pfs; i++) {
        const struct pf *pf = &now->inv.pfs[i];

        if (pf->ifindex == 0)
            continue;
        snprintf(l->parent, sizeof(l->parent), "%.*s", IFNAMSIZ - 1, pf->name);
        l->pf = pf->addr;
        return 0;
    }
    return error_set(e, -EOPNOTSUPP,
                     "there is nothing to put a virtio NIC on: name a bridge in sriovd.conf "
                     "([Fallback] Bridge=NAME)");
}

/* The bridge or macvtap enforces nothing but the address: what can't be kept isn't promised. */
static int check_virtio_policy(const struct policy *policy, struct error *e)
{
    const uint32_t refused = policy->set & ~(1U << POLICY_MAC);

    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++)
        if (refused & (1U << a))
            return error_set(e, -EOPNOTSUPP,
                             "%s can't be enforced on a virtio fallback NIC: leave it out, or "
                             "free a VF",
                             policy_table[a].name);
    return 0;
}

static void free_virtio_id(const struct present *now, char id[static LEASE_ID])
{
    for (unsigned n = 0;; n++) {
        snprintf(id, LEASE_ID, "virtio%u", n);
        if (!lease_find(&now->leases, id))
            return;
    }
}

static int add_virtio_steps(struct plan *p, const struct present *now, const struct lease *l)
{
    const bool fresh = l->phase == LEASE_ASSIGNING;

    if (planner_add_lease(p, l, l->phase, fresh ? NULL : l) < 0)
        return -ENOMEM;
    if (!l->parent_is_bridge) {
        const struct pf *pf = inventory_find_pf(&now->inv, &l->pf);
        struct step *s;

        if (pf && planner_add_pf_up(p, pf) < 0)
            return -ENOMEM;
        s = plan_add(p, STEP_MACVTAP);
        if (!s)
            return -ENOMEM;
        s->lease = *l;
        netdev_macvtap_name(l->id, s->ifname);
        snprintf(s->detail, sizeof(s->detail), "%s on %s", s->ifname, l->parent);
    }
    if (fresh && planner_add_lease(p, l, LEASE_ASSIGNED, l) < 0)
        return -ENOMEM;
    return planner_add_plug(p, STEP_PLUG, l, 0);
}

int planner_finish_virtio(const struct present *now, const struct lease *l, struct plan *ret,
                          struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;

    planner_begin(&p, now, "assign", l->id);
    p.has_lease = true;
    p.lease = *l;
    if (add_virtio_steps(&p, now, l) < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}

/* What fallback and standby have alike: a new lease with its MAC. */
static int finish_new(const struct present *now, const char *vm, struct lease *l, struct plan *ret,
                      struct error *e)
{
    int r = pick_parent(now, l, e);

    if (r < 0)
        return r;
    free_virtio_id(now, l->id);
    snprintf(l->vm, sizeof(l->vm), "%s", vm);
    snprintf(l->boot_id, sizeof(l->boot_id), "%s", now->boot_id);
    if (!policy_has(&l->wanted, POLICY_MAC))
        policy_put(&l->wanted, POLICY_MAC, stable_mac(vm, l->id));
    r = planner_check_mac_free(now, l->wanted.value[POLICY_MAC], l, e);
    if (r < 0)
        return r;
    r = lease_next_generation(now->state_dir, &l->generation, e);
    return r < 0 ? r : planner_finish_virtio(now, l, ret, e);
}

int planner_assign_virtio(const struct present *now, const char *vm, const struct policy *policy,
                          struct plan *ret, struct error *e)
{
    struct lease l = {.kind = LEASE_KIND_VIRTIO, .phase = LEASE_ASSIGNING, .wanted = *policy};
    int r = check_virtio_policy(policy, e);

    return r < 0 ? r : finish_new(now, vm, &l, ret, e);
}

/* A VLAN is kept by the PF for the VF alone: on the other leg the guest would be outside of it. */
static int check_can_back(const struct lease *vf, struct error *e)
{
    if (policy_has(&vf->wanted, POLICY_VLAN) && vf->wanted.value[POLICY_VLAN] != 0)
        return error_set(e, -EOPNOTSUPP,
                         "%s is in VLAN %u, which a virtio NIC can't be kept in: leave out vlan, "
                         "or standby",
                         vf->id, (unsigned)vf->wanted.value[POLICY_VLAN]);
    return policy_has(&vf->wanted, POLICY_MAC)
               ? 0
               : error_set(e, -EOPNOTSUPP, "%s has no MAC that a standby could share", vf->id);
}

int planner_assign_standby(const struct present *now, const struct lease *vf, struct plan *ret,
                           struct error *e)
{
    struct lease l = {.kind = LEASE_KIND_VIRTIO, .phase = LEASE_ASSIGNING, .standby = true};
    int r = check_can_back(vf, e);

    if (r < 0)
        return r;
    policy_put(&l.wanted, POLICY_MAC, vf->wanted.value[POLICY_MAC]);
    return finish_new(now, vf->vm, &l, ret, e);
}
