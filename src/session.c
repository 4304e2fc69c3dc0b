/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/session.h"

#include "basic/file.h"
#include "basic/log.h"
#include "vfio/handoff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define SESSIONS_MAX    768 /* below the 1024 fds that a process has by default */
#define PENDING_MAX     16  /* of a user, without HELLO yet */
#define HELLO_TIMEOUT_S 5

/* Where the next agent finds the VMMs that run: only root gets into it. */
#define VM_SOCKETS  "vm"
#define SOCKET_PATH 108

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
    bool joined;       /* its VM is in the table of live ones */
    bool resuming;     /* it was there before this agent, and says what it holds */
    bool handing_over; /* a thread works on it */
    bool cut;          /* the VMM went while the thread did */
    struct error error;
};

/* Lives as long as the program: one listening socket. */
struct listener {
    struct agent *agent;
    sd_event *event;
    int sock;
};

static const char *vm_socket(const struct agent *a, const char *vm, char path[static SOCKET_PATH])
{
    snprintf(path, SOCKET_PATH, "%.40s/" VM_SOCKETS "/%.63s", a->runtime_dir, vm);
    return path;
}

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

/* Under the PF's gate. Return: 1 sent, 0 there is nothing to send, -EAGAIN while the lease is being
 * assigned, another negative errno. */
static int offer(struct session *s, const struct lease *l, uint32_t seq, int *container,
                 struct error *e)
{
    const int phase = lease_stored_phase(s->agent->state_dir, l);
    int r;

    if (phase == -ENOENT || phase == LEASE_RELEASING || phase == LEASE_DRAINING ||
        phase == LEASE_DRAINED || live_state(s->agent->live, l->generation))
        return 0;
    if (phase == LEASE_ASSIGNING)
        return error_set(e, -EAGAIN, "%s is still being assigned to %s: try again", l->id, l->vm);
    if (phase != LEASE_ASSIGNED)
        return error_set(e, -EBUSY, "%s of VM %s is quarantined: 'sriovctl release %s' first",
                         l->id, l->vm, l->id);
    r = live_offer(s->agent->live, l, seq, container, e);
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
    if (r <= 0)
        return r;
    r = live_taken(s->agent->live, l, *seq + 1, e);
    *seq += r == 0;
    return r;
}

static int by_generation(const void *a, const void *b)
{
    const struct lease *x = a, *y = b;

    return x->generation < y->generation ? -1 : x->generation > y->generation;
}

/* Is there a lease of this VM that no VMM holds, and that nobody is taking back? */
static bool is_wanting(const struct session *s, const struct lease *l)
{
    return streq(l->vm, s->vm) && (l->phase == LEASE_ASSIGNED || l->phase == LEASE_ASSIGNING) &&
           live_state(s->agent->live, l->generation) == 0;
}

/* Under claim: if nothing is left to hand over, the VM is ready, and a NIC assigned after this is
 * plugged by its own plan. Return: 1 ready, 0 there is more, -errno. */
static int close_list(struct session *s, uint32_t seq, struct error *e)
{
    _cleanup_leases_ struct lease_list leases = LEASE_LIST_INIT;
    struct handoff_msg m;
    int r = lease_load_all(s->agent->state_dir, &leases, e);

    for (size_t i = 0; r == 0 && i < leases.count; i++)
        if (is_wanting(s, &leases.items[i]))
            return 0;
    if (r < 0)
        return r;
    handoff_msg_init(&m, HANDOFF_READY, seq);
    r = live_send(s->agent->live, s->vm, &m, NULL, 0);
    if (r < 0)
        return error_set(e, r, "the VMM is gone: %s", strerror(-r));
    live_set_ready(s->agent->live, s->vm);
    return 1;
}

static int hand_over_list(struct session *s, uint32_t *seq, int *container, struct error *e)
{
    _cleanup_leases_ struct lease_list leases = LEASE_LIST_INIT;
    int r = lease_load_all(s->agent->state_dir, &leases, e);

    /* In the order of assignment: a NIC keeps its place in the guest. */
    if (r == 0 && leases.count > 0)
        qsort(leases.items, leases.count, sizeof(*leases.items), by_generation);
    for (size_t i = 0; r == 0 && i < leases.count; i++)
        if (streq(leases.items[i].vm, s->vm))
            r = hand_over_one(s, &leases.items[i], seq, container, e);
    return r;
}

static int send_listener(struct session *s, struct error *e)
{
    char path[SOCKET_PATH];
    struct handoff_msg m;
    _cleanup_close_ int listener = handoff_listen(vm_socket(s->agent, s->vm, path), e);
    int r;

    if (listener < 0)
        return listener;
    handoff_msg_init(&m, HANDOFF_LISTENER, 0);
    r = live_send(s->agent->live, s->vm, &m, &listener, 1);
    return r < 0 ? error_set(e, r, "the VMM is gone: %s", strerror(-r)) : 0;
}

static int hand_over_all(struct session *s, struct error *e)
{
    _cleanup_close_ int container = -1;
    uint32_t seq = 0;
    int r = send_listener(s, e), ready = 0;

    while (r == 0 && ready == 0) {
        r = hand_over_list(s, &seq, &container, e);
        if (r < 0)
            break;
        pthread_mutex_lock(&s->agent->claim);
        ready = close_list(s, seq, e);
        pthread_mutex_unlock(&s->agent->claim);
    }
    return r < 0 ? r : ready < 0 ? ready : 0;
}

static void hand_over(struct job *j)
{
    struct session *s = (struct session *)j;

    s->error.code = hand_over_all(s, &s->error);
}

/* ---- in the main thread ---- */

static void end_session(struct session *s)
{
    char path[SOCKET_PATH];

    if (s->joined) {
        live_leave(s->agent->live, s->vm);
        log_info("VM %s ended (pid %d)", s->vm, (int)s->pid);
        unlink(vm_socket(s->agent, s->vm, path));
    }
    session_free(s);
}

static void handed_over(struct job *j)
{
    struct session *s = (struct session *)j;

    s->handing_over = false;
    if (s->error.code < 0 && !s->cut)
        refuse(s, s->error.code, s->error.text);
    if (s->error.code < 0 || s->cut) {
        end_session(s);
        return;
    }
    log_info("VM %s runs (pid %d)", s->vm, (int)s->pid);
}

static int check_owner(const struct session *s, const char *vm, struct error *e)
{
    uid_t owner;
    int r;

    if (s->uid == 0)
        return 0;
    r = config_vm_owner(s->agent->config_dir, vm, &owner, e);
    if (r == 0 && owner == s->uid)
        return 0;
    if (r < 0 && r != -ENOENT)
        return r;
    return error_set(e, -EPERM,
                     "user %u doesn't own VM %s: run it as root, or let root write Owner= into "
                     "%s/vm/%s.conf",
                     (unsigned)s->uid, vm, s->agent->config_dir, vm);
}

/* A VMM that has just died: its end of file is here, only not yet read. */
static bool is_gone(const struct session *s)
{
    char byte;

    return !s->handing_over && recv(s->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The name is free, or its VMM has died and makes room. */
static int check_single(struct session *s, const char *vm, struct error *e)
{
    struct session *x = s->agent->sessions;

    while (x && (x == s || !streq(x->vm, vm)))
        x = x->next;
    if (!x)
        return 0;
    if (!is_gone(x))
        return error_set(e, -EBUSY, "VM %s runs already (pid %d): power it off first", vm,
                         (int)x->pid);
    end_session(x);
    return 0;
}

static int on_hello(struct session *s, const struct handoff_msg *m, struct error *e)
{
    int r;

    if (m->type != HANDOFF_HELLO || s->vm[0])
        return error_set(e, -EPROTO, "a VMM begins with one HELLO");
    /* First who may: a stranger doesn't learn whether it runs. */
    r = check_owner(s, m->vm, e);
    if (r == 0)
        r = check_single(s, m->vm, e);
    if (r < 0)
        return r;
    snprintf(s->vm, sizeof(s->vm), "%s", m->vm);
    r = live_join(s->agent->live, s->vm, s->sock, s->pid);
    if (r < 0)
        return error_set(e, r, "VM %s can't be taken on: %s", s->vm, strerror(-r));
    s->joined = true;
    s->deadline = sd_event_source_disable_unref(s->deadline);
    s->handing_over = true;
    s->job = (struct job){.work = hand_over, .done = handed_over};
    r = worker_start(s->agent->worker, &s->job);
    if (r < 0)
        s->handing_over = false;
    return r < 0 ? error_set(e, r, "the agent is busy: try again") : 0;
}

/* A VMM that was there before this agent: its HELLO ends what it has to say of its NICs. */
static int on_resumed(struct session *s, const struct handoff_msg *m, struct error *e)
{
    if (!streq(m->vm, s->vm))
        return error_set(e, -EPROTO, "it says that it runs '%s'", m->vm);
    s->deadline = sd_event_source_disable_unref(s->deadline);
    s->resuming = false;
    live_set_ready(s->agent->live, s->vm);
    log_info("VM %s runs on (pid %d)", s->vm, (int)s->pid);
    return 0;
}

/* @fds: what came with it; closed or taken. */
static int on_valid_message(struct session *s, const struct handoff_msg *m,
                            int fds[static HANDOFF_FDS_MAX], struct error *e)
{
    int r;

    if (!s->joined)
        return on_hello(s, m, e);
    if (s->resuming && m->type == HANDOFF_HELLO)
        return on_resumed(s, m, e);
    r = live_message(s->agent->live, s->vm, m, fds);
    return r < 0 ? error_set(e, r, "the VMM of %s said something else than was asked", s->vm) : 0;
}

/* The conversation is over. A thread that still hands over is told, and ends the session. */
static void cut(struct session *s)
{
    if (!s->handing_over) {
        end_session(s);
        return;
    }
    s->cut = true;
    sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    live_leave(s->agent->live, s->vm);
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
        r = on_valid_message(s, &m, fds, &e);
    else if (r != -ECONNRESET)
        error_set(&e, r, "malformed message");
    if (r == 0)
        return 0;
    if (r != -ECONNRESET)
        refuse(s, r, e.text);
    cut(s);
    return 0;
}

static int on_deadline(sd_event_source *src _unused_, uint64_t usec _unused_, void *opaque)
{
    struct session *s = opaque;

    refuse(s, -ETIMEDOUT, "a VMM begins with HELLO, and none came");
    end_session(s);
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

static int watch(sd_event *event, struct session *s)
{
    int r = sd_event_add_io(event, &s->source, s->sock, EPOLLIN, on_message, s);

    if (r < 0)
        return r;
    return sd_event_add_time_relative(event, &s->deadline, CLOCK_MONOTONIC,
                                      HELLO_TIMEOUT_S * 1000000ULL, 0, on_deadline, s);
}

static struct session *session_new(struct agent *a, int sock, uid_t uid, pid_t pid)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->agent = a;
    s->uid = uid;
    s->pid = pid;
    s->sock = sock;
    s->next = a->sessions;
    a->sessions = s;
    return s;
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
    s = session_new(l->agent, sock, uid, pid);
    if (!s)
        return 0;
    TAKE_FD(sock);
    if (watch(l->event, s) < 0)
        session_free(s);
    return 0;
}

/* Take the conversation up with a VMM that an earlier agent left there. */
static int resume(struct agent *a, sd_event *event, const char *vm, struct error *e)
{
    char path[SOCKET_PATH];
    _cleanup_close_ int sock = handoff_connect(vm_socket(a, vm, path), e);
    struct handoff_msg m;
    struct session *s;
    uid_t uid;
    pid_t pid;
    int r;

    if (sock < 0)
        return sock;
    handoff_msg_init(&m, HANDOFF_RESUME, 0);
    r = handoff_send(sock, &m, NULL, 0);
    if (r == 0)
        r = handoff_peer(sock, &uid, &pid);
    if (r < 0 || fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
        return error_set(e, r < 0 ? r : -errno, "cannot speak to the VMM of %s", vm);
    s = session_new(a, sock, uid, pid);
    if (!s)
        return error_set(e, -ENOMEM, "out of memory");
    TAKE_FD(sock);
    snprintf(s->vm, sizeof(s->vm), "%.*s", VM_NAME_MAX - 1, vm);
    r = live_join(a->live, vm, s->sock, pid);
    s->joined = r == 0;
    s->resuming = true;
    if (r == 0)
        r = watch(event, s);
    if (r < 0)
        end_session(s);
    return r < 0 ? error_set(e, r, "cannot watch the VMM of %s: %s", vm, strerror(-r)) : 0;
}

int session_resume_all(struct agent *a, sd_event *event, struct error *e)
{
    _cleanup_dir_ DIR *dir = NULL;
    char path[SOCKET_PATH];
    int r;

    vm_socket(a, "", path);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(e, -errno, "cannot make %s: %s", path, strerror(errno));
    r = file_dir(AT_FDCWD, path, &dir);
    if (r < 0)
        return error_set(e, r, "cannot read %s: %s", path, strerror(-r));
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        struct error why = ERROR_INIT;

        if (!vm_name_valid(d->d_name) || resume(a, event, d->d_name, &why) == 0)
            continue;
        /* It ended while no agent was there. */
        if (why.code != -EHOSTDOWN)
            log_warning("VM %s: %s", d->d_name, why.text);
        unlink(vm_socket(a, d->d_name, path));
    }
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
    for (struct session *s = a->sessions; s; s = s->next) {
        shutdown(s->sock, SHUT_RDWR);
        if (s->joined)
            live_leave(a->live, s->vm);
        s->joined = false; /* its VM doesn't end, and keeps its listener */
        s->cut = true;
    }
}

void session_close_all(struct agent *a)
{
    while (a->sessions)
        session_free(a->sessions);
}
