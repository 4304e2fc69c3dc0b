/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/netdev.h"
#include "src/planner-parts.h"
#include "src/stable-mac.h"
#include "vfio/bind.h"
#include "vfio/group.h"

#include <errno.h>

static bool wants_rate(const struct policy *wanted, const struct policy *actual)
{
    const uint32_t rates = 1U << POLICY_MAX_TX_RATE | 1U << POLICY_MIN_TX_RATE;

    return policy_diff(wanted, actual) & rates;
}

/* A host driver may have it only as a network interface that is down. One that shows no interface
 * has it in another network namespace, or has a disk in it. */
static int check_not_the_hosts(const char *name, const struct vf *vf, struct error *e)
{
    if (streq(vf->driver, "") || streq(vf->driver, VFIO_DRIVER))
        return 0;
    if (!vf->netdev[0])
        return error_set(e, -EBUSY,
                         "%s is in use by the host (driver %s): unbind it from %s if it may be "
                         "taken",
                         name, vf->driver, vf->driver);
    if (netdev_is_up(vf->netdev) == 0)
        return 0;
    return error_set(e, -EBUSY,
                     "%s is in use by the host as %s (driver %s): 'ip link set %s down' if it may "
                     "be taken",
                     name, vf->netdev, vf->driver, vf->netdev);
}

static int check_not_drained(const struct present *now, const struct pf *pf, struct error *e)
{
    struct pf_record rec;

    if (pf_record_load(now->state_dir, &pf->addr, &rec, NULL) < 0 || !rec.drained)
        return 0;
    return error_set(e, -EBUSY, "%s is drained: 'sriovctl undrain %s' first", pf->name, pf->name);
}

/* May this VF be handed to a VM at all, whoever asks? */
static int check_passable(const struct pf *pf, const struct vf *vf, struct error *e)
{
    const char *name = VF_NAME_STR(pf, vf);
    int group, r = check_not_the_hosts(name, vf, e);

    if (r < 0)
        return r;
    if (!vf->can_reset)
        return error_set(e, -EOPNOTSUPP,
                         "%s can't be reset by itself (no flr in reset_method), so one tenant's "
                         "state would reach the next: it can't be assigned",
                         name);
    group = vfio_group_of(&vf->addr, e);
    if (group < 0)
        return group;
    r = vfio_group_viable(&vf->addr, e);
    return r < 0 ? r : planner_check_not_held(name, vf, e);
}

static void new_vf_lease(const struct present *now, const struct pf *pf, const struct vf *vf,
                         const char *vm, struct lease *l)
{
    *l = (struct lease){.kind = LEASE_KIND_VF,
                        .phase = LEASE_ASSIGNING,
                        .pf = pf->addr,
                        .vf = vf->addr,
                        .index = vf->index,
                        .before = vf->policy};
    pci_addr_format(&vf->addr, l->id);
    snprintf(l->vm, sizeof(l->vm), "%s", vm);
    snprintf(l->boot_id, sizeof(l->boot_id), "%s", now->boot_id);
    /* An idle VF on vfio-pci, or one without a driver, rests on vfio-pci when it comes back. */
    if (!streq(vf->driver, VFIO_DRIVER))
        snprintf(l->before_driver, sizeof(l->before_driver), "%s", vf->driver);
}

static int add_assign_steps(struct plan *p, const struct pf *pf, const struct vf *vf,
                            const struct lease *l, const struct lease *before)
{
    const bool fresh = l->phase == LEASE_ASSIGNING;

    if (planner_add_lease(p, l, l->phase, before) < 0 || planner_add_pf_up(p, pf) < 0)
        return -ENOMEM;
    if (wants_rate(&l->wanted, &vf->policy) && planner_add_pf_step(p, STEP_PF_LINK, pf) < 0)
        return -ENOMEM;
    /* A policy is set while no driver watches: a guest that holds the VF, or a host driver, would
     * not take a new MAC. vfio-pci without a holder doesn't look. */
    if (!streq(vf->driver, VFIO_DRIVER) && !streq(vf->driver, "") &&
        planner_add_vf_step(p, STEP_BIND, &vf->addr, "", vf->driver) < 0)
        return -ENOMEM;
    if (planner_add_policy(p, pf, vf->index, &l->wanted, &vf->policy) < 0)
        return -ENOMEM;
    /* One that stands is reset only if a host driver had it meanwhile. */
    if (!fresh && streq(vf->driver, VFIO_DRIVER))
        return planner_add_plug(p, STEP_PLUG, l, 0);
    if (planner_add_vf_step(p, STEP_RESET, &vf->addr, "", "") < 0 ||
        planner_add_vf_step(p, STEP_BIND, &vf->addr, VFIO_DRIVER, "") < 0)
        return -ENOMEM;
    if (fresh && planner_add_lease(p, l, LEASE_ASSIGNED, l) < 0)
        return -ENOMEM;
    return planner_add_plug(p, STEP_PLUG, l, 0);
}

int planner_finish_assign(const struct present *now, const struct pf *pf, const struct vf *vf,
                          const struct lease *l, const struct lease *before, struct plan *ret,
                          struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;

    planner_begin(&p, now, "assign", VF_NAME_STR(pf, vf));
    p.has_lease = true;
    p.lease = *l;
    if (add_assign_steps(&p, pf, vf, l, before) < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}

static int conflict(const struct pf *pf, const struct vf *vf, const struct lease *l,
                    struct error *e)
{
    const char *name = VF_NAME_STR(pf, vf);

    if (l->phase == LEASE_QUARANTINED)
        return error_set(e, -EBUSY,
                         "%s is quarantined (%s); 'sriovctl release %s' resets it and tries again",
                         name, l->reason, name);
    if (l->phase == LEASE_DRAINING || l->phase == LEASE_DRAINED)
        return error_set(e, -EBUSY, "%s is drained, and comes back to %s by 'sriovctl undrain %s'",
                         name, l->vm, pf->name);
    if (l->phase == LEASE_RELEASING)
        return error_set(e, -EBUSY, "%s is being released from %s: try again when that is done",
                         name, l->vm);
    return error_set(e, -EBUSY, "%s is assigned to %s: 'sriovctl release %s' first", name, l->vm,
                     name);
}

/* Assigned to the same VM already: what differs in the policy, and nothing else. */
static int plan_reassign(const struct present *now, const struct pf *pf, const struct vf *vf,
                         const struct lease *l, const struct policy *policy, struct plan *ret,
                         struct error *e)
{
    struct lease fresh = *l;

    fresh.wanted = planner_merge_policy(&l->wanted, policy);
    if (policy_diff(&fresh.wanted, &l->wanted) == 0)
        return planner_finish_assign(now, pf, vf, l, l, ret, e);
    return planner_set(now, pf, vf, policy, ret, e);
}

int planner_assign(const struct present *now, const struct pf *pf, const struct vf *vf,
                   const char *vm, const struct policy *policy, struct plan *ret, struct error *e)
{
    const struct lease *old = lease_find_vf(&now->leases, &vf->addr);
    struct lease l;
    int r = policy_check(policy, e);

    if (r < 0)
        return r;
    if (old && old->phase == LEASE_ASSIGNED && streq(old->vm, vm))
        return plan_reassign(now, pf, vf, old, policy, ret, e);
    if (old)
        return conflict(pf, vf, old, e);
    if (policy->set && pf->ifindex == 0)
        return error_set(e, -EOPNOTSUPP, "%s isn't a network interface: its VFs take no policy",
                         pf->name);
    r = check_not_drained(now, pf, e);
    if (r == 0)
        r = check_passable(pf, vf, e);
    if (r < 0)
        return r;
    new_vf_lease(now, pf, vf, vm, &l);
    l.wanted = planner_complete_policy(policy, &vf->policy);
    if (pf->ifindex > 0 && !policy_has(&l.wanted, POLICY_MAC))
        policy_put(&l.wanted, POLICY_MAC, stable_mac(vm, l.id));
    if (policy_has(&l.wanted, POLICY_MAC)) {
        r = planner_check_mac_free(now, l.wanted.value[POLICY_MAC], &l, e);
        if (r < 0)
            return r;
    }
    r = lease_next_generation(now->state_dir, &l.generation, e);
    return r < 0 ? r : planner_finish_assign(now, pf, vf, &l, NULL, ret, e);
}

static bool is_free(const struct present *now, const struct pf *pf, const struct vf *vf,
                    struct error *why)
{
    return !lease_find_vf(&now->leases, &vf->addr) && streq(vf->driver, VFIO_DRIVER) &&
           pf->ifindex > 0 && check_not_drained(now, pf, why) == 0 &&
           check_passable(pf, vf, why) == 0;
}

/* The first free VF, of one NUMA node only unless @node is -1. */
static bool find_free(const struct present *now, int node, const struct pf **ret_pf,
                      const struct vf **ret_vf, struct error *why)
{
    for (size_t i = 0; i < now->inv.num_pfs; i++) {
        const struct pf *pf = &now->inv.pfs[i];

        for (size_t n = 0; n < pf->num_vfs; n++) {
            const struct vf *vf = &pf->vfs[n];

            if ((node >= 0 && vf->numa_node != node) || !is_free(now, pf, vf, why))
                continue;
            *ret_pf = pf;
            *ret_vf = vf;
            return true;
        }
    }
    return false;
}

static int none_free(const struct present *now, const struct error *why, struct error *e)
{
    size_t vfs = 0;

    for (size_t i = 0; i < now->inv.num_pfs; i++)
        vfs += now->inv.pfs[i].num_vfs;
    if (now->inv.num_pfs == 0)
        return error_set(e, -EOPNOTSUPP,
                         "this host has no SR-IOV network card: add 'fallback virtio' for a "
                         "virtio NIC");
    if (vfs == 0)
        return error_set(e, -EOPNOTSUPP,
                         "no VF is enabled: 'sriovctl enable %s COUNT' first, or add 'fallback "
                         "virtio'",
                         now->inv.pfs[0].name);
    return error_set(e, -EOPNOTSUPP,
                     "none of the %zu VFs is free%s%s: release one, enable more, or add 'fallback "
                     "virtio'",
                     vfs, why->text[0] ? "; the last one looked at: " : "", why->text);
}

int planner_pick(const struct present *now, int node, const struct pf **ret_pf,
                 const struct vf **ret_vf, struct error *e)
{
    struct error why = ERROR_INIT;

    if (node >= 0 && find_free(now, node, ret_pf, ret_vf, &why))
        return 0;
    return find_free(now, -1, ret_pf, ret_vf, &why) ? 0 : none_free(now, &why, e);
}
