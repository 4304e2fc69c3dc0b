/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/log.h"
#include "src/agent.h"
#include "src/netdev.h"

#include <errno.h>

/* Another boot's VFs are gone, and what was left half done went with them. */
static int drop_other_boots(struct agent *a, struct error *e)
{
    _cleanup_leases_ struct lease_list leases = LEASE_LIST_INIT;
    _cleanup_pf_records_ struct pf_record_list records = PF_RECORD_LIST_INIT;
    int r = lease_load_all(a->state_dir, &leases, e);

    for (size_t i = 0; r == 0 && i < leases.count; i++) {
        const struct lease *l = &leases.items[i];

        if (!l->boot_id[0] || streq(l->boot_id, a->boot_id))
            continue;
        log_info("lease of %s by %s is of an earlier boot: dropped", l->id, l->vm);
        r = lease_remove(a->state_dir, l, e);
    }
    if (r == 0)
        r = pf_record_load_all(a->state_dir, &records, e);
    for (size_t i = 0; r == 0 && i < records.count; i++)
        if (!streq(records.items[i].boot_id, a->boot_id))
            r = pf_record_remove(a->state_dir, &records.items[i].pf, e);
    return r;
}

static void run_recovery(struct plan *p, const char *what)
{
    struct error e = ERROR_INIT;

    if (plan_run(p, &e) < 0)
        log_error("cannot finish what was begun on %s: %s", what, e.text);
    else if (plan_changed(p))
        log_info("%s: finished what an earlier agent had begun", what);
}

static int recover_pf(struct agent *a, const struct pf_record *rec, struct error *e)
{
    _cleanup_present_ struct present now = {.state_dir = -1};
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error why = ERROR_INIT;
    const struct pf *pf;
    int r = agent_present(a, &now, e);

    if (r < 0)
        return r;
    pf = inventory_find_pf(&now.inv, &rec->pf);
    if (!pf) {
        log_warning("%s, asked for %u VFs, is gone", PCI_ADDR_STR(&rec->pf), rec->count);
        return 0;
    }
    r = planner_enable(&now, pf, rec->count, &p, &why);
    if (r < 0)
        log_warning("%s: %u VFs were asked for: %s", pf->name, rec->count, why.text);
    else
        run_recovery(&p, pf->name);
    return 0;
}

static int recover_pfs(struct agent *a, struct error *e)
{
    _cleanup_pf_records_ struct pf_record_list records = PF_RECORD_LIST_INIT;
    int r = pf_record_load_all(a->state_dir, &records, e);

    for (size_t i = 0; r == 0 && i < records.count; i++)
        r = recover_pf(a, &records.items[i], e);
    return r;
}

/* Left in its phase, it would be taken for one that somebody works on, for ever. */
static void give_up(struct agent *a, struct lease *l, const struct error *why)
{
    struct error e = ERROR_INIT;

    log_error("cannot finish what was begun on %s, so it is quarantined: %s", l->id, why->text);
    if (lease_quarantine(a->state_dir, l, why->text, &e) < 0)
        log_error("cannot record that %s is quarantined: %s", l->id, e.text);
}

static int recover_leases(struct agent *a, struct error *e)
{
    _cleanup_present_ struct present now = {.state_dir = -1};
    int r = agent_present(a, &now, e);

    for (size_t i = 0; r == 0 && i < now.leases.count; i++) {
        struct lease *l = &now.leases.items[i];
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct error why = ERROR_INIT;

        if (l->phase == LEASE_QUARANTINED)
            log_warning("%s is quarantined (%s)", l->id, l->reason);
        if (planner_recover(&now, l, &p, &why) < 0)
            give_up(a, l, &why);
        else
            run_recovery(&p, l->id);
    }
    return r;
}

/* A macvtap of ours whose lease never reached the disk, or left it first. */
static int remove_stray_macvtaps(struct agent *a, struct error *e)
{
    _cleanup_leases_ struct lease_list leases = LEASE_LIST_INIT;
    struct if_nameindex *names = if_nameindex();
    const size_t prefix = strlen(NETDEV_MACVTAP_PREFIX);
    int r = lease_load_all(a->state_dir, &leases, e);

    for (struct if_nameindex *n = names; r == 0 && n && n->if_name; n++) {
        struct error why = ERROR_INIT;

        if (strncmp(n->if_name, NETDEV_MACVTAP_PREFIX, prefix) != 0 ||
            lease_find(&leases, n->if_name + prefix))
            continue;
        log_info("%s belongs to no lease: removed", n->if_name);
        if (netdev_delete(n->if_name, &why) < 0)
            log_error("%s", why.text);
    }
    if (names)
        if_freenameindex(names);
    return r;
}

int agent_recover(struct agent *a, struct error *e)
{
    int r = drop_other_boots(a, e);

    if (r == 0)
        r = recover_pfs(a, e);
    if (r == 0)
        r = recover_leases(a, e);
    if (r == 0)
        r = remove_stray_macvtaps(a, e);
    return r;
}
