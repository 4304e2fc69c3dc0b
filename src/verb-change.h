/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that change something: enable, assign, release, set. */
#ifndef SRC_VERB_CHANGE_H
#define SRC_VERB_CHANGE_H

#include "src/verb.h"

int verb_enable(const struct verb_line *line, struct error *e);
int verb_assign(const struct verb_line *line, struct error *e);
int verb_release(const struct verb_line *line, struct error *e);
int verb_drain(const struct verb_line *line, struct error *e);
int verb_undrain(const struct verb_line *line, struct error *e);
int verb_set(const struct verb_line *line, struct error *e);

#endif
