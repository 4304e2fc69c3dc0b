/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/policy.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_each_slot_is_filled(void **state _unused_)
{
    for (int a = 0; a < POLICY_ATTR_COUNT; a++) {
        const struct policy_row *row = &policy_table[a];

        assert_non_null(row->name);
        assert_non_null(row->json);
        assert_non_null(row->argument);
        assert_non_null(row->help);
        assert_non_null(row->parse);
        assert_non_null(row->format);
        assert_int_equal(policy_attr_find(row->name), a);
    }
    assert_int_equal(policy_attr_find("speed"), -ENOENT);
    assert_int_equal(policy_attr_find(""), -ENOENT);
}

/* Text in, value, and text out. */
static void test_good_values(void **state _unused_)
{
    static const struct {
        const char *name, *text;
        uint64_t value;
        const char *out;
    } rows[] = {
        {"mac", "52:54:00:AA:bb:cc", 0x525400aabbcc, "52:54:00:aa:bb:cc"},
        {"vlan", "0", 0, "0"},
        {"vlan", "4094", 4094, "4094"},
        {"qos", "7", 7, "7"},
        {"proto", "802.1q", ETH_P_8021Q, "802.1Q"},
        {"proto", "802.1AD", ETH_P_8021AD, "802.1ad"},
        {"max_tx_rate", "4294967", 4294967, "4294967"},
        {"min_tx_rate", "10", 10, "10"},
        {"spoofchk", "on", 1, "on"},
        {"trust", "off", 0, "off"},
        {"state", "auto", IFLA_VF_LINK_STATE_AUTO, "auto"},
        {"state", "enable", IFLA_VF_LINK_STATE_ENABLE, "enable"},
        {"state", "disable", IFLA_VF_LINK_STATE_DISABLE, "disable"},
        {"node_guid", "00:11:22:33:44:55:66:77", 0x0011223344556677, "00:11:22:33:44:55:66:77"},
        {"port_guid", "ff:11:22:33:44:55:66:77", 0xff11223344556677, "ff:11:22:33:44:55:66:77"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct policy p = {.set = 0};
        const enum policy_attr a = (enum policy_attr)policy_attr_find(rows[i].name);
        char text[POLICY_TEXT];

        assert_int_equal(policy_parse_attr(&p, rows[i].name, rows[i].text, NULL), 0);
        assert_int_equal(p.set, 1U << a);
        assert_true(p.value[a] == rows[i].value);
        assert_string_equal(policy_format(&p, a, text), rows[i].out);
    }
}

static void test_bad_values(void **state _unused_)
{
    static const struct {
        const char *name, *text, *says;
    } rows[] = {
        {"mac", "01:00:5e:00:00:01", "mac 01:00:5e:00:00:01 is a multicast address"},
        {"mac", "ff:ff:ff:ff:ff:ff", "is a multicast address; give a unicast one"},
        {"mac", "00:00:00:00:00:00", "is the zero address; give a unicast one"},
        {"mac", "", "six hexadecimal pairs"},
        {"mac", "5", "six hexadecimal pairs"},
        {"mac", "52:54:00:aa:bb", "six hexadecimal pairs"},
        {"mac", "52:54:00:aa:bb:cc:dd", "six hexadecimal pairs"},
        {"mac", "52-54-00-aa-bb-cc", "six hexadecimal pairs"},
        {"mac", "52:54:00:aa:bb:0x", "six hexadecimal pairs"},
        {"mac", "0x:54:00:aa:bb:cc", "six hexadecimal pairs"},
        {"vlan", "4095", "vlan '4095' is not valid: give ID (VLAN 0..4094"},
        {"vlan", "-1", "0..4094"},
        {"vlan", " 1", "0..4094"},
        {"qos", "8", "0..7"},
        {"proto", "802.1x", "802.1Q or 802.1ad"},
        {"max_tx_rate", "4294968", "0..4294967"},
        {"min_tx_rate", "10M", "0..4294967"},
        {"spoofchk", "yes", "on or off"},
        {"trust", "ON", "on or off"},
        {"state", "up", "enable or disable"},
        {"node_guid", "52:54:00:aa:bb:cc", "eight hexadecimal pairs"},
        {"port_guid", "0011223344556677", "eight hexadecimal pairs"},
        {"mac", "\x1b[2J\xff", "mac '?[2J?' is not valid"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct policy p = {.set = 0};
        struct error e = ERROR_INIT;

        assert_int_equal(policy_parse_attr(&p, rows[i].name, rows[i].text, &e), -EINVAL);
        assert_int_equal(p.set, 0);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s %s: %s", rows[i].name, rows[i].text, e.text);
    }
}

static void test_unknown_attribute_lists_what_there_is(void **state _unused_)
{
    struct policy p = {.set = 0};
    struct error e = ERROR_INIT;

    assert_int_equal(policy_parse_attr(&p, "speed", "1", &e), -ENOENT);
    assert_non_null(strstr(e.text, "'speed'; there are mac, vlan"));
    assert_non_null(strstr(e.text, "port_guid"));
    assert_int_equal(p.set, 0);
}

/* What a VF had before may be what nobody may ask for; syntax is as strict. */
static void test_recorded_values(void **state _unused_)
{
    uint64_t value = 1;

    assert_int_equal(policy_parse_recorded(POLICY_MAC, "00:00:00:00:00:00", &value), 0);
    assert_true(value == 0);
    assert_int_equal(policy_parse_recorded(POLICY_MAC, "01:00:5e:00:00:01", &value), 0);
    assert_true(value == 0x01005e000001);
    assert_int_equal(policy_parse_recorded(POLICY_MAC, "01:00", &value), -EINVAL);
    assert_int_equal(policy_parse_recorded(POLICY_VLAN, "4095", &value), -EINVAL);
    assert_true(value == 0x01005e000001);
}

static struct policy parse(const char *const *words)
{
    struct policy p = {.set = 0};

    for (; words[0]; words += 2)
        assert_int_equal(policy_parse_attr(&p, words[0], words[1], NULL), 0);
    return p;
}

#define POLICY(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_check(void **state _unused_)
{
    const struct {
        struct policy policy;
        int code;
        const char *says;
    } rows[] = {
        {POLICY("vlan", "100", "qos", "3", "proto", "802.1ad"), 0, ""},
        {POLICY("vlan", "0", "qos", "0", "proto", "802.1Q"), 0, ""},
        {POLICY("mac", "02:00:00:00:00:01"), 0, ""},
        {POLICY("qos", "3"), -EINVAL, "qos 3 needs a VLAN: give 'vlan ID' with it"},
        {POLICY("proto", "802.1Q"), -EINVAL, "proto 802.1Q needs a VLAN"},
        {POLICY("vlan", "0", "qos", "3"), -EINVAL, "vlan 0 is none: give vlan 1..4094"},
        {POLICY("vlan", "0", "proto", "802.1ad"), -EINVAL, "vlan 0 is none"},
        {POLICY("min_tx_rate", "10", "max_tx_rate", "10"), 0, ""},
        {POLICY("min_tx_rate", "10", "max_tx_rate", "0"), 0, ""},
        {POLICY("min_tx_rate", "10"), 0, ""},
        {POLICY("min_tx_rate", "11", "max_tx_rate", "10"), -EINVAL, "11 exceeds max_tx_rate 10"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct error e = ERROR_INIT;

        assert_int_equal(policy_check(&rows[i].policy, &e), rows[i].code);
        if (!strstr(e.text, rows[i].says))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void test_diff(void **state _unused_)
{
    const struct policy wanted = POLICY("vlan", "100", "trust", "on", "qos", "0");
    const struct policy actual = POLICY("vlan", "100", "trust", "off", "spoofchk", "on");

    assert_int_equal(policy_diff(&wanted, &wanted), 0);
    assert_int_equal(policy_diff(&wanted, &actual), 1U << POLICY_TRUST | 1U << POLICY_QOS);
}

static void test_format_of_what_the_kernel_may_say(void **state _unused_)
{
    struct policy p = {.set = 0};
    char text[POLICY_TEXT] = "x";

    assert_string_equal(policy_format(&p, POLICY_MAC, text), "");
    policy_put(&p, POLICY_PROTO, 0x1234);
    assert_string_equal(policy_format(&p, POLICY_PROTO, text), "0x1234");
    policy_put(&p, POLICY_STATE, UINT64_MAX);
    assert_string_equal(policy_format(&p, POLICY_STATE, text), "18446744073709551615");
    policy_put(&p, POLICY_PORT_GUID, UINT64_MAX);
    assert_string_equal(policy_format(&p, POLICY_PORT_GUID, text), "ff:ff:ff:ff:ff:ff:ff:ff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_slot_is_filled),
        cmocka_unit_test(test_good_values),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_unknown_attribute_lists_what_there_is),
        cmocka_unit_test(test_recorded_values),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_format_of_what_the_kernel_may_say),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
