/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct vf eth0_vfs[] = {
    {.addr = {0, 1, 0x10, 0}, .index = 0},
    {.addr = {0, 1, 0x10, 2}, .index = 1},
};
static struct vf eth1_vfs[] = {{.addr = {0, 2, 0x10, 0}, .index = 0}};
static struct pf pfs[] = {
    {.addr = {0, 1, 0, 0}, .name = "eth0", .total_vfs = 7, .vfs = eth0_vfs, .num_vfs = 2},
    {.addr = {0, 2, 0, 0}, .name = "eth1", .total_vfs = 7, .vfs = eth1_vfs, .num_vfs = 1},
    {.addr = {0, 3, 0, 0}, .name = "0000:03:00.0", .total_vfs = 127},
};
static const struct inventory host = {.pfs = pfs, .num_pfs = ELEMENTSOF(pfs)};
static const struct inventory one_card = {.pfs = pfs, .num_pfs = 1};
static const struct inventory no_card = INVENTORY_INIT;

static void test_pf(void **state _unused_)
{
    static const struct {
        const char *text;
        size_t index;
    } rows[] = {
        {"eth0", 0}, {"eth1", 1}, {"0000:02:00.0", 1}, {"02:00.0", 1}, {"pci_0000_03_00_0", 2},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct pf *pf = NULL;

        assert_int_equal(name_find_pf(&host, rows[i].text, &pf, NULL), 0);
        assert_ptr_equal(pf, &pfs[rows[i].index]);
    }
}

static void test_vf(void **state _unused_)
{
    static const struct {
        const char *text;
        const struct vf *vf;
        const struct pf *pf;
    } rows[] = {
        {"eth0/vf0", &eth0_vfs[0], &pfs[0]},     {"eth1/vf0", &eth1_vfs[0], &pfs[1]},
        {"0000:01:00.0/vf1", &eth0_vfs[1], pfs}, {"pci_0000_01_10_2", &eth0_vfs[1], pfs},
        {"0000:02:10.0", &eth1_vfs[0], &pfs[1]}, {"vf1", &eth0_vfs[1], pfs},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct pf *pf = NULL;
        struct vf *vf = NULL;

        assert_int_equal(name_find_vf(&host, rows[i].text, &pf, &vf, NULL), 0);
        assert_ptr_equal(vf, rows[i].vf);
        assert_ptr_equal(pf, rows[i].pf);
    }
    assert_string_equal(VF_NAME_STR(&pfs[0], &eth0_vfs[1]), "eth0/vf1");
}

static void test_no_such_pf(void **state _unused_)
{
    const struct {
        const struct inventory *inv;
        const char *text, *says;
    } rows[] = {
        {&one_card, "eth9", "no PF eth9; PFs here: eth0 (0000:01:00.0)"},
        {&host, "eth9", "eth0 (0000:01:00.0), eth1 (0000:02:00.0), 0000:03:00.0 (0000:03:00.0)"},
        {&no_card, "eth0", "no PF eth0: this host has no SR-IOV device"},
        {&host, "0000:01:10.0", "0000:01:10.0 is a VF (eth0/vf0), not a PF; its PF is eth0"},
        {&host, "", "no PF ; PFs here"},
        {&host, "../\x1b", "no PF ../?; PFs here"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct error e = ERROR_INIT;
        struct pf *pf = pfs;

        assert_int_equal(name_find_pf(rows[i].inv, rows[i].text, &pf, &e), -ENODEV);
        assert_ptr_equal(pf, pfs);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, e.text);
    }
}

static void test_no_such_vf(void **state _unused_)
{
    const struct {
        const struct inventory *inv;
        const char *text;
        int code;
        const char *says;
    } rows[] = {
        {&host, "vf0", -EINVAL, "vf0 is ambiguous: eth0/vf0, eth1/vf0; name the PF"},
        {&host, "eth9/vf0", -ENODEV, "no PF eth9; PFs here: eth0"},
        {&host, "eth0/vf5", -ENODEV,
         "eth0 has 2 VFs (vf0..vf1); no vf5: enable more with 'sriovctl enable eth0 6'"},
        {&host, "eth0/vf7", -ENODEV, "no vf7: it offers at most 7"},
        {&host, "03:00.0/vf0", -ENODEV, "0000:03:00.0 has no VFs; no vf0: enable more"},
        {&host, "eth0/0", -ENODEV, "after 'eth0/' comes vf and a number"},
        {&host, "eth0/vf", -ENODEV, "after 'eth0/' comes vf and a number"},
        {&host, "eth0/vf00", -ENODEV, "after 'eth0/' comes vf and a number"},
        {&host, "eth0/vf0x1", -ENODEV, "after 'eth0/' comes vf and a number"},
        {&host, "eth0/vf99999", -ENODEV, "after 'eth0/' comes vf and a number"},
        {&host, "eth0", -ENODEV, "eth0 is a PF, not a VF; name one of its VFs, e.g. eth0/vf0"},
        {&host, "02:00.0", -ENODEV, "is a PF, not a VF"},
        {&host, "0000:01:1f.0", -ENODEV, "no VF has the address 0000:01:1f.0"},
        {&host, "vf9", -ENODEV, "no PF has a vf9; PFs here: eth0 (2 of 7 VFs)"},
        {&one_card, "vf5", -ENODEV, "enable more with 'sriovctl enable eth0 6'"},
        {&no_card, "vf0", -ENODEV, "this host has no SR-IOV device"},
        {&host, "", -ENODEV, "a VF is PF/vfN, vfN or a PCI address"},
        {&host, "/", -ENODEV, "no PF ; PFs here"},
        {&host, "a/../../eth0/vf0", -ENODEV, "no PF a/../../eth0"},
        {&host, "vf\x1b]0;x", -ENODEV, "no VF vf?]0;x:"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct error e = ERROR_INIT;
        struct pf *pf = NULL;
        struct vf *vf = NULL;

        assert_int_equal(name_find_vf(rows[i].inv, rows[i].text, &pf, &vf, &e), rows[i].code);
        assert_null(pf);
        assert_null(vf);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, e.text);
    }
}

/* A host with very many cards, and text that is too long, still give one bounded message. */
static void test_long_lists_are_cut(void **state _unused_)
{
    static struct pf many[200];
    char text[4096];
    const struct inventory inv = {.pfs = many, .num_pfs = ELEMENTSOF(many)};
    struct error e = ERROR_INIT;
    struct pf *pf;
    struct vf *vf;

    for (size_t i = 0; i < ELEMENTSOF(many); i++) {
        many[i] = (struct pf){.vfs = eth0_vfs, .num_vfs = 2};
        snprintf(many[i].name, sizeof(many[i].name), "verylongname%zu", i);
    }
    assert_int_equal(name_find_vf(&inv, "vf0", &pf, &vf, &e), -EINVAL);
    assert_non_null(strstr(e.text, ", ...; name the PF"));
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(name_find_pf(&inv, text, &pf, &e), -ENODEV);
    text[sizeof(text) - 5] = '/';
    assert_int_equal(name_find_vf(&inv, text, &pf, &vf, &e), -ENODEV);
    assert_non_null(strstr(e.text, "verylongname0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pf),
        cmocka_unit_test(test_vf),
        cmocka_unit_test(test_no_such_pf),
        cmocka_unit_test(test_no_such_vf),
        cmocka_unit_test(test_long_lists_are_cut),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
