/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions with VMMs that are this test: the agent's loop runs here too, between their messages. */
#include "src/live.h"
#include "src/session.h"

#include "temp-dir.h"
#include "unit.h"
#include "vfio/handoff.h"
#include "vfio/open.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define SPEED 50 /* deadlines come that much sooner */

static struct agent agent;
static sd_event *event;
static char path[64];
static int open_error;
static unsigned opened;

int __wrap_vfio_open(const struct pci_addr *dev, int container, struct vfio_fds *ret,
                     struct error *e);
int __wrap_sd_event_add_time_relative(sd_event *ev, sd_event_source **ret, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *opaque);
int __real_sd_event_add_time_relative(sd_event *ev, sd_event_source **ret, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *opaque);

/* Fds of /dev/null, or the first VF's container again. */
int __wrap_vfio_open(const struct pci_addr *dev, int container, struct vfio_fds *ret,
                     struct error *e)
{
    if (open_error)
        return error_set(e, open_error, "%s can't be opened", PCI_ADDR_STR(dev));
    opened++;
    ret->container = container < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC)
                                   : fcntl(container, F_DUPFD_CLOEXEC, 0);
    ret->group = open("/dev/null", O_RDWR | O_CLOEXEC);
    ret->device = open("/dev/null", O_RDWR | O_CLOEXEC);
    return 0;
}

int __wrap_sd_event_add_time_relative(sd_event *ev, sd_event_source **ret, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *opaque)
{
    return __real_sd_event_add_time_relative(ev, ret, clock, usec / SPEED, accuracy, callback,
                                             opaque);
}

static int setup(void **state)
{
    struct error e = ERROR_INIT;

    agent = (struct agent){.state_dir = temp_dir_make(state), .config_dir = temp_dir_path(state)};
    assert_int_equal(mkdirat(agent.state_dir, "vm", 0755), 0);
    assert_int_equal(chmod(agent.config_dir, 0755), 0);
    agent.runtime_dir = agent.config_dir;
    assert_int_equal(live_new(&agent.live), 0);
    pthread_mutex_init(&agent.claim, NULL);
    open_error = 0;
    opened = 0;
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(worker_new(event, &agent.worker), 0);
    snprintf(path, sizeof(path), "%s/handoff", agent.config_dir);
    assert_int_equal(session_listen(&agent, event, path, &e), 0);
    return 0;
}

static int teardown(void **state)
{
    session_cut_all(&agent);
    worker_free(agent.worker);
    session_close_all(&agent);
    assert_null(agent.sessions);
    event = sd_event_unref(event);
    agent.state_dir = -1; /* temp_dir_remove closes it */
    agent_done(&agent);
    temp_dir_remove(state);
    return 0;
}

static void add_lease(unsigned vf, const char *vm, enum lease_phase phase, uint64_t generation)
{
    struct lease l = {.kind = LEASE_KIND_VF,
                      .phase = phase,
                      .generation = generation,
                      .boot_id = "b00t",
                      .pf = {.bus = 1},
                      .vf = {.bus = 1, .dev = 0x10, .fn = (uint8_t)vf}};

    pci_addr_format(&l.vf, l.id);
    snprintf(l.vm, sizeof(l.vm), "%s", vm);
    policy_put(&l.wanted, POLICY_MAC, 0x525400123450 + vf);
    assert_int_equal(lease_save(agent.state_dir, &l, NULL), 0);
}

static void run_loop(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++)
        assert_true(sd_event_run(event, 1000) >= 0);
}

static int vmm_connect(void)
{
    int sock = handoff_connect(path, NULL);

    assert_true(sock >= 0);
    run_loop(2);
    return sock;
}

static void vmm_say(int sock, enum handoff_type type, uint32_t seq, const char *vm)
{
    struct handoff_msg m;

    handoff_msg_init(&m, type, seq);
    if (vm)
        snprintf(m.vm, sizeof(m.vm), "%s", vm);
    assert_int_equal(handoff_send(sock, &m, NULL, 0), 0);
}

static int hear_any(int sock, struct handoff_msg *ret)
{
    int fds[HANDOFF_FDS_MAX], r;

    for (unsigned i = 0; i < 500; i++) {
        struct pollfd p = {.fd = sock, .events = POLLIN};

        if (poll(&p, 1, 0) > 0)
            break;
        run_loop(2);
    }
    assert_int_equal(fcntl(sock, F_SETFL, O_NONBLOCK), 0);
    r = handoff_recv(sock, ret, fds);
    for (unsigned i = 0; r == 0 && i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    return r;
}

/* The agent's next message but the listener, which comes first of all; its fds are closed, and
 * counted by the library. -ECONNRESET at the end, -EAGAIN if none comes. */
static int vmm_hear(int sock, struct handoff_msg *ret)
{
    int r = hear_any(sock, ret);

    return r == 0 && ret->type == HANDOFF_LISTENER ? hear_any(sock, ret) : r;
}

static void assert_hears(int sock, enum handoff_type type, uint32_t seq)
{
    struct handoff_msg m;

    assert_int_equal(vmm_hear(sock, &m), 0);
    assert_int_equal(m.type, type);
    assert_int_equal(m.seq, seq);
}

static void assert_refused(int sock, int code, const char *text)
{
    struct handoff_msg m;

    assert_int_equal(vmm_hear(sock, &m), 0);
    assert_int_equal(m.type, HANDOFF_REFUSED);
    assert_int_equal(m.code, code);
    assert_text_has(m.text, text);
    assert_int_equal(vmm_hear(sock, &m), -ECONNRESET);
}

static size_t count_running(void)
{
    struct running_list running;
    size_t n;

    assert_int_equal(live_running(agent.live, &running, NULL), 0);
    n = running.count;
    free(running.items);
    return n;
}

static void test_no_nic(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();
    struct running_list running;

    assert_int_equal(count_running(), 0);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_hears(vmm, HANDOFF_READY, 0);
    assert_int_equal(live_running(agent.live, &running, NULL), 0);
    assert_int_equal(running.count, 1);
    assert_string_equal(running.items[0].vm, "vm1");
    assert_int_equal(running.items[0].pid, getpid());
    free(running.items);
    closep(&vmm);
    run_loop(5);
    assert_int_equal(count_running(), 0);
    assert_null(agent.sessions);
}

/* In the order of assignment; what others have, or what is on its way out, isn't offered. */
static void test_nics(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();
    struct handoff_msg m;

    add_lease(0, "vm1", LEASE_ASSIGNED, 9);
    add_lease(1, "vm1", LEASE_ASSIGNED, 4);
    add_lease(2, "vm2", LEASE_ASSIGNED, 5);
    add_lease(3, "vm1", LEASE_RELEASING, 6);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_int_equal(vmm_hear(vmm, &m), 0);
    assert_int_equal(m.type, HANDOFF_NIC);
    assert_int_equal(m.seq, 1);
    assert_int_equal(m.nic.kind, HANDOFF_KIND_VF);
    assert_int_equal(m.nic.generation, 4);
    assert_string_equal(m.nic.pci, "0000:01:10.1");
    assert_memory_equal(m.nic.mac, "\x52\x54\x00\x12\x34\x51", 6);
    vmm_say(vmm, HANDOFF_TAKEN, 1, NULL);
    assert_int_equal(vmm_hear(vmm, &m), 0);
    assert_int_equal(m.seq, 2);
    assert_string_equal(m.nic.pci, "0000:01:10.0");
    vmm_say(vmm, HANDOFF_TAKEN, 2, NULL);
    assert_hears(vmm, HANDOFF_READY, 2);
    assert_int_equal(opened, 2);
}

static void test_one_vmm_a_vm(void **state _unused_)
{
    _cleanup_close_ int first = vmm_connect(), second = vmm_connect(), third = -1;

    vmm_say(first, HANDOFF_HELLO, 0, "vm1");
    assert_hears(first, HANDOFF_READY, 0);
    vmm_say(second, HANDOFF_HELLO, 0, "vm1");
    assert_refused(second, -EBUSY, "VM vm1 runs already (pid ");
    /* Its successor may be faster than the news of its end. */
    third = vmm_connect();
    vmm_say(third, HANDOFF_HELLO, 0, "vm1");
    closep(&first);
    assert_hears(third, HANDOFF_READY, 0);
}

static void test_while_being_assigned(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();

    add_lease(0, "vm1", LEASE_ASSIGNING, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    run_loop(30);
    assert_int_equal(opened, 0);
    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    assert_hears(vmm, HANDOFF_NIC, 1);
}

static void test_quarantined(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();

    add_lease(0, "vm1", LEASE_QUARANTINED, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_refused(vmm, -EBUSY, "quarantined: 'sriovctl release 0000:01:10.0' first");
    assert_int_equal(opened, 0);
}

static void test_cant_be_opened(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();

    open_error = -EBUSY;
    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_refused(vmm, -EBUSY, "0000:01:10.0 can't be opened");
    assert_int_equal(count_running(), 0);
}

/* A VMM that doesn't answer keeps its own name, and nobody waiting. */
static void test_never_taken(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();
    const struct pci_addr pf = {.bus = 1};
    struct gate *g;

    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_hears(vmm, HANDOFF_NIC, 1);
    run_loop(5);
    pthread_mutex_lock(&agent.claim);
    g = agent_gate(&agent, &pf);
    pthread_mutex_unlock(&agent.claim);
    assert_int_equal(pthread_mutex_trylock(&g->lock), 0);
    pthread_mutex_unlock(&g->lock);
    assert_int_equal(count_running(), 1);
}

/* The agent ends without waiting for a VMM that doesn't answer. */
static void test_end_amid_the_handoff(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();
    const time_t begin = time(NULL);
    struct handoff_msg m;

    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_hears(vmm, HANDOFF_NIC, 1);
    session_cut_all(&agent);
    worker_free(agent.worker);
    agent.worker = NULL;
    session_close_all(&agent);
    assert_true(time(NULL) - begin < 20);
    assert_int_equal(vmm_hear(vmm, &m), -ECONNRESET);
}

static void test_wrong_answers(void **state _unused_)
{
    static const struct {
        enum handoff_type type;
        uint32_t seq;
    } cases[] = {{HANDOFF_TAKEN, 2}, {HANDOFF_READY, 1}, {HANDOFF_HELLO, 1}};

    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_close_ int vmm = vmm_connect();

        vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
        assert_hears(vmm, HANDOFF_NIC, 1);
        vmm_say(vmm, cases[i].type, cases[i].seq, cases[i].type == HANDOFF_HELLO ? "vm1" : NULL);
        assert_refused(vmm, -EPROTO, "something else");
        assert_int_equal(count_running(), 0);
    }
}

static void test_dies_amid_the_handoff(void **state _unused_)
{
    _cleanup_close_ int vmm = vmm_connect();

    add_lease(0, "vm1", LEASE_ASSIGNED, 4);
    vmm_say(vmm, HANDOFF_HELLO, 0, "vm1");
    assert_hears(vmm, HANDOFF_NIC, 1);
    closep(&vmm);
    for (unsigned i = 0; agent.sessions && i < 500; i++)
        run_loop(1);
    assert_null(agent.sessions);
}

static void test_bad_begin(void **state _unused_)
{
    static const enum handoff_type types[] = {HANDOFF_TAKEN, HANDOFF_READY};
    _cleanup_close_ int noise = vmm_connect(), twice = vmm_connect();

    for (size_t i = 0; i < ELEMENTSOF(types); i++) {
        _cleanup_close_ int vmm = vmm_connect();

        vmm_say(vmm, types[i], 1, NULL);
        assert_refused(vmm, -EPROTO, "a VMM begins with one HELLO");
    }
    assert_int_equal(send(noise, "x", 1, 0), 1);
    assert_refused(noise, -EPROTO, "malformed message");
    vmm_say(twice, HANDOFF_HELLO, 0, "vm1");
    assert_hears(twice, HANDOFF_READY, 0);
    vmm_say(twice, HANDOFF_HELLO, 0, "vm2");
    assert_refused(twice, -EPROTO, "something else");
}

static void test_silence(void **state _unused_)
{
    _cleanup_close_ int silent = vmm_connect(), honest = vmm_connect();
    struct handoff_msg m;

    vmm_say(honest, HANDOFF_HELLO, 0, "vm1");
    assert_hears(honest, HANDOFF_READY, 0);
    assert_refused(silent, -ETIMEDOUT, "none came");
    run_loop(200);
    assert_int_equal(fcntl(honest, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(handoff_recv(honest, &m, (int[HANDOFF_FDS_MAX]){0}), -EAGAIN);
    assert_int_equal(count_running(), 1);
}

static void test_too_many(void **state _unused_)
{
    int socks[16];
    _cleanup_close_ int more = -1, last = -1;

    for (size_t i = 0; i < ELEMENTSOF(socks); i++)
        assert_true((socks[i] = handoff_connect(path, NULL)) >= 0);
    more = vmm_connect();
    run_loop(5);
    assert_refused(more, -EBUSY, "has 16 connections that didn't say HELLO");
    closep(&socks[0]);
    run_loop(5);
    last = vmm_connect();
    vmm_say(last, HANDOFF_HELLO, 0, "vm1");
    assert_hears(last, HANDOFF_READY, 0);
    for (size_t i = 1; i < ELEMENTSOF(socks); i++)
        close(socks[i]);
}

/* A VMM of another user: 0 if it hears what is expected. */
static int foreign_vmm(enum handoff_type expected)
{
    int fds[HANDOFF_FDS_MAX], sock;
    struct handoff_msg m;

    if (setuid(1) < 0)
        return 2;
    sock = handoff_connect(path, NULL);
    handoff_msg_init(&m, HANDOFF_HELLO, 0);
    strcpy(m.vm, "vm1");
    if (sock < 0 || handoff_send(sock, &m, NULL, 0) < 0 || handoff_recv(sock, &m, fds) < 0)
        return 3;
    if (m.type == HANDOFF_LISTENER && handoff_recv(sock, &m, fds) < 0)
        return 4;
    return m.type != expected || (expected == HANDOFF_REFUSED && m.code != -EPERM);
}

static void assert_foreign(enum handoff_type expected)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(foreign_vmm(expected));
    for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0 && i < 2000; i++)
        run_loop(1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_owner(void **state _unused_)
{
    if (geteuid() != 0)
        skip();
    assert_foreign(HANDOFF_REFUSED);
    temp_dir_write(agent.state_dir, "vm/vm1.conf", "Owner=root\n", 11);
    assert_foreign(HANDOFF_REFUSED);
    temp_dir_write(agent.state_dir, "vm/vm1.conf", "Owner=daemon\n", 13);
    assert_foreign(HANDOFF_READY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_nic),        TEST(test_nics),
        TEST(test_one_vmm_a_vm),  TEST(test_while_being_assigned),
        TEST(test_quarantined),   TEST(test_cant_be_opened),
        TEST(test_never_taken),   TEST(test_end_amid_the_handoff),
        TEST(test_wrong_answers), TEST(test_dies_amid_the_handoff),
        TEST(test_bad_begin),     TEST(test_silence),
        TEST(test_too_many),      TEST(test_owner),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
