/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the agent's answers, which are JSON: a key that is missing or of another type is an
 * empty value, never a crash, since the agent may be of another version. */
#ifndef SRC_ANSWER_H
#define SRC_ANSWER_H

#include "basic/macro.h"

#include <json-c/json.h>

/* answer_text - a string, number or boolean as text, owned by @object; NULL for anything else. */
const char *answer_text(struct json_object *object, const char *key);

/* answer_flag - true only where @key is the boolean true. */
bool answer_flag(struct json_object *object, const char *key);

/* answer_array - an array, owned by @object; NULL if it isn't one. */
struct json_object *answer_array(struct json_object *object, const char *key);

/* answer_length - elements of an array; 0 for anything else. */
size_t answer_length(struct json_object *array);

/* answer_is_scalar - may it stand in a table cell? */
bool answer_is_scalar(struct json_object *value);

static inline void answer_putp(struct json_object **value)
{
    json_object_put(*value);
}
#define _cleanup_answer_ _cleanup_(answer_putp)

#endif
