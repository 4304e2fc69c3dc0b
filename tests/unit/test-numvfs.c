/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's side is files here: what is written stays, and no VF appears by it. */
#include "sriov/numvfs.h"

#include "basic/file.h"
#include "mock-host.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static struct mock_host host;
static const struct pci_addr pf0 = {0, 1, 0, 0}, pf1 = {0, 2, 0, 0}, gone = {0, 9, 0, 0};

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

static void assert_file(const char *device, const char *file, const char *expected)
{
    _cleanup_(freep) char *path = mock_host_path(&host, device, file);
    char text[32];

    assert_true(file_read(AT_FDCWD, path, text, sizeof(text)) >= 0);
    assert_string_equal(text, expected);
}

static void test_autoprobe(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(numvfs_set_autoprobe(&pf1, false, NULL), 0);
    assert_file(PF1, "sriov_drivers_autoprobe", "0");
    assert_int_equal(numvfs_set_autoprobe(&pf1, true, NULL), 0);
    assert_file(PF1, "sriov_drivers_autoprobe", "1");
    mock_host_set(&host, PF1, "sriov_drivers_autoprobe", NULL);
    assert_int_equal(numvfs_set_autoprobe(&pf1, true, &e), -ENOENT);
    assert_non_null(strstr(e.text, "eth1: can't turn on the probing"));
}

static void test_count_is_written_and_links_counted(void **state _unused_)
{
    mock_host_set(&host, PF0, "sriov_numvfs", "0");
    assert_int_equal(numvfs_write(&pf0, 3, NULL), 0);
    assert_file(PF0, "sriov_numvfs", "3");
}

static void test_fewer_than_asked(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(numvfs_write(&pf0, 5, &e), -EIO);
    assert_non_null(strstr(e.text, "eth0 has 3 VFs after 5 were asked for"));
    assert_int_equal(numvfs_write(&pf0, 0, &e), -EIO);
}

static void test_more_than_there_are(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(numvfs_write(&pf0, 8, &e), -ERANGE);
    assert_string_equal(e.text, "eth0 offers at most 7 VFs, not 8: ask for fewer");
    assert_file(PF0, "sriov_numvfs", "3");
}

static void test_no_pf(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(numvfs_write(&gone, 1, &e), -ENODEV);
    assert_non_null(strstr(e.text, "0000:09:00.0"));
    mock_host_set(&host, PF1, "sriov_totalvfs", NULL);
    assert_int_equal(numvfs_write(&pf1, 1, &e), -EOPNOTSUPP);
    assert_string_equal(e.text, "eth1 has no SR-IOV capability");
}

/* The missing file gives the errno that the kernel gives for a missing callback. */
static void test_no_support_in_the_driver(void **state _unused_)
{
    struct error e = ERROR_INIT;

    mock_host_set(&host, PF1, "sriov_numvfs", NULL);
    assert_int_equal(numvfs_write(&pf1, 1, &e), -EOPNOTSUPP);
    assert_string_equal(e.text, "eth1: the driver igb has no SR-IOV support");
    mock_host_set(&host, PF1, "driver", NULL);
    assert_int_equal(numvfs_write(&pf1, 1, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "eth1 has no driver"));
}

static void test_wait(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(numvfs_wait(&pf0, 0, 0, NULL), 0);
    assert_int_equal(numvfs_wait(&pf0, 2, 0, NULL), 0);
    assert_int_equal(numvfs_wait(&pf0, 3, 20, &e), -ETIMEDOUT);
    assert_string_equal(e.text, "eth0/vf2 isn't ready after 20 ms: its IOMMU group is missing");
    mock_host_set(&host, "0000:00:01.0/0000:01:10.2", "physfn", NULL);
    assert_int_equal(numvfs_wait(&pf0, 2, 0, &e), -ETIMEDOUT);
    assert_non_null(strstr(e.text, "eth0/vf1 isn't ready after 0 ms: its link to the PF"));
}

/* Without an IOMMU there are no groups to wait for. */
static void test_wait_without_groups(void **state _unused_)
{
    static const char *const dirs[] = {"9", "10"};
    _cleanup_(freep) char *sys = umockdev_testbed_get_sys_dir(host.bed);

    for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
        _cleanup_(freep) char *path = NULL;

        assert_true(asprintf(&path, "%s/kernel/iommu_groups/%s", sys, dirs[i]) > 0);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(numvfs_wait(&pf0, 3, 0, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_host, free_host)

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_autoprobe),
        TEST(test_count_is_written_and_links_counted),
        TEST(test_fewer_than_asked),
        TEST(test_more_than_there_are),
        TEST(test_no_pf),
        TEST(test_no_support_in_the_driver),
        TEST(test_wait),
        TEST(test_wait_without_groups),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests_name("numvfs", tests, NULL, NULL);
}
