/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor. */
#ifndef SRC_VERB_MONITOR_H
#define SRC_VERB_MONITOR_H

#include "src/verb.h"

int verb_monitor(const struct verb_line *line, struct error *e);

#endif
