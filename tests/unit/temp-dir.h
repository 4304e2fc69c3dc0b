/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of a test's own, gone after it. */
#ifndef TESTS_UNIT_TEMP_DIR_H
#define TESTS_UNIT_TEMP_DIR_H

#include "basic/macro.h"

/* temp_dir_make - in a cmocka set-up function; the directory's fd. */
int temp_dir_make(void **state);

/* temp_dir_path - its path, e.g. for what takes no fd. */
const char *temp_dir_path(void **state);

/* temp_dir_remove - in the tear-down function. */
void temp_dir_remove(void **state);

/* A file in it: written whole; read into @buf, NUL-terminated, returning its size. */
void temp_dir_write(int dir, const char *name, const char *data, size_t size);
size_t temp_dir_read(int dir, const char *name, char *buf, size_t size);

#endif
