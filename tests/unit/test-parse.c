/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/parse.h"

#include "unit.h"

#include <errno.h>

static void test_u64(void **state _unused_)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"007", 7},
        {"4094", 4094},
        {"0x1F", 31},
        {"0XfF", 255},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
    };
    static const char *const malformed[] = {"",   " 1",   "1 ",  "+1",    "-1",  "0x",
                                            "x1", "0x-1", "0x ", "0x0x1", "1e3", "1k"};
    uint64_t v = 5;

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        assert_int_equal(parse_u64(good[i].text, 0, UINT64_MAX, &v), 0);
        assert_int_equal(v, good[i].value);
    }
    v = 5;
    for (size_t i = 0; i < ELEMENTSOF(malformed); i++)
        assert_int_equal(parse_u64(malformed[i], 0, UINT64_MAX, &v), -EINVAL);
    assert_int_equal(parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(parse_u64("9", 10, 20, &v), -ERANGE);
    assert_int_equal(parse_u64("21", 10, 20, &v), -ERANGE);
    assert_int_equal(v, 5);
    assert_int_equal(parse_u64("10", 10, 20, &v), 0);
    assert_int_equal(parse_u64("20", 10, 20, &v), 0);
}

static void test_uint(void **state _unused_)
{
    unsigned v = 5;

    assert_int_equal(parse_uint("4294967296", 0, UINT32_MAX, &v), -ERANGE);
    assert_int_equal(parse_uint("x", 0, UINT32_MAX, &v), -EINVAL);
    assert_int_equal(v, 5);
    assert_int_equal(parse_uint("4294967295", 0, UINT32_MAX, &v), 0);
    assert_int_equal(v, UINT32_MAX);
}

static void test_size(void **state _unused_)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"4096", 4096},
        {"1K", 1024},
        {"256m", 256ULL << 20},
        {"4G", 4ULL << 30},
        {"1t", 1ULL << 40},
        {"0x10M", 16ULL << 20},
        {"16777215T", 16777215ULL << 40},
    };
    static const char *const malformed[] = {
        "", "K", "1KB", "1 K", "-1K", "1.5G", "GG", "0000000000000000000000000000000001K"};
    uint64_t v = 5;

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        assert_int_equal(parse_size(good[i].text, &v), 0);
        assert_int_equal(v, good[i].value);
    }
    v = 5;
    for (size_t i = 0; i < ELEMENTSOF(malformed); i++)
        assert_int_equal(parse_size(malformed[i], &v), -EINVAL);
    assert_int_equal(parse_size("16777216T", &v), -ERANGE);
    assert_int_equal(v, 5);
}

static void test_on_off(void **state _unused_)
{
    bool b = false;

    assert_int_equal(parse_on_off("on", &b), 0);
    assert_true(b);
    assert_int_equal(parse_on_off("yes", &b), -EINVAL);
    assert_int_equal(parse_on_off("ON", &b), -EINVAL);
    assert_int_equal(parse_on_off("", &b), -EINVAL);
    assert_true(b);
    assert_int_equal(parse_on_off("off", &b), 0);
    assert_false(b);
}

static void test_vm_names(void **state _unused_)
{
    static const char *const good[] = {"vm1", "a", "Web.2_x-y+z@q", "1", "_a"};
    static const char *const bad[] = {"",  ".",   "..",   ".a",    "-a",       "a/b",
                                      "/", "a b", "a\nb", "a\x80", "\xc3\xa4", "a:b"};
    char longest[VM_NAME_MAX + 1];

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        assert_true(vm_name_valid(good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        assert_false(vm_name_valid(bad[i]));
    memset(longest, 'x', sizeof(longest));
    longest[VM_NAME_MAX] = '\0';
    assert_false(vm_name_valid(longest));
    longest[VM_NAME_MAX - 1] = '\0';
    assert_true(vm_name_valid(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),    cmocka_unit_test(test_uint),     cmocka_unit_test(test_size),
        cmocka_unit_test(test_on_off), cmocka_unit_test(test_vm_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
