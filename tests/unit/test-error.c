/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/error.h"

#include "unit.h"

#include <errno.h>

static void test_set(void **state _unused_)
{
    struct error e = ERROR_INIT;
    char *text = malloc(3000);

    assert_int_equal(error_set(&e, -EBUSY, "%s is in use by %d", "vf0", 7), -EBUSY);
    assert_int_equal(e.code, -EBUSY);
    assert_string_equal(e.text, "vf0 is in use by 7");
    assert_int_equal(error_set(NULL, -EIO, "no one listens"), -EIO);

    memset(text, 'x', 2999);
    text[2999] = '\0';
    assert_int_equal(error_set(&e, -EIO, "%s", text), -EIO);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    free(text);
}

static void test_prefix(void **state _unused_)
{
    struct error e = ERROR_INIT;
    char text[sizeof(e.text)];

    assert_int_equal(error_set(&e, -ENODEV, "it is gone"), -ENODEV);
    assert_int_equal(error_prefix(&e, "eth%d", 0), -ENODEV);
    assert_string_equal(e.text, "eth0: it is gone");
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(error_prefix(&e, "%s", text), -ENODEV);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void test_status(void **state _unused_)
{
    static const struct {
        int code;
        enum exit_status status;
    } cases[] = {
        {0, EXIT_STATUS_DONE},
        {-EINVAL, EXIT_STATUS_USAGE},
        {-ENODEV, EXIT_STATUS_NOT_FOUND},
        {-ENOENT, EXIT_STATUS_NOT_FOUND},
        {-EBUSY, EXIT_STATUS_BUSY},
        {-EEXIST, EXIT_STATUS_BUSY},
        {-EOPNOTSUPP, EXIT_STATUS_IMPOSSIBLE},
        {-ERANGE, EXIT_STATUS_IMPOSSIBLE},
        {-EPERM, EXIT_STATUS_DENIED},
        {-EACCES, EXIT_STATUS_DENIED},
        {-EHOSTDOWN, EXIT_STATUS_UNREACHABLE},
        {-EIO, EXIT_STATUS_FAILED},
        {-ENOMEM, EXIT_STATUS_FAILED},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        assert_int_equal(error_status(cases[i].code), cases[i].status);
}

/* A code that crosses the bus may change, but not what the program exits with. */
static void test_bus_names(void **state _unused_)
{
    for (int code = -1; code > -200; code--) {
        const int back = error_from_bus_name(error_bus_name(code));

        assert_true(back < 0);
        assert_int_equal(error_status(back), error_status(code));
    }
    assert_string_equal(error_bus_name(-EBUSY), "org.sriovctl.Error.Busy");
    assert_int_equal(error_from_bus_name("org.sriovctl.Error.Busy"), -EBUSY);
    assert_int_equal(error_from_bus_name("org.freedesktop.DBus.Error.Failed"), -EIO);
    assert_int_equal(error_from_bus_name(""), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_bus_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
