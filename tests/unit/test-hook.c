/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/hook.h"

#include "tests/unit/fake-agent.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>

#define DOMAIN(x) "<domain><devices>" x "</devices></domain>"
#define HOSTDEV(slot, function)                                                                    \
    "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x01' slot='" slot \
    "' function='" function "'/></source></hostdev>"
#define INTERFACE(function)                                                                        \
    "<interface type='hostdev'><mac address='52:54:00:00:00:05'/><source><address type='pci' "     \
    "domain='0x0000' bus='0x01' slot='0x10' function='" function                                   \
    "'/></source><vlan><tag id='7'/></vlan></interface>"
#define GPU                                                                                        \
    "<hostdev type='pci'><source><address bus='0' slot='2' function='0'/></source></hostdev>"

static int hook(const char *name, const char *op, const char *subop, const char *xml,
                struct error *e)
{
    FILE *f = tmpfile();
    int r;

    assert_non_null(f);
    fputs(xml, f);
    rewind(f);
    *e = (struct error)ERROR_INIT;
    r = hook_qemu(name, op, subop, fileno(f), e);
    fclose(f);
    return r;
}

static void test_prepare_assigns(void **state _unused_)
{
    struct error e;

    assert_int_equal(
        hook("web", "prepare", "begin", DOMAIN(HOSTDEV("0x10", "0x0") INTERFACE("0x2")), &e), 0);
    assert_string_equal(fake_agent_log(),
                        "Assign 0000:01:10.0 libvirt:web {} {}\n"
                        "Assign 0000:01:10.2 libvirt:web {mac=52:54:00:00:00:05,vlan=7,} {}\n");
}

static void test_others_are_left_alone(void **state _unused_)
{
    struct error e;

    assert_int_equal(hook("web", "prepare", "begin", DOMAIN(GPU HOSTDEV("0x10", "0x0")), &e), 0);
    assert_string_equal(fake_agent_log(), "Assign 0000:00:02.0 libvirt:web {} {}\n"
                                          "Assign 0000:01:10.0 libvirt:web {} {}\n");
}

/* What was so before this call (10.1), or never was (00:02.0), isn't given back. */
static void test_failure_gives_back(void **state _unused_)
{
    struct error e;

    assert_int_equal(hook("web", "prepare", "begin",
                          DOMAIN(HOSTDEV("0x10", "0") HOSTDEV("0x10", "1") GPU HOSTDEV("0x10", "2")
                                     HOSTDEV("0x10", "7") HOSTDEV("0x10", "3")),
                          &e),
                     -EBUSY);
    assert_string_equal(e.text, "libvirt:web can't start with 0000:01:10.7: "
                                "eth0/vf7 is leased to vm9");
    assert_string_equal(fake_agent_log(), "Assign 0000:01:10.0 libvirt:web {} {}\n"
                                          "Assign 0000:01:10.1 libvirt:web {} {}\n"
                                          "Assign 0000:00:02.0 libvirt:web {} {}\n"
                                          "Assign 0000:01:10.2 libvirt:web {} {}\n"
                                          "Assign 0000:01:10.7 libvirt:web {} {}\n"
                                          "Release 0000:01:10.2 {vm=libvirt:web,}\n"
                                          "Release 0000:01:10.0 {vm=libvirt:web,}\n");
}

static void test_release(void **state _unused_)
{
    struct error e;

    assert_int_equal(
        hook("web", "release", "end", DOMAIN(HOSTDEV("0x10", "7") GPU HOSTDEV("0x10", "0")), &e),
        0);
    assert_string_equal(fake_agent_log(), "Release 0000:01:10.7 {vm=libvirt:web,}\n"
                                          "Release 0000:00:02.0 {vm=libvirt:web,}\n"
                                          "Release 0000:01:10.0 {vm=libvirt:web,}\n");
    assert_int_equal(hook("web", "release", "end", "<junk", &e), 0);
    assert_string_equal(fake_agent_log(), "");
}

/* From -1 nothing can be read: these operations don't try. */
static void test_other_operations_do_nothing(void **state _unused_)
{
    static const char *const ops[][2] = {
        {"start", "begin"},     {"started", "begin"},
        {"stopped", "end"},     {"migrate", "begin"},
        {"reconnect", "begin"}, {"attach", "begin"},
        {"restore", "begin"},   {"prepare", "end"},
        {"release", "begin"},   {"", ""},
    };
    struct error e = ERROR_INIT;

    for (size_t i = 0; i < ELEMENTSOF(ops); i++)
        assert_int_equal(hook_qemu("web", ops[i][0], ops[i][1], -1, &e), 0);
    assert_string_equal(fake_agent_log(), "");
}

static void test_names(void **state _unused_)
{
    struct error e;

    assert_int_equal(hook("a b\033", "prepare", "begin", DOMAIN(INTERFACE("0")), &e), -EINVAL);
    assert_text_has(e.text, "domain 'a b?' can't be given VFs");
    assert_int_equal(hook("a b", "prepare", "begin", DOMAIN(""), &e), 0);
    assert_int_equal(hook("a b", "release", "end", DOMAIN(INTERFACE("0")), &e), 0);
    assert_string_equal(fake_agent_log(), "");
}

static void test_without_agent(void **state _unused_)
{
    struct error e;

    assert_int_equal(hook("web", "prepare", "begin", DOMAIN(INTERFACE("0")), &e), -EHOSTDOWN);
    assert_text_has(e.text, "systemctl start sriovd");
    assert_int_equal(hook("web", "prepare", "begin", DOMAIN(""), &e), 0);
    assert_int_equal(hook("web", "release", "end", DOMAIN(INTERFACE("0")), &e), 0);
}

static void test_hostile_input(void **state _unused_)
{
    struct error e = ERROR_INIT;
    int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    assert_true(zeros >= 0);
    assert_int_equal(hook("web", "prepare", "begin", "", &e), -EBADMSG);
    assert_int_equal(hook("web", "prepare", "begin", "<domain>", &e), -EBADMSG);
    /* without an end */
    assert_int_equal(hook_qemu("web", "prepare", "begin", zeros, &e), -EFBIG);
    assert_int_equal(hook_qemu("web", "prepare", "begin", -1, &e), -EBADF);
    close(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prepare_assigns, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_others_are_left_alone, fake_agent_start,
                                        fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_failure_gives_back, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_release, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_other_operations_do_nothing, fake_agent_start,
                                        fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_names, fake_agent_start, fake_agent_stop),
        cmocka_unit_test(test_without_agent),
        cmocka_unit_test(test_hostile_input),
    };

    return cmocka_run_group_tests(tests, fake_agent_bus_start, fake_agent_bus_stop);
}
