/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arguments of method calls, as hostile as a caller can make them. */
#include "src/request.h"

#include "unit.h"

#include <errno.h>
#include <sys/socket.h>

static sd_bus *bus;
static int peer = -1;

/* A bus that only makes messages: nobody is at its other end. */
static int setup(void **state _unused_)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || sd_bus_new(&bus) < 0)
        return -1;
    peer = pair[1];
    return sd_bus_set_fd(bus, pair[0], pair[0]) < 0 || sd_bus_start(bus) < 0 ? -1 : 0;
}

static int teardown(void **state _unused_)
{
    bus = sd_bus_close_unref(bus);
    closep(&peer);
    return 0;
}

static const struct request_row *row_of(const char *member)
{
    for (size_t i = 0; i < request_table_count; i++)
        if (streq(request_table[i].member, member))
            return &request_table[i];
    fail_msg("no method %s", member);
    return NULL;
}

static sd_bus_message *call_of(const char *member)
{
    sd_bus_message *m = NULL;

    assert_true(sd_bus_message_new_method_call(bus, &m, "a.b", "/", "a.b", member) >= 0);
    return m;
}

/* Parse @m, which is released, as a call of @member. */
static int parse(const char *member, sd_bus_message *m, struct request *q, struct error *e)
{
    int r;

    *q = (struct request){.row = row_of(member)};
    assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
    assert_true(sd_bus_message_rewind(m, true) >= 0);
    r = request_parse(q, m, e);
    sd_bus_message_unref(m);
    return r;
}

static void test_assign(void **state _unused_)
{
    sd_bus_message *m = call_of("Assign");
    struct request q;

    assert_true(sd_bus_message_append(m, "ssa{ss}a{ss}", "vf0", "vmm:vm1", 2, "mac",
                                      "52:54:00:12:34:56", "vlan", "7", 3, "fallback", "virtio",
                                      "dry_run", "on", "no_wait", "off") >= 0);
    assert_int_equal(parse("Assign", m, &q, NULL), 0);
    assert_string_equal(q.name, "vf0");
    assert_string_equal(q.vm, "vm1");
    assert_int_equal(q.policy.set, 1U << POLICY_MAC | 1U << POLICY_VLAN);
    assert_int_equal(q.policy.value[POLICY_VLAN], 7);
    assert_true(q.fallback_virtio);
    assert_true(q.dry_run);
    assert_false(q.no_wait);
}

static void test_enable_and_release(void **state _unused_)
{
    sd_bus_message *m = call_of("Enable");
    struct request q;

    assert_true(sd_bus_message_append(m, "sua{ss}", "eth0", 7U, 1, "no_wait", "on") >= 0);
    assert_int_equal(parse("Enable", m, &q, NULL), 0);
    assert_int_equal(q.count, 7);
    assert_true(q.no_wait);
    m = call_of("Release");
    assert_true(sd_bus_message_append(m, "sa{ss}", "vf0", 1, "vm", "libvirt:a") >= 0);
    assert_int_equal(parse("Release", m, &q, NULL), 0);
    assert_string_equal(q.only_vm, "libvirt:a");
}

static void test_vm_names(void **state _unused_)
{
    static const struct {
        const char *name, *expected; /* NULL: refused */
    } cases[] = {{"vm1", "vm1"},      {"libvirt:vm1", "libvirt:vm1"},
                 {"vmm:vm1", "vm1"},  {"", NULL},
                 {"vmm:", NULL},      {"libvirt:", NULL},
                 {"a/b", NULL},       {"../vm1", NULL},
                 {"vm 1", NULL},      {"vmm:libvirt:a", NULL},
                 {"v\303\244m", NULL}};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        sd_bus_message *m = call_of("Assign");
        struct error e = ERROR_INIT;
        struct request q;

        assert_true(sd_bus_message_append(m, "ssa{ss}a{ss}", "vf0", cases[i].name, 0, 0) >= 0);
        assert_int_equal(parse("Assign", m, &q, &e), cases[i].expected ? 0 : -EINVAL);
        if (cases[i].expected)
            assert_string_equal(q.vm, cases[i].expected);
        else
            assert_text_has(e.text, "can't be the name of a VM");
    }
}

static void test_bad_entries(void **state _unused_)
{
    static const struct {
        bool policy;
        const char *key, *value, *text;
    } cases[] = {
        {true, "colour", "red", "no policy attribute 'colour'"},
        {true, "mac", "01:00:00:00:00:01", "multicast"},
        {true, "mac", "00:00:00:00:00:00", "zero"},
        {true, "vlan", "4095", "vlan '4095' is not valid"},
        {false, "dry_run", "yes", "dry_run takes on or off, not 'yes'"},
        {false, "fallback", "tap", "fallback takes virtio or none"},
        {false, "vm", "a/b", "can't be the name of a VM"},
        {false, "colour", "red", "there is no option 'colour'"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        sd_bus_message *m = call_of("Assign");
        struct error e = ERROR_INIT;
        struct request q;

        assert_true(sd_bus_message_append(m, "ss", "vf0", "vm1") >= 0);
        for (unsigned d = 0; d < 2; d++) {
            if (cases[i].policy == (d == 0))
                assert_true(sd_bus_message_append(m, "a{ss}", 1, cases[i].key, cases[i].value) >=
                            0);
            else
                assert_true(sd_bus_message_append(m, "a{ss}", 0) >= 0);
        }
        assert_int_equal(parse("Assign", m, &q, &e), -EINVAL);
        assert_text_has(e.text, cases[i].text);
    }
}

static void test_given_twice(void **state _unused_)
{
    sd_bus_message *m = call_of("Set");
    struct error e = ERROR_INIT;
    struct request q;

    assert_true(sd_bus_message_append(m, "sa{ss}a{ss}", "vf0", 2, "vlan", "1", "vlan", "2", 0) >=
                0);
    assert_int_equal(parse("Set", m, &q, &e), -EINVAL);
    assert_text_has(e.text, "vlan is given twice");
}

/* A reply that cut a letter in two could not be sent, and its caller would wait for ever. */
static void test_foreign_text(void **state _unused_)
{
    static char key[400];

    for (unsigned shift = 0; shift < 3; shift++) {
        sd_bus_message *m = call_of("Set");
        struct error e = ERROR_INIT;
        struct request q;
        size_t used = shift;

        memset(key, 'x', used);
        while (used + 3 < sizeof(key))
            used += (size_t)sprintf(key + used, "\342\202\254");
        assert_true(sd_bus_message_append(m, "sa{ss}a{ss}", "vf0", 1, key, "\033[31m", 0) >= 0);
        assert_int_equal(parse("Set", m, &q, &e), -EINVAL);
        for (const char *c = e.text; *c; c++)
            assert_in_range(*c, ' ', '~');
    }
}

static void test_long_name(void **state _unused_)
{
    sd_bus_message *m = call_of("Show");
    struct error e = ERROR_INIT;
    struct request q;
    char name[200];

    memset(name, 'x', sizeof(name));
    name[127] = '\0';
    assert_true(sd_bus_message_append(m, "s", name) >= 0);
    assert_int_equal(parse("Show", m, &q, NULL), 0);
    name[127] = 'x';
    name[128] = '\0';
    m = call_of("Show");
    assert_true(sd_bus_message_append(m, "s", name) >= 0);
    assert_int_equal(parse("Show", m, &q, &e), -EINVAL);
    assert_text_has(e.text, "too long");
}

static void test_wrong_types(void **state _unused_)
{
    static const char *const members[] = {"Show", "Enable", "Assign", "Release", "Set"};

    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        sd_bus_message *m = call_of(members[i]);
        struct request q;

        assert_true(sd_bus_message_append(m, "u", 7U) >= 0);
        assert_int_equal(parse(members[i], m, &q, NULL), -EINVAL);
    }
}

/* What only root may do is what changes the host. */
static void test_table(void **state _unused_)
{
    for (size_t i = 0; i < request_table_count; i++) {
        const struct request_row *row = &request_table[i];

        assert_non_null(row->work);
        assert_int_equal(row->changes,
                         strncmp(row->member, "List", 4) != 0 && !streq(row->member, "Show"));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_assign),      TEST(test_enable_and_release), TEST(test_vm_names),
        TEST(test_bad_entries), TEST(test_given_twice),        TEST(test_foreign_text),
        TEST(test_long_name),   TEST(test_wrong_types),        TEST(test_table),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
