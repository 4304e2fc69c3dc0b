/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/answer.h"

bool answer_is_scalar(struct json_object *value)
{
    return !json_object_is_type(value, json_type_object) &&
           !json_object_is_type(value, json_type_array);
}

const char *answer_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) || !value || !answer_is_scalar(value))
        return NULL;
    return json_object_get_string(value);
}

bool answer_flag(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_is_type(object, json_type_object) &&
           json_object_object_get_ex(object, key, &value) &&
           json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

struct json_object *answer_array(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_array))
        return NULL;
    return value;
}

size_t answer_length(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}
