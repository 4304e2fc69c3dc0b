/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/plan.h"

#include "basic/log.h"

#include <errno.h>

void plan_done(struct plan *p)
{
    free(p->steps);
    *p = (struct plan)PLAN_INIT;
}

struct step *plan_add(struct plan *p, enum step_type type)
{
    struct step *steps = realloc(p->steps, (p->num_steps + 1) * sizeof(*steps));
    struct step *s;

    if (!steps)
        return NULL;
    p->steps = steps;
    s = &steps[p->num_steps++];
    *s = (struct step){
        .type = type, .state = STEP_PLANNED, .state_dir = p->state_dir, .live = p->live};
    snprintf(s->object, sizeof(s->object), "%s", p->object);
    return s;
}

int plan_append(struct plan *p, const struct plan *from)
{
    for (size_t i = 0; i < from->num_steps; i++) {
        struct step *s = plan_add(p, from->steps[i].type);

        if (!s)
            return -ENOMEM;
        *s = from->steps[i];
    }
    return 0;
}

void plan_look(struct plan *p)
{
    for (size_t i = 0; i < p->num_steps; i++)
        step_look(&p->steps[i]);
}

bool plan_changed(const struct plan *p)
{
    for (size_t i = 0; i < p->num_steps; i++)
        if (p->steps[i].state == STEP_DONE)
            return true;
    return false;
}

static void quarantine(struct plan *p, struct error *e)
{
    struct error why = ERROR_INIT;

    if (!p->has_lease)
        return;
    if (lease_quarantine(p->state_dir, &p->lease, e->text, &why) < 0)
        log_error("cannot record that %s is quarantined: %s", p->object, why.text);
    error_prefix(e, "%s is quarantined: nobody gets it until 'sriovctl release %s' succeeds",
                 p->object, p->object);
}

static void go_back(struct plan *p, struct error *e)
{
    bool stuck = false;

    for (size_t i = p->num_steps; i-- > 0;) {
        struct error why = ERROR_INIT;
        /* The lease of what can't be undone must stay, to be quarantined: it is what blocks the
         * VF. */
        const bool keep = stuck && p->has_lease && p->steps[i].type == STEP_LEASE;

        if (keep || step_undo(&p->steps[i], &why) == 0)
            continue;
        stuck = true;
        log_error("cannot undo %s of %s: %s", step_name(&p->steps[i]), p->object, why.text);
    }
    if (stuck)
        quarantine(p, e);
}

static int run_first(struct plan *p, size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        struct step *s = &p->steps[i];
        const bool fresh = s->state == STEP_PLANNED;
        int r = step_run(s, e);

        if (r == 0 && fresh && s->state == STEP_DONE)
            event_post(p->events, step_name(s), s->object, p->lease.vm, s->detail);
        if (r == 0)
            continue;
        if (p->direction == PLAN_BACK)
            go_back(p, e);
        else
            quarantine(p, e);
        return r;
    }
    return 0;
}

int plan_run(struct plan *p, struct error *e)
{
    return run_first(p, p->num_steps, e);
}

static size_t count_through(const struct plan *p, enum step_type type)
{
    for (size_t i = 0; i < p->num_steps; i++)
        if (p->steps[i].type == type)
            return i + 1;
    return 0;
}

bool plan_has(const struct plan *p, enum step_type type)
{
    return count_through(p, type) > 0;
}

int plan_run_through(struct plan *p, enum step_type type, struct error *e)
{
    return run_first(p, count_through(p, type), e);
}
