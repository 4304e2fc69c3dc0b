/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/verb-help.h"

#include "sriov/policy.h"
#include "src/table.h"

#include <errno.h>

static const char *const exit_statuses[] = {
    [EXIT_STATUS_DONE] = "done, also when it was so already",
    [EXIT_STATUS_FAILED] = "failed",
    [EXIT_STATUS_USAGE] = "the line is wrong",
    [EXIT_STATUS_NOT_FOUND] = "no such object",
    [EXIT_STATUS_BUSY] = "busy or in conflict",
    [EXIT_STATUS_IMPOSSIBLE] = "not possible on this host",
    [EXIT_STATUS_DENIED] = "not permitted",
    [EXIT_STATUS_UNREACHABLE] = "the agent isn't reachable",
};

/* A heading and what two columns said below it. */
static void print_section(const char *heading, struct table *t)
{
    printf("\n%s\n", heading);
    table_print(t, stdout, 0, 2);
    table_done(t);
}

static int add_row(struct table *t, const char *left, const char *right)
{
    if (t->n_columns == 0)
        table_columns(t, (const char *const[]){"", "", NULL});
    return table_add(t, (const char *const[]){left, right});
}

static int print_policy(void)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    char left[64];
    int r = 0;

    for (int a = 0; r == 0 && a < POLICY_ATTR_COUNT; a++) {
        snprintf(left, sizeof(left), "%s %s", policy_table[a].name, policy_table[a].argument);
        r = add_row(&t, left, policy_table[a].help);
    }
    print_section("POLICY, any of:", &t);
    return r;
}

static int print_words(void)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    char left[64];
    int r = 0;

    for (size_t i = 0; r == 0 && i < verb_word_count; i++) {
        snprintf(left, sizeof(left), "%s %s|%s", verb_words[i].name, verb_words[i].values[0],
                 verb_words[i].values[1]);
        r = add_row(&t, left, verb_words[i].help);
    }
    print_section("And:", &t);
    return r;
}

static int print_options(uint32_t mask)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    char left[64];
    int r = 0;

    for (int o = 0; r == 0 && o < VERB_OPTION_COUNT; o++) {
        const struct verb_option_row *row = &verb_options[o];
        const char letter[] = {',', ' ', '-', row->letter, '\0'};

        if (!(mask & (1U << o)))
            continue;
        snprintf(left, sizeof(left), "--%s%s%s%s", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "", row->letter ? letter : "");
        r = add_row(&t, left, row->help);
    }
    print_section("Options, anywhere in the line:", &t);
    return r;
}

static int print_exit_statuses(void)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(exit_statuses); i++)
        r = add_row(&t, (const char[]){(char)('0' + i), '\0'}, exit_statuses[i]);
    print_section("Exit status:", &t);
    return r;
}

static int help_all(void)
{
    int r;

    printf("sriovctl gives SR-IOV virtual functions to virtual machines.\n\n");
    verb_help_usage(stdout, NULL);
    printf("\nVerbs:\n");
    for (size_t i = 0; i < verb_count; i++)
        printf("  %s\n        %s\n", VERB_SYNOPSIS_STR(&verb_table[i]), verb_table[i].help);
    r = print_policy();
    if (r == 0)
        r = print_options(UINT32_MAX);
    return r == 0 ? print_exit_statuses() : r;
}

static int help_verb(const struct verb *verb)
{
    int r = 0;

    verb_help_usage(stdout, verb);
    printf("\n%s\n", verb->help);
    if (verb->grammar == VERB_GRAMMAR_NIC || verb->grammar == VERB_GRAMMAR_POLICY)
        r = print_policy();
    if (r == 0 && verb->grammar == VERB_GRAMMAR_NIC)
        r = print_words();
    return r == 0 ? print_options(verb->options | 1U << VERB_OPTION_HELP) : r;
}

int verb_help(const struct verb_line *line, struct error *e)
{
    const bool asked = line->verb && streq(line->verb->name, "help");
    const struct verb *verb = !asked             ? line->verb
                              : line->n_args > 0 ? verb_find(line->args[0])
                                                 : NULL;

    if ((verb ? help_verb(verb) : help_all()) < 0)
        return error_set(e, -ENOMEM, "out of memory");
    return 0;
}

void verb_help_usage(FILE *f, const struct verb *verb)
{
    fprintf(f, "usage: sriovctl %s%s\n", verb ? VERB_SYNOPSIS_STR(verb) : "VERB [ARGUMENTS]",
            !verb || verb->options ? " [OPTIONS]" : "");
}
