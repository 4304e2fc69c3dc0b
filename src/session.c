/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/session.h"

#include "basic/log.h"
#include "src/netdev.h"
#include "vfio/handoff.h"
#include "vfio/open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define SESSIONS_MAX    768 /* below the 1024 fds that a process has by default */
#define PENDING_MAX     16  /* of a user, without HELLO yet */
#define HELLO_TIMEOUT_S 5
#define TAKEN_TIMEOUT_S 30 /* a VMM that pins much memory takes its time */

/* A lease that is being assigned has its last steps soon behind it. */
#define ASSIGNING_TRIES    200
#define ASSIGNING_DELAY_NS 50000000L

struct session {
    struct job job; /* first: a job is its session */
    struct agent *agent;
    struct session *next;
    sd_event_source *source;
    sd_event_source *deadline; /* for HELLO */
    int sock;
    uid_t uid;
    pid_t pid;
    char vm[LEASE_VM]; /* "" before HELLO */
    bool handing_over;
    struct error error;
};

/* Lives as long as the program: one listening socket. */
struct listener {
    struct agent *agent;
    sd_event *event;
    int sock;
};

static void session_free(struct session *s)
{
    struct session **p = &s->agent->sessions;

    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    sd_event_source_disable_unref(s->source);
    sd_event_source_disable_unref(s->deadline);
    closep(&s->sock);
    free(s);
}

static void tell_refused(int sock, int code, const char *text)
{
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_REFUSED, 0);
    m.code = code;
    snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, text);
    /* A VMM that is gone needs no answer. */
    if (handoff_send(sock, &m, NULL, 0) < 0)
        return;
}

static void refuse(struct session *s, int code, const char *text)
{
    log_warning("VMM of '%s' (uid %u, pid %d) refused: %s", s->vm, (unsigned)s->uid, (int)s->pid,
                text);
    tell_refused(s->sock, code, text);
}

/* ---- in the job's thread ---- */

static int wait_taken(struct session *s, uint32_t seq, struct error *e)
{
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg m;
    int r = handoff_recv(s->sock, &m, fds);

    if (r < 0)
        return error_set(e, r, "the VMM didn't take NIC %u: %s", seq, strerror(-r));
    if (m.type != HANDOFF_TAKEN || m.seq != seq)
        return error_set(e, -EPROTO, "the VMM answered NIC %u with something else", seq);
    return 0;
}

static int send_nic(struct session *s, const struct lease *l, enum handoff_kind kind, uint32_t seq,
                    const int *fds, size_t n_fds, struct error *e)
{
    const uint64_t mac = l->wanted.value[POLICY_MAC];
    struct handoff_msg m;
    int r;

    handoff_msg_init(&m, HANDOFF_NIC, seq);
    m.nic.kind = kind;
    m.nic.container = 1;
    m.nic.generation = l->generation;
    for (unsigned i = 0; policy_has(&l->wanted, POLICY_MAC) && i < 6; i++)
        m.nic.mac[i] = (uint8_t)(mac >> (40 - 8 * i));
    snprintf(m.nic.name, sizeof(m.nic.name), "%s", l->id);
    if (kind == HANDOFF_KIND_VF)
        pci_addr_format(&l->vf, m.nic.pci);
    r = handoff_send(s->sock, &m, fds, n_fds);
    return r < 0 ? error_set(e, r, "cannot send %s to the VMM: %s", l->id, strerror(-r)) : 0;
}

/* @container: of the VFs handed over so far, -1 before the first; it outlives this call. */
static int hand_over_vf(struct session *s, const struct lease *l, uint32_t seq, int *container,
                        struct error *e)
{
    _cleanup_vfio_fds_ struct vfio_fds fds = VFIO_FDS_INIT;
    int r = vfio_open(&l->vf, *container, &fds, e);

    if (r < 0)
        return r;
    if (*container < 0)
        *container = fcntl(fds.container, F_DUPFD_CLOEXEC, 0);
    if (*container < 0)
        return error_set(e, -errno, "cannot keep the container of %s: %s", l->id, strerror(errno));
    return send_nic(s, l, HANDOFF_KIND_VF, seq, (const int[]){fds.container, fds.group, fds.device},
                    3, e);
}

static int open_tap(const struct lease *l, struct error *e)
{
    char name[IFNAMSIZ];

    if (l->parent_is_bridge) {
        return netdev_tap_open(netdev_tap_name(l->id, name), l->parent, e);
    }
    return netdev_macvtap_open(netdev_macvtap_name(l->id, name), e);
}

static int hand_over_virtio(struct session *s, const struct lease *l, uint32_t seq, struct error *e)
{
    _cleanup_close_ int tap = open_tap(l, e);
    _cleanup_close_ int vhost = -1;

    if (tap < 0)
        return tap;
    vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    if (vhost < 0)
        return error_set(e, -EOPNOTSUPP, "cannot open /dev/vhost-net: %s (modprobe vhost_net)",
                         strerror(errno));
    return send_nic(s, l, HANDOFF_KIND_VIRTIO, seq, (const int[]){tap, vhost}, 2, e);
}

/* Under the PF's gate. Return: 1 sent, 0 there is nothing to send any more, -EAGAIN while the lease
 * is being assigned, another negative errno. */
static int offer(struct session *s, const struct lease *l, uint32_t seq, int *container,
                 struct error *e)
{
    const int phase = lease_stored_phase(s->agent->state_dir, l);
    int r;

    if (phase == -ENOENT || phase == LEASE_RELEASING)
        return 0;
    if (phase == LEASE_ASSIGNING)
        return error_set(e, -EAGAIN, "%s is still being assigned to %s: try again", l->id, l->vm);
    if (phase != LEASE_ASSIGNED)
        return error_set(e, -EBUSY, "%s of VM %s is quarantined: 'sriovctl release %s' first",
                         l->id, l->vm, l->id);
    if (l->kind == LEASE_KIND_VF)
        r = hand_over_vf(s, l, seq, container, e);
    else
        r = hand_over_virtio(s, l, seq, e);
    return r < 0 ? r : 1;
}

/* The gate is held until the fds are on their way, not until the VMM has taken them: from then on
 * it holds the NIC for everybody to see, and one that never answers keeps nobody waiting. */
static int offer_gated(struct session *s, const struct lease *l, uint32_t seq, int *container,
                       struct error *e)
{
    struct gate *g;
    int r;

    pthread_mutex_lock(&s->agent->claim);
    g = agent_gate(s->agent, &l->pf);
    pthread_mutex_unlock(&s->agent->claim);
    if (!g)
        return error_set(e, -ENOMEM, "out of memory");
    pthread_mutex_lock(&g->lock);
    r = offer(s, l, seq, container, e);
    pthread_mutex_unlock(&g->lock);
    return r;
}

/* @seq: of the last NIC that was taken; goes up by one if this is. */
static int hand_over_one(struct session *s, const struct lease *l, uint32_t *seq, int *container,
                         struct error *e)
{
    const struct timespec delay = {.tv_nsec = ASSIGNING_DELAY_NS};
    int r = offer_gated(s, l, *seq + 1, container, e);

    for (unsigned tries = 0; r == -EAGAIN && tries < ASSIGNING_TRIES; tries++) {
        nanosleep(&delay, NULL);
        r = offer_gated(s, l, *seq + 1, container, e);
    }
    return r <= 0 ? r : wait_taken(s, ++*seq, e);
}

static int by_generation(const void *a, const void *b)
{
    const struct lease *x = a, *y = b;

    return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int hand_over_all(struct session *s, struct error *e)
{
    _cleanup_leases_ struct lease_list leases = LEASE_LIST_INIT;
    _cleanup_close_ int container = -1;
    struct handoff_msg m;
    uint32_t seq = 0;
    int r = lease_load_all(s->agent->state_dir, &leases, e);

    /* In the order of assignment: a NIC keeps its place in the guest. */
    if (r == 0 && leases.count > 0)
        qsort(leases.items, leases.count, sizeof(*leases.items), by_generation);
    for (size_t i = 0; r == 0 && i < leases.count; i++)
        if (streq(leases.items[i].vm, s->vm))
            r = hand_over_one(s, &leases.items[i], &seq, &container, e);
    if (r < 0)
        return r;
    handoff_msg_init(&m, HANDOFF_READY, seq);
    r = handoff_send(s->sock, &m, NULL, 0);
    return r < 0 ? error_set(e, r, "the VMM is gone: %s", strerror(-r)) : 0;
}

static void hand_over(struct job *j)
{
    struct session *s = (struct session *)j;
    const struct timeval timeout = {.tv_sec = TAKEN_TIMEOUT_S};
    int r = 0;

    /* This thread waits; in the main thread nobody does. */
    if (setsockopt(s->sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        fcntl(s->sock, F_SETFL, 0) < 0)
        r = error_set(&s->error, -errno, "cannot set up the socket: %s", strerror(errno));
    if (r == 0)
        r = hand_over_all(s, &s->error);
    s->error.code = r;
}

/* ---- in the main thread ---- */

static void handed_over(struct job *j)
{
    struct session *s = (struct session *)j;

    s->handing_over = false;
    /* First of all: nothing that is sent from here may wait for a VMM that doesn't read. */
    fcntl(s->sock, F_SETFL, O_NONBLOCK);
    if (s->error.code < 0) {
        refuse(s, s->error.code, s->error.text);
        session_free(s);
        return;
    }
    log_info("VM %s runs (pid %d)", s->vm, (int)s->pid);
    if (sd_event_source_set_enabled(s->source, SD_EVENT_ON) < 0)
        log_error("cannot watch the VMM of %s", s->vm);
}

static int check_owner(const struct session *s, struct error *e)
{
    uid_t owner;
    int r;

    if (s->uid == 0)
        return 0;
    r = config_vm_owner(s->agent->config_dir, s->vm, &owner, e);
    if (r == 0 && owner == s->uid)
        return 0;
    if (r < 0 && r != -ENOENT)
        return r;
    return error_set(e, -EPERM,
                     "user %u doesn't own VM %s: run it as root, or let root write Owner= into "
                     "%s/vm/%s.conf",
                     (unsigned)s->uid, s->vm, s->agent->config_dir, s->vm);
}

/* A VMM that has just died: its end of file is here, only not yet read. */
static bool is_gone(const struct session *s)
{
    char byte;

    return !s->handing_over && recv(s->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int check_single(const struct session *s, const char *vm, struct error *e)
{
    for (const struct session *x = s->agent->sessions; x; x = x->next)
        if (x != s && streq(x->vm, vm) && !is_gone(x))
            return error_set(e, -EBUSY, "VM %s runs already (pid %d): power it off first", vm,
                             (int)x->pid);
    return 0;
}

static int on_hello(struct session *s, const struct handoff_msg *m, struct error *e)
{
    int r;

    if (m->type != HANDOFF_HELLO || s->vm[0])
        return error_set(e, -EPROTO, "a VMM begins with one HELLO");
    r = check_single(s, m->vm, e);
    if (r < 0)
        return r;
    snprintf(s->vm, sizeof(s->vm), "%s", m->vm);
    r = check_owner(s, e);
    if (r < 0)
        return r;
    s->deadline = sd_event_source_disable_unref(s->deadline);
    sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    s->handing_over = true;
    s->job = (struct job){.work = hand_over, .done = handed_over};
    r = worker_start(s->agent->worker, &s->job);
    return r < 0 ? error_set(e, r, "the agent is busy: try again") : 0;
}

static int on_message(sd_event_source *src _unused_, int fd, uint32_t revents _unused_,
                      void *opaque)
{
    struct session *s = opaque;
    struct error e = ERROR_INIT;
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg m;
    int r = handoff_recv(fd, &m, fds);

    if (r == -EAGAIN)
        return 0;
    if (r == 0)
        r = on_hello(s, &m, &e);
    else if (r == -ECONNRESET && s->vm[0])
        log_info("VM %s ended (pid %d)", s->vm, (int)s->pid);
    else if (r != -ECONNRESET)
        error_set(&e, r, "malformed message");
    if (r == 0)
        return 0;
    if (r != -ECONNRESET)
        refuse(s, r, e.text);
    session_free(s);
    return 0;
}

static int on_deadline(sd_event_source *src _unused_, uint64_t usec _unused_, void *opaque)
{
    struct session *s = opaque;

    refuse(s, -ETIMEDOUT, "a VMM begins with HELLO, and none came");
    session_free(s);
    return 0;
}

static unsigned count_sessions(const struct agent *a)
{
    unsigned n = 0;

    for (const struct session *s = a->sessions; s; s = s->next)
        n++;
    return n;
}

/* May this user connect once more? */
static int check_room(const struct agent *a, uid_t uid, struct error *e)
{
    unsigned pending = 0;

    for (const struct session *s = a->sessions; s; s = s->next)
        pending += s->uid == uid && !s->vm[0];
    if (pending >= PENDING_MAX)
        return error_set(e, -EBUSY, "user %u has %u connections that didn't say HELLO: try again",
                         (unsigned)uid, pending);
    if (count_sessions(a) >= SESSIONS_MAX)
        return error_set(e, -EBUSY, "the agent serves %d VMs, and no more at a time", SESSIONS_MAX);
    return 0;
}

static int watch(const struct listener *l, struct session *s)
{
    int r = sd_event_add_io(l->event, &s->source, s->sock, EPOLLIN, on_message, s);

    if (r < 0)
        return r;
    return sd_event_add_time_relative(l->event, &s->deadline, CLOCK_MONOTONIC,
                                      HELLO_TIMEOUT_S * 1000000ULL, 0, on_deadline, s);
}

static int on_accept(sd_event_source *src _unused_, int fd, uint32_t revents _unused_, void *opaque)
{
    const struct listener *l = opaque;
    _cleanup_close_ int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct error e = ERROR_INIT;
    struct session *s;
    uid_t uid;
    pid_t pid;

    if (sock < 0 || handoff_peer(sock, &uid, &pid) < 0)
        return 0;
    /* Not logged: it is a stranger's to repeat. */
    if (check_room(l->agent, uid, &e) < 0) {
        tell_refused(sock, e.code, e.text);
        return 0;
    }
    s = calloc(1, sizeof(*s));
    if (!s)
        return 0;
    s->agent = l->agent;
    s->uid = uid;
    s->pid = pid;
    s->sock = TAKE_FD(sock);
    s->next = l->agent->sessions;
    l->agent->sessions = s;
    if (watch(l, s) < 0)
        session_free(s);
    return 0;
}

int session_listen(struct agent *a, sd_event *event, const char *path, struct error *e)
{
    static struct listener l;
    int r;

    l = (struct listener){.agent = a, .event = event, .sock = handoff_listen(path, e)};
    if (l.sock < 0)
        return l.sock;
    r = sd_event_add_io(event, NULL, l.sock, EPOLLIN, on_accept, &l);
    return r < 0 ? error_set(e, r, "cannot watch %s: %s", path, strerror(-r)) : 0;
}

void session_cut_all(struct agent *a)
{
    /* The sockets of those in a thread stay open until it is through with them. */
    for (struct session *s = a->sessions; s; s = s->next)
        shutdown(s->sock, SHUT_RDWR);
}

void session_close_all(struct agent *a)
{
    while (a->sessions)
        session_free(a->sessions);
}

int session_running(const struct agent *a, struct running_list *ret, struct error *e)
{
    const unsigned n = count_sessions(a);
    struct running *items = calloc(n ? n : 1, sizeof(*items));
    size_t used = 0;

    if (!items)
        return error_set(e, -ENOMEM, "out of memory");
    for (const struct session *s = a->sessions; s; s = s->next) {
        if (!s->vm[0])
            continue;
        snprintf(items[used].vm, sizeof(items[used].vm), "%s", s->vm);
        items[used++].pid = s->pid;
    }
    *ret = (struct running_list){.items = items, .count = used};
    return 0;
}
