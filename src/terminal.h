/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be written where a terminal may read it: text without control characters, and colour
 * for those who can see it. */
#ifndef SRC_TERMINAL_H
#define SRC_TERMINAL_H

#include "basic/macro.h"

struct json_object;

/**
 * terminal_clean - make foreign text harmless, in place
 *
 * Control characters (C0, DEL, and C1 as UTF-8) and bytes that aren't UTF-8 become '?': what is
 * left can neither move the cursor nor change the title.
 *
 * Return: @text.
 */
char *terminal_clean(char *text);

/* terminal_width - columns that clean text takes (one a character). */
size_t terminal_width(const char *text);

/* terminal_has_colour - is it a terminal, and does NO_COLOR (no-color.org) say nothing else? */
bool terminal_has_colour(FILE *f);

/* terminal_state_colour - the escape sequence for the name of a state, "" for most. */
const char *terminal_state_colour(const char *state);
#define TERMINAL_PLAIN "\033[0m"

/**
 * terminal_print_json - one JSON value and a newline
 *
 * Over several lines on a terminal, on one elsewhere. DEL and C1 characters are escaped too,
 * which json-c leaves as they are.
 *
 * Return: 0 or -ENOMEM. Errors of @f itself are left for its owner to find (ferror).
 */
int terminal_print_json(FILE *f, struct json_object *value) _must_check_;

#endif
