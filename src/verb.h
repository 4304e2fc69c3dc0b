/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs: what can be typed after "sriovctl".
 *
 * verb_table has one row a verb; parsing, help, synopses and the test of the manual page read it.
 * A new verb is one row here and one function in a verb-*.c file.
 */
#ifndef SRC_VERB_H
#define SRC_VERB_H

#include "basic/error.h"
#include "src/dict.h"

#include <stdint.h>

#define VERB_ARGS_MAX 5
#define VERB_SYNOPSIS 160

enum verb_option {
    VERB_OPTION_JSON,
    VERB_OPTION_DRY_RUN,
    VERB_OPTION_NO_WAIT,
    VERB_OPTION_TIMEOUT,
    VERB_OPTION_NO_LEGEND,
    VERB_OPTION_HELP,
    VERB_OPTION_VERSION,
    VERB_OPTION_COUNT
};

struct verb_option_row {
    const char *name;     /* without its dashes */
    char letter;          /* short form, or 0 */
    const char *argument; /* NULL if it takes none */
    const char *help;
};
extern const struct verb_option_row verb_options[VERB_OPTION_COUNT];

/* An argument by position. */
struct verb_arg {
    const char *name; /* in synopses */
    bool (*valid)(const char *text);
    const char *expected; /* what a bad one should have been */
};

/* A word that takes a value, after the arguments and beside the policy's words. */
struct verb_word {
    const char *name;
    const char *values[2];
    const char *help;
};
extern const struct verb_word verb_words[];
extern const size_t verb_word_count;

enum verb_grammar {
    VERB_GRAMMAR_PLAIN,    /* arguments only */
    VERB_GRAMMAR_NIC,      /* then [POLICY] and verb_words */
    VERB_GRAMMAR_POLICY,   /* then POLICY, which must be there */
    VERB_GRAMMAR_VERBATIM, /* arguments only, and none of them is an option; more are ignored */
};

struct verb_line;

struct verb {
    const char *name;
    const char *help;
    const struct verb_arg *args[VERB_ARGS_MAX];
    size_t needed; /* arguments that must be there */
    enum verb_grammar grammar;
    uint32_t options; /* bit per enum verb_option that it takes */

    /* Return: 0, or what is wrong in @e; its code decides the exit status. */
    int (*run)(const struct verb_line *line, struct error *e);
};
extern const struct verb verb_table[];
extern const size_t verb_count;

/* A line, parsed. Its texts are the command line's. */
struct verb_line {
    const struct verb *verb; /* NULL only with --help or --version */
    const char *args[VERB_ARGS_MAX];
    size_t n_args;
    struct dict policy; /* checked by policy_parse_attr */
    struct dict words;  /* of verb_words */
    uint32_t options;   /* bit per enum verb_option that was given */
    unsigned timeout_s; /* --timeout, else 0 */
};

static inline bool verb_line_has(const struct verb_line *line, enum verb_option o)
{
    return line->options & (1U << o);
}

/* verb_find - the row of that name, or NULL. */
const struct verb *verb_find(const char *name);

/**
 * verb_parse - parse a command line
 * @argc, @argv: without the program's name
 * @ret: filled in as far as it was understood, also on failure, so that the caller can show the
 *       synopsis of the verb
 *
 * Return: 0, or -EINVAL with what is wrong. With --help or --version the rest of the line may be
 * incomplete.
 */
int verb_parse(int argc, char *const argv[], struct verb_line *ret, struct error *e) _must_check_;

/* verb_synopsis - "assign VF|any VM [POLICY] ..." into @buf; returns @buf. */
const char *verb_synopsis(const struct verb *verb, char buf[static VERB_SYNOPSIS]);
#define VERB_SYNOPSIS_STR(verb) (verb_synopsis((verb), (char[VERB_SYNOPSIS]){0}))

#endif
