/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binding, against a kernel played by __wrap_file_write: what is written is recorded and acted
 * upon as the PCI core would, or as the test tells it to misbehave.
 */
#include "vfio/bind.h"

#include "basic/file.h"
#include "fake-sys.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define VF  "0000:01:10.0"
#define DIR "/sys/bus/pci/devices/" VF

static const struct pci_addr vf = {.bus = 1, .dev = 0x10};

static struct {
    char writes[1024];  /* "path=text;" each */
    unsigned busy;      /* probes that fail with EBUSY yet */
    int probe_error;    /* what the driver's probe fails with, always */
    bool ignores_probe; /* says yes and does nothing */
    bool ignores_unbind;
    const char *thief;    /* binds first */
    unsigned reset_again; /* resets that fail with EAGAIN yet */
    int reset_error;
    long slept_ms;
    bool group_held;
} kernel;

int __wrap_file_write(int dirfd, const char *path, const char *text);
int __wrap_nanosleep(const struct timespec *duration, struct timespec *rem);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_nanosleep(const struct timespec *duration, struct timespec *rem _unused_)
{
    kernel.slept_ms += duration->tv_sec * 1000 + duration->tv_nsec / 1000000;
    return 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    if (kernel.group_held && streq(path, "/dev/vfio/7")) {
        errno = EBUSY;
        return -1;
    }
    return __real_open(path, flags);
}

static void set_driver(const char *driver)
{
    char target[128];

    snprintf(target, sizeof(target), "../../drivers/%s", driver);
    fake_sys_link(DIR "/driver", target);
}

static int attach(bool tell)
{
    if (kernel.thief)
        set_driver(kernel.thief);
    else if (kernel.busy > 0 && tell)
        return kernel.busy--, -EBUSY;
    else if (kernel.probe_error)
        return tell ? kernel.probe_error : 0;
    else if (kernel.busy == 0 && !kernel.ignores_probe)
        set_driver("vfio-pci");
    return 0;
}

static int reset(void)
{
    if (kernel.reset_again > 0)
        return kernel.reset_again--, -EAGAIN;
    return kernel.reset_error;
}

int __wrap_file_write(int dirfd _unused_, const char *path, const char *text)
{
    const size_t used = strlen(kernel.writes);

    snprintf(kernel.writes + used, sizeof(kernel.writes) - used, "%s=%s;", path, text);
    if (streq(path, "driver_override")) {
        fake_sys_file(DIR "/driver_override", streq(text, "\n") ? "(null)\n" : text);
        return 0;
    }
    assert_string_equal(text, strcmp(path, "reset") ? VF : "1");
    if (streq(path, "driver/unbind")) {
        if (!kernel.ignores_unbind)
            fake_sys_remove(DIR "/driver");
        return 0;
    }
    if (streq(path, "/sys/bus/pci/drivers_probe"))
        return attach(false);
    if (streq(path, "/sys/bus/pci/drivers/vfio-pci/bind"))
        return attach(true);
    assert_string_equal(path, "reset");
    return reset();
}

static int setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    fake_sys_setup(state);
    fake_sys_dir("/sys/bus/pci/drivers/vfio-pci");
    return 0;
}

static void assert_override(const char *expected)
{
    char text[64];

    assert_true(file_read(AT_FDCWD, DIR "/driver_override", text, sizeof(text)) >= 0);
    assert_string_equal(text, expected);
}

static void test_rebinds_in_order(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, "igbvf", "0x020000\n");
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, &e), 0);
    assert_string_equal(kernel.writes, "driver_override=vfio-pci;driver/unbind=" VF
                                       ";/sys/bus/pci/drivers_probe=" VF ";driver_override=\n;");
    assert_int_equal(bind_is(&vf, VFIO_DRIVER), 1);
}

static void test_bound_already_writes_nothing(void **state _unused_)
{
    fake_sys_pci(VF, 7, "vfio-pci", "0x020000\n");
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, NULL), 0);
    assert_string_equal(kernel.writes, "");
}

static void test_leftover_override_is_cleared(void **state _unused_)
{
    fake_sys_pci(VF, 7, "vfio-pci", "0x020000\n");
    fake_sys_file(DIR "/driver_override", "vfio-pci\n");
    assert_int_equal(bind_is(&vf, VFIO_DRIVER), 0);
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, NULL), 0);
    assert_string_equal(kernel.writes, "driver_override=\n;");
    assert_int_equal(bind_is(&vf, VFIO_DRIVER), 1);

    fake_sys_file(DIR "/driver_override", "igbvf\n");
    assert_int_equal(bind_clear_override(&vf, NULL), 0);
    assert_override("(null)");
}

static void test_driver_missing(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    assert_int_equal(bind_driver(&vf, "mlx5_vfio_pci", &e), -ENOENT);
    assert_text_has(e.text, "modprobe mlx5_vfio_pci");
    assert_int_equal(bind_driver(&vf, "", &e), -EINVAL);
    assert_int_equal(bind_driver(&vf, "../devices", &e), -EINVAL);
    assert_string_equal(kernel.writes, "");
}

static void test_device_missing(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, &e), -ENOENT);
    assert_text_has(e.text, VF);
    assert_int_equal(bind_none(&vf, NULL), -ENOENT);
    assert_int_equal(bind_is(&vf, ""), -ENOENT);
    assert_int_equal(bind_reset(&vf, NULL), -ENOENT);
}

static void test_busy_is_retried(void **state _unused_)
{
    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    kernel.busy = 2;
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, NULL), 0);
    assert_int_equal(kernel.slept_ms, 10 + 20);
    assert_override("(null)");
}

static void test_busy_for_ever(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    kernel.busy = 1000;
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, &e), -EBUSY);
    assert_true(kernel.slept_ms > 5000 && kernel.slept_ms < 6000);
    assert_text_has(e.text, VF " can't be bound to vfio-pci");
    assert_override("(null)");
}

static void test_probe_fails(void **state _unused_)
{
    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    kernel.probe_error = -ENOMEM;
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, NULL), -ENOMEM);
    assert_int_equal(kernel.slept_ms, 0);
    assert_override("(null)");
}

static void test_yes_but_nothing_done(void **state _unused_)
{
    fake_sys_pci(VF, 7, "igbvf", "0x020000\n");
    kernel.ignores_probe = true;
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, NULL), -EIO);
    assert_override("(null)");
}

static void test_another_tool_binds(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    fake_sys_dir("/sys/bus/pci/drivers/igbvf");
    kernel.thief = "igbvf";
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, &e), -EIO);
    assert_text_has(e.text, "was bound to igbvf instead of vfio-pci");
    assert_override("(null)");
}

static void test_pf_with_vfs_is_left_alone(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, "igb", "0x020000\n");
    fake_sys_link(DIR "/virtfn0", "../0000:01:10.1");
    assert_int_equal(bind_none(&vf, &e), -EBUSY);
    assert_text_has(e.text, "has VFs");
    assert_string_equal(kernel.writes, "");
    assert_int_equal(bind_driver(&vf, VFIO_DRIVER, &e), -EBUSY);
    assert_int_equal(bind_is(&vf, "igb"), 1);
}

static void test_held_group_is_left_alone(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, "vfio-pci", "0x020000\n");
    kernel.group_held = true;
    assert_int_equal(bind_none(&vf, &e), -EBUSY);
    assert_text_has(e.text, "a process has /dev/vfio/7 open");
    assert_int_equal(bind_is(&vf, "vfio-pci"), 1);
}

static void test_unbind(void **state _unused_)
{
    fake_sys_pci(VF, 7, "igbvf", "0x020000\n");
    assert_int_equal(bind_is(&vf, ""), 0);
    assert_int_equal(bind_none(&vf, NULL), 0);
    assert_string_equal(kernel.writes, "driver/unbind=" VF ";");
    assert_int_equal(bind_is(&vf, ""), 1);
    assert_int_equal(bind_none(&vf, NULL), 0);
    assert_string_equal(kernel.writes, "driver/unbind=" VF ";");
}

static void test_unbind_without_effect(void **state _unused_)
{
    fake_sys_pci(VF, 7, "igbvf", "0x020000\n");
    kernel.ignores_unbind = true;
    assert_int_equal(bind_none(&vf, NULL), -EIO);
}

static void test_reset(void **state _unused_)
{
    struct error e = ERROR_INIT;

    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    assert_int_equal(bind_reset(&vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "no reset of its own");
    assert_string_equal(kernel.writes, "");

    fake_sys_file(DIR "/reset", "");
    kernel.reset_again = 2;
    assert_int_equal(bind_reset(&vf, NULL), 0);
    assert_string_equal(kernel.writes, "reset=1;reset=1;reset=1;");
    kernel.reset_error = -ENOTTY;
    assert_int_equal(bind_reset(&vf, NULL), -EOPNOTSUPP);
    kernel.reset_error = -ETIMEDOUT;
    assert_int_equal(bind_reset(&vf, NULL), -ETIMEDOUT);
}

static void test_bus_reset_is_none_for_a_vf(void **state _unused_)
{
    fake_sys_pci(VF, 7, NULL, "0x020000\n");
    fake_sys_file(DIR "/reset", "");
    fake_sys_file(DIR "/reset_method", "bus cxl_bus\n");
    assert_int_equal(bind_reset(&vf, NULL), 0);
    fake_sys_link(DIR "/physfn", "../0000:01:00.0");
    assert_int_equal(bind_reset(&vf, NULL), -EOPNOTSUPP);
    fake_sys_file(DIR "/reset_method", "flr bus\n");
    assert_int_equal(bind_reset(&vf, NULL), 0);
    fake_sys_file(DIR "/reset_method", "\n");
    assert_int_equal(bind_reset(&vf, NULL), -EOPNOTSUPP);
}

#define BIND_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_sys_teardown)

int main(int argc _unused_, char **argv)
{
    const struct CMUnitTest tests[] = {
        BIND_TEST(test_rebinds_in_order),
        BIND_TEST(test_bound_already_writes_nothing),
        BIND_TEST(test_leftover_override_is_cleared),
        BIND_TEST(test_driver_missing),
        BIND_TEST(test_device_missing),
        BIND_TEST(test_busy_is_retried),
        BIND_TEST(test_busy_for_ever),
        BIND_TEST(test_probe_fails),
        BIND_TEST(test_yes_but_nothing_done),
        BIND_TEST(test_another_tool_binds),
        BIND_TEST(test_pf_with_vfs_is_left_alone),
        BIND_TEST(test_held_group_is_left_alone),
        BIND_TEST(test_unbind),
        BIND_TEST(test_unbind_without_effect),
        BIND_TEST(test_reset),
        BIND_TEST(test_bus_reset_is_none_for_a_vf),
    };

    under_umockdev(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
