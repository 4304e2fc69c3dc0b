/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each of these verbs is one call, answered by a report: what was changed, or with --dry-run what
 * would be. The report is printed as it is with --json, else as one line, or a table of steps.
 */
#include "src/verb-change.h"

#include "basic/parse.h"
#include "src/agent-client.h"
#include "src/answer.h"
#include "src/terminal.h"
#include "src/verb-list.h"

#include <errno.h>

/* Creating VFs takes a driver up to minutes. */
#define CHANGE_TIMEOUT_S 300

static const char *const step_columns[] = {"#", "STEP", "OBJECT", "DETAIL", "STATE", "COST", NULL};

static int print_steps(const struct verb_line *line, struct json_object *report)
{
    struct json_object *steps = answer_array(report, "steps");
    _cleanup_table_ struct table t = TABLE_INIT;
    char number[24];
    int r = 0;

    table_columns(&t, step_columns);
    for (size_t i = 0; r == 0 && i < answer_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);

        snprintf(number, sizeof(number), "%zu", i + 1);
        r = table_add(
            &t, (const char *const[]){number, answer_text(step, "step"),
                                      answer_text(step, "object"), answer_text(step, "detail"),
                                      answer_text(step, "state"), answer_text(step, "cost")});
    }
    if (r == 0 && table_rows(&t) > 0)
        table_print(&t, stdout, verb_list_table_flags(line), 0);
    return r;
}

/* What was done, in the past tense. */
static void format_done(const struct verb_line *line, struct json_object *report, char *buf,
                        size_t size)
{
    const char *kind = answer_text(report, "kind"), *mac = answer_text(report, "mac");
    const char *vm = answer_text(report, "vm");

    if (streq(line->verb->name, "enable"))
        snprintf(buf, size, "%s %s", line->args[1], streq(line->args[1], "1") ? "VF" : "VFs");
    else if (streq(line->verb->name, "release"))
        snprintf(buf, size, "released");
    else if (streq(line->verb->name, "set"))
        snprintf(buf, size, "set");
    else if (streq(line->verb->name, "drain") || streq(line->verb->name, "undrain"))
        snprintf(buf, size, "%sed", line->verb->name);
    else if (kind && streq(kind, "virtio"))
        snprintf(buf, size, "assigned to %s as virtio fallback%s%s", vm ? vm : line->args[1],
                 mac ? ", mac " : "", mac ? mac : "");
    else
        snprintf(buf, size, "assigned to %s", vm ? vm : line->args[1]);
}

static int print_report(const struct verb_line *line, struct json_object *report)
{
    const char *object = answer_text(report, "object");
    char text[512], done[256];

    format_done(line, report, done, sizeof(done));
    if (answer_flag(report, "accepted"))
        snprintf(done, sizeof(done), "the agent does it now; see 'sriovctl list'");
    else if (!answer_flag(report, "changed"))
        snprintf(done, sizeof(done), "unchanged");
    snprintf(text, sizeof(text), "%s: %s", object ? object : line->args[0], done);
    puts(terminal_clean(text));
    return 0;
}

static int print_plan(const struct verb_line *line, struct json_object *report)
{
    if (answer_length(answer_array(report, "steps")) == 0)
        return print_report(line, report);
    return print_steps(line, report);
}

/* Send @call with the options that every change has, and print the report. */
static int change(const struct verb_line *line, struct agent_call *call, struct error *e)
{
    _cleanup_answer_ struct json_object *report = NULL;
    struct dict options = line->words;
    int r = 0;

    if (verb_line_has(line, VERB_OPTION_DRY_RUN))
        r = dict_put(&options, "dry_run", "on");
    if (r == 0 && verb_line_has(line, VERB_OPTION_NO_WAIT))
        r = dict_put(&options, "no_wait", "on");
    if (r < 0)
        return error_set(e, r, "%s: too many options", line->verb->name);
    call->object = line->args[0];
    call->options = &options;
    call->timeout_s = line->timeout_s ? line->timeout_s : CHANGE_TIMEOUT_S;
    r = agent_client_ask(call, &report, e);
    if (r < 0)
        return r;
    if (verb_line_has(line, VERB_OPTION_JSON))
        r = terminal_print_json(stdout, report);
    else if (verb_line_has(line, VERB_OPTION_DRY_RUN))
        r = print_plan(line, report);
    else
        r = print_report(line, report);
    return r < 0 ? error_set(e, r, "%s: done, but its report can't be shown: %s", line->args[0],
                             strerror(-r))
                 : 0;
}

int verb_enable(const struct verb_line *line, struct error *e)
{
    unsigned count;

    if (parse_uint(line->args[1], 0, UINT32_MAX, &count) < 0)
        return error_set(e, -EINVAL, "enable: COUNT must be a number of VFs");
    return change(line, &(struct agent_call){.method = "Enable", .count = &count}, e);
}

int verb_assign(const struct verb_line *line, struct error *e)
{
    return change(
        line,
        &(struct agent_call){.method = "Assign", .vm = line->args[1], .policy = &line->policy}, e);
}

/* Here --timeout is how long a guest has to give its NIC back; the agent then takes it. */
static int take_back(const struct verb_line *line, const char *method, struct error *e)
{
    struct verb_line timed = *line;
    char deadline[16];

    if (line->timeout_s) {
        snprintf(deadline, sizeof(deadline), "%u", line->timeout_s);
        if (dict_put(&timed.words, "deadline", deadline) < 0)
            return error_set(e, -EINVAL, "%s: too many options", line->verb->name);
        timed.timeout_s = line->timeout_s + CHANGE_TIMEOUT_S;
    }
    return change(&timed, &(struct agent_call){.method = method}, e);
}

int verb_release(const struct verb_line *line, struct error *e)
{
    return take_back(line, "Release", e);
}

int verb_drain(const struct verb_line *line, struct error *e)
{
    return take_back(line, "Drain", e);
}

int verb_undrain(const struct verb_line *line, struct error *e)
{
    return change(line, &(struct agent_call){.method = "Undrain"}, e);
}

int verb_set(const struct verb_line *line, struct error *e)
{
    return change(line, &(struct agent_call){.method = "Set", .policy = &line->policy}, e);
}
