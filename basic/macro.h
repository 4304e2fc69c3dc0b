/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes and ownership helpers that every folder uses. */
#ifndef BASIC_MACRO_H
#define BASIC_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)     __attribute__((cleanup(f)))
#define _printf_(fmt, a) __attribute__((format(printf, fmt, a)))
#define _must_check_     __attribute__((warn_unused_result))
#define _unused_         __attribute__((unused))
#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Move ownership out of a variable: it is left empty, so its cleanup does nothing. */
#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) *_pp = &(p);                                                                 \
        __typeof__(p) _v = *_pp;                                                                   \
        *_pp = NULL;                                                                               \
        _v;                                                                                        \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *_pfd = &(fd);                                                                         \
        int _v = *_pfd;                                                                            \
        *_pfd = -1;                                                                                \
        _v;                                                                                        \
    })

static inline void freep(void *p)
{
    free(*(void **)p);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

#endif
