/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/pci-addr.h"

#include "fake-sys.h"
#include "unit.h"

#include <errno.h>

static void test_good(void **state _unused_)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"0000:01:10.0", "0000:01:10.0"},     {"01:10.7", "0000:01:10.7"},
        {"pci_0000_01_1f_2", "0000:01:1f.2"}, {"ABCD:FF:1F.7", "abcd:ff:1f.7"},
        {"10000:e1:00.0", "10000:e1:00.0"},   {"ffffffff:ff:1f.7", "ffffffff:ff:1f.7"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct pci_addr a, b;

        assert_int_equal(pci_addr_parse(cases[i].text, &a), 0);
        assert_string_equal(PCI_ADDR_STR(&a), cases[i].canonical);
        assert_int_equal(pci_addr_parse(cases[i].canonical, &b), 0);
        assert_true(pci_addr_eq(&a, &b));
    }
}

static void test_bad(void **state _unused_)
{
    static const char *const bad[] = {
        "",
        "eth0",
        "0000:01:10",
        "0000:01:10.",
        "0000:01:10.8",
        "0000:01:20.0",
        "000:01:10.0",
        "123456789:01:10.0",
        "0000:1:10.0",
        "0000:01:10.00",
        "0000:01:10.0 ",
        " 0000:01:10.0",
        "0000:01:10.0/..",
        "0000/01/10.0",
        "pci_0000_01_10.0",
        "pci_01_10_0",
        "0000_01_10_0",
        "0x00:01:10.0",
        "-001:01:10.0",
    };
    const struct pci_addr before = {.domain = 9, .bus = 9, .dev = 9, .fn = 1};
    struct pci_addr a = before;

    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        assert_int_equal(pci_addr_parse(bad[i], &a), -EINVAL);
    assert_true(pci_addr_eq(&a, &before));
}

static void test_eq(void **state _unused_)
{
    const struct pci_addr a = {.domain = 1, .bus = 2, .dev = 3, .fn = 4};
    struct pci_addr b = a;

    assert_true(pci_addr_eq(&a, &b));
    b.domain++;
    assert_false(pci_addr_eq(&a, &b));
    b = a;
    b.bus++;
    assert_false(pci_addr_eq(&a, &b));
    b = a;
    b.dev++;
    assert_false(pci_addr_eq(&a, &b));
    b = a;
    b.fn++;
    assert_false(pci_addr_eq(&a, &b));
}

static void test_open(void **state _unused_)
{
    const struct pci_addr there = {.bus = 1}, missing = {.bus = 2};
    int fd;

    fake_sys_pci("0000:01:00.0", -1, NULL, "0x020000\n");
    fd = pci_addr_open(&there);
    assert_true(fd >= 0);
    assert_int_equal(faccessat(fd, "class", F_OK, 0), 0);
    close(fd);
    assert_int_equal(pci_addr_open(&missing), -ENOENT);
}

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_eq),
        cmocka_unit_test_setup_teardown(test_open, fake_sys_setup, fake_sys_teardown),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
