/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/describe.h"

#include "vfio/bind.h"

/* Adding to a JSON object without memory leaves the key out; callers hand on what there is. */
static void put_text(json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, text && text[0] ? json_object_new_string(text) : NULL);
}

static void put_int(json_object *o, const char *key, int64_t value)
{
    json_object_object_add(o, key, json_object_new_int64(value));
}

static void put_bool(json_object *o, const char *key, bool value)
{
    json_object_object_add(o, key, json_object_new_boolean(value));
}

/* A value that the driver doesn't report is null, never a guess. */
static void put_policy(json_object *o, const struct policy *p)
{
    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++) {
        const struct policy_row *row = &policy_table[a];
        char text[POLICY_TEXT];

        /* GUIDs are InfiniBand's; elsewhere they would be a column of nulls. */
        if (!policy_has(p, a)) {
            if (a != POLICY_NODE_GUID && a != POLICY_PORT_GUID)
                json_object_object_add(o, row->json, NULL);
        } else if (row->kind == POLICY_KIND_NUMBER) {
            put_int(o, row->json, (int64_t)p->value[a]);
        } else if (row->kind == POLICY_KIND_BOOL) {
            put_bool(o, row->json, p->value[a] != 0);
        } else {
            put_text(o, row->json, policy_format(p, a, text));
        }
    }
}

static const struct running *find_running(const struct running_list *running, const char *vm)
{
    for (size_t i = 0; i < running->count; i++)
        if (streq(running->items[i].vm, vm))
            return &running->items[i];
    return NULL;
}

/* Held, as the kernel says or as its VMM does. A VM that runs need not have all its NICs: the
 * kernel took one back, or an error did. */
static const char *lease_state(const struct present *now, const struct lease *l)
{
    const bool held = l->held || (now->live && live_state(now->live, l->generation));

    return held && l->phase == LEASE_ASSIGNED ? "in-use" : lease_phase_name(l->phase);
}

/* free: ours to give. host: a host driver has it. unbound: nobody's, not rested. */
static const char *vf_state(const struct present *now, const struct vf *vf, const struct lease *l)
{
    if (l)
        return lease_state(now, l);
    if (streq(vf->driver, VFIO_DRIVER))
        return "free";
    return vf->driver[0] ? "host" : "unbound";
}

/* Where it stands with the guest: offered, active, requested, acknowledged; "" if none holds it. */
static const char *guest_state(const struct present *now, const struct lease *l)
{
    return now->live ? live_state_name(live_state(now->live, l->generation)) : "";
}

json_object *describe_vf(const struct present *now, const struct pf *pf, const struct vf *vf)
{
    const struct lease *l = lease_find_vf(&now->leases, &vf->addr);
    json_object *o = json_object_new_object();

    put_text(o, "name", VF_NAME_STR(pf, vf));
    put_text(o, "pci", PCI_ADDR_STR(&vf->addr));
    put_text(o, "driver", vf->driver);
    if (vf->iommu_group >= 0)
        put_int(o, "iommu_group", vf->iommu_group);
    else
        put_text(o, "iommu_group", NULL);
    put_int(o, "numa_node", vf->numa_node);
    put_policy(o, &vf->policy);
    put_text(o, "vm", l ? l->vm : NULL);
    put_text(o, "state", vf_state(now, vf, l));
    put_text(o, "guest", l ? guest_state(now, l) : NULL);
    put_text(o, "netdev", vf->netdev);
    put_text(o, "driver_override", vf->driver_override);
    put_bool(o, "can_reset", vf->can_reset);
    return o;
}

json_object *describe_pf(const struct present *now, const struct pf *pf)
{
    json_object *o = json_object_new_object();
    json_object *vfs = json_object_new_array();

    put_text(o, "name", pf->name);
    put_text(o, "pci", PCI_ADDR_STR(&pf->addr));
    put_text(o, "driver", pf->driver);
    put_int(o, "numa_node", pf->numa_node);
    put_int(o, "total_vfs", pf->total_vfs);
    put_int(o, "num_vfs", (int64_t)pf->num_vfs);
    put_text(o, "vendor", pf->vendor);
    put_text(o, "device", pf->device);
    put_bool(o, "up", pf->link_up);
    put_bool(o, "drivers_autoprobe", pf->autoprobe);
    put_bool(o, "ari", pf->caps.ari);
    put_bool(o, "acs", pf->caps.acs);
    put_int(o, "msix_vectors", pf->caps.msix_vectors);
    for (size_t i = 0; i < pf->num_vfs; i++)
        json_object_array_add(vfs, describe_vf(now, pf, &pf->vfs[i]));
    json_object_object_add(o, "vfs", vfs);
    return o;
}

json_object *describe_pfs(const struct present *now)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < now->inv.num_pfs; i++)
        json_object_array_add(list, describe_pf(now, &now->inv.pfs[i]));
    return list;
}

json_object *describe_lease(const struct lease *l)
{
    json_object *o = json_object_new_object(), *wanted = json_object_new_object();

    put_text(o, "vm", l->vm);
    put_text(o, "phase", lease_phase_name(l->phase));
    put_int(o, "generation", (int64_t)l->generation);
    put_policy(wanted, &l->wanted);
    json_object_object_add(o, "policy", wanted);
    if (l->kind == LEASE_KIND_VIRTIO) {
        put_bool(o, "standby", l->standby);
        put_text(o, "parent", l->parent);
        put_text(o, "parent_kind", l->parent_is_bridge ? "bridge" : "macvtap");
    } else {
        put_text(o, "driver_before", l->before_driver);
    }
    if (l->reason[0])
        put_text(o, "reason", l->reason);
    return o;
}

static json_object *describe_nic(const struct present *now, const struct lease *l)
{
    json_object *o = json_object_new_object();
    char text[POLICY_TEXT];
    struct pf *pf = NULL;
    const struct vf *vf =
        l->kind == LEASE_KIND_VF ? inventory_find_vf(&now->inv, &l->vf, &pf) : NULL;

    put_text(o, "name", vf ? VF_NAME_STR(pf, vf) : l->id);
    put_text(o, "kind", l->kind == LEASE_KIND_VF ? "vf" : "virtio");
    put_text(o, "pci", l->kind == LEASE_KIND_VF ? PCI_ADDR_STR(&l->vf) : NULL);
    put_text(o, "mac", policy_format(&l->wanted, POLICY_MAC, text));
    put_text(o, "state", lease_state(now, l));
    return o;
}

/* A VM without a VMM that is connected runs if its NICs are held: the agent began after it. */
static bool holds_nic(const struct lease_list *leases, const char *vm)
{
    for (size_t i = 0; i < leases->count; i++)
        if (leases->items[i].held && streq(leases->items[i].vm, vm))
            return true;
    return false;
}

json_object *describe_vm(const struct present *now, const struct running_list *running,
                         const char *vm)
{
    const struct running *run = find_running(running, vm);
    json_object *o = json_object_new_object(), *nics = json_object_new_array();

    put_text(o, "name", vm);
    put_bool(o, "running", run || holds_nic(&now->leases, vm));
    if (run)
        put_int(o, "pid", run->pid);
    for (size_t i = 0; i < now->leases.count; i++)
        if (streq(now->leases.items[i].vm, vm))
            json_object_array_add(nics, describe_nic(now, &now->leases.items[i]));
    json_object_object_add(o, "nics", nics);
    return o;
}

/* Is this the first lease of its VM in the list? */
static bool first_of_vm(const struct lease_list *leases, size_t i)
{
    for (size_t n = 0; n < i; n++)
        if (streq(leases->items[n].vm, leases->items[i].vm))
            return false;
    return true;
}

static bool has_lease(const struct lease_list *leases, const char *vm)
{
    for (size_t i = 0; i < leases->count; i++)
        if (streq(leases->items[i].vm, vm))
            return true;
    return false;
}

json_object *describe_vms(const struct present *now, const struct running_list *running)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < now->leases.count; i++)
        if (now->leases.items[i].vm[0] && first_of_vm(&now->leases, i))
            json_object_array_add(list, describe_vm(now, running, now->leases.items[i].vm));
    for (size_t i = 0; i < running->count; i++)
        if (!has_lease(&now->leases, running->items[i].vm))
            json_object_array_add(list, describe_vm(now, running, running->items[i].vm));
    return list;
}

json_object *describe_plan(const struct plan *p, bool dry_run, bool accepted)
{
    json_object *o = json_object_new_object(), *steps = json_object_new_array();
    char mac[POLICY_TEXT];

    put_text(o, "object", p->object);
    put_text(o, "verb", p->verb);
    put_bool(o, "changed", plan_changed(p));
    put_bool(o, "dry_run", dry_run);
    put_bool(o, "accepted", accepted);
    if (p->has_lease) {
        put_text(o, "vm", p->lease.vm);
        put_text(o, "kind", p->lease.kind == LEASE_KIND_VF ? "vf" : "virtio");
        put_text(o, "mac", policy_format(&p->lease.wanted, POLICY_MAC, mac));
        put_int(o, "generation", (int64_t)p->lease.generation);
    }
    for (size_t i = 0; i < p->num_steps; i++) {
        const struct step *s = &p->steps[i];
        json_object *item = json_object_new_object();

        put_text(item, "step", step_name(s));
        put_text(item, "object", s->object);
        put_text(item, "detail", s->detail);
        put_text(item, "state", step_state_name(s->state));
        put_text(item, "cost", s->state == STEP_ALREADY ? "" : step_cost(s));
        json_object_array_add(steps, item);
    }
    json_object_object_add(o, "steps", steps);
    return o;
}
