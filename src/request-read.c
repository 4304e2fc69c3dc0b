/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/request.h"

#include "basic/quote.h"

#include <errno.h>

/* What there is now, and who uses it. */
static int look(struct request *q, struct present *ret, struct error *e)
{
    int r = agent_present(q->agent, ret, e);

    if (r == 0)
        agent_look_held(q->agent, ret);
    return r;
}

int request_list(struct request *q, struct error *e)
{
    _cleanup_present_ struct present now = {.state_dir = -1};
    int r = look(q, &now, e);

    return r < 0 ? r : request_set_reply(q, describe_pfs(&now), e);
}

int request_list_vms(struct request *q, struct error *e)
{
    _cleanup_present_ struct present now = {.state_dir = -1};
    int r = look(q, &now, e);

    return r < 0 ? r : request_set_reply(q, describe_vms(&now, &q->running), e);
}

static json_object *with_kind(json_object *o, const char *kind)
{
    json_object_object_add(o, "kind", json_object_new_string(kind));
    return o;
}

static json_object *show_vf(const struct present *now, const struct pf *pf, const struct vf *vf)
{
    json_object *o = describe_vf(now, pf, vf);
    const struct lease *l = lease_find_vf(&now->leases, &vf->addr);

    json_object_object_add(o, "pf", json_object_new_string(pf->name));
    json_object_object_add(o, "lease", l ? describe_lease(l) : NULL);
    return with_kind(o, "vf");
}

/* A VM is known by its leases or by its VMM. */
static json_object *show_vm(const struct present *now, const struct running_list *running,
                            const char *name)
{
    json_object *o = describe_vm(now, running, name), *nics = NULL;

    json_object_object_get_ex(o, "nics", &nics);
    if (json_object_array_length(nics) == 0 &&
        !json_object_get_boolean(json_object_object_get(o, "running"))) {
        json_object_put(o);
        return NULL;
    }
    return with_kind(o, "vm");
}

static json_object *find_and_show(const struct present *now, const struct running_list *running,
                                  const char *name)
{
    const struct lease *l = lease_find(&now->leases, name);
    const char *vm = strncmp(name, "vmm:", 4) == 0 ? name + 4 : name;
    struct pf *pf;
    struct vf *vf;

    if (name_find_pf(&now->inv, name, &pf, NULL) == 0)
        return with_kind(describe_pf(now, pf), "pf");
    if (name_find_vf(&now->inv, name, &pf, &vf, NULL) == 0)
        return show_vf(now, pf, vf);
    if (l && l->kind == LEASE_KIND_VIRTIO)
        return with_kind(describe_lease(l), "nic");
    return show_vm(now, running, vm);
}

int request_show(struct request *q, struct error *e)
{
    _cleanup_present_ struct present now = {.state_dir = -1};
    json_object *o;
    struct pf *pf;
    struct vf *vf;
    int r = look(q, &now, e);

    if (r < 0)
        return r;
    o = find_and_show(&now, &q->running, q->name);
    if (o)
        return request_set_reply(q, o, e);
    /* An ambiguous vfN has a better answer than "no such thing". */
    if (name_find_vf(&now.inv, q->name, &pf, &vf, e) == -EINVAL)
        return -EINVAL;
    return error_set(e, -ENODEV, "there is no PF, VF or VM '%s': see 'sriovctl list'",
                     QUOTE_STR(q->name));
}
