/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMM's side of the handoff, with an agent that says what each test has it say. */
#include "fake-nics.h"
#include "vmm/agent-link.h"
#include "vmm/vfio-container.h"

#include <sys/socket.h>
#include <sys/stat.h>

struct fixture {
    struct machine machine;
    struct nic_set nics;
    struct agent_link link;
    int agent;    /* the agent's end */
    char dir[32]; /* of the listener */
    char path[64];
    unsigned count;
    uint32_t seq;
    struct error e;
};

static void start(struct fixture *f)
{
    int pair[2];

    *f = (struct fixture){
        .link = AGENT_LINK_INIT, .count = 77, .dir = "/tmp/agent-link.XXXXXX", .e = ERROR_INIT};
    fake_nics_init(&f->machine, &f->nics);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f->link.sock = pair[0];
    f->agent = pair[1];
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/vm", f->dir);
}

static void end(struct fixture *f)
{
    fake_nics_done(&f->machine, &f->nics);
    agent_link_done(&f->link);
    closep(&f->agent);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
}

static void say(struct fixture *f, enum handoff_type type, int code, const char *text)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, type, 0);
    msg.code = code;
    snprintf(msg.text, sizeof(msg.text), "%s", text);
    assert_int_equal(handoff_send(f->agent, &msg, NULL, 0), 0);
}

static void give_with(struct fixture *f, uint64_t generation, enum handoff_kind kind,
                      uint16_t flags)
{
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg msg;

    handoff_msg_init(&msg, HANDOFF_NIC, ++f->seq);
    msg.nic.kind = kind;
    msg.nic.generation = generation;
    msg.nic.flags = flags;
    snprintf(msg.nic.name, sizeof(msg.nic.name), "eth0/vf3");
    if (kind == HANDOFF_KIND_VF)
        snprintf(msg.nic.pci, sizeof(msg.nic.pci), "0000:01:10.0");
    wrong_fds(kind, fds);
    assert_int_equal(handoff_send(f->agent, &msg, fds, (size_t)handoff_fd_count(kind)), 0);
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
}

static void give(struct fixture *f, uint64_t generation)
{
    give_with(f, generation, HANDOFF_KIND_VF, 0);
}

static void ask_back(struct fixture *f, uint64_t generation, uint32_t deadline_ms)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, HANDOFF_REMOVE, 0);
    msg.change = (struct handoff_change){.generation = generation, .deadline_ms = deadline_ms};
    assert_int_equal(handoff_send(f->agent, &msg, NULL, 0), 0);
}

static int take(struct fixture *f)
{
    return agent_link_take(&f->link, &f->nics, &f->count, &f->e);
}

static void pump(struct fixture *f)
{
    fake_nics_pump(&f->machine, 0);
}

/* Next message to the agent, of this type; @ret_fd: the one that came with it. */
static struct handoff_msg hear_with(struct fixture *f, enum handoff_type type, int *ret_fd)
{
    int fds[HANDOFF_FDS_MAX];
    struct pollfd p = {.fd = f->agent, .events = POLLIN};
    struct handoff_msg msg;

    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(handoff_recv(f->agent, &msg, fds), 0);
    assert_int_equal(msg.type, type);
    *ret_fd = fds[0];
    return msg;
}

static struct handoff_msg hear(struct fixture *f, enum handoff_type type)
{
    int fd;

    return hear_with(f, type, &fd);
}

static void hear_state(struct fixture *f, uint64_t generation, enum handoff_state state,
                       enum handoff_reason reason)
{
    const struct handoff_msg msg = hear(f, HANDOFF_STATE);

    assert_int_equal(msg.change.generation, generation);
    assert_int_equal(msg.change.state, state);
    assert_int_equal(msg.change.reason, reason);
}

static void hear_nothing(struct fixture *f)
{
    struct pollfd p = {.fd = f->agent, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 0), 0);
}

static bool hears_the_end(struct fixture *f)
{
    char byte;

    return recv(f->agent, &byte, 1, MSG_DONTWAIT) == 0;
}

static void give_listener(struct fixture *f)
{
    struct handoff_msg msg;
    int fd = handoff_listen(f->path, &f->e);

    assert_true(fd >= 0);
    handoff_msg_init(&msg, HANDOFF_LISTENER, 0);
    assert_int_equal(handoff_send(f->agent, &msg, &fd, 1), 0);
    close(fd);
}

/* A machine whose guest runs, with the NICs 1 .. @n in slots of the same numbers. */
static void start_running(struct fixture *f, unsigned n)
{
    start(f);
    for (unsigned i = 1; i <= n; i++)
        give(f, i);
    give_listener(f);
    say(f, HANDOFF_READY, 0, "");
    assert_int_equal(take(f), 0);
    assert_int_equal(f->count, n);
    assert_int_equal(agent_link_watch(&f->link, &f->e), 0);
    (void)hear(f, HANDOFF_HELLO);
    for (unsigned i = 1; i <= n; i++)
        assert_int_equal(hear(f, HANDOFF_TAKEN).seq, i);
    for (unsigned i = 1; i <= n; i++)
        hear_state(f, i, HANDOFF_STATE_OFFERED, HANDOFF_REASON_ASKED);
}

/* ---- before the guest runs ---- */

static void test_none(void **state _unused_)
{
    struct fixture f;

    start(&f);
    say(&f, HANDOFF_READY, 0, "");
    assert_int_equal(take(&f), 0);
    assert_int_equal(f.count, 0);
    assert_string_equal(hear(&f, HANDOFF_HELLO).vm, "test");
    end(&f);
}

static void test_refused(void **state _unused_)
{
    struct fixture f;

    start(&f);
    say(&f, HANDOFF_REFUSED, -EPERM, "user bob may not run vm test");
    assert_int_equal(take(&f), -EPERM);
    assert_text_has(f.e.text, "user bob may not run vm test");
    assert_int_equal(f.count, 77);
    end(&f);
}

static void test_out_of_turn(void **state _unused_)
{
    struct fixture f;

    start(&f);
    ask_back(&f, 1, 0);
    assert_int_equal(take(&f), -EPROTO);
    end(&f);
}

static void test_agent_goes(void **state _unused_)
{
    struct fixture f;

    start(&f);
    shutdown(f.agent, SHUT_WR);
    assert_int_equal(take(&f), -ECONNRESET);
    end(&f);
}

/* What isn't what it should be is named, nothing is plugged, and every fd is closed again. */
static void test_wrong_fds(void **state _unused_)
{
    static const struct {
        enum handoff_kind kind;
        const char *text;
    } wrong[] = {
        {HANDOFF_KIND_VF, "isn't a VFIO device"},
        {HANDOFF_KIND_VIRTIO, "tap"},
    };

    for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
        struct fixture f;
        unsigned before;

        start(&f);
        fake_nics.real = true;
        before = count_fds();
        give_with(&f, 1, wrong[i].kind, 0);
        assert_true(take(&f) < 0);
        assert_text_has(f.e.text, "eth0/vf3: ");
        assert_text_has(f.e.text, wrong[i].text);
        assert_int_equal(count_fds(), before);
        assert_null(f.machine.pci.slots[1]);
        assert_null(f.machine.containers);
        end(&f);
    }
}

/* One that gives no listener isn't told states, and its end is nobody's concern. */
static void test_older_agent(void **state _unused_)
{
    struct fixture f;

    start(&f);
    give(&f, 1);
    say(&f, HANDOFF_READY, 0, "");
    assert_int_equal(take(&f), 0);
    assert_int_equal(agent_link_watch(&f.link, &f.e), 0);
    (void)hear(&f, HANDOFF_HELLO);
    (void)hear(&f, HANDOFF_TAKEN);
    guest_turns_on(&f.machine, 1);
    pump(&f);
    hear_nothing(&f);
    closep(&f.agent);
    pump(&f);
    assert_int_equal(f.link.sock, -1);
    assert_true(guest_sees(&f.machine, 1));
    end(&f);
}

/* ---- while it runs ---- */

static void test_nic_comes_and_goes(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 1);
    give(&f, 9);
    pump(&f);
    assert_int_equal(hear(&f, HANDOFF_TAKEN).seq, 2);
    hear_state(&f, 9, HANDOFF_STATE_OFFERED, HANDOFF_REASON_ASKED);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_UP), 1U << 2);
    guest_turns_on(&f.machine, 2);
    pump(&f);
    hear_state(&f, 9, HANDOFF_STATE_ACTIVE, HANDOFF_REASON_ASKED);
    ask_back(&f, 9, 60000);
    pump(&f);
    hear_state(&f, 9, HANDOFF_STATE_REQUESTED, HANDOFF_REASON_ASKED);
    (void)guest_in(&f.machine, HOTPLUG_PORT_DOWN);
    pump(&f);
    hear_state(&f, 9, HANDOFF_STATE_ACKNOWLEDGED, HANDOFF_REASON_ASKED);
    guest_eject(&f.machine, 1U << 2);
    pump(&f);
    hear_state(&f, 9, HANDOFF_STATE_EJECTED, HANDOFF_REASON_ASKED);
    assert_int_equal(fake_nics.alive, 1);
    ask_back(&f, 1, 0);
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_REVOKED, HANDOFF_REASON_ASKED);
    hear_nothing(&f);
    end(&f);
}

static void test_refuses_and_goes_on(void **state _unused_)
{
    struct handoff_msg msg;
    struct fixture f;

    start_running(&f, 0);
    fake_nics.result = -ENOMEM;
    give(&f, 9);
    pump(&f);
    msg = hear(&f, HANDOFF_REFUSED);
    assert_int_equal(msg.seq, 1);
    assert_int_equal(msg.code, -ENOMEM);
    assert_text_has(msg.text, "cannot be made");
    fake_nics.result = 0;
    give(&f, 9);
    pump(&f);
    assert_int_equal(hear(&f, HANDOFF_TAKEN).seq, 2);
    end(&f);
}

/* What isn't here has left. */
static void test_unknown_generation(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 1);
    ask_back(&f, 12345, 60000);
    pump(&f);
    hear_state(&f, 12345, HANDOFF_STATE_EJECTED, HANDOFF_REASON_ASKED);
    assert_true(guest_sees(&f.machine, 1));
    end(&f);
}

static void test_error_is_told(void **state _unused_)
{
    const uint64_t one = 1;
    struct fixture f;

    start_running(&f, 1);
    assert_int_equal(write(fake_nics.error, &one, sizeof(one)), sizeof(one));
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_REVOKED, HANDOFF_REASON_ERROR);
    end(&f);
}

static void test_container(void **state _unused_)
{
    struct vfio_container c = {.number = 1};
    struct stat mine, theirs;
    struct handoff_msg msg;
    struct fixture f;
    int fd;

    start_running(&f, 0);
    say(&f, HANDOFF_WANT_CONTAINER, 0, "");
    pump(&f);
    msg = hear_with(&f, HANDOFF_CONTAINER, &fd);
    assert_int_equal(msg.code, -ENOENT);
    assert_int_equal(fd, -1);

    c.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    f.machine.containers = &c;
    say(&f, HANDOFF_WANT_CONTAINER, 0, "");
    pump(&f);
    msg = hear_with(&f, HANDOFF_CONTAINER, &fd);
    assert_int_equal(msg.code, 0);
    assert_int_equal(fstat(c.fd, &mine) | fstat(fd, &theirs), 0);
    assert_int_equal(mine.st_rdev, theirs.st_rdev);
    f.machine.containers = NULL;
    close(fd);
    close(c.fd);
    end(&f);
}

static void test_standby(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 0);
    give_with(&f, 9, HANDOFF_KIND_VIRTIO, HANDOFF_FLAG_STANDBY);
    pump(&f);
    assert_true(fake_nics.standby);
    give_with(&f, 10, HANDOFF_KIND_VIRTIO, 0);
    pump(&f);
    assert_false(fake_nics.standby);
    end(&f);
}

/* Messages that only a VMM sends, and those of another time: the conversation ends, not the VM. */
static void test_nonsense(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 1);
    say(&f, HANDOFF_READY, 0, "");
    pump(&f);
    assert_true(hears_the_end(&f));
    assert_true(guest_sees(&f.machine, 1));
    end(&f);
}

/* ---- the next agent ---- */

static void test_resume(void **state _unused_)
{
    struct fixture f;
    int old;

    start_running(&f, 2);
    guest_turns_on(&f.machine, 1);
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_ACTIVE, HANDOFF_REASON_ASKED);
    old = f.agent;
    f.agent = handoff_connect(f.path, &f.e);
    assert_true(f.agent >= 0);
    pump(&f);
    hear_nothing(&f);
    say(&f, HANDOFF_RESUME, 0, "");
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_ACTIVE, HANDOFF_REASON_ASKED);
    hear_state(&f, 2, HANDOFF_STATE_OFFERED, HANDOFF_REASON_ASKED);
    assert_string_equal(hear(&f, HANDOFF_HELLO).vm, "test");
    /* From here it is the agent, and the old one isn't. */
    ask_back(&f, 2, 0);
    pump(&f);
    hear_state(&f, 2, HANDOFF_STATE_REVOKED, HANDOFF_REASON_ASKED);
    close(old);
    pump(&f);
    assert_false(hears_the_end(&f));
    end(&f);
}

static void test_resume_after_a_death(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 1);
    ask_back(&f, 1, 60000);
    pump(&f);
    closep(&f.agent);
    pump(&f);
    assert_int_equal(f.link.sock, -1);
    (void)guest_in(&f.machine, HOTPLUG_PORT_DOWN);
    pump(&f);
    f.agent = handoff_connect(f.path, &f.e);
    say(&f, HANDOFF_RESUME, 0, "");
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_ACKNOWLEDGED, HANDOFF_REASON_ASKED);
    (void)hear(&f, HANDOFF_HELLO);
    end(&f);
}

static void test_candidate_that_says_else(void **state _unused_)
{
    struct fixture f;
    int old;

    start_running(&f, 1);
    old = f.agent;
    f.agent = handoff_connect(f.path, &f.e);
    ask_back(&f, 1, 0);
    pump(&f);
    assert_true(hears_the_end(&f));
    assert_true(guest_sees(&f.machine, 1));
    close(f.agent);
    f.agent = old;
    ask_back(&f, 1, 0);
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_REVOKED, HANDOFF_REASON_ASKED);
    end(&f);
}

/* Connects as another user, in a child that lives until the connection has been answered. */
static void test_only_root_may(void **state _unused_)
{
    int pipe_fds[2];
    struct fixture f;
    pid_t pid;
    char c;

    if (geteuid() != 0)
        skip();
    start_running(&f, 1);
    assert_int_equal(chmod(f.dir, 0755), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct handoff_msg msg;
        int fd;

        handoff_msg_init(&msg, HANDOFF_RESUME, 0);
        if (setresuid(65534, 65534, 65534) < 0)
            _exit(1);
        fd = handoff_connect(f.path, NULL);
        if (fd < 0 || handoff_send(fd, &msg, NULL, 0) < 0 || write(pipe_fds[1], "x", 1) != 1)
            _exit(2);
        /* The end, and no answer; or reset, where RESUME had not been read. */
        _exit(recv(fd, &c, 1, 0) <= 0 ? 0 : 3);
    }
    assert_int_equal(read(pipe_fds[0], &c, 1), 1);
    pump(&f);
    assert_int_equal(f.link.candidate, -1);
    ask_back(&f, 1, 0);
    pump(&f);
    hear_state(&f, 1, HANDOFF_STATE_REVOKED, HANDOFF_REASON_ASKED);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    end(&f);
}

/* An agent that reads nothing doesn't stop the machine. */
static void test_deaf_agent(void **state _unused_)
{
    struct fixture f;

    start_running(&f, 0);
    for (unsigned i = 0; i < 100000 && f.link.sock >= 0; i++) {
        struct handoff_msg msg;

        handoff_msg_init(&msg, HANDOFF_REMOVE, 0);
        msg.change.generation = 1;
        (void)!send(f.agent, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL);
        pump(&f);
    }
    assert_int_equal(f.link.sock, -1);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_out_of_turn),
        cmocka_unit_test(test_agent_goes),
        cmocka_unit_test(test_wrong_fds),
        cmocka_unit_test(test_older_agent),
        cmocka_unit_test(test_nic_comes_and_goes),
        cmocka_unit_test(test_refuses_and_goes_on),
        cmocka_unit_test(test_unknown_generation),
        cmocka_unit_test(test_error_is_told),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_standby),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_after_a_death),
        cmocka_unit_test(test_candidate_that_says_else),
        cmocka_unit_test(test_only_root_may),
        cmocka_unit_test(test_deaf_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
