/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/error.h"

#include <errno.h>
#include <stdarg.h>

#define BUS_PREFIX "org.sriovctl.Error."

/* One row an errno that decides something. The first row of a status is the one its D-Bus name
 * turns back into. Every other errno is "failed". */
static const struct {
    int code;
    enum exit_status status;
    const char *bus_name;
} error_table[] = {
    {-EINVAL, EXIT_STATUS_USAGE, BUS_PREFIX "InvalidArgument"},
    {-ENODEV, EXIT_STATUS_NOT_FOUND, BUS_PREFIX "NotFound"},
    {-ENOENT, EXIT_STATUS_NOT_FOUND, BUS_PREFIX "NotFound"},
    {-EBUSY, EXIT_STATUS_BUSY, BUS_PREFIX "Busy"},
    {-EEXIST, EXIT_STATUS_BUSY, BUS_PREFIX "Busy"},
    {-ESTALE, EXIT_STATUS_BUSY, BUS_PREFIX "Busy"},
    {-EOPNOTSUPP, EXIT_STATUS_IMPOSSIBLE, BUS_PREFIX "NotSupported"},
    {-ERANGE, EXIT_STATUS_IMPOSSIBLE, BUS_PREFIX "NotSupported"},
    {-EPERM, EXIT_STATUS_DENIED, BUS_PREFIX "AccessDenied"},
    {-EACCES, EXIT_STATUS_DENIED, BUS_PREFIX "AccessDenied"},
    {-EHOSTDOWN, EXIT_STATUS_UNREACHABLE, BUS_PREFIX "Unreachable"},
    {-EIO, EXIT_STATUS_FAILED, BUS_PREFIX "Failed"},
};

int error_set(struct error *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    e->code = code;
    return code;
}

int error_prefix(struct error *e, const char *fmt, ...)
{
    char old[sizeof(e->text)];
    va_list ap;
    size_t n;

    if (!e)
        return -EIO;
    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
    return e->code;
}

enum exit_status error_status(int code)
{
    if (code >= 0)
        return EXIT_STATUS_DONE;
    for (size_t i = 0; i < ELEMENTSOF(error_table); i++)
        if (error_table[i].code == code)
            return error_table[i].status;
    return EXIT_STATUS_FAILED;
}

const char *error_bus_name(int code)
{
    for (size_t i = 0; i < ELEMENTSOF(error_table); i++)
        if (error_table[i].code == code)
            return error_table[i].bus_name;
    return BUS_PREFIX "Failed";
}

int error_from_bus_name(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(error_table); i++)
        if (streq(error_table[i].bus_name, name))
            return error_table[i].code;
    return -EIO;
}
