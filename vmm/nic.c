/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/nic.h"

#include "vmm/vfio-pci.h"
#include "vmm/virtio-net.h"

#include <errno.h>

static int make_vf(struct machine *m, const struct handoff_nic *nic, const int *fds,
                   struct pci_device **ret, struct error *e)
{
    const struct vfio_pci_fds vf = {.container = fds[0], .group = fds[1], .device = fds[2]};

    return vfio_pci_new(m, nic->name, nic->container, &vf, ret, e);
}

static int make_virtio(struct machine *m, const struct handoff_nic *nic, const int *fds,
                       struct pci_device **ret, struct error *e)
{
    int r = virtio_net_new(m, nic->mac, fds[0], fds[1], ret, e);

    if (r < 0)
        error_prefix(e, "%s", nic->name);
    return r;
}

/* One a kind of NIC. The fds, in the order of the handoff, become the device's on success. */
static const struct {
    uint32_t kind;
    int (*make)(struct machine *m, const struct handoff_nic *nic, const int *fds,
                struct pci_device **ret, struct error *e);
} kinds[] = {
    {HANDOFF_KIND_VF, make_vf},
    {HANDOFF_KIND_VIRTIO, make_virtio},
};

static int make(struct machine *m, const struct handoff_nic *nic, const int *fds,
                struct pci_device **ret, struct error *e)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (kinds[i].kind == nic->kind)
            return kinds[i].make(m, nic, fds, ret, e);
    return error_set(e, -EPROTO, "%s: a NIC of an unknown kind (%u)", nic->name, nic->kind);
}

static int make_and_plug(struct machine *m, const struct handoff_nic *nic, int *fds,
                         struct error *e)
{
    struct pci_device *d;
    int r = make(m, nic, fds, &d, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        fds[i] = -1; /* the device's now */
    r = pci_bus_add(&m->pci, d, e);
    if (r < 0) {
        error_prefix(e, "%s", nic->name);
        d->ops->destroy(d);
        return r;
    }
    return 0;
}

static int plug(struct machine *m, const struct handoff_nic *nic, int *fds, struct error *e)
{
    int r;

    pthread_mutex_lock(&m->lock);
    r = make_and_plug(m, nic, fds, e);
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    return r;
}

static int send_message(int sock, const struct handoff_msg *msg, struct error *e)
{
    int r = handoff_send(sock, msg, NULL, 0);

    if (r < 0)
        return error_set(e, r, "the agent cannot be written to: %s", strerror(-r));
    return 0;
}

static int say_hello(int sock, const char *name, struct error *e)
{
    struct handoff_msg msg;

    if (!vm_name_valid(name))
        return error_set(e, -EINVAL, "'%s' cannot be the name of a VM", name);
    handoff_msg_init(&msg, HANDOFF_HELLO, 0);
    snprintf(msg.vm, sizeof(msg.vm), "%s", name);
    return send_message(sock, &msg, e);
}

static int say_taken(int sock, uint32_t seq, struct error *e)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, HANDOFF_TAKEN, seq);
    return send_message(sock, &msg, e);
}

/* One message of the agent; 1 when it was the last. */
static int take_message(struct machine *m, int sock, unsigned *count, struct error *e)
{
    struct handoff_msg msg;
    int fds[HANDOFF_FDS_MAX];
    int r = handoff_recv(sock, &msg, fds);

    if (r < 0)
        return error_set(e, r, "the agent broke off the handoff: %s", strerror(-r));
    switch (msg.type) {
    case HANDOFF_NIC:
        r = plug(m, &msg.nic, fds, e);
        if (r == 0)
            r = say_taken(sock, msg.seq, e);
        if (r == 0)
            ++*count;
        return r;
    case HANDOFF_READY:
        return 1;
    case HANDOFF_REFUSED:
        return error_set(e, msg.code, "the agent refuses: %s", msg.text);
    default:
        return error_set(e, -EPROTO, "the agent sent a message out of turn (type %u)", msg.type);
    }
}

int nic_take_all(struct machine *m, int sock, unsigned *ret_count, struct error *e)
{
    unsigned count = 0;
    int r = say_hello(sock, m->name, e);

    while (r == 0)
        r = take_message(m, sock, &count, e);
    if (r < 0)
        return r;
    *ret_count = count;
    return 0;
}
