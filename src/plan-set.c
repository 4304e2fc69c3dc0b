/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/planner-parts.h"
#include "vfio/group.h"

#include <errno.h>

/* A guest's driver that holds the VF doesn't learn of a new MAC, and the PF refuses the old one:
 * its network would be gone until it reloads the driver. */
static int check_live(const struct pf *pf, const struct vf *vf, const struct policy *policy,
                      struct error *e)
{
    pid_t pid;

    if (!(policy_diff(policy, &vf->policy) & (1U << POLICY_MAC)))
        return 0;
    if (vf->iommu_group < 0 || vfio_group_busy(vf->iommu_group, &pid) != 1)
        return 0;
    return error_set(e, -EBUSY,
                     "the MAC of %s can't change while a VM runs with it: power the VM off first",
                     VF_NAME_STR(pf, vf));
}

static int add_steps(struct plan *p, const struct pf *pf, const struct vf *vf,
                     const struct lease *old, const struct policy *policy)
{
    if (old) {
        struct lease fresh = *old;

        fresh.wanted = planner_merge_policy(&old->wanted, policy);
        if (planner_add_lease(p, &fresh, old->phase, old) < 0)
            return -ENOMEM;
    }
    return planner_add_policy(p, pf, vf->index, policy, &vf->policy);
}

int planner_set(const struct present *now, const struct pf *pf, const struct vf *vf,
                const struct policy *policy, struct plan *ret, struct error *e)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    const struct lease *old = lease_find_vf(&now->leases, &vf->addr);
    struct lease self = {.kind = LEASE_KIND_VF};
    int r = policy_check(policy, e);

    if (r == 0 && old) {
        const struct policy merged = planner_merge_policy(&old->wanted, policy);

        r = policy_check(&merged, e);
    }
    if (r < 0)
        return r;
    if (pf->ifindex == 0)
        return error_set(e, -EOPNOTSUPP, "%s isn't a network interface: its VFs take no policy",
                         pf->name);
    if (old && old->phase != LEASE_ASSIGNED)
        return error_set(e, -EBUSY, "%s is %s: release it first", VF_NAME_STR(pf, vf),
                         lease_phase_name(old->phase));
    if (policy_has(policy, POLICY_MAC)) {
        if (old)
            self = *old;
        pci_addr_format(&vf->addr, self.id);
        r = planner_check_mac_free(now, policy->value[POLICY_MAC], &self, e);
        if (r == 0)
            r = check_live(pf, vf, policy, e);
        if (r < 0)
            return r;
    }
    planner_begin(&p, now, "set", VF_NAME_STR(pf, vf));
    if (add_steps(&p, pf, vf, old, policy) < 0)
        return planner_no_memory(e);
    *ret = p;
    p = (struct plan)PLAN_INIT;
    return 0;
}
