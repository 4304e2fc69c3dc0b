/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/table.h"

#include "src/terminal.h"

#include <errno.h>

#define GAP "  "

bool table_column(struct table *t, const char *name)
{
    if (t->n_columns == TABLE_COLUMNS_MAX)
        return false;
    t->columns[t->n_columns++] = name;
    return true;
}

void table_columns(struct table *t, const char *const *names)
{
    for (; *names && table_column(t, *names); names++)
        ;
}

int table_add(struct table *t, const char *const *cells)
{
    char **grown = reallocarray(t->cells, t->n_cells + t->n_columns, sizeof(*t->cells));

    if (!grown)
        return -ENOMEM;
    t->cells = grown;
    for (size_t c = 0; c < t->n_columns; c++) {
        char *copy = strdup(cells[c] && *cells[c] ? cells[c] : "-");

        if (!copy) {
            /* Half a row is no row. */
            while (c-- > 0)
                free(t->cells[t->n_cells + c]);
            return -ENOMEM;
        }
        t->cells[t->n_cells + c] = terminal_clean(copy);
    }
    t->n_cells += t->n_columns;
    return 0;
}

size_t table_rows(const struct table *t)
{
    return t->n_columns ? t->n_cells / t->n_columns : 0;
}

static size_t column_width(const struct table *t, size_t c, unsigned flags)
{
    size_t width = flags & TABLE_LEGEND ? strlen(t->columns[c]) : 0;

    for (size_t i = c; i < t->n_cells; i += t->n_columns) {
        const size_t w = terminal_width(t->cells[i]);

        width = w > width ? w : width;
    }
    return width;
}

/* The last column isn't padded: no line ends in spaces. */
static void print_cell(FILE *f, const char *text, const char *colour, size_t width, bool last)
{
    const size_t w = terminal_width(text);

    fprintf(f, "%s%s%s", colour, text, *colour ? TERMINAL_PLAIN : "");
    if (last)
        fputc('\n', f);
    else
        fprintf(f, "%*s" GAP, (int)(width > w ? width - w : 0), "");
}

void table_print(const struct table *t, FILE *f, unsigned flags, int indent)
{
    size_t width[TABLE_COLUMNS_MAX];

    for (size_t c = 0; c < t->n_columns; c++)
        width[c] = column_width(t, c, flags);
    if (flags & TABLE_LEGEND && t->n_columns > 0) {
        fprintf(f, "%*s", indent, "");
        for (size_t c = 0; c < t->n_columns; c++)
            print_cell(f, t->columns[c], "", width[c], c + 1 == t->n_columns);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t c = i % t->n_columns;
        const bool state = flags & TABLE_COLOUR && streq(t->columns[c], "STATE");

        if (c == 0)
            fprintf(f, "%*s", indent, "");
        print_cell(f, t->cells[i], state ? terminal_state_colour(t->cells[i]) : "", width[c],
                   c + 1 == t->n_columns);
    }
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct table)TABLE_INIT;
}
