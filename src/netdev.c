/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/netdev.h"

#include "basic/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/macvtap.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

static void sockp_free(struct nl_sock **s)
{
    nl_socket_free(*s);
}

static void linkp_put(struct rtnl_link **l)
{
    rtnl_link_put(*l);
}

#define _cleanup_sock_ _cleanup_(sockp_free)
#define _cleanup_link_ _cleanup_(linkp_put)

/* libnl has errors of its own; these are the ones a kernel's refusal turns into. */
static int errno_of_nl(int nl)
{
    switch (nl < 0 ? -nl : nl) {
    case NLE_PERM:
    case NLE_NOACCESS:
        return -EPERM;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        return -ENODEV;
    case NLE_EXIST:
        return -EEXIST;
    case NLE_BUSY:
        return -EBUSY;
    case NLE_OPNOTSUPP:
        return -EOPNOTSUPP;
    case NLE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int sock_open(struct nl_sock **ret, struct error *e)
{
    struct nl_sock *s = nl_socket_alloc();
    int r = s ? nl_connect(s, NETLINK_ROUTE) : -NLE_NOMEM;

    if (r < 0) {
        nl_socket_free(s);
        return error_set(e, errno_of_nl(r), "cannot open rtnetlink: %s", nl_geterror(r));
    }
    *ret = s;
    return 0;
}

/* Apply the changes filled into @change to the interface of that index. */
static int link_change(int ifindex, struct rtnl_link *change, const char *what, struct error *e)
{
    _cleanup_sock_ struct nl_sock *s = NULL;
    _cleanup_link_ struct rtnl_link *orig = rtnl_link_alloc();
    char name[IFNAMSIZ] = "?";
    int r = sock_open(&s, e);

    if (r < 0)
        return r;
    if (!orig)
        return error_set(e, -ENOMEM, "out of memory");
    rtnl_link_set_ifindex(orig, ifindex);
    r = rtnl_link_change(s, orig, change, 0);
    if (r < 0)
        return error_set(e, errno_of_nl(r), "cannot %s %s: %s", what,
                         if_indextoname((unsigned)ifindex, name) ? name : "?", nl_geterror(r));
    return 0;
}

const char *netdev_tap_name(const char *id, char buf[static IFNAMSIZ])
{
    snprintf(buf, IFNAMSIZ, NETDEV_TAP_PREFIX "%.11s", id);
    return buf;
}

const char *netdev_macvtap_name(const char *id, char buf[static IFNAMSIZ])
{
    snprintf(buf, IFNAMSIZ, NETDEV_MACVTAP_PREFIX "%.11s", id);
    return buf;
}

int netdev_set_up(int ifindex, struct error *e)
{
    _cleanup_link_ struct rtnl_link *change = rtnl_link_alloc();

    if (!change)
        return error_set(e, -ENOMEM, "out of memory");
    rtnl_link_set_flags(change, IFF_UP);
    return link_change(ifindex, change, "bring up", e);
}

static int read_attr(const char *name, const char *attr, uint64_t *ret)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, attr);
    return file_read_u64(AT_FDCWD, path, ret);
}

int netdev_is_up(const char *name)
{
    uint64_t flags;
    int r = read_attr(name, "flags", &flags);

    return r < 0 ? r : (flags & IFF_UP) != 0;
}

int netdev_has_carrier(const char *name)
{
    uint64_t carrier;
    int r = read_attr(name, "carrier", &carrier);

    /* The kernel answers EINVAL while the interface is down. */
    if (r == -EINVAL)
        return 0;
    return r < 0 ? r : carrier == 1;
}

bool netdev_exists(const char *name)
{
    return if_nametoindex(name) > 0;
}

bool netdev_is_bridge(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", name);
    return access(path, F_OK) == 0;
}

static int tap_create(const char *name, struct error *e)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    _cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_set(e, -errno, "cannot open /dev/net/tun: %s (modprobe tun)", strerror(errno));
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return error_set(e, -errno, "cannot make tap %s: %s", name, strerror(errno));
    return TAKE_FD(fd);
}

int netdev_tap_open(const char *name, const char *bridge, struct error *e)
{
    _cleanup_link_ struct rtnl_link *change = rtnl_link_alloc();
    const unsigned master = if_nametoindex(bridge);
    _cleanup_close_ int fd = -1;
    int r;

    if (!change)
        return error_set(e, -ENOMEM, "out of memory");
    if (master == 0)
        return error_set(e, -ENODEV,
                         "fallback bridge %s doesn't exist: create it, or change "
                         "Bridge= in sriovd.conf",
                         bridge);
    fd = tap_create(name, e);
    if (fd < 0)
        return fd;
    rtnl_link_set_master(change, (int)master);
    rtnl_link_set_flags(change, IFF_UP);
    r = link_change((int)if_nametoindex(name), change, "put on its bridge and bring up", e);
    return r < 0 ? r : TAKE_FD(fd);
}

int netdev_macvtap_create(const char *name, const char *parent, uint64_t mac, struct error *e)
{
    _cleanup_sock_ struct nl_sock *s = NULL;
    _cleanup_link_ struct rtnl_link *link = rtnl_link_macvtap_alloc();
    struct nl_addr *addr;
    uint8_t bytes[6];
    int r = sock_open(&s, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
    addr = nl_addr_build(AF_LLC, bytes, sizeof(bytes));
    if (!link || !addr) {
        nl_addr_put(addr);
        return error_set(e, -ENOMEM, "out of memory");
    }
    rtnl_link_set_link(link, (int)if_nametoindex(parent));
    rtnl_link_set_name(link, name);
    rtnl_link_set_addr(link, addr);
    rtnl_link_set_flags(link, IFF_UP);
    rtnl_link_macvtap_set_mode(link, MACVLAN_MODE_BRIDGE);
    r = rtnl_link_add(s, link, NLM_F_CREATE | NLM_F_EXCL);
    nl_addr_put(addr);
    if (r < 0)
        return error_set(e, errno_of_nl(r), "cannot make macvtap %s on %s: %s", name, parent,
                         nl_geterror(r));
    return 0;
}

int netdev_macvtap_open(const char *name, struct error *e)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    char path[64];
    _cleanup_close_ int fd = -1;

    snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(name));
    /* udev or devtmpfs makes the node a moment after the interface. */
    for (int tries = 0; fd < 0 && tries < 100; tries++) {
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
            break;
        if (fd < 0)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (fd < 0)
        return error_set(e, -errno, "cannot open %s of macvtap %s: %s", path, name,
                         strerror(errno));
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return error_set(e, -errno, "cannot set up macvtap %s: %s", name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(e, -EBUSY, "macvtap %s is in use by another process: stop it first", name);
    return TAKE_FD(fd);
}

int netdev_macvtap_held(const char *name)
{
    _cleanup_fclose_ FILE *locks = fopen("/proc/locks", "re");
    char path[64], line[256];
    struct stat st;

    if (!locks)
        return -errno;
    snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(name));
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    while (fgets(line, sizeof(line), locks)) {
        unsigned dev_major, dev_minor;
        unsigned long inode;

        /* "1: FLOCK  ADVISORY  WRITE 251 00:05:412 0 EOF" (proc(5)) */
        if (sscanf(line, "%*u: FLOCK %*s %*s %*d %x:%x:%lu", &dev_major, &dev_minor, &inode) == 3 &&
            makedev(dev_major, dev_minor) == st.st_dev && inode == st.st_ino)
            return 1;
    }
    return 0;
}

int netdev_delete(const char *name, struct error *e)
{
    _cleanup_sock_ struct nl_sock *s = NULL;
    _cleanup_link_ struct rtnl_link *link = rtnl_link_alloc();
    int r;

    if (!netdev_exists(name))
        return 0;
    r = sock_open(&s, e);
    if (r < 0)
        return r;
    if (!link)
        return error_set(e, -ENOMEM, "out of memory");
    rtnl_link_set_name(link, name);
    rtnl_link_set_ifindex(link, (int)if_nametoindex(name));
    r = rtnl_link_delete(s, link);
    if (r < 0 && netdev_exists(name))
        return error_set(e, errno_of_nl(r), "cannot remove %s: %s", name, nl_geterror(r));
    return 0;
}
