/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/inventory.h"

#include "mock-host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct mock_host host;

static int make_host(void **state _unused_)
{
    mock_host_make(&host);
    return 0;
}

static int free_host(void **state _unused_)
{
    mock_host_free(&host);
    return 0;
}

static void test_pfs(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    const struct pf *pf;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_int_equal(inv.num_pfs, 3);
    pf = &inv.pfs[1]; /* by address: the disk controller is first */
    assert_string_equal(PCI_ADDR_STR(&pf->addr), "0000:01:00.0");
    assert_string_equal(pf->name, "eth0");
    assert_int_equal(pf->ifindex, 2147483632);
    assert_true(pf->link_up);
    assert_string_equal(pf->driver, "igb");
    assert_int_equal(pf->vendor_id, 0x8086);
    assert_int_equal(pf->device_id, 0x10c9);
    assert_int_equal(pf->class_code, 0x020000);
    assert_int_equal(pf->numa_node, -1);
    assert_int_equal(pf->total_vfs, 7);
    assert_false(pf->autoprobe);
    assert_int_equal(pf->num_vfs, 3);
    assert_string_equal(pf->vendor, "Intel Corporation");
    assert_string_equal(pf->device, "82576 Gigabit Network Connection");
}

/* Of several interfaces, port 0's oldest. */
static void test_second_pf(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    const struct pf *pf;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    pf = &inv.pfs[2];
    assert_string_equal(pf->name, "eth1");
    assert_false(pf->link_up);
    assert_true(pf->autoprobe);
    assert_int_equal(pf->numa_node, 0);
    assert_int_equal(pf->num_vfs, 0);
}

static void test_pf_of_another_class(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_string_equal(inv.pfs[0].name, "0000:00:03.0");
    assert_int_equal(inv.pfs[0].ifindex, 0);
    assert_string_equal(inv.pfs[0].driver, "");
    assert_int_equal(inv.pfs[0].class_code, 0x010802);
    assert_int_equal(inv.pfs[0].total_vfs, 127);
    assert_false(inv.pfs[0].caps.sriov); /* it has no readable config space */
}

static void test_caps(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    const struct pci_caps *caps;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    caps = &inv.pfs[1].caps;
    assert_true(caps->sriov);
    assert_true(caps->ari);
    assert_true(caps->acs);
    assert_int_equal(caps->msix_vectors, 10);
    assert_int_equal(caps->vf_total, 8);
    assert_int_equal(caps->vf_device, 0x10ca);
    assert_true(inv.pfs[2].caps.sriov);
    assert_false(inv.pfs[2].caps.acs); /* its port can, and doesn't */
}

static void test_vfs(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    const struct vf *vfs;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    vfs = inv.pfs[1].vfs;
    assert_string_equal(PCI_ADDR_STR(&vfs[0].addr), "0000:01:10.0");
    assert_int_equal(vfs[0].index, 0);
    assert_string_equal(vfs[0].driver, "vfio-pci");
    assert_string_equal(vfs[0].driver_override, "vfio-pci");
    assert_string_equal(vfs[0].netdev, "");
    assert_int_equal(vfs[0].iommu_group, 9);
    assert_int_equal(vfs[0].numa_node, 1);
    assert_true(vfs[0].can_reset);
    assert_int_equal(vfs[0].policy.set, 0); /* no such interface in the real kernel */
    assert_int_equal(vfs[1].index, 1);
    assert_string_equal(vfs[1].driver, "igbvf");
    assert_string_equal(vfs[1].driver_override, "");
    assert_string_equal(vfs[1].netdev, "eth0v1");
    assert_int_equal(vfs[1].iommu_group, 10);
    assert_int_equal(vfs[1].numa_node, -1);
    assert_false(vfs[1].can_reset); /* a bus reset isn't its own */
    assert_string_equal(vfs[2].driver, "");
    assert_int_equal(vfs[2].iommu_group, -1);
    assert_false(vfs[2].can_reset);
}

static void test_reset_methods(void **state _unused_)
{
    static const struct {
        const char *methods;
        bool can;
    } rows[] = {
        {"flr\n", true}, {"pm bus\n", true},       {"bus flr\n", true}, {"bus\n", false},
        {"\n", false},   {"bus cxl_bus\n", false}, {NULL, true},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

        mock_host_set(&host, PF0 "/../0000:01:10.0", "reset_method", rows[i].methods);
        assert_int_equal(inventory_read(&inv, NULL), 0);
        assert_int_equal(inv.pfs[1].vfs[0].can_reset, rows[i].can);
    }
}

static void test_a_vf_that_goes_away_is_skipped(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

    mock_host_set(&host, PF0 "/../0000:01:10.2", "vendor", NULL);
    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_int_equal(inv.pfs[1].num_vfs, 2);
    assert_int_equal(inv.pfs[1].vfs[1].index, 2);
}

static void test_a_dangling_virtfn_is_skipped(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

    mock_host_link(&host, PF0, "virtfn1", "../0000:01:1f.7");
    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_int_equal(inv.pfs[1].num_vfs, 2);
}

static void test_nonsense_in_virtfn(void **state _unused_)
{
    struct inventory inv = {.num_pfs = 99};
    struct error e = ERROR_INIT;

    mock_host_link(&host, PF0, "virtfn1", "../nonsense");
    assert_int_equal(inventory_read(&inv, &e), -EINVAL);
    assert_non_null(strstr(e.text, "eth0: can't read VF 1 in sysfs"));
    assert_int_equal(inv.num_pfs, 99);
}

static void test_pf_without_driver(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

    mock_host_set(&host, PF1, "driver", NULL);
    mock_host_set(&host, PF1, "net/eth1/ifindex", NULL);
    mock_host_set(&host, PF1, "net/rep0/ifindex", NULL);
    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_string_equal(inv.pfs[2].driver, "");
    assert_string_equal(inv.pfs[2].name, "0000:02:00.0");
    assert_int_equal(inv.pfs[2].ifindex, 0);
}

/* Reading the count takes the device lock in the kernel: it must not even be tried. */
static void test_numvfs_is_not_believed(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;

    mock_host_set(&host, PF0, "sriov_numvfs", "7\n");
    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_int_equal(inv.pfs[1].num_vfs, 3);
}

static void test_look_ups(void **state _unused_)
{
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    const struct pci_addr pf_addr = {0, 1, 0, 0}, vf_addr = {0, 1, 0x10, 2};
    struct pf *pf = NULL;

    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_ptr_equal(inventory_find_pf(&inv, &pf_addr), &inv.pfs[1]);
    assert_null(inventory_find_pf(&inv, &vf_addr));
    assert_ptr_equal(inventory_find_vf(&inv, &vf_addr, &pf), &inv.pfs[1].vfs[1]);
    assert_ptr_equal(pf, &inv.pfs[1]);
    assert_null(inventory_find_vf(&inv, &pf_addr, NULL));
}

static void test_no_pf_at_all(void **state _unused_)
{
    struct inventory inv = {.num_pfs = 99};

    umockdev_testbed_clear(host.bed);
    assert_int_equal(inventory_read(&inv, NULL), 0);
    assert_int_equal(inv.num_pfs, 0);
    inventory_done(&inv);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_host, free_host)

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pfs),
        TEST(test_second_pf),
        TEST(test_pf_of_another_class),
        TEST(test_caps),
        TEST(test_vfs),
        TEST(test_reset_methods),
        TEST(test_a_vf_that_goes_away_is_skipped),
        TEST(test_a_dangling_virtfn_is_skipped),
        TEST(test_nonsense_in_virtfn),
        TEST(test_pf_without_driver),
        TEST(test_numvfs_is_not_believed),
        TEST(test_look_ups),
        TEST(test_no_pf_at_all),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
