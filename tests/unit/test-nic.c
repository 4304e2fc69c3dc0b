/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMM's side of the handoff, with an agent that says what it was told to beforehand. */
#include "bare-machine.h"
#include "vmm/nic.h"

#include <dirent.h>
#include <sys/socket.h>

struct fixture {
    struct machine machine;
    int vmm, agent;
    unsigned count;
    struct error e;
};

static void start(struct fixture *f)
{
    int pair[2];

    *f = (struct fixture){.count = 77, .e = ERROR_INIT};
    bare_machine_init(&f->machine);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f->vmm = pair[0];
    f->agent = pair[1];
}

static void end(struct fixture *f)
{
    closep(&f->vmm);
    closep(&f->agent);
    bare_machine_done(&f->machine);
}

static void say(struct fixture *f, enum handoff_type type, int code, const char *text)
{
    struct handoff_msg msg;

    handoff_msg_init(&msg, type, 0);
    msg.code = code;
    snprintf(msg.text, sizeof(msg.text), "%s", text);
    assert_int_equal(handoff_send(f->agent, &msg, NULL, 0), 0);
}

static void give(struct fixture *f, enum handoff_kind kind, const char *name)
{
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg msg;
    const size_t n = (size_t)handoff_fd_count(kind);

    handoff_msg_init(&msg, HANDOFF_NIC, 1);
    msg.nic.kind = kind;
    snprintf(msg.nic.name, sizeof(msg.nic.name), "%s", name);
    if (kind == HANDOFF_KIND_VF)
        snprintf(msg.nic.pci, sizeof(msg.nic.pci), "0000:01:10.0");
    for (size_t i = 0; i < n; i++)
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(handoff_send(f->agent, &msg, fds, n), 0);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static int take(struct fixture *f)
{
    return nic_take_all(&f->machine, f->vmm, &f->count, &f->e);
}

static void test_none(void **state _unused_)
{
    int fds[HANDOFF_FDS_MAX];
    struct handoff_msg hello;
    struct fixture f;

    start(&f);
    say(&f, HANDOFF_READY, 0, "");
    assert_int_equal(take(&f), 0);
    assert_int_equal(f.count, 0);
    assert_int_equal(handoff_recv(f.agent, &hello, fds), 0);
    assert_int_equal(hello.type, HANDOFF_HELLO);
    assert_string_equal(hello.vm, "test");
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
    struct handoff_msg hello;
    struct fixture f;

    start(&f);
    handoff_msg_init(&hello, HANDOFF_HELLO, 0);
    snprintf(hello.vm, sizeof(hello.vm), "test");
    assert_int_equal(handoff_send(f.agent, &hello, NULL, 0), 0);
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
        before = count_fds();
        give(&f, wrong[i].kind, "eth0/vf3");
        assert_true(take(&f) < 0);
        assert_text_has(f.e.text, "eth0/vf3: ");
        assert_text_has(f.e.text, wrong[i].text);
        assert_int_equal(count_fds(), before);
        assert_null(f.machine.pci.slots[1]);
        assert_null(f.machine.containers);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_out_of_turn), cmocka_unit_test(test_agent_goes),
        cmocka_unit_test(test_wrong_fds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
