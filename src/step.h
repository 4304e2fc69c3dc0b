/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps: everything sriovd can do to the host, one row of step_table each.
 *
 * A step knows whether it is already true (check), how to make it true (run) and how to go back
 * (undo). Running it twice is harmless. A step carries all its arguments, so that once planned
 * it needs nobody's answer; what it will cost others stands in its row and is shown by --dry-run.
 */
#ifndef SRC_STEP_H
#define SRC_STEP_H

#include "sriov/name.h"
#include "sriov/vflink.h"
#include "src/lease.h"
#include "src/live.h"
#include "src/pf-record.h"

enum step_type {
    STEP_RECORD_PF,
    STEP_PF_UP,
    STEP_PF_LINK,
    STEP_AUTOPROBE,
    STEP_NUMVFS,
    STEP_WAIT_VFS,
    STEP_REST_VFS,
    STEP_FORGET_PF,
    STEP_LEASE,
    STEP_POLICY,
    STEP_RESET,
    STEP_BIND,
    STEP_MACVTAP,
    STEP_NO_MACVTAP,
    STEP_FORGET_LEASE,
    STEP_PLUG,
    STEP_UNPLUG,
    STEP_TYPE_COUNT
};

enum step_state { STEP_PLANNED, STEP_ALREADY, STEP_DONE };

struct step {
    enum step_type type;
    enum step_state state;
    int state_dir;        /* of the agent; not owned */
    struct live *live;    /* likewise; NULL where no VM can be reached */
    unsigned deadline_ms; /* UNPLUG: after which the NIC is taken by force */
    char object[VF_NAME]; /* what it acts on, in people's words */
    char detail[64];      /* to what, e.g. the MAC */

    struct pci_addr dev;          /* PF or VF */
    char ifname[IFNAMSIZ];        /* the PF's interface, or a macvtap */
    int ifindex;                  /* the PF's */
    char pf_driver[DRIVER_NAME];  /* named when it refuses something */
    unsigned vf;                  /* VF index */
    unsigned count, count_before; /* VFs */
    bool on, on_before;           /* autoprobe */
    char driver[DRIVER_NAME], driver_before[DRIVER_NAME];
    const struct vflink_message *message; /* POLICY: which attributes */
    struct policy wanted, before;
    struct pf_record record;
    struct lease lease, lease_before; /* LEASE: before.id is "" if there was none */
};

struct step_row {
    const char *name;
    const char *cost; /* what others notice; "" nothing */
    /* 1 true already, 0 not, -errno. NULL: can't be seen, always run. */
    int (*check)(const struct step *s);
    int (*run)(const struct step *s, struct error *e);
    /* NULL: there is nothing to go back to. */
    int (*undo)(const struct step *s, struct error *e);
};

extern const struct step_row step_table[STEP_TYPE_COUNT];

/* step_name - the row's name; of a policy step, its message's ("mac", "vlan", ...). */
const char *step_name(const struct step *s);
const char *step_cost(const struct step *s);

/* step_state_name - "planned", "already", "done". */
const char *step_state_name(enum step_state state);

/**
 * step_run - make it true: check, run, and check again; one that was run already is left alone
 *
 * Return: 0 with @s->state ALREADY or DONE; -EIO if it was run without an error and still isn't
 * true (a driver that says yes and does nothing); another negative errno.
 */
int step_run(struct step *s, struct error *e) _must_check_;

/* step_undo - go back, if it was done and can be undone. */
int step_undo(struct step *s, struct error *e) _must_check_;

/* step_look - mark it ALREADY if it is true now; changes nothing on the host (--dry-run). */
void step_look(struct step *s);

#endif
