/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/domain-xml.h"

#include "tests/unit/unit.h"

#include <errno.h>

#define IN_DEVICES(x)   "<domain type='kvm'><devices>" x "</devices></domain>"
#define IN_HOSTDEV(x)   IN_DEVICES("<hostdev mode='subsystem' type='pci'>" x "</hostdev>")
#define SOURCE(address) "<source><address " address "/></source>"
#define VF0             "domain='0x0000' bus='0x01' slot='0x10' function='0x0'"
#define INTERFACE(x)    IN_DEVICES("<interface type='hostdev'>" SOURCE(VF0) x "</interface>")

static struct domain_xml domain;

static int parse(const char *text, struct error *e)
{
    return domain_xml_parse(text, strlen(text), &domain, e);
}

static void assert_parses(const char *text, size_t count)
{
    struct error e = ERROR_INIT;

    if (parse(text, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(domain.count, count);
}

/* What is refused leaves the output alone and says why. */
static void assert_refused(const char *text, size_t size, int code, const char *message)
{
    struct error e = ERROR_INIT;

    memset(&domain, 0x5a, sizeof(domain));
    assert_int_equal(domain_xml_parse(text, size, &domain, &e), code);
    if (!strstr(e.text, message))
        fail_msg("'%s', not '%s'", e.text, message);
    for (size_t i = 0; i < sizeof(domain); i++)
        assert_int_equal(((unsigned char *)&domain)[i], 0x5a);
}

static void refuse(const char *text, int code, const char *message)
{
    assert_refused(text, strlen(text), code, message);
}

static void assert_address(size_t i, const char *text)
{
    assert_string_equal(PCI_ADDR_STR(&domain.nics[i].addr), text);
}

/* As libvirt 11 gives it to its hook. */
static void test_what_libvirt_writes(void **state _unused_)
{
    assert_parses(
        "<domain type='kvm' id='1' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
        "  <name>vfdom</name><devices>\n"
        "  <interface type='network'><mac address='52:54:00:00:00:01'/></interface>\n"
        "  <hostdev mode='subsystem' type='pci' managed='no'>\n"
        "    <driver name='vfio'/>\n"
        "    <source><address domain='0x0000' bus='0x01' slot='0x10' function='0x2'/></source>\n"
        "    <alias name='hostdev0'/>\n"
        "    <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>\n"
        "  </hostdev>\n"
        "  <hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>\n"
        "  <interface type='hostdev' managed='no'><mac address='52:54:00:12:34:56'/>\n"
        "    <source><address type='pci' domain='0x0001' bus='0xaf' slot='0x1f' function='0x7'/>\n"
        "    </source><vlan><tag id='42'/></vlan></interface>\n"
        "  </devices></domain>\n",
        2);
    assert_address(0, "0000:01:10.2");
    assert_int_equal(domain.nics[0].policy.set, 0);
    assert_address(1, "0001:af:1f.7");
    assert_int_equal(domain.nics[1].policy.set, 1U << POLICY_MAC | 1U << POLICY_VLAN);
    assert_int_equal(domain.nics[1].policy.value[POLICY_MAC], 0x525400123456);
    assert_int_equal(domain.nics[1].policy.value[POLICY_VLAN], 42);
}

static void test_other_devices_are_none(void **state _unused_)
{
    assert_parses("<domain/>", 0);
    assert_parses(IN_DEVICES(""), 0);
    assert_parses(IN_DEVICES("<hostdev mode='capabilities' type='storage'/>"), 0);
    assert_parses(IN_DEVICES("<hostdev mode='capabilities' type='pci'/>"), 0);
    assert_parses(IN_DEVICES("<interface type='bridge'>" SOURCE(VF0) "</interface>"), 0);
    /* neither in a comment, nor in metadata, nor of somebody else's namespace */
    assert_parses(
        "<domain><!-- <devices/> --><metadata>" IN_HOSTDEV(SOURCE(VF0)) "</metadata></domain>", 0);
    assert_parses("<domain xmlns:x='urn:x'><devices><x:hostdev type='pci'/></devices></domain>", 0);
}

static void test_numbers(void **state _unused_)
{
    static const char *const wrong[] = {
        IN_HOSTDEV(SOURCE("bus='0xZZ' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='300' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='0x100' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='-1' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus=' 1' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='0x' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='010' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='1' slot='32' function='0'")),
        IN_HOSTDEV(SOURCE("bus='1' slot='0' function='8'")),
        IN_HOSTDEV(SOURCE("domain='0x100000000' bus='1' slot='0' function='0'")),
        IN_HOSTDEV(SOURCE("bus='99999999999999999999' slot='0' function='0'")),
    };

    assert_parses(IN_HOSTDEV(SOURCE("bus='175' slot='2' function='0'")), 1);
    assert_address(0, "0000:af:02.0");
    for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
        refuse(wrong[i], -EINVAL, "is not valid");
}

static void test_missing_parts(void **state _unused_)
{
    refuse(IN_HOSTDEV(""), -EINVAL, "<hostdev> without <source><address>");
    refuse(IN_HOSTDEV("<source/>"), -EINVAL, "<hostdev> without <source><address>");
    /* the guest's address is not the host's */
    refuse(IN_HOSTDEV("<address " VF0 "/>"), -EINVAL, "without <source><address>");
    refuse(IN_HOSTDEV(SOURCE("slot='0' function='0'")), -EINVAL, "without bus");
    refuse(IN_HOSTDEV(SOURCE("bus='1' function='0'")), -EINVAL, "without slot");
    refuse(IN_HOSTDEV(SOURCE("bus='1' slot='0'")), -EINVAL, "without function");
    refuse(INTERFACE("<mac/>"), -EINVAL, "<mac> without address");
    refuse(INTERFACE("<vlan><tag/></vlan>"), -EINVAL, "<tag> without id");
}

static void test_policy(void **state _unused_)
{
    refuse(INTERFACE("<mac address='01:00:5e:00:00:01'/>"), -EINVAL, "multicast");
    refuse(INTERFACE("<mac address='52:54:00:12:34'/>"), -EINVAL, "line 1: mac");
    refuse(INTERFACE("<vlan><tag id='4095'/></vlan>"), -EINVAL, "line 1: vlan");
    refuse(INTERFACE("<vlan><tag id='1'/><tag id='2'/></vlan>"), -EINVAL, "one VLAN");
    refuse(INTERFACE("<vlan trunk='yes'><tag id='1'/></vlan>"), -EINVAL, "one VLAN");
    assert_parses(INTERFACE("<vlan/>"), 1);
    assert_int_equal(domain.nics[0].policy.set, 0);
}

static void test_not_a_domain(void **state _unused_)
{
    refuse("", -EBADMSG, "not well-formed");
    refuse("   \n", -EBADMSG, "not well-formed");
    refuse("<network/>", -EBADMSG, "isn't <domain>");
    refuse("<domain>", -EBADMSG, "not well-formed");
    refuse("<domain></domain><domain/>", -EBADMSG, "not well-formed");
    refuse("<domain><devices></domain></devices>", -EBADMSG, "not well-formed");
    refuse("\377\376<\0d\0", -EBADMSG, "not well-formed");
    refuse("<domain><name>\377\300</name></domain>", -EBADMSG, "not well-formed");
    /* libvirt writes UTF-8; a declaration of anything else isn't followed */
    refuse("<?xml version='1.0' encoding='ISO-8859-1'?><domain><name>\344</name></domain>",
           -EBADMSG, "not well-formed");
    assert_refused("<domain>\0</domain>", sizeof("<domain>\0</domain>") - 1, -EBADMSG,
                   "not well-formed");
}

static void test_entities(void **state _unused_)
{
    refuse("<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
           "<domain><name>&x;</name></domain>",
           -EBADMSG, "document type declaration");
    refuse("<!DOCTYPE domain SYSTEM 'http://127.0.0.1:1/domain.dtd'><domain/>", -EBADMSG,
           "document type declaration");
    refuse("<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
           "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>"
           "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;'>]>"
           "<domain><name>&f;&f;&f;&f;</name></domain>",
           -EBADMSG, "document type declaration");
    refuse("<!DOCTYPE d [<!ENTITY % p '<!ENTITY q \"z\">'> %p;]><domain/>", -EBADMSG,
           "document type declaration");
    refuse("<domain><name>&undeclared;</name></domain>", -EBADMSG, "not well-formed");
}

/* @count times @part, inside <domain><devices>. Owned by the caller. */
static char *repeat(const char *before, const char *part, size_t count, const char *after)
{
    char *text = malloc(strlen(before) + strlen(part) * count + strlen(after) + 1);
    char *to = text;

    assert_non_null(text);
    to = stpcpy(to, before);
    while (count-- > 0)
        to = stpcpy(to, part);
    stpcpy(to, after);
    return text;
}

#define HOSTDEV "<hostdev type='pci'>" SOURCE(VF0) "</hostdev>"

static void test_limits(void **state _unused_)
{
    _cleanup_free_ char *most =
        repeat("<domain><devices>", HOSTDEV, DOMAIN_XML_NICS_MAX, "</devices></domain>");
    _cleanup_free_ char *more =
        repeat("<domain><devices>", HOSTDEV, DOMAIN_XML_NICS_MAX + 1, "</devices></domain>");
    _cleanup_free_ char *many = repeat("<domain><devices>", HOSTDEV, 10000, "</devices></domain>");
    _cleanup_free_ char *deep = repeat("<domain>", "<a>", 100000, "");
    _cleanup_free_ char *large = repeat("<domain>", "<!-- 0123456789 -->", 5000000, "</domain>");
    _cleanup_free_ char *fits = repeat("<domain>", "<!-- 0123456789 -->", 50000, "</domain>");

    assert_parses(most, DOMAIN_XML_NICS_MAX);
    assert_address(DOMAIN_XML_NICS_MAX - 1, "0000:01:10.0");
    refuse(more, -E2BIG, "more than 64");
    refuse(many, -EFBIG, "more than 1048576 bytes");
    refuse(deep, -EBADMSG, "not well-formed");
    refuse(large, -EFBIG, "more than 1048576 bytes");
    assert_parses(fits, 0);
}

static void test_ten_thousand_small_ones(void **state _unused_)
{
    _cleanup_free_ char *text =
        repeat("<domain><devices>",
               "<hostdev type='pci'><source><address bus='1' slot='0' function='0'/></source>"
               "</hostdev>",
               10000, "</devices></domain>");

    assert_true(strlen(text) < DOMAIN_XML_SIZE_MAX);
    refuse(text, -E2BIG, "more than 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_libvirt_writes),
        cmocka_unit_test(test_other_devices_are_none),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_not_a_domain),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ten_thousand_small_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
