/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/table.h"

#include "src/terminal.h"
#include "tests/unit/unit.h"

static const char *print(const struct table *t, unsigned flags, int indent)
{
    static char text[4096];
    FILE *f = fmemopen(text, sizeof(text), "w");

    assert_non_null(f);
    table_print(t, f, flags, indent);
    fclose(f);
    return text;
}

static void make(struct table *t)
{
    table_columns(t, (const char *const[]){"NAME", "STATE", "VM", NULL});
    assert_int_equal(table_add(t, (const char *const[]){"eth0/vf10", "assigned", "vm1"}), 0);
    assert_int_equal(table_add(t, (const char *const[]){"eth0", NULL, ""}), 0);
}

static void test_columns_are_aligned(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    make(&t);
    assert_int_equal(table_rows(&t), 2);
    assert_string_equal(print(&t, TABLE_LEGEND, 0), "NAME       STATE     VM\n"
                                                    "eth0/vf10  assigned  vm1\n"
                                                    "eth0       -         -\n");
    assert_string_equal(print(&t, 0, 2), "  eth0/vf10  assigned  vm1\n"
                                         "  eth0       -         -\n");
}

static void test_colour_is_for_states(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    make(&t);
    assert_string_equal(print(&t, TABLE_COLOUR, 0), "eth0/vf10  \033[32massigned\033[0m  vm1\n"
                                                    "eth0       -         -\n");
}

static void test_a_wide_legend_widens(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    table_columns(&t, (const char *const[]){"LONGNAME", "X", NULL});
    assert_int_equal(table_add(&t, (const char *const[]){"a", "b"}), 0);
    assert_string_equal(print(&t, TABLE_LEGEND, 0), "LONGNAME  X\na         b\n");
    assert_string_equal(print(&t, 0, 0), "a  b\n");
}

static void test_no_rows(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    assert_int_equal(table_rows(&t), 0);
    table_columns(&t, (const char *const[]){"A", NULL});
    assert_string_equal(print(&t, TABLE_LEGEND, 0), "A\n");
}

static void test_more_columns_than_fit(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    for (int i = 0; i < TABLE_COLUMNS_MAX; i++)
        assert_true(table_column(&t, "C"));
    assert_false(table_column(&t, "C"));
}

static void test_clean(void **state _unused_)
{
    static const struct {
        const char *dirty, *clean;
    } rows[] = {
        {"vm1", "vm1"},
        {"\033[2Jx", "?[2Jx"},
        {"a\nb\tc\177", "a?b?c?"},
        {"\302\2331m", "??1m"}, /* C1: CSI */
        {"\303\244", "\303\244"},
        {"\342\202\254", "\342\202\254"},
        {"\360\237\230\200", "\360\237\230\200"},
        {"\377\376", "??"},
        {"\303", "?"}, /* cut short */
        {"\342\202", "??"},
        {"\300\233", "??"}, /* overlong ESC */
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s", rows[i].dirty);
        assert_string_equal(terminal_clean(text), rows[i].clean);
    }
}

static void test_hostile_cells_stay_in_line(void **state _unused_)
{
    _cleanup_table_ struct table t = TABLE_INIT;

    table_columns(&t, (const char *const[]){"A", "B", NULL});
    assert_int_equal(table_add(&t, (const char *const[]){"x\033]0;title\a\n", "1"}), 0);
    assert_int_equal(table_add(&t, (const char *const[]){"\303\244", "2"}), 0);
    assert_string_equal(print(&t, 0, 0), "x?]0;title??  1\n"
                                         "\303\244             2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_aligned),
        cmocka_unit_test(test_colour_is_for_states),
        cmocka_unit_test(test_a_wide_legend_widens),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_more_columns_than_fit),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_hostile_cells_stay_in_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
