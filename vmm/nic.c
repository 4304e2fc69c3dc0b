/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/nic.h"

#include "basic/log.h"
#include "vmm/vfio-pci.h"
#include "vmm/virtio-net.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

static int make_vf(struct machine *m, const struct handoff_nic *nic, const int *fds,
                   struct pci_device **ret, struct error *e)
{
    const struct vfio_pci_fds vf = {.container = fds[0], .group = fds[1], .device = fds[2]};

    return vfio_pci_new(m, nic->name, nic->container, &vf, ret, e);
}

static int make_virtio(struct machine *m, const struct handoff_nic *nic, const int *fds,
                       struct pci_device **ret, struct error *e)
{
    const bool standby = nic->flags & HANDOFF_FLAG_STANDBY;
    int r = virtio_net_new(m, nic->mac, standby, fds[0], fds[1], ret, e);

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

/* What the kernel tells of a VF, each of which makes it leave. */
static const struct {
    unsigned index; /* of VFIO */
    enum handoff_reason reason;
    uint32_t deadline_ms;
} events[NIC_EVENTS] = {
    {VFIO_PCI_ERR_IRQ_INDEX, HANDOFF_REASON_ERROR, 0},
    /* The kernel waits, and a person who wrote to `unbind` with it. */
    {VFIO_PCI_REQ_IRQ_INDEX, HANDOFF_REASON_KERNEL, 10000},
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void drain(int fd)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: it was nothing */
}

static void report(struct nic *n, enum handoff_state state)
{
    n->state = state;
    if (n->set->changed)
        n->set->changed(n->set->opaque, n);
}

/* ---- what the guest does: under the machine's lock, in any thread ---- */

static struct nic *find_device(const struct nic_set *s, const struct pci_device *d)
{
    for (struct nic *n = s->first; n; n = n->next)
        if (d && n->device == d)
            return n;
    return NULL;
}

static void guest_reached(struct nic *n, enum handoff_state state)
{
    const uint64_t one = 1;

    if (n->guest >= state)
        return;
    n->guest = state;
    if (write(n->set->wake, &one, sizeof(one)) < 0)
        return; /* EAGAIN: the main thread has been woken 2^64 times */
}

static void on_activated(void *opaque, struct pci_device *d)
{
    struct nic *n = find_device(opaque, d);

    if (n)
        guest_reached(n, HANDOFF_STATE_ACTIVE);
}

static void on_acknowledged(void *opaque, unsigned slot)
{
    const struct nic_set *s = opaque;
    struct nic *n = find_device(s, s->machine->pci.slots[slot]);

    if (n)
        guest_reached(n, HANDOFF_STATE_ACKNOWLEDGED);
}

static void on_ejected(void *opaque, unsigned slot)
{
    struct nic_set *s = opaque;
    struct pci_bus *bus = &s->machine->pci;
    struct nic *n = find_device(s, bus->slots[slot]);

    bus->withheld &= ~(1U << slot);
    /* What the guest hasn't been told of it can't mean. */
    if (!n || hotplug_unseen(&s->hotplug, slot))
        return;
    hotplug_forget(&s->hotplug, slot);
    pci_bus_remove(bus, n->device);
    guest_reached(n, HANDOFF_STATE_EJECTED);
}

static const struct hotplug_ops hotplug_ops = {
    .acknowledged = on_acknowledged,
    .ejected = on_ejected,
};

/* ---- leaving: in the main thread ---- */

static void unwatch(struct nic *n)
{
    for (unsigned i = 0; i < NIC_EVENTS; i++) {
        loop_remove(&n->set->machine->loop, n->events[i].fd);
        closep(&n->events[i].fd);
    }
}

static void unlink_nic(struct nic *n)
{
    struct nic **link = &n->set->first;

    pthread_mutex_lock(&n->set->machine->lock);
    while (*link != n)
        link = &(*link)->next;
    *link = n->next;
    pthread_mutex_unlock(&n->set->machine->lock);
}

/* It is off the bus: close everything, and then say so. */
static void finish(struct nic *n, enum handoff_state state)
{
    unwatch(n);
    n->device->ops->destroy(n->device);
    unlink_nic(n);
    report(n, state);
    free(n);
}

/* Off the bus, whatever the guest does with it; returns the state it leaves in. */
static enum handoff_state pull(struct nic *n)
{
    struct nic_set *s = n->set;
    enum handoff_state state = HANDOFF_STATE_EJECTED;

    pthread_mutex_lock(&s->machine->lock);
    if (n->guest < HANDOFF_STATE_EJECTED) {
        pci_bus_remove(&s->machine->pci, n->device);
        if (hotplug_unseen(&s->hotplug, n->slot)) {
            hotplug_forget(&s->hotplug, n->slot);
        } else {
            state = HANDOFF_STATE_REVOKED;
            s->machine->pci.withheld |= 1U << n->slot;
            /* Its driver had better learn of it. */
            if (n->state < HANDOFF_STATE_REQUESTED)
                hotplug_request(&s->hotplug, n->slot);
        }
    }
    pthread_mutex_unlock(&s->machine->lock);
    return state;
}

static void settle_one(struct nic *n)
{
    struct nic_set *s = n->set;
    enum handoff_state guest;
    bool unseen;

    pthread_mutex_lock(&s->machine->lock);
    guest = n->guest;
    unseen = hotplug_unseen(&s->hotplug, n->slot);
    pthread_mutex_unlock(&s->machine->lock);
    if (guest == HANDOFF_STATE_EJECTED)
        finish(n, guest);
    else if (n->asked && (unseen || now() >= n->deadline))
        finish(n, pull(n));
    else if (guest > n->state)
        report(n, guest);
}

static void set_timer(struct nic_set *s)
{
    struct itimerspec t = {0};
    uint64_t first = UINT64_MAX;

    for (const struct nic *n = s->first; n; n = n->next)
        if (n->asked && n->deadline < first)
            first = n->deadline;
    if (first < UINT64_MAX)
        t.it_value = (struct timespec){.tv_sec = (time_t)(first / NS_PER_S),
                                       .tv_nsec = (long)(first % NS_PER_S)};
    if (timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL) < 0)
        log_warning("cannot set the deadline of a removal: %s", strerror(errno));
}

/* Take up all that has happened. */
static void settle(struct nic_set *s)
{
    struct nic *next;

    for (struct nic *n = s->first; n; n = next) {
        next = n->next;
        settle_one(n);
    }
    set_timer(s);
}

void nic_remove(struct nic *n, uint32_t deadline_ms, enum handoff_reason reason)
{
    struct nic_set *s = n->set;
    const uint64_t deadline = now() + deadline_ms * NS_PER_MS;

    if (!n->asked || deadline < n->deadline)
        n->deadline = deadline;
    if (!n->asked || reason == HANDOFF_REASON_ERROR)
        n->reason = reason;
    n->asked = true;
    pthread_mutex_lock(&s->machine->lock);
    deadline_ms = hotplug_unseen(&s->hotplug, n->slot) ? 0 : deadline_ms;
    if (deadline_ms > 0 && n->state < HANDOFF_STATE_REQUESTED)
        hotplug_request(&s->hotplug, n->slot);
    pthread_mutex_unlock(&s->machine->lock);
    if (deadline_ms > 0)
        report(n, n->state < HANDOFF_STATE_REQUESTED ? HANDOFF_STATE_REQUESTED : n->state);
    settle(s);
}

void nic_set_reset(struct nic_set *s)
{
    pthread_mutex_lock(&s->machine->lock);
    for (struct nic *n = s->first; n; n = n->next) {
        if (!n->asked || n->guest == HANDOFF_STATE_EJECTED)
            continue;
        pci_bus_remove(&s->machine->pci, n->device);
        n->guest = HANDOFF_STATE_EJECTED;
    }
    s->machine->pci.withheld = 0;
    hotplug_reset(&s->hotplug);
    pthread_mutex_unlock(&s->machine->lock);
    settle(s);
}

static void on_event(void *opaque, uint32_t ready _unused_)
{
    struct nic_event *event = opaque;
    struct nic *n = event->nic;
    const size_t i = (size_t)(event - n->events);

    drain(event->fd);
    if (events[i].reason == HANDOFF_REASON_ERROR)
        log_warning("%s: an uncorrectable error: the guest loses it", n->name);
    nic_remove(n, events[i].deadline_ms, events[i].reason);
}

static void on_wake(void *opaque, uint32_t ready _unused_)
{
    struct nic_set *s = opaque;

    drain(s->wake);
    settle(s);
}

static void on_timer(void *opaque, uint32_t ready _unused_)
{
    struct nic_set *s = opaque;

    drain(s->timer);
    settle(s);
}

/* ---- coming ---- */

static int make(struct machine *m, const struct handoff_nic *what, const int *fds,
                struct pci_device **ret, struct error *e)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (kinds[i].kind == what->kind)
            return kinds[i].make(m, what, fds, ret, e);
    return error_set(e, -EPROTO, "%s: a NIC of an unknown kind (%u)", what->name, what->kind);
}

static int watch(struct nic *n, unsigned i)
{
    struct nic_event *event = &n->events[i];
    _cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r;

    if (fd < 0)
        return -errno;
    r = vfio_pci_notify(n->device, events[i].index, fd);
    if (r == -EOPNOTSUPP)
        return 0;
    if (r == 0)
        r = loop_add(&n->set->machine->loop, fd, EPOLLIN, on_event, event);
    if (r == 0)
        event->fd = TAKE_FD(fd);
    return r;
}

static int watch_all(struct nic *n, struct error *e)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && n->kind == HANDOFF_KIND_VF && i < NIC_EVENTS; i++)
        r = watch(n, i);
    if (r < 0)
        unwatch(n);
    return r < 0 ? error_set(e, r, "%s: cannot watch for its errors: %s", n->name, strerror(-r))
                 : 0;
}

static int plug(struct nic *n, bool live, struct error *e)
{
    struct nic_set *s = n->set;
    struct nic **last = &s->first;
    int slot;

    pthread_mutex_lock(&s->machine->lock);
    slot = pci_bus_add(&s->machine->pci, n->device, e);
    if (slot >= 0) {
        n->slot = (unsigned)slot;
        while (*last)
            last = &(*last)->next;
        *last = n;
        if (live)
            hotplug_insert(&s->hotplug, n->slot);
    }
    pthread_mutex_unlock(&s->machine->lock);
    return slot < 0 ? error_prefix(e, "%s", n->name) : 0;
}

static int add(struct nic *n, const struct handoff_nic *what, int *fds, bool live, struct error *e)
{
    int r = make(n->set->machine, what, fds, &n->device, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        fds[i] = -1; /* the device's now */
    r = watch_all(n, e);
    if (r == 0)
        r = plug(n, live, e);
    if (r < 0) {
        unwatch(n);
        n->device->ops->destroy(n->device);
    }
    return r;
}

static int check(const struct nic_set *s, const struct handoff_nic *what, struct error *e)
{
    if (what->generation == 0)
        return error_set(e, -EPROTO, "%s: a NIC without the generation of its lease", what->name);
    if (nic_find(s, what->generation))
        return error_set(e, -EEXIST, "%s: the VM has the NIC of that lease already", what->name);
    return 0;
}

static struct nic *new_nic(struct nic_set *s, const struct handoff_nic *what)
{
    struct nic *n = calloc(1, sizeof(*n));

    if (!n)
        return NULL;
    n->set = s;
    n->generation = what->generation;
    n->kind = what->kind;
    n->state = n->guest = HANDOFF_STATE_OFFERED;
    memcpy(n->name, what->name, sizeof(n->name));
    for (unsigned i = 0; i < NIC_EVENTS; i++)
        n->events[i] = (struct nic_event){.nic = n, .fd = -1};
    return n;
}

int nic_add(struct nic_set *s, const struct handoff_nic *what, int fds[static HANDOFF_FDS_MAX],
            bool live, struct error *e)
{
    _cleanup_free_ struct nic *n = new_nic(s, what);
    int r = n ? check(s, what, e) : error_set(e, -ENOMEM, "%s: out of memory", what->name);

    if (r == 0)
        r = add(n, what, fds, live, e);
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    if (r < 0)
        return r;
    n = NULL; /* the set's */
    return 0;
}

struct nic *nic_find(const struct nic_set *s, uint64_t generation)
{
    for (struct nic *n = s->first; n; n = n->next)
        if (n->generation == generation)
            return n;
    return NULL;
}

int nic_set_init(struct nic_set *s, struct machine *m, struct error *e)
{
    int r;

    *s = (struct nic_set){.machine = m, .wake = -1, .timer = -1};
    m->pci.activated = on_activated;
    m->pci.opaque = s;
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    r = s->wake < 0 || s->timer < 0 ? -errno : 0;
    if (r == 0)
        r = hotplug_init(&s->hotplug, &m->pio, &m->kvm, &hotplug_ops, s);
    if (r == 0)
        r = loop_add(&m->loop, s->wake, EPOLLIN, on_wake, s);
    if (r == 0)
        r = loop_add(&m->loop, s->timer, EPOLLIN, on_timer, s);
    return r < 0 ? error_set(e, r, "cannot make the hotplug controller: %s", strerror(-r)) : 0;
}

void nic_set_done(struct nic_set *s)
{
    struct nic *next;

    for (struct nic *n = s->first; n; n = next) {
        next = n->next;
        unwatch(n);
        if (n->guest == HANDOFF_STATE_EJECTED) /* and so off the bus */
            n->device->ops->destroy(n->device);
        free(n);
    }
    s->first = NULL;
    loop_remove(&s->machine->loop, s->wake);
    loop_remove(&s->machine->loop, s->timer);
    closep(&s->wake);
    closep(&s->timer);
}
