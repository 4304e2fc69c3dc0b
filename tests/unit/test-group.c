/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/group.h"

#include "fake-sys.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#define VF    "0000:01:10.0"
#define OTHER "0000:01:00.1"

static const struct pci_addr vf = {.bus = 1, .dev = 0x10};

/* What opening /dev/vfio/7 fails with; 0: it goes through. */
static int node_error;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    if (node_error && streq(path, "/dev/vfio/7")) {
        errno = node_error;
        return -1;
    }
    return __real_open(path, flags);
}

static void test_number(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    assert_int_equal(vfio_group_of(&vf, &e), 7);
}

static void test_no_device(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_dir("/sys/bus/pci/devices");
    assert_int_equal(vfio_group_of(&vf, &e), -ENOENT);
    assert_text_has(e.text, VF);
}

static void test_no_iommu(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, -1, NULL, "0x020000\n");
    assert_int_equal(vfio_group_of(&vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "no IOMMU group for " VF);
    assert_text_has(e.text, "intel_iommu=on");
}

static void test_noiommu_mode_is_none(void **state _unused_)
{
    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    fake_sys_file("/sys/kernel/iommu_groups/7/name", "vfio-noiommu\n");
    assert_int_equal(vfio_group_of(&vf, NULL), -EOPNOTSUPP);
}

static void test_odd_group_name(void **state _unused_)
{
    fake_sys_pci(VF, -1, NULL, "0x020000\n");
    fake_sys_link("/sys/bus/pci/devices/" VF "/iommu_group", "../../../../kernel/seven");
    assert_int_equal(vfio_group_of(&vf, NULL), -EIO);
}

/* One other member, with each driver that may stay and some that may not. */
static void test_viable(void **state)
{
    static const struct {
        const char *driver, *class_code;
        int expected;
    } cases[] = {
        {NULL, "0x020000", 0},
        {"vfio-pci", "0x020000", 0},
        {"mlx5_vfio_pci", "0x020000", 0},
        {"pci-stub", "0x020000", 0},
        {"pcieport", "0x060400", 0},
        {"shpchp", "0x060400", 0},
        {"e1000e", "0x020000", -EOPNOTSUPP},
        {"igb", "0x060100", -EOPNOTSUPP},
        {"not-vfio-pcix", "0x020000", -EOPNOTSUPP},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct error e = ERROR_INIT;

        fake_sys_teardown(state);
        fake_sys_setup(state);
        /* Its own driver doesn't count. */
        fake_sys_pci(VF, 7, "igbvf", "0x020000");
        fake_sys_pci(OTHER, 7, cases[i].driver, cases[i].class_code);
        assert_int_equal(vfio_group_viable(&vf, &e), cases[i].expected);
        if (cases[i].expected == 0)
            continue;
        assert_text_has(e.text, "IOMMU group 7 of " VF " is not viable");
        assert_text_has(e.text, OTHER " is bound to ");
        assert_text_has(e.text, cases[i].driver);
        assert_text_has(e.text, "/sys/kernel/iommu_groups/7/devices");
    }
}

static void test_viable_no_iommu(void **state _unused_)
{
    fake_sys_pci(VF, -1, NULL, "0x020000\n");
    assert_int_equal(vfio_group_viable(&vf, NULL), -EOPNOTSUPP);
}

static void test_busy(void **state _unused_)
{
    _cleanup_close_ int held = -1;
    pid_t pid = -1;

    fake_sys_dir("/dev/vfio");
    assert_int_equal(vfio_group_busy(7, &pid), 0);
    assert_int_equal(pid, 0);

    fake_sys_file("/dev/vfio/7", "");
    pid = -1;
    assert_int_equal(vfio_group_busy(7, &pid), 0);
    assert_int_equal(pid, 0);

    held = open("/dev/vfio/7", O_RDWR | O_CLOEXEC);
    assert_true(held >= 0);
    node_error = EBUSY;
    assert_int_equal(vfio_group_busy(7, &pid), 1);
    assert_int_equal(pid, getpid());

    pid = -1;
    node_error = EACCES;
    assert_int_equal(vfio_group_busy(7, &pid), -EACCES);
    assert_int_equal(pid, -1);
    node_error = 0;
}

/* A holder's name isn't always wanted. */
static void test_busy_without_a_search(void **state _unused_)
{
    fake_sys_file("/dev/vfio/7", "");
    assert_int_equal(vfio_group_busy(7, NULL), 0);
    node_error = EBUSY;
    assert_int_equal(vfio_group_busy(7, NULL), 1);
    node_error = 0;
}

static void test_idle(void **state _unused_)
{
    static const struct {
        const char *status;
        bool expected;
    } cases[] = {{"suspended\n", true}, {"active\n", false}, {"unsupported\n", false}, {"", false}};

    assert_false(vfio_group_idle(&vf));
    fake_sys_pci(VF, 7, "vfio-pci", "0x020000");
    assert_false(vfio_group_idle(&vf));
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        fake_sys_file("/sys/bus/pci/devices/" VF "/power/runtime_status", cases[i].status);
        assert_int_equal(vfio_group_idle(&vf), cases[i].expected);
    }
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, fake_sys_setup, fake_sys_teardown)

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(test_number),
        GROUP_TEST(test_no_device),
        GROUP_TEST(test_no_iommu),
        GROUP_TEST(test_noiommu_mode_is_none),
        GROUP_TEST(test_odd_group_name),
        GROUP_TEST(test_viable),
        GROUP_TEST(test_viable_no_iommu),
        GROUP_TEST(test_busy),
        GROUP_TEST(test_busy_without_a_search),
        GROUP_TEST(test_idle),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
