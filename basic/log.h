/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the programs, on stderr; under systemd with the priority prefix the journal reads. */
#ifndef BASIC_LOG_H
#define BASIC_LOG_H

#include "basic/macro.h"

/* log_init - @program is put before each line when stderr isn't the journal. */
void log_init(const char *program);

void log_error(const char *fmt, ...) _printf_(1, 2);
void log_warning(const char *fmt, ...) _printf_(1, 2);
void log_info(const char *fmt, ...) _printf_(1, 2);

#endif
