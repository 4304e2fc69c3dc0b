/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan: the ordered steps from what the kernel shows to what is wanted, and the way they run.
 *
 *   steps run in order; each is checked before and after (step_run)
 *   one fails ──► BACK     those done are undone in reverse; the host is as it was
 *             └─► FORWARD  (release, and whatever a crash left half done) there is no way back
 *                          that is safer: the NIC's lease is quarantined with the reason
 *   an undo fails ──► quarantined as well
 *
 * A plan owns all it needs; running it asks nobody.
 */
#ifndef SRC_PLAN_H
#define SRC_PLAN_H

#include "src/step.h"

enum plan_direction { PLAN_BACK, PLAN_FORWARD };

struct plan {
    const char *verb;     /* "assign", for reports */
    char object[VF_NAME]; /* "eth0/vf0" */
    enum plan_direction direction;
    int state_dir;              /* of the agent; not owned */
    struct live *live;          /* likewise */
    struct event_queue *events; /* likewise; told of each step that is done */
    bool has_lease;
    struct lease lease; /* quarantined if it ends badly */
    struct step *steps;
    size_t num_steps;
};

#define PLAN_INIT                                                                                  \
    {                                                                                              \
        .verb = NULL, .state_dir = -1                                                              \
    }
void plan_done(struct plan *p);
#define _cleanup_plan_ _cleanup_(plan_done)

/**
 * plan_add - append a step of a type
 *
 * Return: the step, for its arguments to be filled in, valid until the next call; NULL without
 * memory.
 */
struct step *plan_add(struct plan *p, enum step_type type);

/* plan_append - the steps of @from, as they stand, after those of @p; 0 or -ENOMEM. */
int plan_append(struct plan *p, const struct plan *from) _must_check_;

/* plan_look - mark what is true already (--dry-run). */
void plan_look(struct plan *p);

/**
 * plan_run - run the steps
 *
 * Return: 0, or the negative errno of the step that failed, after undo or quarantine; the text
 * says which.
 */
int plan_run(struct plan *p, struct error *e) _must_check_;

/* plan_run_through - likewise, only as far as the first step of @type; plan_run goes on from
 * there. Nothing, if there is none. */
int plan_run_through(struct plan *p, enum step_type type, struct error *e) _must_check_;

/* plan_has - is a step of @type in it? */
bool plan_has(const struct plan *p, enum step_type type);

/* plan_changed - did it do anything? */
bool plan_changed(const struct plan *p);

#endif
