/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/config.h"

#include "temp-dir.h"
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

static int dir = -1;

static int make_dir(void **state)
{
    dir = temp_dir_make(state);
    assert_int_equal(mkdirat(dir, "sriovd.conf.d", 0755), 0);
    assert_int_equal(mkdirat(dir, "vm", 0755), 0);
    return 0;
}

static int remove_dir(void **state)
{
    temp_dir_remove(state);
    return 0;
}

static void put(const char *name, const char *text)
{
    temp_dir_write(dir, name, text, strlen(text));
}

static void assert_bridge(void **state, const char *expected)
{
    struct config c = {.fallback_bridge = "untouched"};

    assert_int_equal(config_load(temp_dir_path(state), &c, NULL), 0);
    assert_string_equal(c.fallback_bridge, expected);
}

static void test_no_file(void **state)
{
    struct config c = {.fallback_bridge = "untouched"};

    assert_bridge(state, "");
    assert_int_equal(config_load("/nonexistent", &c, NULL), 0);
    assert_string_equal(c.fallback_bridge, "");
}

static void test_forms(void **state)
{
    put("sriovd.conf", "# comment\n; another\n\n \t[Fallback]  \r\n  Bridge =  br0\t\n");
    assert_bridge(state, "br0");
    put("sriovd.conf", "[Fallback]\nBridge=br0");
    assert_bridge(state, "br0");
    put("sriovd.conf", "[Fallback]\nBridge=br0\nBridge=\n");
    assert_bridge(state, "");
}

/* Later files win, in order of name; what isn't NAME.conf is no such file. */
static void test_drop_ins(void **state)
{
    put("sriovd.conf", "[Fallback]\nBridge=first\n");
    put("sriovd.conf.d/20-b.conf", "[Fallback]\nBridge=second\n");
    put("sriovd.conf.d/10-a.conf", "[Fallback]\nBridge=third\n");
    put("sriovd.conf.d/30-c.conf~", "nonsense\n");
    put("sriovd.conf.d/.40.conf", "nonsense\n");
    put("sriovd.conf.d/.conf", "nonsense\n");
    assert_bridge(state, "second");
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\n[Fallback\n", "sriovd.conf:2: malformed section [Fallback"},
        {"[", "malformed section"},
        {"[Fallback]\nBridge\n", "sriovd.conf:2: expected Key=value, found Bridge"},
        {"Bridge=br0\n", "there is no Bridge= in section []"},
        {"[Fallback]\nBrigde=br0\n", "there is no Brigde= in section [Fallback]"},
        {"[Fallback]\nBridge=a/b\n", "can't be the name of an interface"},
        {"[Fallback]\nBridge=sixteen-letters-\n", "can't be the name of an interface"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct config c = {.fallback_bridge = "untouched"};
        struct error e = ERROR_INIT;

        put("sriovd.conf", cases[i].text);
        assert_int_equal(config_load(temp_dir_path(state), &c, &e), -EINVAL);
        assert_text_has(e.text, cases[i].expected);
        assert_string_equal(c.fallback_bridge, "untouched");
    }
}

static void test_mistake_in_a_drop_in(void **state)
{
    struct error e = ERROR_INIT;
    struct config c;

    put("sriovd.conf.d/a.conf", "x\n");
    put("sriovd.conf.d/b.conf", "[Fallback]\nBridge=br0\n");
    assert_int_equal(config_load(temp_dir_path(state), &c, &e), -EINVAL);
    assert_text_has(e.text, "sriovd.conf.d/a.conf:1: ");
}

static void test_long_line(void **state)
{
    static char text[9000];
    struct error e = ERROR_INIT;
    struct config c;

    memset(text, '#', sizeof(text) - 1);
    put("sriovd.conf", text);
    assert_int_equal(config_load(temp_dir_path(state), &c, &e), -EINVAL);
    assert_text_has(e.text, "sriovd.conf:1: the line is too long");
    text[4096] = '\0'; /* a kernel's command line */
    put("sriovd.conf", text);
    assert_bridge(state, "");
}

static void test_owner(void **state)
{
    static const struct {
        const char *text;
        int expected;
        const char *error;
    } cases[] = {
        {"Owner=daemon\n", 0, NULL},
        {"Kernel=/boot/vmlinuz\nCmdline=a=b c\n[Any]\nOwner = daemon\n", 0, NULL},
        {"Kernel=/boot/vmlinuz\n", -ENOENT, NULL},
        {"Owner=\n", -ENOENT, NULL},
        {"Owner=no such user\n", -EINVAL, "Owner=no such user: there is no such user"},
        {"Owner\n", -EINVAL, "vm/vm1.conf:1: expected Key=value"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct error e = ERROR_INIT;
        uid_t uid = 12345;

        put("vm/vm1.conf", cases[i].text);
        assert_int_equal(config_vm_owner(temp_dir_path(state), "vm1", &uid, &e), cases[i].expected);
        assert_int_equal(uid, cases[i].expected == 0 ? 1 : 12345);
        if (cases[i].error)
            assert_text_has(e.text, cases[i].error);
    }
}

static void test_owner_of_no_file(void **state)
{
    uid_t uid = 12345;

    assert_int_equal(config_vm_owner(temp_dir_path(state), "vm2", &uid, NULL), -ENOENT);
    assert_int_equal(uid, 12345);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(test_no_file),
        DIR_TEST(test_forms),
        DIR_TEST(test_drop_ins),
        DIR_TEST(test_mistakes),
        DIR_TEST(test_mistake_in_a_drop_in),
        DIR_TEST(test_long_line),
        DIR_TEST(test_owner),
        DIR_TEST(test_owner_of_no_file),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
