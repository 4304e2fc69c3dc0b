/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list [pf|vf|vm]. */
#ifndef SRC_VERB_LIST_H
#define SRC_VERB_LIST_H

#include "src/table.h"
#include "src/verb.h"

struct json_object;

int verb_list(const struct verb_line *line, struct error *e);

/* verb_list_add_vfs - rows of the VF table for an array of VFs; its columns are set at first. */
int verb_list_add_vfs(struct table *t, struct json_object *vfs) _must_check_;

/* verb_list_table_flags - how tables are to be printed for this line. */
unsigned verb_list_table_flags(const struct verb_line *line);

#endif
