/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka, with what it wants included before it. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#define assert_text_has(text, part) assert_non_null(strstr((text), (part)))

#endif
