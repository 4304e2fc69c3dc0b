/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/group.h"

#include "basic/file.h"
#include "basic/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#define DRIVER_TEXT 64

/* How many links in /proc are read in search of a holder: a name is nice to have, not worth a
 * second. */
#define HOLDER_LINKS_MAX 100000

/* Drivers that leave DMA to whoever owns the group (the kernel's driver_managed_dma). */
static const char *const harmless_drivers[] = {"vfio-pci", "pci-stub", "pcieport"};

/* Vendors' own VFIO drivers end so, spelled either way. */
static const char *const harmless_endings[] = {"_vfio_pci", "-vfio-pci"};

static bool driver_harmless(const char *driver)
{
    const size_t n = strlen(driver);

    for (size_t i = 0; i < ELEMENTSOF(harmless_drivers); i++)
        if (streq(driver, harmless_drivers[i]))
            return true;
    for (size_t i = 0; i < ELEMENTSOF(harmless_endings); i++) {
        const size_t end = strlen(harmless_endings[i]);

        if (n > end && streq(driver + n - end, harmless_endings[i]))
            return true;
    }
    return false;
}

int vfio_group_of(const struct pci_addr *dev, struct error *e)
{
    _cleanup_close_ int dir = pci_addr_open(dev);
    char text[DRIVER_TEXT];
    unsigned group;
    int r;

    if (dir < 0)
        return error_set(e, dir, "no PCI device %s (/sys/bus/pci/devices): %s", PCI_ADDR_STR(dev),
                         strerror(-dir));
    r = file_link_name(dir, "iommu_group", text, sizeof(text));
    /* The group of VFIO's no-IOMMU mode protects nobody. */
    if (r == 0) {
        char name[DRIVER_TEXT];

        if (file_read(dir, "iommu_group/name", name, sizeof(name)) > 0 &&
            streq(name, "vfio-noiommu"))
            r = -ENOENT;
    }
    if (r == -ENOENT)
        return error_set(e, -EOPNOTSUPP,
                         "no IOMMU group for %s (/sys/bus/pci/devices/%s/iommu_group): enable "
                         "VT-d or AMD-Vi in the firmware and boot with intel_iommu=on",
                         PCI_ADDR_STR(dev), PCI_ADDR_STR(dev));
    if (r == 0)
        r = parse_uint(text, 0, INT_MAX, &group);
    if (r < 0)
        return error_set(e, -EIO, "IOMMU group of %s can't be read: %s", PCI_ADDR_STR(dev),
                         strerror(-r));
    return (int)group;
}

/* The class tells bridges; functions that aren't PCI have none. */
static bool is_pci_bridge(int member)
{
    uint64_t class_code;

    return file_read_u64(member, "class", &class_code) == 0 && class_code >> 8 == 0x0604;
}

/* 1 with the driver's name if the member keeps the group from being viable, 0 or -errno. */
static int member_in_the_way(int devices, const char *name, char driver[static DRIVER_TEXT])
{
    _cleanup_close_ int member = openat(devices, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (member < 0)
        return errno == ENOENT ? 0 : -errno; /* unplugged meanwhile */
    r = file_link_name(member, "driver", driver, DRIVER_TEXT);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    return !driver_harmless(driver) && !is_pci_bridge(member);
}

static int dir_open(const char *path, DIR **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir)
        return -errno;
    TAKE_FD(fd);
    *ret = dir;
    return 0;
}

static void dir_closep(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

int vfio_group_viable(const struct pci_addr *dev, struct error *e)
{
    _cleanup_(dir_closep) DIR *devices = NULL;
    char path[64], driver[DRIVER_TEXT];
    const struct dirent *entry;
    const int group = vfio_group_of(dev, e);
    int r;

    if (group < 0)
        return group;
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/devices", group);
    r = dir_open(path, &devices);
    if (r < 0)
        return error_set(e, r, "members of IOMMU group %d of %s (%s): %s", group, PCI_ADDR_STR(dev),
                         path, strerror(-r));
    while ((entry = readdir(devices))) {
        if (entry->d_name[0] == '.' || streq(entry->d_name, PCI_ADDR_STR(dev)))
            continue;
        r = member_in_the_way(dirfd(devices), entry->d_name, driver);
        if (r < 0)
            return error_set(e, r, "member %s of IOMMU group %d of %s: %s", entry->d_name, group,
                             PCI_ADDR_STR(dev), strerror(-r));
        if (r > 0)
            return error_set(e, -EOPNOTSUPP,
                             "IOMMU group %d of %s is not viable: %s is bound to %s (see %s): bind "
                             "it to vfio-pci too, or use a slot whose upstream port has ACS",
                             group, PCI_ADDR_STR(dev), entry->d_name, driver, path);
    }
    return 0;
}

/* Does the process have @node open? Inside another mount namespace its path may begin
 * differently, so the end decides. */
static bool process_holds(unsigned pid, const char *node, unsigned *left)
{
    _cleanup_(dir_closep) DIR *fds = NULL;
    const struct dirent *entry;
    char path[64], target[PATH_MAX];

    snprintf(path, sizeof(path), "/proc/%u/fd", pid);
    if (dir_open(path, &fds) < 0)
        return false;
    while (*left > 0 && (entry = readdir(fds))) {
        const ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

        (*left)--;
        if (n < (ssize_t)strlen(node))
            continue;
        target[n] = '\0';
        if (streq(target + n - strlen(node), node))
            return true;
    }
    return false;
}

/* The process that has /dev/vfio/N open, or 0. */
static pid_t find_holder(int group)
{
    _cleanup_(dir_closep) DIR *proc = NULL;
    unsigned left = HOLDER_LINKS_MAX;
    const struct dirent *entry;
    char node[32];
    unsigned pid;

    snprintf(node, sizeof(node), "/vfio/%d", group);
    if (dir_open("/proc", &proc) < 0)
        return 0;
    while (left > 0 && (entry = readdir(proc)))
        if (parse_uint(entry->d_name, 1, INT_MAX, &pid) == 0 && process_holds(pid, node, &left))
            return (pid_t)pid;
    return 0;
}

int vfio_group_busy(int group, pid_t *ret_pid)
{
    _cleanup_close_ int fd = -1;
    char path[32];

    snprintf(path, sizeof(path), "/dev/vfio/%d", group);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 || errno == ENOENT || errno == ENODEV || errno == ENXIO) {
        if (ret_pid)
            *ret_pid = 0;
        return 0;
    }
    if (errno != EBUSY)
        return -errno;
    if (ret_pid)
        *ret_pid = find_holder(group);
    return 1;
}

bool vfio_group_idle(const struct pci_addr *dev)
{
    _cleanup_close_ int dir = pci_addr_open(dev);
    char status[32];

    return dir >= 0 && file_read(dir, "power/runtime_status", status, sizeof(status)) > 0 &&
           streq(status, "suspended");
}
