/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/inventory.h"

#include "basic/file.h"
#include "basic/parse.h"
#include "sriov/vflink.h"

#include <errno.h>
#include <fcntl.h>
#include <libudev.h>

#define VF_MAX 65535 /* NumVFs has 16 bits */

static void udev_unrefp(struct udev **udev)
{
    udev_unref(*udev);
}

static void udev_enumerate_unrefp(struct udev_enumerate **enumerate)
{
    udev_enumerate_unref(*enumerate);
}

/* The text of an attribute, or "" where there is none. */
static void read_text(int dirfd, const char *name, char *buf, size_t size)
{
    if (file_read(dirfd, name, buf, size) < 0)
        buf[0] = '\0';
}

static uint64_t read_number(int dirfd, const char *name, uint64_t otherwise)
{
    uint64_t value;

    return file_read_u64(dirfd, name, &value) < 0 ? otherwise : value;
}

/* "-1" and whatever else isn't a number is no node. */
static int read_numa_node(int dirfd)
{
    char text[16];
    unsigned node;

    read_text(dirfd, "numa_node", text, sizeof(text));
    return parse_uint(text, 0, INT32_MAX, &node) < 0 ? -1 : (int)node;
}

static void read_driver(int dirfd, char driver[static DRIVER_NAME])
{
    if (file_link_name(dirfd, "driver", driver, DRIVER_NAME) < 0)
        driver[0] = '\0';
}

static int read_iommu_group(int dirfd)
{
    char text[16];
    unsigned group;

    if (file_link_name(dirfd, "iommu_group", text, sizeof(text)) < 0 ||
        parse_uint(text, 0, INT32_MAX, &group) < 0)
        return -1;
    return (int)group;
}

/*
 * A VF must be resettable alone: a bus reset would take the whole card with it. reset_method
 * (since Linux 5.15) lists what may be tried; before, the file reset says no more than that
 * there is a way, and a VF's bus was never among them.
 */
static bool read_can_reset(int dirfd)
{
    char methods[128], *next = methods, *method;

    if (faccessat(dirfd, "reset", F_OK, 0) < 0)
        return false;
    if (file_read(dirfd, "reset_method", methods, sizeof(methods)) < 0)
        return true;
    while ((method = strsep(&next, " ")))
        if (*method && !streq(method, "bus") && !streq(method, "cxl_bus"))
            return true;
    return false;
}

/* -ENOENT if there is no such VF, -ENODEV if it went away while it was read. */
static int read_vf(int pf_fd, unsigned index, struct vf *ret)
{
    char link[32], target[PCI_ADDR_TEXT];
    struct interface netdev;
    _cleanup_close_ int fd = -1;
    int r;

    snprintf(link, sizeof(link), "virtfn%u", index);
    r = file_link_name(pf_fd, link, target, sizeof(target));
    if (r < 0)
        return r;
    *ret = (struct vf){.index = index};
    r = pci_addr_parse(target, &ret->addr);
    if (r < 0)
        return r;
    fd = pci_addr_open(&ret->addr);
    if (fd < 0)
        return fd == -ENOENT ? -ENODEV : fd;
    read_driver(fd, ret->driver);
    read_text(fd, "driver_override", ret->driver_override, sizeof(ret->driver_override));
    if (streq(ret->driver_override, "(null)")) /* the kernel's way to say that it is unset */
        ret->driver_override[0] = '\0';
    if (interface_read(fd, &netdev) == 0)
        memcpy(ret->netdev, netdev.name, sizeof(ret->netdev));
    ret->iommu_group = read_iommu_group(fd);
    ret->numa_node = read_numa_node(fd);
    ret->can_reset = read_can_reset(fd);
    /* The directory outlives the device while it is held open, but loses its files. */
    return faccessat(fd, "vendor", F_OK, 0) < 0 ? -ENODEV : 0;
}

static int read_vfs(int pf_fd, struct pf *pf, struct error *e)
{
    for (unsigned i = 0; i < VF_MAX; i++) {
        struct vf vf, *grown;
        int r = read_vf(pf_fd, i, &vf);

        if (r == -ENOENT)
            return 0;
        if (r == -ENODEV)
            continue;
        if (r < 0)
            return error_set(e, r, "%s: can't read VF %u in sysfs: %s", pf->name, i, strerror(-r));
        grown = reallocarray(pf->vfs, pf->num_vfs + 1, sizeof(*grown));
        if (!grown)
            return error_set(e, -ENOMEM, "out of memory");
        pf->vfs = grown;
        pf->vfs[pf->num_vfs++] = vf;
    }
    return 0;
}

/* All VFs of a PF by one question to the kernel, which holds rtnl_lock while it answers. */
static int read_policies(struct pf *pf, struct error *e)
{
    const size_t count = pf->num_vfs ? pf->vfs[pf->num_vfs - 1].index + 1UL : 0;
    _cleanup_free_ struct policy *policies = calloc(count ? count : 1, sizeof(*policies));
    int r;

    if (!policies)
        return error_set(e, -ENOMEM, "out of memory");
    if (count == 0 || pf->ifindex == 0)
        return 0;
    r = vflink_get(pf->ifindex, policies, count, e);
    /* An interface that just went, or has too many VFs for one message, still can be listed. */
    if (r == -ENODEV || r == -EMSGSIZE)
        return 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < pf->num_vfs; i++)
        pf->vfs[i].policy = policies[pf->vfs[i].index];
    return 0;
}

static void read_identity(int fd, struct pf *pf)
{
    struct interface netdev;
    struct ids ids;

    pci_addr_format(&pf->addr, pf->name);
    if (interface_read(fd, &netdev) == 0) {
        snprintf(pf->name, sizeof(pf->name), "%s", netdev.name);
        pf->ifindex = netdev.ifindex;
        pf->link_up = netdev.up;
    }
    read_driver(fd, pf->driver);
    pf->vendor_id = (uint16_t)read_number(fd, "vendor", 0);
    pf->device_id = (uint16_t)read_number(fd, "device", 0);
    pf->class_code = (uint32_t)read_number(fd, "class", 0);
    pf->numa_node = read_numa_node(fd);
    ids_lookup(pf->vendor_id, pf->device_id, &ids);
    memcpy(pf->vendor, ids.vendor, sizeof(pf->vendor));
    memcpy(pf->device, ids.device, sizeof(pf->device));
}

/* @ret is to be released also on failure. */
static int read_pf(const struct pci_addr *addr, struct caps *caps, struct pf *ret, struct error *e)
{
    _cleanup_close_ int fd = pci_addr_open(addr);
    int r;

    *ret = (struct pf){.addr = *addr};
    if (fd < 0)
        return fd == -ENOENT ? -ENODEV
                             : error_set(e, fd, "can't open %s in sysfs: %s", PCI_ADDR_STR(addr),
                                         strerror(-fd));
    read_identity(fd, ret);
    ret->total_vfs = (unsigned)read_number(fd, "sriov_totalvfs", 0);
    ret->autoprobe = read_number(fd, "sriov_drivers_autoprobe", 1) != 0;
    caps_read(caps, addr, &ret->caps);
    r = read_vfs(fd, ret, e);
    if (r == 0)
        r = read_policies(ret, e);
    if (r == 0 && faccessat(fd, "vendor", F_OK, 0) < 0)
        r = -ENODEV;
    return r;
}

static int add_pf(struct inventory *inv, const struct pci_addr *addr, struct caps *caps,
                  struct error *e)
{
    struct pf *grown = reallocarray(inv->pfs, inv->num_pfs + 1, sizeof(*grown));
    int r;

    if (!grown)
        return error_set(e, -ENOMEM, "out of memory");
    inv->pfs = grown;
    r = read_pf(addr, caps, &inv->pfs[inv->num_pfs], e);
    if (r < 0)
        free(inv->pfs[inv->num_pfs].vfs);
    else
        inv->num_pfs++;
    return r == -ENODEV ? 0 : r; /* a PF that is just being removed isn't there */
}

static int compare_pfs(const void *a, const void *b)
{
    const struct pci_addr *x = &((const struct pf *)a)->addr, *y = &((const struct pf *)b)->addr;
    const uint64_t p = (uint64_t)x->domain << 16 | (unsigned)(x->bus << 8 | x->dev << 3 | x->fn);
    const uint64_t q = (uint64_t)y->domain << 16 | (unsigned)(y->bus << 8 | y->dev << 3 | y->fn);

    return p < q ? -1 : p > q;
}

static int read_all(struct inventory *inv, struct caps *caps, struct error *e)
{
    _cleanup_(udev_unrefp) struct udev *udev = udev_new();
    _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *list =
        udev ? udev_enumerate_new(udev) : NULL;
    struct udev_list_entry *entry;
    int r;

    if (!list)
        return error_set(e, -ENOMEM, "out of memory");
    r = udev_enumerate_add_match_subsystem(list, "pci");
    if (r >= 0)
        r = udev_enumerate_add_match_sysattr(list, "sriov_totalvfs", NULL);
    if (r >= 0)
        r = udev_enumerate_scan_devices(list);
    if (r < 0)
        return error_set(e, r, "can't list the PCI devices of this host: %s", strerror(-r));
    udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(list))
    {
        const char *base = strrchr(udev_list_entry_get_name(entry), '/');
        struct pci_addr addr;

        if (!base || pci_addr_parse(base + 1, &addr) < 0)
            continue;
        r = add_pf(inv, &addr, caps, e);
        if (r < 0)
            return r;
    }
    if (inv->num_pfs > 1)
        qsort(inv->pfs, inv->num_pfs, sizeof(*inv->pfs), compare_pfs);
    return 0;
}

int inventory_read(struct inventory *ret, struct error *e)
{
    _cleanup_(caps_freep) struct caps *caps = caps_open();
    _cleanup_inventory_ struct inventory inv = INVENTORY_INIT;
    int r;

    if (!caps)
        return error_set(e, -ENOMEM, "libpci can't be started");
    r = read_all(&inv, caps, e);
    if (r < 0)
        return r;
    *ret = inv;
    inv = (struct inventory)INVENTORY_INIT;
    return 0;
}

void inventory_done(struct inventory *inv)
{
    for (size_t i = 0; i < inv->num_pfs; i++)
        free(inv->pfs[i].vfs);
    free(inv->pfs);
    *inv = (struct inventory)INVENTORY_INIT;
}

struct pf *inventory_find_pf(const struct inventory *inv, const struct pci_addr *addr)
{
    for (size_t i = 0; i < inv->num_pfs; i++)
        if (pci_addr_eq(&inv->pfs[i].addr, addr))
            return &inv->pfs[i];
    return NULL;
}

struct vf *inventory_find_vf(const struct inventory *inv, const struct pci_addr *addr,
                             struct pf **ret_pf)
{
    for (size_t i = 0; i < inv->num_pfs; i++)
        for (size_t k = 0; k < inv->pfs[i].num_vfs; k++)
            if (pci_addr_eq(&inv->pfs[i].vfs[k].addr, addr)) {
                if (ret_pf)
                    *ret_pf = &inv->pfs[i];
                return &inv->pfs[i].vfs[k];
            }
    return NULL;
}
