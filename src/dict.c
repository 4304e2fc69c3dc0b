/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/dict.h"

#include <errno.h>

const char *dict_get(const struct dict *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (streq(d->items[i].name, name))
            return d->items[i].value;
    return NULL;
}

int dict_put(struct dict *d, const char *name, const char *value)
{
    if (dict_get(d, name))
        return -EEXIST;
    if (d->count == DICT_MAX)
        return -ENOSPC;
    d->items[d->count].name = name;
    d->items[d->count].value = value;
    d->count++;
    return 0;
}
