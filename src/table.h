/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aligned tables on standard output. */
#ifndef SRC_TABLE_H
#define SRC_TABLE_H

#include "basic/macro.h"

#define TABLE_COLUMNS_MAX 16

enum table_flag {
    TABLE_LEGEND = 1 << 0, /* the line of column names */
    TABLE_COLOUR = 1 << 1, /* colour what the column STATE says */
};

struct table {
    const char *columns[TABLE_COLUMNS_MAX]; /* borrowed */
    size_t n_columns;
    char **cells; /* row by row */
    size_t n_cells;
};

#define TABLE_INIT                                                                                 \
    {                                                                                              \
        .n_columns = 0, .cells = NULL, .n_cells = 0                                                \
    }

/* table_column - one column more, to the right; before any row. False if there is no room. */
bool table_column(struct table *t, const char *name);

/* table_columns - columns named by a NULL-terminated array of at most TABLE_COLUMNS_MAX. */
void table_columns(struct table *t, const char *const *names);

/**
 * table_add - one row
 * @cells: one a column, copied and cleaned for a terminal; NULL or "" is shown as "-"
 *
 * Return: 0 or -ENOMEM.
 */
int table_add(struct table *t, const char *const *cells) _must_check_;

size_t table_rows(const struct table *t);

/* table_print - @flags: of enum table_flag; @indent: spaces before each line. */
void table_print(const struct table *t, FILE *f, unsigned flags, int indent);

void table_done(struct table *t);
#define _cleanup_table_ _cleanup_(table_done)

#endif
