/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/agent-link.h"

#include "basic/log.h"
#include "vmm/vfio-container.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct machine *machine_of(const struct agent_link *l)
{
    return l->nics->machine;
}

static void hang_up(struct agent_link *l, int *sock)
{
    loop_remove(&machine_of(l)->loop, *sock);
    closep(sock);
}

/* ---- before the guest runs ---- */

static int send_message(int sock, const struct handoff_msg *msg, struct error *e)
{
    int r = handoff_send(sock, msg, NULL, 0);

    if (r < 0)
        return error_set(e, r, "the agent cannot be written to: %s", strerror(-r));
    return 0;
}

static void make_hello(const struct agent_link *l, struct handoff_msg *ret)
{
    handoff_msg_init(ret, HANDOFF_HELLO, 0);
    snprintf(ret->vm, sizeof(ret->vm), "%s", machine_of(l)->name);
}

static int say_hello(const struct agent_link *l, struct error *e)
{
    struct handoff_msg msg;

    if (!vm_name_valid(machine_of(l)->name))
        return error_set(e, -EINVAL, "'%s' cannot be the name of a VM", machine_of(l)->name);
    make_hello(l, &msg);
    return send_message(l->sock, &msg, e);
}

static int say_taken(const struct agent_link *l, uint32_t seq, struct error *e)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, HANDOFF_TAKEN, seq);
    return send_message(l->sock, &msg, e);
}

/* One message of the agent; 1 when it was the last. */
static int take_message(struct agent_link *l, unsigned *count, struct error *e)
{
    struct handoff_msg msg;
    int fds[HANDOFF_FDS_MAX];
    int r = handoff_recv(l->sock, &msg, fds);

    if (r < 0)
        return error_set(e, r, "the agent broke off the handoff: %s", strerror(-r));
    switch (msg.type) {
    case HANDOFF_NIC:
        r = nic_add(l->nics, &msg.nic, fds, false, e);
        if (r == 0)
            r = say_taken(l, msg.seq, e);
        if (r == 0)
            ++*count;
        return r;
    case HANDOFF_LISTENER:
        closep(&l->listener);
        l->listener = fds[0];
        return 0;
    case HANDOFF_READY:
        return 1;
    case HANDOFF_REFUSED:
        return error_set(e, msg.code, "the agent refuses: %s", msg.text);
    default:
        for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
            closep(&fds[i]);
        return error_set(e, -EPROTO, "the agent sent a message out of turn (type %u)", msg.type);
    }
}

int agent_link_take(struct agent_link *l, struct nic_set *nics, unsigned *ret_count,
                    struct error *e)
{
    unsigned count = 0;
    int r;

    l->nics = nics;
    r = say_hello(l, e);
    while (r == 0)
        r = take_message(l, &count, e);
    if (r < 0)
        return r;
    *ret_count = count;
    return 0;
}

/* ---- while it runs ---- */

static void say(struct agent_link *l, const struct handoff_msg *msg, const int *fds, size_t n_fds)
{
    int r;

    if (l->sock < 0)
        return;
    r = handoff_send(l->sock, msg, fds, n_fds);
    if (r == 0)
        return;
    log_warning("the agent cannot be told: %s: going on without it", strerror(-r));
    hang_up(l, &l->sock);
}

static void say_state(struct agent_link *l, uint64_t generation, enum handoff_state state,
                      enum handoff_reason reason)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, HANDOFF_STATE, 0);
    msg.change = (struct handoff_change){
        .generation = generation, .state = (uint32_t)state, .reason = (uint32_t)reason};
    say(l, &msg, NULL, 0);
}

static void on_changed(void *opaque, const struct nic *n)
{
    say_state(opaque, n->generation, n->state, n->reason);
}

static void say_all_states(struct agent_link *l)
{
    for (const struct nic *n = l->nics->first; n; n = n->next)
        say_state(l, n->generation, n->state, n->reason);
}

static void on_nic(struct agent_link *l, const struct handoff_msg *msg,
                   int fds[static HANDOFF_FDS_MAX])
{
    struct error e = ERROR_INIT;
    struct handoff_msg answer;

    handoff_msg_init(&answer, HANDOFF_TAKEN, msg->seq);
    if (nic_add(l->nics, &msg->nic, fds, true, &e) < 0) {
        handoff_msg_init(&answer, HANDOFF_REFUSED, msg->seq);
        answer.code = e.code;
        snprintf(answer.text, sizeof(answer.text), "%.*s", (int)sizeof(answer.text) - 1, e.text);
    }
    say(l, &answer, NULL, 0);
    if (answer.type == HANDOFF_TAKEN)
        say_state(l, msg->nic.generation, HANDOFF_STATE_OFFERED, HANDOFF_REASON_ASKED);
}

static void on_want_container(struct agent_link *l, const struct handoff_msg *msg,
                              int fds[static HANDOFF_FDS_MAX] _unused_)
{
    const struct vfio_container *c = machine_of(l)->containers;
    struct handoff_msg answer;

    handoff_msg_init(&answer, HANDOFF_CONTAINER, msg->seq);
    answer.code = c ? 0 : -ENOENT;
    say(l, &answer, c ? &c->fd : NULL, c ? 1 : 0);
}

static void on_remove(struct agent_link *l, const struct handoff_msg *msg,
                      int fds[static HANDOFF_FDS_MAX] _unused_)
{
    struct nic *n = nic_find(l->nics, msg->change.generation);

    if (n)
        nic_remove(n, msg->change.deadline_ms, HANDOFF_REASON_ASKED);
    else
        say_state(l, msg->change.generation, HANDOFF_STATE_EJECTED, HANDOFF_REASON_ASKED);
}

static const struct {
    enum handoff_type type;
    void (*handle)(struct agent_link *l, const struct handoff_msg *msg,
                   int fds[static HANDOFF_FDS_MAX]); /* takes the fds */
} handlers[] = {
    {HANDOFF_NIC, on_nic},
    {HANDOFF_WANT_CONTAINER, on_want_container},
    {HANDOFF_REMOVE, on_remove},
};

static int dispatch(struct agent_link *l, const struct handoff_msg *msg,
                    int fds[static HANDOFF_FDS_MAX])
{
    for (size_t i = 0; i < ELEMENTSOF(handlers); i++)
        if (handlers[i].type == msg->type) {
            handlers[i].handle(l, msg, fds);
            return 0;
        }
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    return -EPROTO;
}

static void on_agent(void *opaque, uint32_t ready _unused_)
{
    struct agent_link *l = opaque;
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg msg;
    int r = handoff_recv(l->sock, &msg, fds);

    if (r == 0)
        r = dispatch(l, &msg, fds);
    if (r == 0 || r == -EAGAIN)
        return;
    if (r == -ECONNRESET)
        log_info("%s: the agent is gone: going on without it", machine_of(l)->name);
    else
        log_warning("%s: the agent doesn't speak the protocol: going on without it",
                    machine_of(l)->name);
    hang_up(l, &l->sock);
}

/* The candidate becomes the agent, and hears how things are. */
static void resume(struct agent_link *l)
{
    struct handoff_msg hello;
    int r;

    hang_up(l, &l->sock);
    loop_remove(&machine_of(l)->loop, l->candidate);
    l->sock = TAKE_FD(l->candidate);
    r = loop_add(&machine_of(l)->loop, l->sock, EPOLLIN, on_agent, l);
    if (r < 0) {
        log_warning("cannot watch the agent: %s", strerror(-r));
        hang_up(l, &l->sock);
        return;
    }
    say_all_states(l);
    make_hello(l, &hello);
    say(l, &hello, NULL, 0);
}

static void on_candidate(void *opaque, uint32_t ready _unused_)
{
    struct agent_link *l = opaque;
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg msg;
    int r = handoff_recv(l->candidate, &msg, fds);

    if (r == -EAGAIN)
        return;
    if (r == 0 && msg.type == HANDOFF_RESUME) {
        resume(l);
        return;
    }
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    hang_up(l, &l->candidate);
}

static void on_listener(void *opaque, uint32_t ready _unused_)
{
    struct agent_link *l = opaque;
    _cleanup_close_ int sock = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uid_t uid;
    pid_t pid;

    if (sock < 0)
        return;
    if (handoff_peer(sock, &uid, &pid) < 0 || uid != 0) {
        log_warning("%s: somebody who isn't root would be its agent: refused", machine_of(l)->name);
        return;
    }
    hang_up(l, &l->candidate); /* the last one counts */
    if (loop_add(&machine_of(l)->loop, sock, EPOLLIN, on_candidate, l) == 0)
        l->candidate = TAKE_FD(sock);
}

static int watch(struct agent_link *l, int fd, void (*ready)(void *opaque, uint32_t events))
{
    const int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return loop_add(&machine_of(l)->loop, fd, EPOLLIN, ready, l);
}

int agent_link_watch(struct agent_link *l, struct error *e)
{
    int r = watch(l, l->sock, on_agent);

    if (r == 0 && l->listener >= 0)
        r = watch(l, l->listener, on_listener);
    if (r < 0)
        return error_set(e, r, "cannot watch the agent: %s", strerror(-r));
    /* An agent that has no LISTENER to give doesn't expect a STATE either. */
    if (l->listener >= 0) {
        l->nics->changed = on_changed;
        l->nics->opaque = l;
        say_all_states(l);
    }
    return 0;
}

void agent_link_done(struct agent_link *l)
{
    closep(&l->candidate);
    closep(&l->listener);
    closep(&l->sock);
}
