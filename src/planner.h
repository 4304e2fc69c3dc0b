/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planner: intent and the present state in, a plan out. It changes nothing.
 *
 * Every verb is the same thing, a difference between what is wanted and what the kernel and the
 * leases show; so is recovery after a crash, which plans from the leases alone. Whatever can be
 * known to be impossible or in conflict is refused here, before the first step.
 */
#ifndef SRC_PLANNER_H
#define SRC_PLANNER_H

#include "src/plan.h"

/* What there is now. Borrowed by the planner for the call. */
struct present {
    int state_dir;
    const char *boot_id;
    const char *fallback_bridge; /* "" if none is configured */
    struct live *live;           /* the VMs that run; NULL none */
    struct event_queue *events;
    unsigned deadline_ms; /* for a guest that is to give a NIC back */
    struct inventory inv;
    struct lease_list leases;
};

/* present_read - read inventory and leases; present_done frees them. */
int present_read(struct present *p, struct error *e) _must_check_;
void present_done(struct present *p);
#define _cleanup_present_ _cleanup_(present_done)

/**
 * planner_enable - @count VFs on @pf
 *
 * The same count is no change. Refused while a lease stands or a process holds a VF (-EBUSY,
 * naming them), above sriov_totalvfs (-ERANGE).
 */
int planner_enable(const struct present *now, const struct pf *pf, unsigned count, struct plan *ret,
                   struct error *e) _must_check_;

/**
 * planner_assign - @vf to @vm under @policy
 *
 * What @policy leaves open gets a safe value (VLAN 0, spoof check on, trust off, no rates, link
 * state auto) where the driver reports it, and the MAC one that stays the same for this VM and
 * VF. Assigned to @vm already: only what differs.
 *
 * Return: 0; -EBUSY or -EEXIST in conflict; -EOPNOTSUPP if the VF can't be passed through;
 * -EINVAL if the policy is impossible.
 */
int planner_assign(const struct present *now, const struct pf *pf, const struct vf *vf,
                   const char *vm, const struct policy *policy, struct plan *ret,
                   struct error *e) _must_check_;

/**
 * planner_pick - a free VF, "any"
 * @node: NUMA node to be near to; -1 where there is none to prefer
 *
 * Free: on vfio-pci with no lease, resettable, held by nobody, group viable, its PF not drained.
 * Those of @node first; then in order of PCI address.
 *
 * Return: 0, or -EOPNOTSUPP saying why there is none.
 */
int planner_pick(const struct present *now, int node, const struct pf **ret_pf,
                 const struct vf **ret_vf, struct error *e) _must_check_;

/* planner_assign_virtio - a virtio NIC for @vm: on the fallback bridge, or a macvtap on a PF. */
int planner_assign_virtio(const struct present *now, const char *vm, const struct policy *policy,
                          struct plan *ret, struct error *e) _must_check_;

/* planner_assign_standby - a virtio NIC that backs the VF of lease @vf, with its VM and MAC. */
int planner_assign_standby(const struct present *now, const struct lease *vf, struct plan *ret,
                           struct error *e) _must_check_;

/**
 * planner_release - take the NIC of @lease back: reset, policy and driver as they were
 *
 * Refused (-EBUSY) while a process holds it.
 */
int planner_release(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e) _must_check_;

/* planner_check_released - -EBUSY while a process holds the lease's NIC. Asked again under the PF's
 * gate, where no handoff can come between the answer and the steps. */
int planner_check_released(const struct present *now, const struct lease *lease,
                           struct error *e) _must_check_;

/* planner_look_held - set @lease->held; @vf: the lease's, NULL if it is gone. Call under its PF's
 * gate: for a moment it may have the group open. */
void planner_look_held(struct lease *lease, const struct vf *vf);

/* planner_drain - take the VF of @lease from its VM, and keep the lease (DRAINED). */
int planner_drain(const struct present *now, const struct lease *lease, struct plan *ret,
                  struct error *e) _must_check_;

/* planner_undrain - bring it back, as by assigning it anew. */
int planner_undrain(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e) _must_check_;

/* planner_set - change @policy's attributes of a VF, leased or not. */
int planner_set(const struct present *now, const struct pf *pf, const struct vf *vf,
                const struct policy *policy, struct plan *ret, struct error *e) _must_check_;

/* planner_keep - what an ASSIGNED lease needs to be true; all of it already, unless it drifted. */
int planner_keep(const struct present *now, const struct lease *lease, struct plan *ret,
                 struct error *e) _must_check_;

/* planner_recover - go on with what @lease's phase says was begun; keep what stands. */
int planner_recover(const struct present *now, const struct lease *lease, struct plan *ret,
                    struct error *e) _must_check_;

#endif
