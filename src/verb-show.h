/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show PF|VF|VM. */
#ifndef SRC_VERB_SHOW_H
#define SRC_VERB_SHOW_H

#include "src/verb.h"

int verb_show(const struct verb_line *line, struct error *e);

#endif
