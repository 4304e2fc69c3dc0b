/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show prints whatever the agent tells: scalars as aligned "key: value" lines, objects indented
 * below their key, arrays of objects as tables. It knows no key but "vfs", whose table is that of
 * list, so an agent that tells more needs no other client.
 */
#include "src/verb-show.h"

#include "src/agent-client.h"
#include "src/answer.h"
#include "src/terminal.h"
#include "src/verb-list.h"

#include <ctype.h>
#include <errno.h>

#define SHOW_TIMEOUT_S 60
#define INDENT         2
#define HEADING        32

static const char *scalar_text(struct json_object *value)
{
    if (json_object_is_type(value, json_type_boolean))
        return json_object_get_boolean(value) ? "yes" : "no";
    return value ? json_object_get_string(value) : NULL;
}

static int print_text(const char *text)
{
    _cleanup_free_ char *copy = strdup(text && *text ? text : "-");

    if (!copy)
        return -ENOMEM;
    puts(terminal_clean(copy));
    return 0;
}

/* The columns of a table are the scalar keys of the first object. */
static size_t object_columns(struct json_object *object, const char **keys, char (*names)[HEADING])
{
    size_t n = 0;

    json_object_object_foreach(object, key, value)
    {
        if (!answer_is_scalar(value) || n == TABLE_COLUMNS_MAX)
            continue;
        keys[n] = key;
        snprintf(names[n], HEADING, "%s", key);
        for (char *p = terminal_clean(names[n]); *p; p++)
            *p = (char)toupper((unsigned char)*p);
        n++;
    }
    return n;
}

static int print_objects(struct json_object *array, unsigned flags, int indent)
{
    const char *keys[TABLE_COLUMNS_MAX], *cells[TABLE_COLUMNS_MAX];
    char names[TABLE_COLUMNS_MAX][HEADING];
    _cleanup_table_ struct table t = TABLE_INIT;
    const size_t n = object_columns(json_object_array_get_idx(array, 0), keys, names);
    int r = 0;

    for (size_t c = 0; c < n; c++)
        table_column(&t, names[c]);
    for (size_t i = 0; n > 0 && r == 0 && i < answer_length(array); i++) {
        for (size_t c = 0; c < n; c++)
            cells[c] = answer_text(json_object_array_get_idx(array, i), keys[c]);
        r = table_add(&t, cells);
    }
    table_print(&t, stdout, flags, indent);
    return r;
}

static json_object *first_of(struct json_object *array)
{
    return answer_length(array) > 0 ? json_object_array_get_idx(array, 0) : NULL;
}

/* Does it stand below its key, or beside it? */
static bool is_block(struct json_object *value)
{
    return json_object_is_type(value, json_type_object) ||
           (json_object_is_type(value, json_type_array) &&
            json_object_is_type(first_of(value), json_type_object));
}

static int print_table(const char *key, struct json_object *array, unsigned flags, int indent)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    int r;

    if (!streq(key, "vfs"))
        return print_objects(array, flags, indent);
    r = verb_list_add_vfs(&t, array);
    table_print(&t, stdout, flags, indent);
    return r;
}

static size_t key_width(struct json_object *object)
{
    size_t width = 0;

    json_object_object_foreach(object, key, value)
    {
        const size_t n = strlen(key) + strlen(": ");

        if (!is_block(value) && n > width)
            width = n < HEADING ? n : HEADING;
    }
    return width;
}

/* Nesting is bounded where the answer is parsed. */
static int print_object(struct json_object *object, unsigned flags, int indent)
{
    const int width = (int)key_width(object);
    char shown[HEADING];
    int r = 0;

    json_object_object_foreach(object, key, value)
    {
        snprintf(shown, sizeof(shown), "%s:", key);
        terminal_clean(shown);
        if (!is_block(value)) {
            printf("%*s%-*s", indent, "", width, shown);
            r = print_text(scalar_text(value));
        } else {
            printf("%*s%s\n", indent, "", shown);
            r = json_object_is_type(value, json_type_object)
                    ? print_object(value, flags, indent + INDENT)
                    : print_table(key, value, flags, indent + INDENT);
        }
        if (r < 0)
            break;
    }
    return r;
}

int verb_show(const struct verb_line *line, struct error *e)
{
    _cleanup_answer_ struct json_object *object = NULL;
    int r = agent_client_ask(
        &(struct agent_call){.method = "Show",
                             .object = line->args[0],
                             .timeout_s = line->timeout_s ? line->timeout_s : SHOW_TIMEOUT_S},
        &object, e);

    if (r < 0)
        return r;
    if (!json_object_is_type(object, json_type_object))
        return error_set(e, -EBADMSG, "the agent's answer is no object: is it of another version?");
    if (verb_line_has(line, VERB_OPTION_JSON))
        r = terminal_print_json(stdout, object);
    else
        r = print_object(object, verb_list_table_flags(line), 0);
    return r < 0 ? error_set(e, r, "can't show %s: %s", line->args[0], strerror(-r)) : 0;
}
