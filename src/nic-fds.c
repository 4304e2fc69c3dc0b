/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/nic-fds.h"

#include "src/netdev.h"
#include "vfio/open.h"

#include <errno.h>
#include <fcntl.h>

void nic_fds_done(struct nic_fds *n)
{
    /* Device before group before container. */
    for (size_t i = HANDOFF_FDS_MAX; i-- > 0;)
        closep(&n->fds[i]);
    n->count = 0;
}

int nic_fds_open_vf(const struct lease *l, int container, struct nic_fds *ret, struct error *e)
{
    struct vfio_fds fds = VFIO_FDS_INIT;
    int r = vfio_open(&l->vf, container, &fds, e);

    if (r < 0)
        return r;
    *ret = (struct nic_fds){.fds = {fds.container, fds.group, fds.device}, .count = 3};
    return 0;
}

static int open_tap(const struct lease *l, struct error *e)
{
    char name[IFNAMSIZ];

    if (l->parent_is_bridge) {
        snprintf(name, sizeof(name), NETDEV_TAP_PREFIX "%.11s", l->id);
        return netdev_tap_open(name, l->parent, e);
    }
    snprintf(name, sizeof(name), NETDEV_MACVTAP_PREFIX "%.11s", l->id);
    return netdev_macvtap_open(name, e);
}

int nic_fds_open_virtio(const struct lease *l, struct nic_fds *ret, struct error *e)
{
    _cleanup_close_ int tap = open_tap(l, e);
    _cleanup_close_ int vhost = -1;

    if (tap < 0)
        return tap;
    vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    if (vhost < 0)
        return error_set(e, -EOPNOTSUPP, "cannot open /dev/vhost-net: %s (modprobe vhost_net)",
                         strerror(errno));
    *ret = (struct nic_fds){.fds = {TAKE_FD(tap), TAKE_FD(vhost), -1}, .count = 2};
    return 0;
}
