/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict parsers of the words people and files write. All of them take the whole text or
 * nothing: no leading space, no sign, no trailing junk; outputs are untouched on failure.
 */
#ifndef BASIC_PARSE_H
#define BASIC_PARSE_H

#include "basic/macro.h"
#include <stdint.h>

/* parse_u64 - decimal, or 0x hexadecimal; -EINVAL if malformed, -ERANGE outside min..max. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret) _must_check_;

/* parse_uint - the same for an unsigned int. */
int parse_uint(const char *text, unsigned min, unsigned max, unsigned *ret) _must_check_;

/* parse_size - bytes with an optional K, M, G or T (powers of 1024); no suffix means bytes. */
int parse_size(const char *text, uint64_t *ret) _must_check_;

/* parse_on_off - "on" or "off". */
int parse_on_off(const char *text, bool *ret) _must_check_;

#define VM_NAME_MAX 64 /* with the terminating NUL */

/**
 * vm_name_valid - may this text name a VM?
 *
 * Letters, digits, '.', '_', '-', '+' and '@', not starting with '.' or '-', at most 63 bytes:
 * it becomes a file name, a unit instance and a table cell, so nothing else is let through.
 */
bool vm_name_valid(const char *name);

#endif
