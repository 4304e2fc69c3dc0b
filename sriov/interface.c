/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/interface.h"

#include "basic/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

/* One interface below net/; -ENOENT if it is another port's, or is just going away. */
static int read_one(int netfd, const char *name, struct interface *ret)
{
    _cleanup_close_ int fd = openat(netfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint64_t port, ifindex, flags;

    if (fd < 0 || strlen(name) >= sizeof(ret->name))
        return -ENOENT;
    if (file_read_u64(fd, "dev_port", &port) == 0 && port != 0)
        return -ENOENT;
    if (file_read_u64(fd, "ifindex", &ifindex) < 0 || file_read_u64(fd, "flags", &flags) < 0 ||
        ifindex == 0 || ifindex > INT_MAX)
        return -ENOENT;
    ret->ifindex = (int)ifindex;
    ret->up = flags & IFF_UP;
    memcpy(ret->name, name, strlen(name) + 1);
    return 0;
}

int interface_read(int devfd, struct interface *ret)
{
    _cleanup_dir_ DIR *dir = NULL;
    struct interface best = {.ifindex = 0}, candidate;
    const struct dirent *entry;

    if (file_dir(devfd, "net", &dir) < 0)
        return -ENOENT;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && read_one(dirfd(dir), entry->d_name, &candidate) == 0 &&
            (best.ifindex == 0 || candidate.ifindex < best.ifindex))
            best = candidate;
    if (best.ifindex == 0)
        return -ENOENT;
    *ret = best;
    return 0;
}

const char *interface_title(const struct pci_addr *addr, char buf[static INTERFACE_TITLE])
{
    _cleanup_close_ int fd = pci_addr_open(addr);
    struct interface netdev;

    if (fd >= 0 && interface_read(fd, &netdev) == 0)
        snprintf(buf, INTERFACE_TITLE, "%s", netdev.name);
    else
        pci_addr_format(addr, buf);
    return buf;
}
