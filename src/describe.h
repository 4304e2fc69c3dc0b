/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent says of PFs, VFs, VMs and plans, as JSON. See the contract of `list --json`. */
#ifndef SRC_DESCRIBE_H
#define SRC_DESCRIBE_H

#include "src/planner.h"
#include "src/running.h"
#include <json-c/json.h>

static inline void json_put(json_object **o)
{
    json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_put)

/* All return an object that the caller puts, or NULL without memory. */
json_object *describe_pfs(const struct present *now);
json_object *describe_pf(const struct present *now, const struct pf *pf);
json_object *describe_vf(const struct present *now, const struct pf *pf, const struct vf *vf);
json_object *describe_vms(const struct present *now, const struct running_list *running);
json_object *describe_vm(const struct present *now, const struct running_list *running,
                         const char *vm);
json_object *describe_lease(const struct lease *l);

/* describe_plan - the report of a change: what it was about, its steps and their states. */
json_object *describe_plan(const struct plan *p, bool dry_run, bool accepted);

#endif
