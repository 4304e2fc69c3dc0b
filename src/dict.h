/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few named words, in the order they were given: a D-Bus a{ss} before it is sent. */
#ifndef SRC_DICT_H
#define SRC_DICT_H

#include "basic/macro.h"

#define DICT_MAX 16

struct dict {
    struct {
        const char *name, *value; /* borrowed */
    } items[DICT_MAX];
    size_t count;
};

/**
 * dict_put - add a name that isn't there yet
 * @name, @value: borrowed, must outlive @d
 *
 * Return: 0, -EEXIST if @name is there already, -ENOSPC if @d is full.
 */
int dict_put(struct dict *d, const char *name, const char *value) _must_check_;

/* dict_get - the value of @name, or NULL. */
const char *dict_get(const struct dict *d, const char *name);

#endif
