/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_plain_text_is_kept(void **state _unused_)
{
    assert_string_equal(QUOTE_STR(""), "");
    assert_string_equal(QUOTE_STR("eth0/vf0 ~"), "eth0/vf0 ~");
}

static void test_what_a_terminal_or_bus_may_not_see(void **state _unused_)
{
    assert_string_equal(QUOTE_STR("a\x1b[2Jb\n\x7f\xc3\xff"), "a?[2Jb????");
}

static void test_cut_to_64(void **state _unused_)
{
    char text[66];

    memset(text, 'x', sizeof(text));
    text[64] = '\0';
    assert_string_equal(QUOTE_STR(text), text);
    text[64] = 'x';
    text[65] = '\0';
    assert_int_equal(strlen(QUOTE_STR(text)), 67);
    assert_string_equal(QUOTE_STR(text) + 64, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_is_kept),
        cmocka_unit_test(test_what_a_terminal_or_bus_may_not_see),
        cmocka_unit_test(test_cut_to_64),
    };

    return cmocka_run_group_tests_name("quote", tests, NULL, NULL);
}
