/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/open.h"

#include "vfio/group.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <time.h>

#define CONTAINER_NODE  "/dev/vfio/vfio"
#define GROUP_TRIES     5
#define GROUP_DELAY_NS  20000000L
#define DEVICE_TRIES    20
#define DEVICE_DELAY_NS 100000000L

static int open_container(struct error *e)
{
    _cleanup_close_ int fd = open(CONTAINER_NODE, O_RDWR | O_CLOEXEC);
    int version;

    if (fd < 0 && (errno == ENOENT || errno == ENODEV))
        return error_set(e, -EOPNOTSUPP,
                         "VFIO isn't there (no " CONTAINER_NODE "): modprobe vfio vfio-pci");
    if (fd < 0)
        return error_set(e, -errno, CONTAINER_NODE " can't be opened: %s", strerror(errno));
    version = ioctl(fd, VFIO_GET_API_VERSION);
    if (version != VFIO_API_VERSION)
        return error_set(e, -EOPNOTSUPP,
                         "the kernel's VFIO API has version %d; this program speaks %d", version,
                         VFIO_API_VERSION);
    if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
        return error_set(e, -EOPNOTSUPP,
                         "VFIO has no TYPE1v2 IOMMU: modprobe vfio_iommu_type1, on a host whose "
                         "IOMMU is enabled");
    return TAKE_FD(fd);
}

static int open_group(const struct pci_addr *dev, int group, struct error *e)
{
    static const struct timespec delay = {.tv_nsec = GROUP_DELAY_NS};
    char path[32];
    pid_t pid = 0;
    int fd, r;

    snprintf(path, sizeof(path), "/dev/vfio/%d", group);
    /* Somebody who only asks whether the group is busy has it open for a moment. */
    for (int try = 1;; try++) {
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 || errno != EBUSY || try == GROUP_TRIES)
            break;
        nanosleep(&delay, NULL);
    }
    if (fd >= 0)
        return fd;
    r = -errno;
    if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
        return error_set(e, r, "%s isn't bound to vfio-pci (no %s): bind it first",
                         PCI_ADDR_STR(dev), path);
    if (r != -EBUSY)
        return error_set(e, r, "%s of %s can't be opened: %s", path, PCI_ADDR_STR(dev),
                         strerror(-r));
    if (vfio_group_busy(group, &pid) > 0 && pid > 0)
        return error_set(e, r, "%s is in use: process %d has %s open: stop it, or take another VF",
                         PCI_ADDR_STR(dev), (int)pid, path);
    return error_set(e, r, "%s is in use: another process has %s open: stop it, or take another VF",
                     PCI_ADDR_STR(dev), path);
}

static int check_viable(const struct pci_addr *dev, int group_fd, struct error *e)
{
    struct vfio_group_status status = {.argsz = sizeof(status)};
    int r;

    if (ioctl(group_fd, VFIO_GROUP_GET_STATUS, &status) < 0)
        return error_set(e, -errno, "IOMMU group of %s: status: %s", PCI_ADDR_STR(dev),
                         strerror(errno));
    if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
        return 0;
    r = vfio_group_viable(dev, e);
    if (r < 0)
        return r;
    return error_set(e, -EOPNOTSUPP,
                     "the IOMMU group of %s is not viable, says the kernel: a member is in use by "
                     "the host (see /sys/bus/pci/devices/%s/iommu_group/devices)",
                     PCI_ADDR_STR(dev), PCI_ADDR_STR(dev));
}

/* Joining translates DMA by the container's tables from now on; the kernel checks the host for
 * it here: that interrupts are remapped, and that the group's IOMMU goes with the others'. */
static int attach_error(const struct pci_addr *dev, int code, struct error *e)
{
    switch (code) {
    case -EPERM:
        return error_set(e, -EOPNOTSUPP,
                         "%s can't be passed through safely: the host doesn't remap interrupts, "
                         "so a guest could forge them: enable VT-d or AMD-Vi with interrupt "
                         "remapping in the firmware, and boot without intremap=off",
                         PCI_ADDR_STR(dev));
    case -EBUSY:
        return error_set(e, code,
                         "the IOMMU group of %s is in use by the host or by another process "
                         "(see /sys/bus/pci/devices/%s/iommu_group/devices)",
                         PCI_ADDR_STR(dev), PCI_ADDR_STR(dev));
    case -EINVAL:
        return error_set(e, -EOPNOTSUPP,
                         "%s can't join its VM's container: its IOMMU differs from that of the "
                         "VM's other devices, or reserves addresses that the VM's memory uses",
                         PCI_ADDR_STR(dev));
    default:
        return error_set(e, code, "the IOMMU group of %s can't join a container: %s",
                         PCI_ADDR_STR(dev), strerror(-code));
    }
}

static int attach(const struct pci_addr *dev, int container, bool is_new, int group,
                  struct error *e)
{
    if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
        return attach_error(dev, -errno, e);
    /* Only the first group's container has its type to be set: later ones join a ready one. */
    if (is_new && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
        return attach_error(dev, -errno, e);
    return 0;
}

static int get_device(const struct pci_addr *dev, int group, struct error *e)
{
    static const struct timespec delay = {.tv_nsec = DEVICE_DELAY_NS};
    int fd;

    /* The kernel resets the function on the way, and only tries the lock that takes. */
    for (int try = 1;; try++) {
        fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, PCI_ADDR_STR(dev));
        if (fd >= 0 || errno != EAGAIN || try == DEVICE_TRIES)
            break;
        nanosleep(&delay, NULL);
    }
    /* VFIO device fds have been close-on-exec from the first kernel on. */
    if (fd >= 0)
        return fd;
    switch (errno) {
    case EACCES:
        return error_set(e, -EACCES,
                         "%s can't be opened: its PF is bound to vfio-pci and keeps its VFs behind "
                         "a token: bind the PF to its own driver",
                         PCI_ADDR_STR(dev));
    case ENODEV:
        return error_set(e, -ENODEV, "%s isn't bound to vfio-pci: bind it first",
                         PCI_ADDR_STR(dev));
    default:
        return error_set(e, -errno, "%s can't be opened by VFIO: %s", PCI_ADDR_STR(dev),
                         strerror(errno));
    }
}

int vfio_open(const struct pci_addr *dev, int container, struct vfio_fds *ret, struct error *e)
{
    _cleanup_vfio_fds_ struct vfio_fds fds = VFIO_FDS_INIT;
    const bool is_new = container < 0;
    const int group = vfio_group_of(dev, e);
    int r;

    if (group < 0)
        return group;
    fds.group = open_group(dev, group, e);
    if (fds.group < 0)
        return fds.group;
    r = check_viable(dev, fds.group, e);
    if (r < 0)
        return r;
    fds.container = is_new ? open_container(e) : fcntl(container, F_DUPFD_CLOEXEC, 0);
    if (fds.container < 0)
        return is_new ? fds.container
                      : error_set(e, -errno, "the container of %s's VM: %s", PCI_ADDR_STR(dev),
                                  strerror(errno));
    r = attach(dev, fds.container, is_new, fds.group, e);
    if (r < 0)
        return r;
    fds.device = get_device(dev, fds.group, e);
    if (fds.device < 0)
        return fds.device;
    ret->container = TAKE_FD(fds.container);
    ret->group = TAKE_FD(fds.group);
    ret->device = TAKE_FD(fds.device);
    return 0;
}

void vfio_fds_done(struct vfio_fds *fds)
{
    closep(&fds->device);
    closep(&fds->group);
    closep(&fds->container);
}
