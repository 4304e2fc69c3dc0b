/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error that can be shown to a person: a negative errno, which decides what the program
 * does, and one line of text that names the object, the operation and the cure.
 *
 * Every function that can fail for a reason an operator should read takes a `struct error *`
 * last, fills it once, where the reason is known, and returns its code. The text crosses D-Bus
 * unchanged and is printed by the client; the code crosses as an error name (error_table).
 */
#ifndef BASIC_ERROR_H
#define BASIC_ERROR_H

#include "basic/macro.h"

enum exit_status {
    EXIT_STATUS_DONE = 0,
    EXIT_STATUS_FAILED = 1,
    EXIT_STATUS_USAGE = 2,
    EXIT_STATUS_NOT_FOUND = 3,
    EXIT_STATUS_BUSY = 4,
    EXIT_STATUS_IMPOSSIBLE = 5,
    EXIT_STATUS_DENIED = 6,
    EXIT_STATUS_UNREACHABLE = 7,
};

struct error {
    int code; /* 0 or negative errno */
    char text[1024];
};

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        .code = 0, .text = ""                                                                      \
    }

/**
 * error_set - record why an operation failed
 * @e: filled in; may be NULL when the caller wants the code alone
 * @code: negative errno
 *
 * Return: @code, so that a caller can `return error_set(...)`.
 */
int error_set(struct error *e, int code, const char *fmt, ...) _printf_(3, 4);

/* error_prefix - put "TEXT: " before what @e says already; returns @e's code. */
int error_prefix(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* error_status - the exit status of the contract for a negative errno. */
enum exit_status error_status(int code);

/* error_bus_name - the D-Bus error name for a negative errno, e.g. org.sriovctl.Error.Busy. */
const char *error_bus_name(int code);

/* error_from_bus_name - the negative errno a D-Bus error name stands for; -EIO if unknown. */
int error_from_bus_name(const char *name);

#endif
