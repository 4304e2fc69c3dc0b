/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/terminal.h"

#include <errno.h>
#include <json-c/json.h>

/* States that deserve a look; all others are plain. */
static const struct {
    const char *state, *colour;
} state_colours[] = {
    {"assigned", "\033[32m"},  {"in-use", "\033[32m"},  {"assigning", "\033[33m"},
    {"releasing", "\033[33m"}, {"unbound", "\033[33m"}, {"quarantined", "\033[31m"},
};

/* Bytes of the UTF-8 character at @p, or 0 if it isn't one that may be shown. */
static size_t shown_length(const unsigned char *p)
{
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if (p[0] < 0x20 || p[0] == 0x7f || (p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (p[0] == 0xc2 && p[1] < 0xa0) /* C1: 0x9b is another way to write ESC [ */
        return 0;
    return n;
}

char *terminal_clean(char *text)
{
    for (char *p = text; *p;) {
        const size_t n = shown_length((const unsigned char *)p);

        if (n == 0)
            *p = '?';
        p += n ? n : 1;
    }
    return text;
}

size_t terminal_width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

bool terminal_has_colour(FILE *f)
{
    const char *no_colour = getenv("NO_COLOR");

    return isatty(fileno(f)) && !(no_colour && *no_colour);
}

const char *terminal_state_colour(const char *state)
{
    for (size_t i = 0; i < ELEMENTSOF(state_colours); i++)
        if (streq(state_colours[i].state, state))
            return state_colours[i].colour;
    return "";
}

int terminal_print_json(FILE *f, struct json_object *value)
{
    const int layout = isatty(fileno(f)) ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                         : JSON_C_TO_STRING_PLAIN;
    const char *text =
        json_object_to_json_string_ext(value, layout | JSON_C_TO_STRING_NOSLASHESCAPE);

    if (!text)
        return -ENOMEM;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == 0x7f)
            fputs("\\u007f", f);
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            fprintf(f, "\\u%04x", (unsigned)*++p);
        else
            fputc(*p, f);
    fputc('\n', f);
    return 0;
}
