/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/step.h"

#include "src/netdev.h"
#include "sriov/numvfs.h"
#include "vfio/bind.h"

#include <errno.h>
#include <time.h>

#define VFS_READY_MS 30000
#define PF_LINK_MS   10000

/* ---- the PF ---- */

static int record_pf_check(const struct step *s)
{
    struct pf_record rec;

    if (pf_record_load(s->state_dir, &s->record.pf, &rec, NULL) < 0)
        return 0;
    return rec.count == s->record.count && streq(rec.boot_id, s->record.boot_id);
}

static int record_pf_run(const struct step *s, struct error *e)
{
    return pf_record_save(s->state_dir, &s->record, e);
}

static int record_pf_undo(const struct step *s, struct error *e)
{
    struct pf_record rec = s->record;

    /* count_before is what was asked before; without a record the PF was left to the host. */
    if (s->count_before == 0)
        return pf_record_remove(s->state_dir, &s->record.pf, e);
    rec.count = s->count_before;
    return pf_record_save(s->state_dir, &rec, e);
}

static int forget_pf_check(const struct step *s)
{
    struct pf_record rec;

    return pf_record_load(s->state_dir, &s->dev, &rec, NULL) == -ENOENT;
}

static int forget_pf_run(const struct step *s, struct error *e)
{
    return pf_record_remove(s->state_dir, &s->dev, e);
}

static int pf_up_check(const struct step *s)
{
    return netdev_is_up(s->ifname);
}

static int pf_up_run(const struct step *s, struct error *e)
{
    return netdev_set_up(s->ifindex, e);
}

static int pf_link_check(const struct step *s)
{
    return netdev_has_carrier(s->ifname);
}

/* Drivers refuse a rate while there is no link speed to hold it against. */
static int pf_link_run(const struct step *s, struct error *e)
{
    for (int ms = 0; ms < PF_LINK_MS; ms += 50) {
        if (netdev_has_carrier(s->ifname) == 1)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return error_set(e, -EOPNOTSUPP,
                     "%s has no link, and %s takes a rate only when it has one: plug it in, or "
                     "leave the rates out",
                     s->ifname, s->pf_driver);
}

static int read_pf(const struct pci_addr *addr, struct inventory *inv, struct pf **ret)
{
    int r = inventory_read(inv, NULL);

    if (r < 0)
        return r;
    *ret = inventory_find_pf(inv, addr);
    return *ret ? 0 : -ENODEV;
}

static int autoprobe_check(const struct step *s)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    struct pf *pf;
    int r = read_pf(&s->dev, &inv, &pf);

    return r < 0 ? r : pf->autoprobe == s->on;
}

static int autoprobe_run(const struct step *s, struct error *e)
{
    return numvfs_set_autoprobe(&s->dev, s->on, e);
}

static int autoprobe_undo(const struct step *s, struct error *e)
{
    return numvfs_set_autoprobe(&s->dev, s->on_before, e);
}

static int numvfs_check(const struct step *s)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    struct pf *pf;
    int r = read_pf(&s->dev, &inv, &pf);

    return r < 0 ? r : pf->num_vfs == s->count;
}

static int numvfs_run(const struct step *s, struct error *e)
{
    return numvfs_write(&s->dev, s->count, e);
}

static int wait_vfs_run(const struct step *s, struct error *e)
{
    return numvfs_wait(&s->dev, s->count, VFS_READY_MS, e);
}

/* A VF that a host driver has is in use by the host: it is left alone. */
static bool vf_is_idle(const struct vf *vf)
{
    return streq(vf->driver, "") || streq(vf->driver, VFIO_DRIVER);
}

static bool vf_rests(const struct vf *vf)
{
    return !vf_is_idle(vf) || (streq(vf->driver, VFIO_DRIVER) && streq(vf->driver_override, ""));
}

static int rest_vfs_check(const struct step *s)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    struct pf *pf;
    int r = read_pf(&s->dev, &inv, &pf);

    if (r < 0)
        return r;
    if (pf->num_vfs < s->count)
        return 0;
    for (size_t i = 0; i < pf->num_vfs; i++)
        if (!vf_rests(&pf->vfs[i]))
            return 0;
    return 1;
}

static int rest_vfs_run(const struct step *s, struct error *e)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    struct pf *pf;
    int r = read_pf(&s->dev, &inv, &pf);

    if (r < 0)
        return error_set(e, r, "%s is gone", s->object);
    for (size_t i = 0; i < pf->num_vfs; i++) {
        if (vf_rests(&pf->vfs[i]))
            continue;
        r = bind_driver(&pf->vfs[i].addr, VFIO_DRIVER, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The kernel goes from one count to another by way of 0. VFs that were there before can't be
 * brought back as they were; their number can, and at rest. */
static int numvfs_undo(const struct step *s, struct error *e)
{
    int r = numvfs_write(&s->dev, 0, e);

    if (r < 0 || s->count_before == 0)
        return r;
    r = numvfs_write(&s->dev, s->count_before, e);
    if (r == 0)
        r = numvfs_wait(&s->dev, s->count_before, VFS_READY_MS, e);
    return r < 0 ? r : rest_vfs_run(s, e);
}

/* ---- a VF and its lease ---- */

/* Is this what is on the disk? */
static int lease_is_stored(int state_dir, const struct lease *wanted)
{
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;
    const struct lease *l;
    int r = lease_load_all(state_dir, &list, NULL);

    if (r < 0)
        return r;
    l = lease_find(&list, wanted->id);
    return l && l->generation == wanted->generation && l->phase == wanted->phase &&
           l->wanted.set == wanted->wanted.set && policy_diff(&l->wanted, &wanted->wanted) == 0;
}

/* Whoever releases a VF may claim it as soon as it is seen assigned, and then waits for the rest of
 * this plan. */
static int lease_check(const struct step *s)
{
    if (s->lease.phase == LEASE_ASSIGNED &&
        lease_stored_phase(s->state_dir, &s->lease) == LEASE_RELEASING)
        return 1;
    return lease_is_stored(s->state_dir, &s->lease);
}

static int lease_run(const struct step *s, struct error *e)
{
    return lease_save(s->state_dir, &s->lease, e);
}

static int lease_undo(const struct step *s, struct error *e)
{
    if (!s->lease_before.id[0])
        return lease_remove(s->state_dir, &s->lease, e);
    /* A write that failed left what was before: on a full disk it can't be written again. */
    if (lease_is_stored(s->state_dir, &s->lease_before) == 1)
        return 0;
    return lease_save(s->state_dir, &s->lease_before, e);
}

static int forget_lease_check(const struct step *s)
{
    return lease_stored_phase(s->state_dir, &s->lease) == -ENOENT;
}

static int forget_lease_run(const struct step *s, struct error *e)
{
    return lease_remove(s->state_dir, &s->lease, e);
}

/* vflink_set reads back itself; reading all VFs of the PF once more here would make one VF's
 * assignment cost what all of them cost. */
static int policy_run(const struct step *s, struct error *e)
{
    return vflink_set(s->ifindex, s->pf_driver, s->vf, s->message, &s->wanted, e);
}

static int policy_undo(const struct step *s, struct error *e)
{
    if ((s->before.set & s->message->attrs) == 0)
        return 0;
    return vflink_set(s->ifindex, s->pf_driver, s->vf, s->message, &s->before, e);
}

static int reset_run(const struct step *s, struct error *e)
{
    return bind_reset(&s->dev, e);
}

static int bind_check(const struct step *s)
{
    return bind_is(&s->dev, s->driver);
}

static int bind_to(const struct pci_addr *dev, const char *driver, struct error *e)
{
    return streq(driver, "") ? bind_none(dev, e) : bind_driver(dev, driver, e);
}

static int bind_run(const struct step *s, struct error *e)
{
    return bind_to(&s->dev, s->driver, e);
}

static int bind_undo(const struct step *s, struct error *e)
{
    return bind_to(&s->dev, s->driver_before, e);
}

/* ---- the fallback's macvtap ---- */

static int macvtap_check(const struct step *s)
{
    return netdev_exists(s->ifname);
}

static int macvtap_run(const struct step *s, struct error *e)
{
    return netdev_macvtap_create(s->ifname, s->lease.parent, s->lease.wanted.value[POLICY_MAC], e);
}

static int no_macvtap_check(const struct step *s)
{
    return !netdev_exists(s->ifname);
}

static int no_macvtap_run(const struct step *s, struct error *e)
{
    return netdev_delete(s->ifname, e);
}

/* ---- a VM that runs ---- */

/* One that doesn't run, or still is being given its NICs, finds this one by its lease. */
static int plug_check(const struct step *s)
{
    const enum handoff_state state = s->live ? live_state(s->live, s->lease.generation) : 0;

    return !s->live || !live_is_ready(s->live, s->lease.vm) || state == HANDOFF_STATE_OFFERED ||
           state == HANDOFF_STATE_ACTIVE;
}

static int plug_run(const struct step *s, struct error *e)
{
    return live_plug(s->live, &s->lease, e);
}

static int plug_undo(const struct step *s, struct error *e)
{
    return live_unplug(s->live, &s->lease, 0, e);
}

static int unplug_check(const struct step *s)
{
    return !s->live || live_state(s->live, s->lease.generation) == 0;
}

static int unplug_run(const struct step *s, struct error *e)
{
    return live_unplug(s->live, &s->lease, s->deadline_ms, e);
}

#define RESETS_VF       "resets the VF"
#define GUEST_LOSES_NIC "the running guest loses this NIC"
#define ALL_VFS_GO      "every VF of the PF is removed and made anew"

const struct step_row step_table[STEP_TYPE_COUNT] = {
    [STEP_RECORD_PF] = {"record", "", record_pf_check, record_pf_run, record_pf_undo},
    [STEP_PF_UP] = {"pf-up", "", pf_up_check, pf_up_run, NULL},
    [STEP_PF_LINK] = {"pf-link", "", pf_link_check, pf_link_run, NULL},
    [STEP_AUTOPROBE] = {"autoprobe", "", autoprobe_check, autoprobe_run, autoprobe_undo},
    [STEP_NUMVFS] = {"numvfs", ALL_VFS_GO, numvfs_check, numvfs_run, numvfs_undo},
    [STEP_WAIT_VFS] = {"wait", "", NULL, wait_vfs_run, NULL},
    [STEP_REST_VFS] = {"rest", "", rest_vfs_check, rest_vfs_run, NULL},
    [STEP_FORGET_PF] = {"forget", "", forget_pf_check, forget_pf_run, NULL},
    [STEP_LEASE] = {"lease", "", lease_check, lease_run, lease_undo},
    [STEP_POLICY] = {"policy", "", NULL, policy_run, policy_undo},
    [STEP_RESET] = {"reset", RESETS_VF, NULL, reset_run, NULL},
    [STEP_BIND] = {"bind", "", bind_check, bind_run, bind_undo},
    [STEP_MACVTAP] = {"macvtap", "", macvtap_check, macvtap_run, no_macvtap_run},
    [STEP_NO_MACVTAP] = {"no-macvtap", "", no_macvtap_check, no_macvtap_run, NULL},
    [STEP_FORGET_LEASE] = {"forget", "", forget_lease_check, forget_lease_run, NULL},
    [STEP_PLUG] = {"plug", "", plug_check, plug_run, plug_undo},
    [STEP_UNPLUG] = {"unplug", GUEST_LOSES_NIC, unplug_check, unplug_run, NULL},
};

const char *step_name(const struct step *s)
{
    return s->type == STEP_POLICY ? s->message->name : step_table[s->type].name;
}

const char *step_cost(const struct step *s)
{
    if (s->type == STEP_POLICY && s->message->resets_vf)
        return RESETS_VF;
    /* Where there were none, none is lost. */
    if (s->type == STEP_NUMVFS && s->count_before == 0)
        return "";
    return step_table[s->type].cost;
}

const char *step_state_name(enum step_state state)
{
    static const char *const names[] = {
        [STEP_PLANNED] = "planned", [STEP_ALREADY] = "already", [STEP_DONE] = "done"};

    return names[state];
}

void step_look(struct step *s)
{
    const struct step_row *row = &step_table[s->type];

    if (s->state == STEP_PLANNED && row->check && row->check(s) == 1)
        s->state = STEP_ALREADY;
}

int step_run(struct step *s, struct error *e)
{
    const struct step_row *row = &step_table[s->type];
    int r;

    step_look(s);
    if (s->state != STEP_PLANNED)
        return 0;
    /* Also a step that fails may have done half of it: from here on it is undone. */
    s->state = STEP_DONE;
    r = row->run(s, e);
    if (r < 0)
        return r;
    if (row->check && row->check(s) != 1)
        return error_set(e, -EIO, "%s of %s was accepted by the kernel but isn't so when read back",
                         step_name(s), s->object);
    return 0;
}

int step_undo(struct step *s, struct error *e)
{
    const struct step_row *row = &step_table[s->type];
    int r;

    if (s->state != STEP_DONE || !row->undo)
        return 0;
    r = row->undo(s, e);
    if (r == 0)
        s->state = STEP_PLANNED;
    return r;
}
