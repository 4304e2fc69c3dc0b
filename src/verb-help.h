/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help [VERB], --help and --version. */
#ifndef SRC_VERB_HELP_H
#define SRC_VERB_HELP_H

#include "src/verb.h"

/* verb_help - the verb "help", and --help of any other. */
int verb_help(const struct verb_line *line, struct error *e);

/* verb_help_usage - the line that follows a usage error; @verb may be NULL. */
void verb_help_usage(FILE *f, const struct verb *verb);

#endif
