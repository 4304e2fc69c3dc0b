/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/numvfs.h"

#include "basic/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define POLL_MS 10

/* The PF under operation, and what it is called in errors. */
struct numvfs_pf {
    int fd;
    char title[INTERFACE_TITLE];
};

static void numvfs_pf_done(struct numvfs_pf *pf)
{
    closep(&pf->fd);
}

static int open_pf(const struct pci_addr *addr, struct numvfs_pf *ret, struct error *e)
{
    const int fd = pci_addr_open(addr);

    if (fd < 0)
        return error_set(e, fd == -ENOENT ? -ENODEV : fd, "no PF at %s: %s", PCI_ADDR_STR(addr),
                         fd == -ENOENT ? "the device is gone" : strerror(-fd));
    ret->fd = fd;
    interface_title(addr, ret->title);
    return 0;
}

int numvfs_set_autoprobe(const struct pci_addr *addr, bool on, struct error *e)
{
    _cleanup_(numvfs_pf_done) struct numvfs_pf pf = {.fd = -1};
    int r = open_pf(addr, &pf, e);

    if (r < 0)
        return r;
    r = file_write(pf.fd, "sriov_drivers_autoprobe", on ? "1" : "0");
    if (r < 0)
        return error_set(e, r, "%s: can't turn %s the probing of its VFs' drivers: %s%s", pf.title,
                         on ? "on" : "off", strerror(-r),
                         r == -ENOENT ? " (needs SR-IOV and Linux 4.12 or later)" : "");
    return 0;
}

static unsigned count_links(int fd)
{
    char link[32], target[PCI_ADDR_TEXT];
    unsigned n = 0;

    for (;; n++) {
        snprintf(link, sizeof(link), "virtfn%u", n);
        if (file_link_name(fd, link, target, sizeof(target)) < 0)
            return n;
    }
}

static int explain_range(const struct numvfs_pf *pf, unsigned count, unsigned total,
                         struct error *e)
{
    return error_set(e, -ERANGE, "%s offers at most %u VFs, not %u: ask for fewer", pf->title,
                     total, count);
}

/* What the kernel means by each error (sriov_numvfs_store and sriov_enable in drivers/pci). */
static int explain_write(const struct numvfs_pf *pf, unsigned count, int code, struct error *e)
{
    char driver[DRIVER_NAME];

    switch (code) {
    case -ENOENT:
        if (file_link_name(pf->fd, "driver", driver, sizeof(driver)) < 0)
            return error_set(e, -EOPNOTSUPP,
                             "%s has no driver, and a PF's driver creates its VFs: bind one",
                             pf->title);
        return error_set(e, -EOPNOTSUPP, "%s: the driver %s has no SR-IOV support", pf->title,
                         driver);
    case -EBUSY:
        return error_set(e, code,
                         "%s has %u VFs, and the kernel goes to another count only by way of 0: "
                         "release them and enable 0 first",
                         pf->title, count_links(pf->fd));
    case -ENOMEM:
    case -ENOSPC:
        return error_set(e, code,
                         "%s: no room for %u VFs' memory or bus numbers: enable SR-IOV and 'above "
                         "4G decoding' in the firmware, or boot with pci=realloc",
                         pf->title, count);
    case -EPERM:
    case -EACCES:
        return error_set(e, code,
                         "%s: not allowed to change its VFs: needs root, and VFs that no guest "
                         "holds",
                         pf->title);
    default:
        return error_set(e, code, "%s: can't have %u VFs: %s; the kernel log says more", pf->title,
                         count, strerror(-code));
    }
}

int numvfs_write(const struct pci_addr *addr, unsigned count, struct error *e)
{
    _cleanup_(numvfs_pf_done) struct numvfs_pf pf = {.fd = -1};
    uint64_t total;
    char text[16];
    unsigned got;
    int r = open_pf(addr, &pf, e);

    if (r < 0)
        return r;
    r = file_read_u64(pf.fd, "sriov_totalvfs", &total);
    if (r < 0)
        return error_set(e, -EOPNOTSUPP, "%s has no SR-IOV capability", pf.title);
    if (count > total)
        return explain_range(&pf, count, (unsigned)total, e);
    snprintf(text, sizeof(text), "%u", count);
    r = file_write(pf.fd, "sriov_numvfs", text);
    if (r == -ERANGE) /* a driver may have lowered the total since */
        return explain_range(&pf, count, (unsigned)total, e);
    if (r < 0)
        return explain_write(&pf, count, r, e);
    got = count_links(pf.fd);
    if (got != count)
        return error_set(e, -EIO, "%s has %u VFs after %u were asked for; the kernel log says why",
                         pf.title, got, count);
    return 0;
}

/* A host with an IOMMU has groups from the start: those of its other devices. */
static bool host_has_groups(void)
{
    DIR *dir = opendir("/sys/kernel/iommu_groups");
    bool any = false;
    const struct dirent *entry;

    if (!dir)
        return false;
    while (!any && (entry = readdir(dir)))
        any = entry->d_name[0] != '.';
    closedir(dir);
    return any;
}

/* What a VF lacks yet, or NULL. Its `physfn` link comes after the device itself does. */
static const char *vf_lacks(int pf_fd, unsigned index, bool groups)
{
    char path[64], target[64];

    snprintf(path, sizeof(path), "virtfn%u/physfn", index);
    if (file_link_name(pf_fd, path, target, sizeof(target)) < 0)
        return "its link to the PF (physfn)";
    snprintf(path, sizeof(path), "virtfn%u/iommu_group", index);
    if (groups && file_link_name(pf_fd, path, target, sizeof(target)) < 0)
        return "its IOMMU group";
    return NULL;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int numvfs_wait(const struct pci_addr *addr, unsigned count, unsigned timeout_ms, struct error *e)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const uint64_t deadline = now_ms() + timeout_ms;
    const bool groups = host_has_groups();
    _cleanup_(numvfs_pf_done) struct numvfs_pf pf = {.fd = -1};
    unsigned ready = 0;
    int r = open_pf(addr, &pf, e);

    if (r < 0)
        return r;
    while (ready < count) {
        const char *lacks = vf_lacks(pf.fd, ready, groups);

        if (!lacks) {
            ready++;
            continue;
        }
        if (now_ms() >= deadline)
            return error_set(e, -ETIMEDOUT, "%s/vf%u isn't ready after %u ms: %s is missing",
                             pf.title, ready, timeout_ms, lacks);
        nanosleep(&pause, NULL);
    }
    return 0;
}
