/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the planners of several verbs share (plan-enable.c, plan-assign.c, ...). */
#ifndef SRC_PLANNER_PARTS_H
#define SRC_PLANNER_PARTS_H

#include "src/planner.h"

/* planner_begin - start an empty plan. */
void planner_begin(struct plan *p, const struct present *now, const char *verb, const char *object);

/* planner_no_memory - what all of them return when an add fails. */
int planner_no_memory(struct error *e);

/* Each adds one step (planner_add_policy one a message) and returns 0 or -ENOMEM. */
int planner_add_pf_step(struct plan *p, enum step_type type, const struct pf *pf);
int planner_add_pf_up(struct plan *p, const struct pf *pf);
int planner_add_lease(struct plan *p, const struct lease *l, enum lease_phase phase,
                      const struct lease *before);
/* PLUG or UNPLUG; none where no VM can be reached. */
int planner_add_plug(struct plan *p, enum step_type type, const struct lease *l,
                     unsigned deadline_ms);
int planner_add_vf_step(struct plan *p, enum step_type type, const struct pci_addr *vf,
                        const char *driver, const char *driver_before);
int planner_add_policy(struct plan *p, const struct pf *pf, unsigned vf,
                       const struct policy *wanted, const struct policy *actual);

/* planner_complete_policy - @asked, and safe values for what it leaves open and @actual shows. */
struct policy planner_complete_policy(const struct policy *asked, const struct policy *actual);

/* planner_is_pair - a VF and the standby that backs it: one VM, one MAC, two legs. */
bool planner_is_pair(const struct lease *a, const struct lease *b);

/* planner_find_standby - the lease that backs @vf, or NULL. */
const struct lease *planner_find_standby(const struct present *now, const struct lease *vf);

/* planner_check_mac_free - -EEXIST if another lease than @of's, or another VF, has this MAC; the
 * other half of a pair may. */
int planner_check_mac_free(const struct present *now, uint64_t mac, const struct lease *of,
                           struct error *e);

/* planner_merge_policy - @old with @asked over it; what an asked VLAN 0 makes void is reset. */
struct policy planner_merge_policy(const struct policy *old, const struct policy *asked);

/* planner_check_not_held - -EBUSY, with the process, while one holds the VF open. */
int planner_check_not_held(const char *name, const struct vf *vf, struct error *e);

/* The steps of an assignment whose lease is made: for a new one, for one that was cut short, and
 * (with the lease ASSIGNED already) for looking after one. */
int planner_finish_assign(const struct present *now, const struct pf *pf, const struct vf *vf,
                          const struct lease *l, const struct lease *before, struct plan *ret,
                          struct error *e);
int planner_finish_virtio(const struct present *now, const struct lease *l, struct plan *ret,
                          struct error *e);

#endif
