/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options.h"

#include "unit.h"

#include <errno.h>

static char dir[] = "/tmp/test-options.XXXXXX";
static char own_path[64], config_path[64];

static int setup_group(void **state _unused_)
{
    assert_non_null(mkdtemp(dir));
    snprintf(own_path, sizeof(own_path), "%s/vm1.conf", dir);
    snprintf(config_path, sizeof(config_path), "%s/other", dir);
    return 0;
}

static int teardown_group(void **state _unused_)
{
    return rmdir(dir);
}

static int teardown(void **state _unused_)
{
    unlink(own_path);
    unlink(config_path);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define PARSE(o, e, ...) parse((o), (e), (const char *const[]){"sriov-vmm", __VA_ARGS__, NULL})

static int parse(struct options *o, struct error *e, const char *const *argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return options_parse(o, argc, (char **)argv, dir, e);
}

#define REFUSE(why, ...)                                                                           \
    do {                                                                                           \
        struct options _o = {.cpus = 42};                                                          \
        struct error _e = ERROR_INIT;                                                              \
        assert_int_equal(PARSE(&_o, &_e, __VA_ARGS__), -EINVAL);                                   \
        assert_text_has(_e.text, why);                                                             \
        assert_int_equal(_o.cpus, 42);                                                             \
    } while (0)

static void test_defaults(void **state _unused_)
{
    struct options o;

    assert_int_equal(PARSE(&o, NULL, "--name", "vm1", "--kernel", "k"), 0);
    assert_string_equal(o.name, "vm1");
    assert_string_equal(o.kernel, "k");
    assert_null(o.initrd);
    assert_string_equal(o.cmdline, "console=ttyS0 panic=-1");
    assert_string_equal(o.console, "stdio");
    assert_string_equal(o.user, "sriov-vmm");
    assert_int_equal(o.memory, 256 << 20);
    assert_int_equal(o.cpus, 1);
    assert_false(o.no_agent);
    assert_false(o.no_reboot);
    options_done(&o);
    assert_null(o.name);
}

static void test_all_of_them(void **state _unused_)
{
    struct options o;

    assert_int_equal(PARSE(&o, NULL, "--name=vm1", "--kernel=k", "--initrd", "i", "--cmdline=a=b c",
                           "--memory", "5G", "--cpus=64", "--console", "socket:/s", "--user", "me",
                           "--no-agent", "--no-reboot"),
                     0);
    assert_string_equal(o.initrd, "i");
    assert_string_equal(o.cmdline, "a=b c");
    assert_int_equal(o.memory, 5ULL << 30);
    assert_int_equal(o.cpus, 64);
    assert_string_equal(o.console, "socket:/s");
    assert_string_equal(o.user, "me");
    assert_true(o.no_agent);
    assert_true(o.no_reboot);
    options_done(&o);
}

static void test_bad_command_lines(void **state _unused_)
{
    REFUSE("--name is missing", "--kernel", "k");
    REFUSE("--kernel is missing", "--name", "vm1");
    REFUSE("--name 'a/b'", "--name", "a/b", "--kernel", "k");
    REFUSE("--memory '63M'", "--name", "vm1", "--kernel", "k", "--memory", "63M");
    REFUSE("--memory '2T'", "--name", "vm1", "--kernel", "k", "--memory", "2T");
    REFUSE("--memory '67108865'", "--name", "vm1", "--kernel", "k", "--memory", "67108865");
    REFUSE("--cpus '0'", "--name", "vm1", "--kernel", "k", "--cpus", "0");
    REFUSE("--cpus '65'", "--name", "vm1", "--kernel", "k", "--cpus", "65");
    REFUSE("no option is called '--nme'", "--nme", "vm1");
    REFUSE("no option is called '--nam=x'", "--nam=x");
    REFUSE("no option is called 'vm1'", "vm1");
    REFUSE("--name needs a value", "--name");
    REFUSE("--no-agent takes no value", "--no-agent=on");
    REFUSE("--kernel ''", "--name", "vm1", "--kernel", "");
    REFUSE("no option is called '--'", "--");
}

static void test_files_and_who_wins(void **state _unused_)
{
    struct options o;

    put(own_path, "# its own\nKernel=own\nMemory = 128M\n\nCpus=2\nOwner=alice\nNoReboot=on\n");
    put(config_path, "; another\n  Memory=512M  \nInitrd=theirs\nNoReboot=off");
    assert_int_equal(PARSE(&o, NULL, "--name", "vm1", "--config", config_path, "--cpus", "3"), 0);
    assert_string_equal(o.kernel, "own");
    assert_string_equal(o.initrd, "theirs");
    assert_int_equal(o.memory, 512 << 20);
    assert_int_equal(o.cpus, 3);
    assert_false(o.no_reboot);
    options_done(&o);
}

static void test_the_name_may_come_from_a_file(void **state _unused_)
{
    struct options o;

    put(own_path, "Cpus=2\n");
    put(config_path, "Name=vm1\nKernel=k\nCmdline=root=/dev/vda quiet\n");
    assert_int_equal(PARSE(&o, NULL, "--config", config_path), 0);
    assert_string_equal(o.name, "vm1");
    assert_string_equal(o.cmdline, "root=/dev/vda quiet");
    assert_int_equal(o.cpus, 2);
    options_done(&o);
}

static void test_bad_files(void **state _unused_)
{
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"Kernel=k\nCpu=1\n", ":2: no key is called 'Cpu'"},
        {"Kernel=k\n\nnonsense\n", ":3: not of the form"},
        {"Memory=lots\n", ":1: Memory=lots"},
        {"NoAgent=yes\n", "on or off"},
        {"Config=x\n", "no key is called 'Config'"},
        {"Help=on\n", "no key is called 'Help'"},
        {"Name=vm2\nKernel=k\n", "names the VM 'vm2'"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        put(own_path, rows[i].text);
        REFUSE(rows[i].complaint, "--name", "vm1", "--kernel", "k");
        REFUSE("vm1.conf", "--name", "vm1", "--kernel", "k");
    }
}

static void test_a_missing_file(void **state _unused_)
{
    struct options o;
    struct error e = ERROR_INIT;

    assert_int_equal(PARSE(&o, &e, "--name", "vm1", "--config", config_path), -ENOENT);
    assert_text_has(e.text, config_path);
}

static void test_help_and_version_need_nothing_else(void **state _unused_)
{
    struct options o;

    assert_int_equal(PARSE(&o, NULL, "--help"), 0);
    assert_true(o.help);
    options_done(&o);
    assert_int_equal(PARSE(&o, NULL, "--version"), 0);
    assert_true(o.version);
    options_done(&o);
}

static void test_help_shows_every_option(void **state _unused_)
{
    static const char *const names[] = {
        "--name NAME", "--kernel FILE",  "--initrd FILE", "--cmdline TEXT", "--memory SIZE",
        "--cpus N",    "--console KIND", "--config FILE", "--user NAME",    "--no-agent",
        "--no-reboot", "--help",         "--version",     "(default: 256M)"};
    char text[8192] = "";
    FILE *f = fmemopen(text, sizeof(text), "w");

    assert_non_null(f);
    options_print_help(f);
    fclose(f);
    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        assert_text_has(text, names[i]);
    assert_null(strstr(text, "Owner"));
}

#define TEST(t) cmocka_unit_test_teardown(t, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_all_of_them),
        TEST(test_bad_command_lines),
        TEST(test_files_and_who_wins),
        TEST(test_the_name_may_come_from_a_file),
        TEST(test_bad_files),
        TEST(test_a_missing_file),
        TEST(test_help_and_version_need_nothing_else),
        TEST(test_help_shows_every_option),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
