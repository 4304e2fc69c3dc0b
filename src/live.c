/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/live.h"

#include "src/nic-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#define ANSWER_MS 30000
/* How long after the deadline a VMM may take to tear a device down and say so. */
#define GRACE_MS 10000
/* Once a VM runs its NICs are told apart by their lease; every message needs a number. */
#define LIVE_SEQ 1

struct live_vm {
    char vm[LEASE_VM];
    int sock;
    pid_t pid;
    unsigned refs; /* the table's, and one a worker that talks */
    bool ready;
    bool gone;            /* its socket may be closed: nothing is sent any more */
    pthread_mutex_t talk; /* held for a question and its answer */
    bool asked, answered;
    struct handoff_msg answer;
    int answer_fd;
    struct live_vm *next;
};

struct live_nic {
    uint64_t generation;
    char vm[LEASE_VM];
    char id[LEASE_ID]; /* of its lease, for events; "" of one found by RESUME */
    enum handoff_state state;
    struct live_nic *next;
};

struct live {
    pthread_mutex_t lock; /* of everything below; never held while something blocks */
    pthread_cond_t changed;
    struct live_vm *vms;
    struct live_nic *nics;
    struct event_queue *events;
};

static const char *const state_names[HANDOFF_STATE_COUNT] = {
    [0] = "",
    [HANDOFF_STATE_OFFERED] = "offered",
    [HANDOFF_STATE_ACTIVE] = "active",
    [HANDOFF_STATE_REQUESTED] = "requested",
    [HANDOFF_STATE_ACKNOWLEDGED] = "acknowledged",
    [HANDOFF_STATE_EJECTED] = "ejected",
    [HANDOFF_STATE_REVOKED] = "revoked",
};

const char *live_state_name(enum handoff_state state)
{
    return state_names[state];
}

int live_new(struct live **ret)
{
    struct live *live = calloc(1, sizeof(*live));
    pthread_condattr_t attr;

    if (!live)
        return -ENOMEM;
    pthread_mutex_init(&live->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&live->changed, &attr);
    pthread_condattr_destroy(&attr);
    *ret = live;
    return 0;
}

static void vm_unref(struct live_vm *v)
{
    if (--v->refs > 0)
        return;
    closep(&v->answer_fd);
    pthread_mutex_destroy(&v->talk);
    free(v);
}

void live_free(struct live *live)
{
    if (!live)
        return;
    while (live->vms)
        live_leave(live, live->vms->vm);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

void live_set_events(struct live *live, struct event_queue *events)
{
    pthread_mutex_lock(&live->lock);
    live->events = events;
    pthread_mutex_unlock(&live->lock);
}

/* ---- under the lock ---- */

static struct live_vm *find_vm(struct live *live, const char *vm)
{
    for (struct live_vm *v = live->vms; v; v = v->next)
        if (streq(v->vm, vm))
            return v;
    return NULL;
}

static struct live_nic *find_nic(struct live *live, uint64_t generation)
{
    for (struct live_nic *n = live->nics; n; n = n->next)
        if (n->generation == generation)
            return n;
    return NULL;
}

static void drop_nic(struct live *live, const struct live_nic *nic)
{
    struct live_nic **p = &live->nics;

    while (*p != nic)
        p = &(*p)->next;
    *p = nic->next;
    free((void *)nic);
}

static struct live_nic *note_nic(struct live *live, const char *vm, uint64_t generation)
{
    struct live_nic *n = find_nic(live, generation);

    if (n)
        return n;
    n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->generation = generation;
    snprintf(n->vm, sizeof(n->vm), "%s", vm);
    n->next = live->nics;
    live->nics = n;
    return n;
}

/* Wait for a change until @deadline; false when it has passed. */
static bool wait_until(struct live *live, const struct timespec *deadline)
{
    return pthread_cond_timedwait(&live->changed, &live->lock, deadline) != ETIMEDOUT;
}

static struct timespec after_ms(unsigned ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* ---- main thread ---- */

int live_join(struct live *live, const char *vm, int sock, pid_t pid)
{
    struct live_vm *v = calloc(1, sizeof(*v));
    bool taken;

    if (!v)
        return -ENOMEM;
    *v = (struct live_vm){.sock = sock, .pid = pid, .refs = 1, .answer_fd = -1};
    snprintf(v->vm, sizeof(v->vm), "%s", vm);
    pthread_mutex_init(&v->talk, NULL);
    pthread_mutex_lock(&live->lock);
    taken = find_vm(live, vm) != NULL;
    if (taken) {
        vm_unref(v);
    } else {
        v->next = live->vms;
        live->vms = v;
    }
    pthread_mutex_unlock(&live->lock);
    return taken ? -EEXIST : 0;
}

void live_set_ready(struct live *live, const char *vm)
{
    struct live_vm *v;

    pthread_mutex_lock(&live->lock);
    v = find_vm(live, vm);
    if (v)
        v->ready = true;
    pthread_cond_broadcast(&live->changed);
    pthread_mutex_unlock(&live->lock);
}

void live_leave(struct live *live, const char *vm)
{
    struct live_vm **p = &live->vms;

    pthread_mutex_lock(&live->lock);
    while (*p && !streq((*p)->vm, vm))
        p = &(*p)->next;
    for (struct live_nic *n = live->nics, *next; n; n = next) {
        next = n->next;
        if (streq(n->vm, vm))
            drop_nic(live, n);
    }
    if (*p) {
        struct live_vm *v = *p;

        *p = v->next;
        v->gone = true;
        v->sock = -1;
        vm_unref(v);
    }
    pthread_cond_broadcast(&live->changed);
    pthread_mutex_unlock(&live->lock);
}

static int note_state(struct live *live, const char *vm, const struct handoff_change *c)
{
    const enum handoff_state state = (enum handoff_state)c->state;
    struct live_nic *n = note_nic(live, vm, c->generation);

    if (!n)
        return -ENOMEM;
    /* A generation is one VM's: another can't speak for it. */
    if (!streq(n->vm, vm))
        return -EPROTO;
    if (n->state != state)
        event_post(live->events, live_state_name(state), n->id, vm,
                   c->reason == HANDOFF_REASON_ERROR ? "the device had an error" : "");
    n->state = state;
    if (state == HANDOFF_STATE_EJECTED || state == HANDOFF_STATE_REVOKED)
        drop_nic(live, n);
    return 0;
}

static int note_answer(struct live_vm *v, const struct handoff_msg *m, int *fd)
{
    if (!v->asked || v->answered)
        return -EPROTO;
    v->answer = *m;
    v->answer_fd = TAKE_FD(*fd);
    v->answered = true;
    return 0;
}

int live_message(struct live *live, const char *vm, const struct handoff_msg *m,
                 int fds[static HANDOFF_FDS_MAX])
{
    struct live_vm *v;
    int r = -EPROTO;

    pthread_mutex_lock(&live->lock);
    v = find_vm(live, vm);
    if (v && m->type == HANDOFF_STATE)
        r = note_state(live, vm, &m->change);
    else if (v && (m->type == HANDOFF_CONTAINER || m->type == HANDOFF_TAKEN ||
                   m->type == HANDOFF_REFUSED))
        r = note_answer(v, m, &fds[0]);
    pthread_cond_broadcast(&live->changed);
    pthread_mutex_unlock(&live->lock);
    for (size_t i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    return r;
}

/* ---- any thread ---- */

int live_running(struct live *live, struct running_list *ret, struct error *e)
{
    struct running *items;
    size_t n = 0;

    pthread_mutex_lock(&live->lock);
    for (const struct live_vm *v = live->vms; v; v = v->next)
        n++;
    items = calloc(n ? n : 1, sizeof(*items));
    n = 0;
    for (const struct live_vm *v = live->vms; items && v; v = v->next) {
        snprintf(items[n].vm, sizeof(items[n].vm), "%s", v->vm);
        items[n++].pid = v->pid;
    }
    pthread_mutex_unlock(&live->lock);
    if (!items)
        return error_set(e, -ENOMEM, "out of memory");
    *ret = (struct running_list){.items = items, .count = n};
    return 0;
}

bool live_is_ready(struct live *live, const char *vm)
{
    const struct live_vm *v;
    bool ready;

    pthread_mutex_lock(&live->lock);
    v = find_vm(live, vm);
    ready = v && v->ready;
    pthread_mutex_unlock(&live->lock);
    return ready;
}

static bool all_ready(const struct live *live)
{
    for (const struct live_vm *v = live->vms; v; v = v->next)
        if (!v->ready)
            return false;
    return true;
}

void live_wait_ready(struct live *live, unsigned ms)
{
    const struct timespec deadline = after_ms(ms);

    pthread_mutex_lock(&live->lock);
    while (!all_ready(live) && wait_until(live, &deadline))
        ;
    pthread_mutex_unlock(&live->lock);
}

enum handoff_state live_state(struct live *live, uint64_t generation)
{
    const struct live_nic *n;
    enum handoff_state state;

    pthread_mutex_lock(&live->lock);
    n = find_nic(live, generation);
    state = n ? n->state : 0;
    pthread_mutex_unlock(&live->lock);
    return state;
}

/* ---- worker threads ---- */

static struct live_vm *vm_ref(struct live *live, const char *vm)
{
    struct live_vm *v;

    pthread_mutex_lock(&live->lock);
    v = find_vm(live, vm);
    if (v)
        v->refs++;
    pthread_mutex_unlock(&live->lock);
    return v;
}

static void vm_put(struct live *live, struct live_vm *v)
{
    pthread_mutex_lock(&live->lock);
    vm_unref(v);
    pthread_mutex_unlock(&live->lock);
}

/* Send under the lock, so that the socket is the VMM's and not a later one of that number. */
static int say(struct live *live, struct live_vm *v, const struct handoff_msg *m, const int *fds,
               size_t n_fds, bool question)
{
    int r;

    pthread_mutex_lock(&live->lock);
    r = v->gone ? -ENODEV : handoff_send(v->sock, m, fds, n_fds);
    v->asked = r == 0 && question;
    v->answered = false;
    pthread_mutex_unlock(&live->lock);
    return r;
}

int live_send(struct live *live, const char *vm, const struct handoff_msg *m, const int *fds,
              size_t n_fds)
{
    struct live_vm *v = vm_ref(live, vm);
    int r;

    if (!v)
        return -ENODEV;
    r = say(live, v, m, fds, n_fds, false);
    vm_put(live, v);
    return r;
}

/* The answer to what was said last. @ret_fd: the fd that came with it, or -1. */
static int hear(struct live *live, struct live_vm *v, struct handoff_msg *ret, int *ret_fd)
{
    const struct timespec deadline = after_ms(ANSWER_MS);
    int r = 0;

    pthread_mutex_lock(&live->lock);
    while (!v->answered && !v->gone && r == 0)
        r = wait_until(live, &deadline) ? 0 : -ETIMEDOUT;
    if (v->answered) {
        *ret = v->answer;
        *ret_fd = TAKE_FD(v->answer_fd);
        r = 0;
    } else if (v->gone) {
        r = -ENODEV;
    }
    v->asked = v->answered = false;
    pthread_mutex_unlock(&live->lock);
    return r;
}

/* The answer must be of the expected type, and about the same. */
static int expect(struct live *live, struct live_vm *v, uint16_t type, uint32_t seq, int *ret_fd,
                  struct error *e)
{
    struct handoff_msg answer;
    int r = hear(live, v, &answer, ret_fd);

    if (r < 0)
        return error_set(e, r, "the VMM of %s doesn't answer: %s", v->vm, strerror(-r));
    if (answer.type == HANDOFF_REFUSED)
        return error_set(e, answer.code, "the VMM of %s refused it: %s", v->vm, answer.text);
    if (answer.type != type || answer.seq != seq)
        return error_set(e, -EPROTO, "the VMM of %s answered with something else", v->vm);
    return 0;
}

static int ask_container(struct live *live, struct live_vm *v, int *ret, struct error *e)
{
    struct handoff_msg m;
    int r;

    handoff_msg_init(&m, HANDOFF_WANT_CONTAINER, 0);
    r = say(live, v, &m, NULL, 0, true);
    if (r < 0)
        return error_set(e, r, "the VMM of %s can't be asked: %s", v->vm, strerror(-r));
    return expect(live, v, HANDOFF_CONTAINER, 0, ret, e);
}

static int open_fds(struct live *live, struct live_vm *v, const struct lease *l, int *container,
                    struct nic_fds *ret, struct error *e)
{
    _cleanup_close_ int asked = -1;
    int r;

    if (l->kind == LEASE_KIND_VIRTIO)
        return nic_fds_open_virtio(l, ret, e);
    if (!container) {
        r = ask_container(live, v, &asked, e);
        return r < 0 ? r : nic_fds_open_vf(l, asked, ret, e);
    }
    r = nic_fds_open_vf(l, *container, ret, e);
    if (r == 0 && *container < 0)
        *container = fcntl(ret->fds[0], F_DUPFD_CLOEXEC, 0);
    return r;
}

static void fill_nic(struct handoff_msg *m, const struct lease *l, uint32_t seq)
{
    const uint64_t mac = l->wanted.value[POLICY_MAC];

    handoff_msg_init(m, HANDOFF_NIC, seq);
    m->nic.kind = l->kind == LEASE_KIND_VF ? HANDOFF_KIND_VF : HANDOFF_KIND_VIRTIO;
    m->nic.container = 1;
    m->nic.generation = l->generation;
    m->nic.flags = l->standby ? HANDOFF_FLAG_STANDBY : 0;
    for (unsigned i = 0; policy_has(&l->wanted, POLICY_MAC) && i < 6; i++)
        m->nic.mac[i] = (uint8_t)(mac >> (40 - 8 * i));
    snprintf(m->nic.name, sizeof(m->nic.name), "%s", l->id);
    if (l->kind == LEASE_KIND_VF)
        pci_addr_format(&l->vf, m->nic.pci);
}

/* Known as held from before it is sent: whatever the VMM then says of it is about this one. */
static int hold(struct live *live, const struct lease *l)
{
    struct live_nic *n;

    pthread_mutex_lock(&live->lock);
    n = note_nic(live, l->vm, l->generation);
    if (n) {
        snprintf(n->id, sizeof(n->id), "%s", l->id);
        n->state = HANDOFF_STATE_OFFERED;
    }
    pthread_mutex_unlock(&live->lock);
    return n ? 0 : -ENOMEM;
}

static void unhold(struct live *live, const struct lease *l)
{
    const struct live_nic *n;

    pthread_mutex_lock(&live->lock);
    n = find_nic(live, l->generation);
    if (n)
        drop_nic(live, n);
    pthread_mutex_unlock(&live->lock);
}

static int offer(struct live *live, struct live_vm *v, const struct lease *l, uint32_t seq,
                 int *container, struct error *e)
{
    _cleanup_nic_fds_ struct nic_fds fds = NIC_FDS_INIT;
    struct handoff_msg m;
    int r = open_fds(live, v, l, container, &fds, e);

    if (r < 0)
        return r;
    if (hold(live, l) < 0)
        return error_set(e, -ENOMEM, "out of memory");
    fill_nic(&m, l, seq);
    r = say(live, v, &m, fds.fds, fds.count, true);
    if (r == 0)
        return 0;
    unhold(live, l);
    return error_set(e, r, "%s can't be sent to the VMM of %s: %s", l->id, l->vm, strerror(-r));
}

static int taken(struct live *live, struct live_vm *v, const struct lease *l, uint32_t seq,
                 struct error *e)
{
    _cleanup_close_ int none = -1;
    int r = expect(live, v, HANDOFF_TAKEN, seq, &none, e);

    if (r < 0)
        unhold(live, l);
    else
        event_post(live->events, "plugged", l->id, l->vm, "");
    return r;
}

static int no_vm(const struct lease *l, struct error *e)
{
    return error_set(e, -ENODEV, "VM %s doesn't run", l->vm);
}

int live_offer(struct live *live, const struct lease *l, uint32_t seq, int *container,
               struct error *e)
{
    struct live_vm *v = vm_ref(live, l->vm);
    int r;

    if (!v)
        return no_vm(l, e);
    r = offer(live, v, l, seq, container, e);
    vm_put(live, v);
    return r;
}

int live_taken(struct live *live, const struct lease *l, uint32_t seq, struct error *e)
{
    struct live_vm *v = vm_ref(live, l->vm);
    int r;

    if (!v)
        return no_vm(l, e);
    r = taken(live, v, l, seq, e);
    vm_put(live, v);
    return r;
}

int live_plug(struct live *live, const struct lease *l, struct error *e)
{
    struct live_vm *v = vm_ref(live, l->vm);
    int r;

    if (!v)
        return no_vm(l, e);
    pthread_mutex_lock(&v->talk);
    r = offer(live, v, l, LIVE_SEQ, NULL, e);
    if (r == 0)
        r = taken(live, v, l, LIVE_SEQ, e);
    pthread_mutex_unlock(&v->talk);
    vm_put(live, v);
    return r;
}

/* Wait until no VMM holds it. */
static int wait_gone(struct live *live, const struct lease *l, unsigned ms)
{
    const struct timespec deadline = after_ms(ms);
    int r = 0;

    pthread_mutex_lock(&live->lock);
    while (find_nic(live, l->generation) && r == 0)
        r = wait_until(live, &deadline) ? 0 : -ETIMEDOUT;
    if (!find_nic(live, l->generation))
        r = 0;
    pthread_mutex_unlock(&live->lock);
    return r;
}

int live_unplug(struct live *live, const struct lease *l, unsigned deadline_ms, struct error *e)
{
    struct live_vm *v = vm_ref(live, l->vm);
    struct handoff_msg m;
    int r;

    if (!v) /* it ended, and what it held is free */
        return 0;
    handoff_msg_init(&m, HANDOFF_REMOVE, 0);
    m.change = (struct handoff_change){.generation = l->generation, .deadline_ms = deadline_ms};
    pthread_mutex_lock(&v->talk);
    r = say(live, v, &m, NULL, 0, false);
    pthread_mutex_unlock(&v->talk);
    vm_put(live, v);
    if (r == 0)
        r = wait_gone(live, l, deadline_ms + GRACE_MS);
    if (r == -ENODEV || r == -EPIPE)
        return 0;
    return r < 0 ? error_set(e, r, "the VMM of %s didn't give %s back: %s", l->vm, l->id,
                             strerror(-r))
                 : 0;
}
