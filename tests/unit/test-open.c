/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, against a VFIO played by __wrap_open and __wrap_ioctl: real fds stand for the nodes, so
 * that what stays open is counted for real.
 */
#include "vfio/open.h"

#include "fake-sys.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <time.h>

#define VF "0000:01:10.0"

static const struct pci_addr vf = {.bus = 1, .dev = 0x10};

static struct {
    char calls[512];
    int container_error, group_error; /* of opening the nodes */
    unsigned group_probes;            /* openings that find another's short look in the way */
    int version;
    int type1v2;
    uint32_t status;
    int join_error, type_error, device_error;
    unsigned device_again;
} kernel;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_nanosleep(const struct timespec *duration, struct timespec *rem);

int __wrap_nanosleep(const struct timespec *duration _unused_, struct timespec *rem _unused_)
{
    return 0;
}

static int stand_in(void)
{
    return __real_open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void note(const char *call)
{
    strncat(kernel.calls, call, sizeof(kernel.calls) - strlen(kernel.calls) - 1);
}

static int answer(int code)
{
    if (code >= 0)
        return code;
    errno = -code;
    return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
    const bool container = streq(path, "/dev/vfio/vfio");
    int err = container ? kernel.container_error : kernel.group_error;

    if (!container && !streq(path, "/dev/vfio/7"))
        return __real_open(path, flags);
    assert_int_equal(flags, O_RDWR | O_CLOEXEC);
    note(container ? "container " : "group ");
    if (!container && kernel.group_probes > 0) {
        kernel.group_probes--;
        err = -EBUSY;
    }
    return err ? answer(err) : stand_in();
}

int __wrap_ioctl(int fd _unused_, unsigned long request, void *argument)
{
    switch (request) {
    case VFIO_GET_API_VERSION:
        return kernel.version;
    case VFIO_CHECK_EXTENSION:
        assert_int_equal((uintptr_t)argument, VFIO_TYPE1v2_IOMMU);
        return kernel.type1v2;
    case VFIO_GROUP_GET_STATUS:
        ((struct vfio_group_status *)argument)->flags = kernel.status;
        return 0;
    case VFIO_GROUP_SET_CONTAINER:
        note("join ");
        return answer(kernel.join_error);
    case VFIO_SET_IOMMU:
        assert_int_equal((uintptr_t)argument, VFIO_TYPE1v2_IOMMU);
        note("type ");
        return answer(kernel.type_error);
    case VFIO_GROUP_GET_DEVICE_FD:
        assert_string_equal(argument, VF);
        note("device ");
        if (kernel.device_again > 0)
            return kernel.device_again--, answer(-EAGAIN);
        return kernel.device_error ? answer(kernel.device_error) : stand_in();
    default:
        return answer(-ENOTTY);
    }
}

static int setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.type1v2 = 1;
    kernel.status = VFIO_GROUP_FLAGS_VIABLE;
    fake_sys_setup(state);
    fake_sys_pci(VF, 7, "vfio-pci", "0x020000\n");
    return 0;
}

static unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_first_of_a_vm(void **state _unused_)
{
    const unsigned before = count_fds();
    struct vfio_fds fds = VFIO_FDS_INIT;

    assert_int_equal(vfio_open(&vf, -1, &fds, NULL), 0);
    assert_string_equal(kernel.calls, "group container join type device ");
    assert_true(fds.container >= 0 && fds.group >= 0 && fds.device >= 0);
    assert_int_equal(count_fds(), before + 3);
    vfio_fds_done(&fds);
    assert_int_equal(fds.container, -1);
    assert_int_equal(fds.group, -1);
    assert_int_equal(fds.device, -1);
    assert_int_equal(count_fds(), before);
    vfio_fds_done(&fds);
}

static void test_shares_a_container(void **state _unused_)
{
    _cleanup_close_ int container = stand_in();
    struct vfio_fds fds = VFIO_FDS_INIT;

    assert_int_equal(vfio_open(&vf, container, &fds, NULL), 0);
    assert_string_equal(kernel.calls, "group join device ");
    assert_int_not_equal(fds.container, container);
    assert_true(fcntl(fds.container, F_GETFD) & FD_CLOEXEC);
    vfio_fds_done(&fds);
    assert_true(fcntl(container, F_GETFD) >= 0);
    assert_int_equal(vfio_open(&vf, 9999, &fds, NULL), -EBADF);
}

/* @expected with @part in the text, nothing left open and @ret untouched. */
static void assert_refused(int expected, const char *part)
{
    const unsigned before = count_fds();
    struct vfio_fds fds = {.container = 71, .group = 72, .device = 73};
    struct error e = ERROR_INIT;

    assert_int_equal(vfio_open(&vf, -1, &fds, &e), expected);
    assert_int_equal(e.code, expected);
    assert_text_has(e.text, part);
    assert_int_equal(count_fds(), before);
    assert_int_equal(fds.container, 71);
    assert_int_equal(fds.group, 72);
    assert_int_equal(fds.device, 73);
}

static void test_not_vfio(void **state)
{
    kernel.group_error = -ENOENT;
    assert_refused(-ENOENT, "isn't bound to vfio-pci");
    kernel.group_error = 0;
    kernel.device_error = -ENODEV;
    assert_refused(-ENODEV, "isn't bound to vfio-pci");
    kernel.device_error = 0;
    kernel.container_error = -ENOENT;
    assert_refused(-EOPNOTSUPP, "modprobe vfio");
    fake_sys_teardown(state);
    fake_sys_setup(state);
    fake_sys_pci(VF, -1, "vfio-pci", "0x020000\n");
    assert_refused(-EOPNOTSUPP, "no IOMMU group");
}

static void test_held(void **state _unused_)
{
    kernel.group_error = -EBUSY;
    assert_refused(-EBUSY, VF " is in use");
}

static void test_held_for_a_moment(void **state _unused_)
{
    _cleanup_vfio_fds_ struct vfio_fds fds = VFIO_FDS_INIT;

    kernel.group_probes = 3;
    assert_int_equal(vfio_open(&vf, -1, &fds, NULL), 0);
    assert_int_equal(strncmp(kernel.calls, "group group group group ", 24), 0);
}

static void test_wrong_api(void **state _unused_)
{
    kernel.version = 1;
    assert_refused(-EOPNOTSUPP, "version 1");
    kernel.version = 0;
    kernel.type1v2 = 0;
    assert_refused(-EOPNOTSUPP, "TYPE1v2");
}

static void test_not_viable(void **state _unused_)
{
    kernel.status = VFIO_GROUP_FLAGS_CONTAINER_SET;
    assert_refused(-EOPNOTSUPP, "not viable, says the kernel");
    fake_sys_pci("0000:01:00.1", 7, "e1000e", "0x020000\n");
    assert_refused(-EOPNOTSUPP, "0000:01:00.1 is bound to e1000e");
    assert_null(strstr(kernel.calls, "join"));
}

static void test_cannot_join(void **state _unused_)
{
    kernel.type_error = -EPERM;
    assert_refused(-EOPNOTSUPP, "doesn't remap interrupts");
    kernel.type_error = 0;
    kernel.join_error = -EBUSY;
    assert_refused(-EBUSY, "iommu_group/devices");
    kernel.join_error = -EINVAL;
    assert_refused(-EOPNOTSUPP, "container");
    kernel.join_error = -ENOMEM;
    assert_refused(-ENOMEM, "can't join a container");
}

static void test_device(void **state _unused_)
{
    struct vfio_fds fds = VFIO_FDS_INIT;

    kernel.device_again = 3;
    assert_int_equal(vfio_open(&vf, -1, &fds, NULL), 0);
    vfio_fds_done(&fds);
    kernel.device_again = 1000;
    assert_refused(-EAGAIN, VF " can't be opened");
    kernel.device_again = 0;
    kernel.device_error = -EACCES;
    assert_refused(-EACCES, "token");
}

#define OPEN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_sys_teardown)

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        OPEN_TEST(test_first_of_a_vm),
        OPEN_TEST(test_shares_a_container),
        OPEN_TEST(test_not_vfio),
        OPEN_TEST(test_held),
        OPEN_TEST(test_held_for_a_moment),
        OPEN_TEST(test_wrong_api),
        OPEN_TEST(test_not_viable),
        OPEN_TEST(test_cannot_join),
        OPEN_TEST(test_device),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
