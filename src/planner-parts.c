/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/planner-parts.h"

#include "src/netdev.h"
#include "vfio/group.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>

int present_read(struct present *p, struct error *e)
{
    int r = inventory_read(&p->inv, e);

    return r < 0 ? r : lease_load_all(p->state_dir, &p->leases, e);
}

void present_done(struct present *p)
{
    inventory_done(&p->inv);
    lease_list_done(&p->leases);
}

void planner_begin(struct plan *p, const struct present *now, const char *verb, const char *object)
{
    *p = (struct plan){
        .verb = verb, .state_dir = now->state_dir, .live = now->live, .events = now->events};
    snprintf(p->object, sizeof(p->object), "%s", object);
}

int planner_no_memory(struct error *e)
{
    return error_set(e, -ENOMEM, "out of memory while planning");
}

int planner_add_pf_step(struct plan *p, enum step_type type, const struct pf *pf)
{
    struct step *s = plan_add(p, type);

    if (!s)
        return -ENOMEM;
    s->dev = pf->addr;
    s->ifindex = pf->ifindex;
    snprintf(s->object, sizeof(s->object), "%s", pf->name);
    snprintf(s->ifname, sizeof(s->ifname), "%.*s", IFNAMSIZ - 1, pf->name);
    snprintf(s->pf_driver, sizeof(s->pf_driver), "%s", pf->driver);
    return 0;
}

/* A network PF that is down gives its VFs no link, and some drivers no VFs. */
int planner_add_pf_up(struct plan *p, const struct pf *pf)
{
    return pf->ifindex > 0 ? planner_add_pf_step(p, STEP_PF_UP, pf) : 0;
}

int planner_add_lease(struct plan *p, const struct lease *l, enum lease_phase phase,
                      const struct lease *before)
{
    struct step *s = plan_add(p, STEP_LEASE);

    if (!s)
        return -ENOMEM;
    s->lease = *l;
    s->lease.phase = phase;
    if (before)
        s->lease_before = *before;
    snprintf(s->detail, sizeof(s->detail), "%.48s %s", l->vm, lease_phase_name(phase));
    return 0;
}

int planner_add_plug(struct plan *p, enum step_type type, const struct lease *l,
                     unsigned deadline_ms)
{
    struct step *s;

    if (!p->live)
        return 0;
    s = plan_add(p, type);

    if (!s)
        return -ENOMEM;
    s->lease = *l;
    s->deadline_ms = deadline_ms;
    snprintf(s->detail, sizeof(s->detail), "%.63s", l->vm);
    return 0;
}

int planner_add_vf_step(struct plan *p, enum step_type type, const struct pci_addr *vf,
                        const char *driver, const char *driver_before)
{
    struct step *s = plan_add(p, type);

    if (!s)
        return -ENOMEM;
    s->dev = *vf;
    snprintf(s->driver, sizeof(s->driver), "%s", driver);
    snprintf(s->driver_before, sizeof(s->driver_before), "%s", driver_before);
    if (type == STEP_BIND)
        snprintf(s->detail, sizeof(s->detail), "%.63s", driver[0] ? driver : "no driver");
    return 0;
}

static void policy_detail(const struct policy *p, uint32_t attrs, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = '\0';
    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++) {
        char text[POLICY_TEXT];
        int n;

        if (!(attrs & p->set & (1U << a)))
            continue;
        n = snprintf(buf + used, size - used, "%s%s %s", used ? " " : "", policy_table[a].name,
                     policy_format(p, a, text));
        if (n < 0 || (size_t)n >= size - used)
            return;
        used += (size_t)n;
    }
}

/* One step for each message some attribute of which is wanted. */
int planner_add_policy(struct plan *p, const struct pf *pf, unsigned vf,
                       const struct policy *wanted, const struct policy *actual)
{
    const uint32_t differs = policy_diff(wanted, actual);

    for (size_t i = 0; i < vflink_message_count; i++) {
        const struct vflink_message *m = &vflink_messages[i];
        struct step *s;

        if (!(m->attrs & wanted->set))
            continue;
        s = plan_add(p, STEP_POLICY);
        if (!s)
            return -ENOMEM;
        s->state = m->attrs & differs ? STEP_PLANNED : STEP_ALREADY;
        s->ifindex = pf->ifindex;
        snprintf(s->pf_driver, sizeof(s->pf_driver), "%s", pf->driver);
        s->vf = vf;
        s->message = m;
        s->wanted = *wanted;
        s->before = *actual;
        policy_detail(wanted, m->attrs, s->detail, sizeof(s->detail));
    }
    return 0;
}

/* What a tenant gets unless told otherwise, where the driver lets it be seen: nothing that the
 * VF's last user left behind. */
static const struct {
    enum policy_attr attr;
    uint64_t value;
} safe_values[] = {
    {POLICY_VLAN, 0},
    {POLICY_QOS, 0},
    {POLICY_PROTO, ETH_P_8021Q},
    {POLICY_MAX_TX_RATE, 0},
    {POLICY_MIN_TX_RATE, 0},
    {POLICY_SPOOFCHK, 1},
    {POLICY_TRUST, 0},
    {POLICY_STATE, IFLA_VF_LINK_STATE_AUTO},
};

struct policy planner_complete_policy(const struct policy *asked, const struct policy *actual)
{
    struct policy full = *asked;

    for (size_t i = 0; i < ELEMENTSOF(safe_values); i++)
        if (!policy_has(&full, safe_values[i].attr) && policy_has(actual, safe_values[i].attr))
            policy_put(&full, safe_values[i].attr, safe_values[i].value);
    return full;
}

struct policy planner_merge_policy(const struct policy *old, const struct policy *asked)
{
    struct policy merged = *old;

    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++)
        if (policy_has(asked, a))
            policy_put(&merged, a, asked->value[a]);
    if (!policy_has(asked, POLICY_VLAN) || asked->value[POLICY_VLAN] != 0)
        return merged;
    /* Without a VLAN there is no tag that could have them. */
    if (policy_has(&merged, POLICY_QOS) && !policy_has(asked, POLICY_QOS))
        policy_put(&merged, POLICY_QOS, 0);
    if (policy_has(&merged, POLICY_PROTO) && !policy_has(asked, POLICY_PROTO))
        policy_put(&merged, POLICY_PROTO, ETH_P_8021Q);
    return merged;
}

static int mac_taken(uint64_t mac, const char *by, struct error *e)
{
    struct policy p = {.set = 0};
    char text[POLICY_TEXT];

    policy_put(&p, POLICY_MAC, mac);
    return error_set(e, -EEXIST, "MAC %s is taken by %s: choose another",
                     policy_format(&p, POLICY_MAC, text), by);
}

bool planner_is_pair(const struct lease *a, const struct lease *b)
{
    return streq(a->vm, b->vm) && a->kind != b->kind && (a->standby || b->standby);
}

const struct lease *planner_find_standby(const struct present *now, const struct lease *vf)
{
    for (size_t i = 0; i < now->leases.count; i++)
        if (planner_is_pair(&now->leases.items[i], vf) &&
            policy_diff(&now->leases.items[i].wanted, &vf->wanted) == 0)
            return &now->leases.items[i];
    return NULL;
}

static const struct lease *find_other_of_mac(const struct present *now, uint64_t mac,
                                             const struct lease *of)
{
    for (size_t i = 0; i < now->leases.count; i++) {
        const struct lease *l = &now->leases.items[i];

        if (policy_has(&l->wanted, POLICY_MAC) && l->wanted.value[POLICY_MAC] == mac &&
            !streq(l->id, of->id) && !planner_is_pair(l, of))
            return l;
    }
    return NULL;
}

/* Does this VF have its MAC as the other half of a pair? */
static bool is_paired_vf(const struct present *now, const struct vf *vf, const struct lease *of)
{
    const struct lease *l = lease_find_vf(&now->leases, &vf->addr);

    return l && planner_is_pair(l, of);
}

int planner_check_mac_free(const struct present *now, uint64_t mac, const struct lease *of,
                           struct error *e)
{
    const struct lease *l = find_other_of_mac(now, mac, of);
    char by[160];

    if (l) {
        snprintf(by, sizeof(by), "the lease of %s (VM %s)", l->id, l->vm);
        return mac_taken(mac, by, e);
    }
    for (size_t i = 0; i < now->inv.num_pfs; i++) {
        const struct pf *pf = &now->inv.pfs[i];

        for (size_t n = 0; n < pf->num_vfs; n++) {
            const struct vf *vf = &pf->vfs[n];

            if (policy_has(&vf->policy, POLICY_MAC) && vf->policy.value[POLICY_MAC] == mac &&
                !streq(PCI_ADDR_STR(&vf->addr), of->id) && !is_paired_vf(now, vf, of))
                return mac_taken(mac, VF_NAME_STR(pf, vf), e);
        }
    }
    return 0;
}

/* Removing a VF that a process holds open hangs the kernel until the process goes. */
int planner_check_not_held(const char *name, const struct vf *vf, struct error *e)
{
    pid_t pid = 0;
    int r = vf->iommu_group < 0 ? 0 : vfio_group_busy(vf->iommu_group, &pid);

    if (r < 0)
        return error_set(e, r, "cannot tell whether %s is in use: %s", name, strerror(-r));
    if (r == 0)
        return 0;
    /* A mapping of its BARs holds the group too, and shows in no process's fds. */
    if (pid == 0)
        return error_set(e, -EBUSY,
                         "%s is in use by some process (/dev/vfio/%d): power its VM off first",
                         name, vf->iommu_group);
    return error_set(e, -EBUSY, "%s is in use by process %d (/dev/vfio/%d): power its VM off first",
                     name, (int)pid, vf->iommu_group);
}

static int check_virtio_not_held(const struct lease *l, struct error *e)
{
    char name[IFNAMSIZ];
    int r;

    if (l->parent_is_bridge)
        r = netdev_exists(netdev_tap_name(l->id, name));
    else
        r = netdev_macvtap_held(netdev_macvtap_name(l->id, name));
    if (r < 0)
        return error_set(e, r, "cannot tell whether %s is in use: %s", l->id, strerror(-r));
    return r ? error_set(e, -EBUSY, "%s is in use by a process (%s): power VM %s off first", l->id,
                         name, l->vm)
             : 0;
}

int planner_check_released(const struct present *now, const struct lease *l, struct error *e)
{
    struct pf *pf = NULL;
    const struct vf *vf;

    /* Its VMM gives it back when asked, once it has all its NICs. */
    if (now->live && live_state(now->live, l->generation) && live_is_ready(now->live, l->vm))
        return 0;
    if (now->live && live_state(now->live, l->generation))
        return error_set(e, -EBUSY, "VM %s is starting: try again when it runs", l->vm);
    if (l->kind == LEASE_KIND_VIRTIO)
        return check_virtio_not_held(l, e);
    vf = inventory_find_vf(&now->inv, &l->vf, &pf);
    return vf ? planner_check_not_held(VF_NAME_STR(pf, vf), vf, e) : 0;
}

void planner_look_held(struct lease *l, const struct vf *vf)
{
    char name[IFNAMSIZ];

    if (l->kind == LEASE_KIND_VF)
        l->held = vf && vf->iommu_group >= 0 && !vfio_group_idle(&vf->addr) &&
                  vfio_group_busy(vf->iommu_group, NULL) == 1;
    else if (l->parent_is_bridge)
        l->held = netdev_exists(netdev_tap_name(l->id, name));
    else
        l->held = netdev_macvtap_held(netdev_macvtap_name(l->id, name)) == 1;
}
