/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NICs without hardware, for tests of what comes and goes: a machine with a hotplug controller,
 * whose VFs and virtio NICs are PCI functions that do nothing. Link with FAKE_NICS_WRAP.
 */
#ifndef TESTS_UNIT_FAKE_NICS_H
#define TESTS_UNIT_FAKE_NICS_H

#include "bare-machine.h"
#include "vmm/nic.h"
#include "vmm/vfio-pci.h"
#include "vmm/virtio-net.h"

#include <dirent.h>
#include <linux/vfio.h>
#include <sys/epoll.h>

static struct {
    bool real;       /* the fds are looked at by the real code */
    int result;      /* of making a device */
    unsigned alive;  /* devices that have not been destroyed */
    bool standby;    /* of the last virtio NIC */
    int error, wish; /* eventfds of the last VF: its error, the kernel's wish to have it back */
} fake_nics;

struct fake_nic {
    struct pci_device pci;
    struct machine *machine;
    int fds[HANDOFF_FDS_MAX];
};

static inline void fake_nic_written(struct pci_device *d, unsigned offset _unused_,
                                    unsigned len _unused_, uint32_t value _unused_)
{
    if (pci_get16(d->config, PCI_COMMAND) & PCI_COMMAND_MASTER)
        pci_device_active(d);
}

static inline void fake_nic_reset(struct pci_device *d _unused_)
{
}

/* As real ones do, it takes the lock: a caller that holds it hangs. */
static inline void fake_nic_destroy(struct pci_device *d)
{
    struct fake_nic *n = CONTAINER_OF(d, struct fake_nic, pci);

    pthread_mutex_lock(&n->machine->lock);
    fake_nics.alive--;
    pthread_mutex_unlock(&n->machine->lock);
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&n->fds[i]);
    free(n);
}

static const struct pci_device_ops fake_nic_ops = {
    .name = "fake",
    .config_written = fake_nic_written,
    .reset = fake_nic_reset,
    .destroy = fake_nic_destroy,
};

static inline int fake_nic_new(struct machine *m, int fd0, int fd1, int fd2,
                               struct pci_device **ret, struct error *e)
{
    struct fake_nic *n;

    if (fake_nics.result < 0)
        return error_set(e, fake_nics.result, "fake: cannot be made");
    n = calloc(1, sizeof(*n));
    assert_non_null(n);
    *n = (struct fake_nic){.pci.ops = &fake_nic_ops, .machine = m, .fds = {fd0, fd1, fd2}};
    pci_put32(n->pci.config, PCI_VENDOR_ID, 0x10ca8086);
    fake_nics.alive++;
    *ret = &n->pci;
    return 0;
}

int __real_vfio_pci_new(struct machine *m, const char *name, uint32_t container,
                        const struct vfio_pci_fds *fds, struct pci_device **ret, struct error *e);
int __wrap_vfio_pci_new(struct machine *m, const char *name, uint32_t container,
                        const struct vfio_pci_fds *fds, struct pci_device **ret, struct error *e);
int __real_virtio_net_new(struct machine *m, const uint8_t mac[static 6], bool standby, int tap,
                          int vhost, struct pci_device **ret, struct error *e);
int __wrap_virtio_net_new(struct machine *m, const uint8_t mac[static 6], bool standby, int tap,
                          int vhost, struct pci_device **ret, struct error *e);
int __wrap_vfio_pci_notify(struct pci_device *d, unsigned index, int eventfd);

int __wrap_vfio_pci_new(struct machine *m, const char *name, uint32_t container,
                        const struct vfio_pci_fds *fds, struct pci_device **ret, struct error *e)
{
    return fake_nics.real ? __real_vfio_pci_new(m, name, container, fds, ret, e)
                          : fake_nic_new(m, fds->container, fds->group, fds->device, ret, e);
}

int __wrap_virtio_net_new(struct machine *m, const uint8_t mac[static 6], bool standby, int tap,
                          int vhost, struct pci_device **ret, struct error *e)
{
    fake_nics.standby = standby;
    return fake_nics.real ? __real_virtio_net_new(m, mac, standby, tap, vhost, ret, e)
                          : fake_nic_new(m, tap, vhost, -1, ret, e);
}

int __wrap_vfio_pci_notify(struct pci_device *d _unused_, unsigned index, int eventfd)
{
    *(index == VFIO_PCI_ERR_IRQ_INDEX ? &fake_nics.error : &fake_nics.wish) = eventfd;
    return 0;
}

static inline void fake_nics_init(struct machine *m, struct nic_set *s)
{
    memset(&fake_nics, 0, sizeof(fake_nics));
    bare_machine_init(m);
    assert_int_equal(loop_init(&m->loop), 0);
    assert_int_equal(nic_set_init(s, m, NULL), 0);
}

static inline void fake_nics_done(struct machine *m, struct nic_set *s)
{
    nic_set_done(s);
    bare_machine_done(m);
    loop_done(&m->loop);
    assert_int_equal(fake_nics.alive, 0);
}

/* What the main thread does: dispatch until nothing happens for @ms. */
static inline void fake_nics_pump(struct machine *m, int ms)
{
    struct epoll_event event;

    while (epoll_wait(m->loop.epoll, &event, 1, ms) > 0)
        for (unsigned i = 0; i < LOOP_SOURCES_MAX; i++)
            if (m->loop.sources[i].fd == event.data.fd) {
                m->loop.sources[i].ready(m->loop.sources[i].opaque, event.events);
                break;
            }
}

/* What the guest does, in its vCPU thread. */
static inline uint32_t guest_in(struct machine *m, uint16_t port)
{
    uint64_t value;

    pthread_mutex_lock(&m->lock);
    value = bus_read(&m->pio, port, 4);
    pthread_mutex_unlock(&m->lock);
    return (uint32_t)value;
}

static inline void guest_eject(struct machine *m, uint32_t slots)
{
    pthread_mutex_lock(&m->lock);
    bus_write(&m->pio, HOTPLUG_PORT_EJECT, 4, slots);
    pthread_mutex_unlock(&m->lock);
}

static inline void guest_turns_on(struct machine *m, unsigned slot)
{
    pthread_mutex_lock(&m->lock);
    bus_write(&m->mmio, config_at(slot, PCI_COMMAND), 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pthread_mutex_unlock(&m->lock);
}

static inline bool guest_sees(struct machine *m, unsigned slot)
{
    return bus_read(&m->mmio, config_at(slot, PCI_VENDOR_ID), 4) != UINT32_MAX;
}

static inline unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* As many fds as a NIC of @kind has, of a file that is nothing of the sort. */
static inline void wrong_fds(uint32_t kind, int fds[static HANDOFF_FDS_MAX])
{
    for (int i = 0; i < HANDOFF_FDS_MAX; i++)
        fds[i] = i < handoff_fd_count(kind) ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
}

#endif
