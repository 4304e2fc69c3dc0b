/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State files: small records that survive a crash, a power cut and a hostile editor.
 *
 *   sriovctl lease 1          type and version
 *   vm=vm1                    fields, in any order, each once
 *   end=5d41402a              CRC-32 of everything above
 *
 * Text, so that an operator can read one; a checksum, so that a half-written or bit-flipped one
 * is never believed. Files are replaced atomically (file_replace).
 */
#ifndef SRC_STATE_FILE_H
#define SRC_STATE_FILE_H

#include "basic/error.h"
#include <stdint.h>

#define STATE_FILE_MAX   8192
#define STATE_FIELDS_MAX 64

struct state_field {
    const char *key, *value;
};

struct state_file {
    char text[STATE_FILE_MAX]; /* the fields point into it */
    struct state_field fields[STATE_FIELDS_MAX];
    size_t num_fields;
};

/* A file in the making. Overflow is remembered and fails the save. */
struct state_draft {
    char text[STATE_FILE_MAX];
    size_t used;
    bool overflow;
};

/* state_draft_init - start a file of @type, e.g. "lease". */
void state_draft_init(struct state_draft *d, const char *type);

/* state_draft_put - add "key=value"; a newline in the value is overflow too: it can't be kept. */
void state_draft_put(struct state_draft *d, const char *key, const char *fmt, ...) _printf_(3, 4);

/* state_draft_save - seal it with its checksum and replace @name in @dirfd by it. */
int state_draft_save(struct state_draft *d, int dirfd, const char *name,
                     struct error *e) _must_check_;

/**
 * state_file_load - read and verify a file of @type
 *
 * Return: 0; -ENOENT without one; -EBADMSG naming the file and what is wrong with it (truncated,
 * checksum, another type or version, malformed line); another negative errno.
 */
int state_file_load(int dirfd, const char *name, const char *type, struct state_file *ret,
                    struct error *e) _must_check_;

/* state_file_get - value of a field, or NULL. */
const char *state_file_get(const struct state_file *f, const char *key);

#endif
