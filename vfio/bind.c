/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/bind.h"

#include "basic/file.h"
#include "vfio/group.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define DRIVER_TEXT 64
#define PROBE_PATH  "/sys/bus/pci/drivers_probe"

/* EBUSY and EAGAIN are tried again after 10 ms, 20 ms, 40 ms ...: 5 s in all. */
#define RETRIES_MAX 9

static bool worth_retrying(int r, unsigned retries)
{
    const struct timespec delay = {
        .tv_sec = 10 * (1L << retries) / 1000,
        .tv_nsec = 10 * (1L << retries) % 1000 * 1000000,
    };

    if ((r != -EBUSY && r != -EAGAIN) || retries >= RETRIES_MAX)
        return false;
    nanosleep(&delay, NULL);
    return true;
}

static int write_patiently(int dirfd, const char *path, const char *text)
{
    unsigned retries = 0;
    int r;

    do
        r = file_write(dirfd, path, text);
    while (worth_retrying(r, retries++));
    return r;
}

static int open_device(const struct pci_addr *dev, struct error *e)
{
    int dir = pci_addr_open(dev);

    return dir < 0 ? error_set(e, dir, "no PCI device %s (/sys/bus/pci/devices): %s",
                               PCI_ADDR_STR(dev), strerror(-dir))
                   : dir;
}

/* The driver's name, "" where there is none. */
static int current_driver(int dir, char driver[static DRIVER_TEXT])
{
    int r = file_link_name(dir, "driver", driver, DRIVER_TEXT);

    if (r == -ENOENT) {
        driver[0] = '\0';
        return 0;
    }
    return r;
}

/* 1, 0 or -errno. Unset reads as "(null)". */
static int override_is_set(int dir)
{
    char text[DRIVER_TEXT];
    ssize_t n = file_read(dir, "driver_override", text, sizeof(text));

    if (n == -EFBIG)
        return 1;
    if (n < 0)
        return (int)n;
    return n > 0 && !streq(text, "(null)");
}

static int clear_override(const struct pci_addr *dev, int dir, struct error *e)
{
    int r = override_is_set(dir);

    if (r > 0)
        r = file_write(dir, "driver_override", "\n");
    if (r < 0)
        return error_set(e, r, "driver_override of %s can't be cleared: %s", PCI_ADDR_STR(dev),
                         strerror(-r));
    return 0;
}

static int driver_loaded(const char *driver, struct error *e)
{
    char path[128];

    if (driver[0] == '\0' || driver[0] == '.' || strchr(driver, '/') ||
        strlen(driver) >= DRIVER_TEXT)
        return error_set(e, -EINVAL, "'%s' can't be a driver's name", driver);
    snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
    if (access(path, F_OK) < 0)
        return error_set(e, -ENOENT, "driver %s isn't loaded (no %s): modprobe %s", driver, path,
                         driver);
    return 0;
}

/* The kernel would wait, unkillably, for a process that has the group open to let go. */
static int refuse_if_held(const struct pci_addr *dev, struct error *e)
{
    const int group = vfio_group_of(dev, NULL);
    pid_t pid;
    int r = group < 0 ? 0 : vfio_group_busy(group, &pid);

    if (r < 0)
        return error_set(e, r, "/dev/vfio/%d of %s: %s", group, PCI_ADDR_STR(dev), strerror(-r));
    if (r == 0)
        return 0;
    /* A mapping of its BARs holds the group too, and shows in no process's fds. */
    if (pid == 0)
        return error_set(
            e, -EBUSY,
            "%s is in use: a process has /dev/vfio/%d open, or the device mapped: stop "
            "it before its driver is changed",
            PCI_ADDR_STR(dev), group);
    return error_set(e, -EBUSY,
                     "%s is in use: process %d has /dev/vfio/%d open: stop it before its driver is "
                     "changed",
                     PCI_ADDR_STR(dev), (int)pid, group);
}

static int unbind(const struct pci_addr *dev, int dir, struct error *e)
{
    char driver[DRIVER_TEXT];
    int r;

    if (file_link_name(dir, "virtfn0", driver, sizeof(driver)) == 0)
        return error_set(e, -EBUSY,
                         "%s has VFs, which would be destroyed with its driver: remove them first",
                         PCI_ADDR_STR(dev));
    r = refuse_if_held(dev, e);
    if (r < 0)
        return r;
    r = write_patiently(dir, "driver/unbind", PCI_ADDR_STR(dev));
    /* Somebody else was faster: what counts is the link. */
    if (r == -ENOENT || r == -ENODEV)
        r = 0;
    if (r == 0)
        r = current_driver(dir, driver);
    if (r < 0)
        return error_set(e, r, "%s can't be unbound from its driver: %s", PCI_ADDR_STR(dev),
                         strerror(-r));
    if (driver[0])
        return error_set(e, -EIO, "%s is bound to %s still or again after it was unbound",
                         PCI_ADDR_STR(dev), driver);
    return 0;
}

/* One try: 0 once the driver link says @driver, the kernel's reason, or -EIO where it gives none.
 * @now receives what the link says. */
static int probe_once(const struct pci_addr *dev, int dir, const char *driver,
                      char now[static DRIVER_TEXT])
{
    char path[128];
    int r = file_write(AT_FDCWD, PROBE_PATH, PCI_ADDR_STR(dev));
    int link = current_driver(dir, now);

    if (r == 0 && link == 0 && now[0] == '\0') {
        /* drivers_probe says yes even if the driver's probe failed. The driver's own bind file
         * does the same again and tells why not. */
        snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
        r = file_write(AT_FDCWD, path, PCI_ADDR_STR(dev));
        link = current_driver(dir, now);
    }
    if (link < 0)
        return link;
    if (streq(now, driver))
        return 0;
    return r < 0 ? r : -EIO;
}

static int probe(const struct pci_addr *dev, int dir, const char *driver, struct error *e)
{
    char now[DRIVER_TEXT] = "";
    unsigned retries = 0;
    int r;

    do
        r = probe_once(dev, dir, driver, now);
    while (now[0] == '\0' && worth_retrying(r, retries++));
    if (r == 0)
        return 0;
    if (now[0])
        return error_set(e, -EIO,
                         "%s was bound to %s instead of %s: another tool binds it too (udev rule, "
                         "driverctl, libvirt)",
                         PCI_ADDR_STR(dev), now, driver);
    return error_set(e, r, "%s can't be bound to %s (see dmesg): %s", PCI_ADDR_STR(dev), driver,
                     strerror(-r));
}

static int rebind(const struct pci_addr *dev, int dir, const char *now, const char *driver,
                  struct error *e)
{
    int r = file_write(dir, "driver_override", driver);

    if (r < 0)
        return error_set(e, r, "driver_override of %s can't be written: %s", PCI_ADDR_STR(dev),
                         strerror(-r));
    if (now[0]) {
        r = unbind(dev, dir, e);
        if (r < 0)
            return r;
    }
    return probe(dev, dir, driver, e);
}

int bind_driver(const struct pci_addr *dev, const char *driver, struct error *e)
{
    _cleanup_close_ int dir = open_device(dev, e);
    char now[DRIVER_TEXT];
    int r, cleared;

    if (dir < 0)
        return dir;
    r = driver_loaded(driver, e);
    if (r < 0)
        return r;
    r = current_driver(dir, now);
    if (r < 0)
        return error_set(e, r, "driver of %s can't be read: %s", PCI_ADDR_STR(dev), strerror(-r));
    if (!streq(now, driver))
        r = rebind(dev, dir, now, driver, e);
    /* Also after a failure, whose reason is then the one to tell. */
    cleared = clear_override(dev, dir, r < 0 ? NULL : e);
    return r < 0 ? r : cleared;
}

int bind_none(const struct pci_addr *dev, struct error *e)
{
    _cleanup_close_ int dir = open_device(dev, e);
    char now[DRIVER_TEXT];
    int r;

    if (dir < 0)
        return dir;
    r = current_driver(dir, now);
    if (r < 0)
        return error_set(e, r, "driver of %s can't be read: %s", PCI_ADDR_STR(dev), strerror(-r));
    return now[0] ? unbind(dev, dir, e) : 0;
}

int bind_is(const struct pci_addr *dev, const char *driver)
{
    _cleanup_close_ int dir = pci_addr_open(dev);
    char now[DRIVER_TEXT];
    int r;

    if (dir < 0)
        return dir;
    r = current_driver(dir, now);
    if (r < 0)
        return r;
    if (!streq(now, driver))
        return 0;
    r = override_is_set(dir);
    return r < 0 ? r : !r;
}

int bind_clear_override(const struct pci_addr *dev, struct error *e)
{
    _cleanup_close_ int dir = open_device(dev, e);

    return dir < 0 ? dir : clear_override(dev, dir, e);
}

/* Is there a way to reset the function alone? A bus reset takes its PF and siblings down too, so
 * for a VF it is none. Kernels before 5.15 don't list the ways. */
static bool has_own_reset(int dir)
{
    char methods[256], name[DRIVER_TEXT], *save = NULL;
    const bool is_vf = file_link_name(dir, "physfn", name, sizeof(name)) == 0;

    if (faccessat(dir, "reset", F_OK, 0) < 0)
        return false;
    if (file_read(dir, "reset_method", methods, sizeof(methods)) < 0)
        return true;
    for (char *m = strtok_r(methods, " ", &save); m; m = strtok_r(NULL, " ", &save))
        if (!is_vf || (!streq(m, "bus") && !streq(m, "cxl_bus")))
            return true;
    return false;
}

int bind_reset(const struct pci_addr *dev, struct error *e)
{
    _cleanup_close_ int dir = open_device(dev, e);
    int r;

    if (dir < 0)
        return dir;
    r = has_own_reset(dir) ? write_patiently(dir, "reset", "1") : -ENOTTY;
    if (r == -ENOTTY)
        return error_set(e, -EOPNOTSUPP,
                         "%s has no reset of its own (see /sys/bus/pci/devices/%s/reset_method): "
                         "what a guest left in it can't be cleared",
                         PCI_ADDR_STR(dev), PCI_ADDR_STR(dev));
    if (r < 0)
        return error_set(e, r, "%s can't be reset: %s", PCI_ADDR_STR(dev), strerror(-r));
    return 0;
}
