/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/live.h"

#include "src/nic-fds.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

/* The other end of a VM's socket, played by the test: what comes is handed to the table as the
 * agent's main thread would. */
struct vmm {
    struct live *live;
    int agent_sock, vmm_sock;
};

static struct vmm vmm;
static int opened_container; /* what the last VF was opened with */

int __wrap_nic_fds_open_vf(const struct lease *l, int container, struct nic_fds *ret,
                           struct error *e);
int __wrap_nic_fds_open_vf(const struct lease *l _unused_, int container, struct nic_fds *ret,
                           struct error *e _unused_)
{
    opened_container = container;
    for (int i = 0; i < 3; i++)
        ret->fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    ret->count = 3;
    return 0;
}

static struct lease vf_lease(uint64_t generation)
{
    struct lease l = {.kind = LEASE_KIND_VF, .generation = generation};

    snprintf(l.id, sizeof(l.id), "0000:01:10.0");
    snprintf(l.vm, sizeof(l.vm), "vm1");
    return l;
}

static int setup(void **state _unused_)
{
    int socks[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks), 0);
    assert_int_equal(live_new(&vmm.live), 0);
    vmm.agent_sock = socks[0];
    vmm.vmm_sock = socks[1];
    opened_container = -2;
    return live_join(vmm.live, "vm1", vmm.agent_sock, 42);
}

static int teardown(void **state _unused_)
{
    live_free(vmm.live);
    closep(&vmm.agent_sock);
    closep(&vmm.vmm_sock);
    return 0;
}

/* The VMM says something; the agent's main thread hands it on. */
static int vmm_says(const struct handoff_msg *m, const int *fds, size_t n_fds)
{
    struct handoff_msg got;
    int got_fds[HANDOFF_FDS_MAX];

    assert_int_equal(handoff_send(vmm.vmm_sock, m, fds, n_fds), 0);
    assert_int_equal(handoff_recv(vmm.agent_sock, &got, got_fds), 0);
    return live_message(vmm.live, "vm1", &got, got_fds);
}

static int vmm_says_state(uint64_t generation, enum handoff_state state)
{
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_STATE, 0);
    m.change = (struct handoff_change){.generation = generation, .state = state};
    return vmm_says(&m, NULL, 0);
}

static void vmm_hears(struct handoff_msg *ret, enum handoff_type type)
{
    int fds[HANDOFF_FDS_MAX];

    assert_int_equal(handoff_recv(vmm.vmm_sock, ret, fds), 0);
    for (int i = 0; i < HANDOFF_FDS_MAX; i++)
        closep(&fds[i]);
    assert_int_equal(ret->type, type);
}

/* A worker thread that plugs or unplugs. */
struct work {
    pthread_t thread;
    bool unplug;
    unsigned deadline_ms;
    int *container;
    struct lease lease;
    struct error error;
    int result;
};

static void *work_thread(void *opaque)
{
    struct work *w = opaque;

    if (w->container) {
        w->result = live_offer(vmm.live, &w->lease, 1, w->container, &w->error);
        if (w->result == 0)
            w->result = live_taken(vmm.live, &w->lease, 1, &w->error);
    } else if (w->unplug)
        w->result = live_unplug(vmm.live, &w->lease, w->deadline_ms, &w->error);
    else
        w->result = live_plug(vmm.live, &w->lease, &w->error);
    return NULL;
}

static void start(struct work *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, work_thread, w), 0);
}

static int finish(struct work *w)
{
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    return w->result;
}

static void answer_container(int fd)
{
    struct handoff_msg m;

    vmm_hears(&m, HANDOFF_WANT_CONTAINER);
    handoff_msg_init(&m, HANDOFF_CONTAINER, 0);
    m.code = fd < 0 ? -ENOENT : 0;
    assert_int_equal(vmm_says(&m, &fd, fd >= 0), 0);
}

static void answer_nic(enum handoff_type type)
{
    struct handoff_msg m;

    vmm_hears(&m, HANDOFF_NIC);
    assert_int_equal(m.seq, 1);
    handoff_msg_init(&m, type, 1);
    if (type == HANDOFF_REFUSED) {
        m.code = -ENOSPC;
        snprintf(m.text, sizeof(m.text), "no slot is free");
    }
    assert_int_equal(vmm_says(&m, NULL, 0), 0);
}

static void plug_lease(uint64_t generation)
{
    struct work w = {.lease = vf_lease(generation)};

    start(&w);
    answer_container(-1);
    answer_nic(HANDOFF_TAKEN);
    assert_int_equal(finish(&w), 0);
}

static void test_plug_asks_for_the_container(void **state _unused_)
{
    _cleanup_close_ int container = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct work w = {.lease = vf_lease(7)};

    start(&w);
    answer_container(container);
    answer_nic(HANDOFF_TAKEN);
    assert_int_equal(finish(&w), 0);
    assert_true(opened_container >= 0);
    assert_int_equal(live_state(vmm.live, 7), HANDOFF_STATE_OFFERED);
    /* A VM without a VF has none, and one is made. */
    plug_lease(8);
    assert_int_equal(opened_container, -1);
}

static void test_plug_at_start_keeps_the_container(void **state _unused_)
{
    _cleanup_close_ int container = -1;
    struct work w = {.lease = vf_lease(7), .container = &container};

    start(&w);
    answer_nic(HANDOFF_TAKEN);
    assert_int_equal(finish(&w), 0);
    assert_true(container >= 0);
}

static void test_plug_refused(void **state _unused_)
{
    struct work w = {.lease = vf_lease(7)};

    start(&w);
    answer_container(-1);
    answer_nic(HANDOFF_REFUSED);
    assert_int_equal(finish(&w), -ENOSPC);
    assert_non_null(strstr(w.error.text, "no slot is free"));
    assert_int_equal(live_state(vmm.live, 7), 0);
}

static void test_plug_without_vm(void **state _unused_)
{
    struct work w = {.lease = vf_lease(7)};

    snprintf(w.lease.vm, sizeof(w.lease.vm), "other");
    start(&w);
    assert_int_equal(finish(&w), -ENODEV);
}

static void test_plug_while_vmm_dies(void **state _unused_)
{
    struct work w = {.lease = vf_lease(7)};
    struct running_list running;
    struct handoff_msg m;

    start(&w);
    vmm_hears(&m, HANDOFF_WANT_CONTAINER);
    live_leave(vmm.live, "vm1");
    assert_int_equal(finish(&w), -ENODEV);
    assert_int_equal(live_running(vmm.live, &running, NULL), 0);
    assert_int_equal(running.count, 0);
    free(running.items);
}

static void test_unplug_goes_through_its_states(void **state _unused_)
{
    struct work w = {.lease = vf_lease(7), .unplug = true, .deadline_ms = 30000};
    struct handoff_msg m;

    plug_lease(7);
    assert_int_equal(vmm_says_state(7, HANDOFF_STATE_ACTIVE), 0);
    start(&w);
    vmm_hears(&m, HANDOFF_REMOVE);
    assert_int_equal(m.change.generation, 7);
    assert_int_equal(m.change.deadline_ms, 30000);
    assert_int_equal(vmm_says_state(7, HANDOFF_STATE_REQUESTED), 0);
    assert_int_equal(live_state(vmm.live, 7), HANDOFF_STATE_REQUESTED);
    assert_int_equal(vmm_says_state(7, HANDOFF_STATE_ACKNOWLEDGED), 0);
    assert_int_equal(live_state(vmm.live, 7), HANDOFF_STATE_ACKNOWLEDGED);
    assert_int_equal(vmm_says_state(7, HANDOFF_STATE_EJECTED), 0);
    assert_int_equal(finish(&w), 0);
    assert_int_equal(live_state(vmm.live, 7), 0);
}

static void test_unplug_of_a_vm_that_ends(void **state _unused_)
{
    struct work w = {.lease = vf_lease(7), .unplug = true, .deadline_ms = 30000};
    struct handoff_msg m;

    plug_lease(7);
    start(&w);
    vmm_hears(&m, HANDOFF_REMOVE);
    live_leave(vmm.live, "vm1");
    assert_int_equal(finish(&w), 0);
    assert_int_equal(live_unplug(vmm.live, &w.lease, 0, NULL), 0);
}

static void test_vm_speaks_for_its_own_nics_only(void **state _unused_)
{
    int none[HANDOFF_FDS_MAX] = {-1, -1, -1};
    struct handoff_msg m;

    plug_lease(7);
    assert_int_equal(live_join(vmm.live, "vm1", vmm.agent_sock, 1), -EEXIST);
    assert_int_equal(live_join(vmm.live, "vm2", vmm.agent_sock, 1), 0);
    handoff_msg_init(&m, HANDOFF_STATE, 0);
    m.change = (struct handoff_change){.generation = 7, .state = HANDOFF_STATE_EJECTED};
    assert_int_equal(live_message(vmm.live, "vm2", &m, none), -EPROTO);
    assert_int_equal(live_state(vmm.live, 7), HANDOFF_STATE_OFFERED);
}

static void test_answers_that_nobody_asked_for(void **state _unused_)
{
    int none[HANDOFF_FDS_MAX] = {-1, -1, -1};
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_TAKEN, 1);
    assert_int_equal(live_message(vmm.live, "vm1", &m, none), -EPROTO);
    handoff_msg_init(&m, HANDOFF_HELLO, 0);
    assert_int_equal(live_message(vmm.live, "vm1", &m, none), -EPROTO);
    handoff_msg_init(&m, HANDOFF_TAKEN, 1);
    assert_int_equal(live_message(vmm.live, "nobody", &m, none), -EPROTO);
}

int main(void)
{
#define LIVE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        LIVE_TEST(test_plug_asks_for_the_container),
        LIVE_TEST(test_plug_at_start_keeps_the_container),
        LIVE_TEST(test_plug_refused),
        LIVE_TEST(test_plug_without_vm),
        LIVE_TEST(test_plug_while_vmm_dies),
        LIVE_TEST(test_unplug_goes_through_its_states),
        LIVE_TEST(test_unplug_of_a_vm_that_ends),
        LIVE_TEST(test_vm_speaks_for_its_own_nics_only),
        LIVE_TEST(test_answers_that_nobody_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
