/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <syslog.h>

static const char *log_program = "";
static bool log_to_journal;

void log_init(const char *program)
{
    log_program = program;
    log_to_journal = getenv("JOURNAL_STREAM") != NULL;
}

/* A line may quote hostile text: control characters never reach a terminal. */
static void _printf_(2, 0) log_line(int priority, const char *fmt, va_list ap)
{
    char text[2048];

    vsnprintf(text, sizeof(text), fmt, ap);
    for (char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = '?';
    if (log_to_journal)
        fprintf(stderr, "<%d>%s\n", priority, text);
    else
        fprintf(stderr, "%s: %s\n", log_program, text);
}

#define LOG_FUNCTION(name, priority)                                                               \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        log_line(priority, fmt, ap);                                                               \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_error, LOG_ERR)
LOG_FUNCTION(log_warning, LOG_WARNING)
LOG_FUNCTION(log_info, LOG_INFO)
