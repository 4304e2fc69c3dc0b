/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How NICs come and go, with a guest that does what each test says, or doesn't. */
#include "fake-nics.h"

#define FAR 60000 /* ms: a deadline that no test reaches */

struct fixture {
    struct machine machine;
    struct nic_set nics;
    unsigned fds;
    char log[256]; /* "GENERATION STATE REASON; " as reported */
    struct error e;
};

static void changed(void *opaque, const struct nic *n)
{
    static const char *const states[HANDOFF_STATE_COUNT] = {
        [HANDOFF_STATE_ACTIVE] = "active",
        [HANDOFF_STATE_REQUESTED] = "requested",
        [HANDOFF_STATE_ACKNOWLEDGED] = "acknowledged",
        [HANDOFF_STATE_EJECTED] = "ejected",
        [HANDOFF_STATE_REVOKED] = "revoked",
    };
    static const char *const reasons[HANDOFF_REASON_COUNT] = {"", " kernel", " error"};
    struct fixture *f = opaque;
    const size_t used = strlen(f->log);
    unsigned in_set = 0;

    for (const struct nic *other = f->nics.first; other; other = other->next)
        in_set++;
    /* Who has left is destroyed before anyone hears of it. */
    assert_int_equal(fake_nics.alive, in_set);
    snprintf(f->log + used, sizeof(f->log) - used, "%llu %s%s; ", (unsigned long long)n->generation,
             states[n->state], reasons[n->reason]);
}

static void start(struct fixture *f)
{
    *f = (struct fixture){.e = ERROR_INIT};
    fake_nics_init(&f->machine, &f->nics);
    f->nics.changed = changed;
    f->nics.opaque = f;
    f->fds = count_fds();
}

static void end(struct fixture *f)
{
    fake_nics_done(&f->machine, &f->nics);
}

static int add_kind(struct fixture *f, uint64_t generation, uint32_t kind, bool live)
{
    struct handoff_nic nic = {.kind = kind, .generation = generation, .name = "eth0/vf3"};
    int fds[HANDOFF_FDS_MAX];
    int r;

    wrong_fds(kind, fds);
    r = nic_add(&f->nics, &nic, fds, live, &f->e);
    for (unsigned i = 0; i < HANDOFF_FDS_MAX; i++)
        assert_int_equal(fds[i], -1);
    return r;
}

/* A VF that comes while the guest runs, which looks at it. */
static unsigned add_seen(struct fixture *f, uint64_t generation)
{
    unsigned slot;

    assert_int_equal(add_kind(f, generation, HANDOFF_KIND_VF, true), 0);
    slot = nic_find(&f->nics, generation)->slot;
    assert_int_equal(guest_in(&f->machine, HOTPLUG_PORT_UP), 1U << slot);
    return slot;
}

static void ask_back(struct fixture *f, uint64_t generation, uint32_t deadline_ms)
{
    struct nic *n = nic_find(&f->nics, generation);

    assert_non_null(n);
    nic_remove(n, deadline_ms, HANDOFF_REASON_ASKED);
}

static void pump(struct fixture *f)
{
    fake_nics_pump(&f->machine, 0);
}

static void test_comes_and_goes(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    slot = add_seen(&f, 7);
    assert_true(guest_sees(&f.machine, slot));
    guest_turns_on(&f.machine, slot);
    guest_turns_on(&f.machine, slot);
    pump(&f);
    ask_back(&f, 7, FAR);
    assert_string_equal(f.log, "7 active; 7 requested; ");
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 1U << slot);
    pump(&f);
    guest_eject(&f.machine, 1U << slot);
    assert_false(guest_sees(&f.machine, slot)); /* at once */
    pump(&f);
    assert_string_equal(f.log, "7 active; 7 requested; 7 acknowledged; 7 ejected; ");
    assert_null(f.nics.first);
    assert_int_equal(count_fds(), f.fds);
    assert_int_equal(add_seen(&f, 8), slot);
    end(&f);
}

/* One whose driver never was, and a guest that did all at once. */
static void test_states_may_be_skipped(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    slot = add_seen(&f, 7);
    ask_back(&f, 7, FAR);
    (void)guest_in(&f.machine, HOTPLUG_PORT_DOWN);
    guest_turns_on(&f.machine, slot);
    guest_eject(&f.machine, 1U << slot);
    pump(&f);
    assert_string_equal(f.log, "7 requested; 7 ejected; ");
    end(&f);
}

static void test_deadline(void **state _unused_)
{
    struct fixture f;
    unsigned slot, other;

    start(&f);
    slot = add_seen(&f, 7);
    ask_back(&f, 7, 20);
    pump(&f);
    assert_string_equal(f.log, "7 requested; ");
    assert_true(guest_sees(&f.machine, slot));
    fake_nics_pump(&f.machine, 200);
    assert_string_equal(f.log, "7 requested; 7 revoked; ");
    assert_false(guest_sees(&f.machine, slot));
    assert_int_equal(count_fds(), f.fds);
    /* Until the guest has let go of what was there, its ejection must hit nobody else. */
    other = add_seen(&f, 8);
    assert_int_not_equal(other, slot);
    guest_eject(&f.machine, 1U << slot);
    pump(&f);
    assert_true(guest_sees(&f.machine, other));
    assert_int_equal(add_seen(&f, 9), slot);
    end(&f);
}

static void test_at_once(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    slot = add_seen(&f, 7);
    ask_back(&f, 7, 0);
    assert_string_equal(f.log, "7 revoked; ");
    assert_false(guest_sees(&f.machine, slot));
    /* Its driver is told all the same. */
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 1U << slot);
    pump(&f);
    assert_string_equal(f.log, "7 revoked; ");
    end(&f);
}

static void test_removed_before_it_was_seen(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    assert_int_equal(add_kind(&f, 7, HANDOFF_KIND_VIRTIO, true), 0);
    slot = nic_find(&f.nics, 7)->slot;
    /* A guest can't mean what it doesn't know of. */
    guest_eject(&f.machine, 1U << slot);
    pump(&f);
    assert_true(guest_sees(&f.machine, slot));
    ask_back(&f, 7, FAR);
    assert_string_equal(f.log, "7 ejected; ");
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_UP), 0);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 0);
    assert_int_equal(add_seen(&f, 8), slot);
    end(&f);
}

/* It came before the guest ran, which finds it as it boots: it isn't unseen. */
static void test_removed_from_a_booting_guest(void **state _unused_)
{
    struct fixture f;

    start(&f);
    assert_int_equal(add_kind(&f, 7, HANDOFF_KIND_VF, false), 0);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_UP), 0);
    ask_back(&f, 7, FAR);
    assert_string_equal(f.log, "7 requested; ");
    end(&f);
}

static void test_two_at_once(void **state _unused_)
{
    struct fixture f;
    unsigned a, b;

    start(&f);
    a = add_seen(&f, 7);
    b = add_seen(&f, 8);
    ask_back(&f, 7, FAR);
    ask_back(&f, 8, FAR);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 1U << a | 1U << b);
    guest_eject(&f.machine, 1U << a | 1U << b);
    pump(&f);
    assert_string_equal(f.log, "7 requested; 8 requested; 7 ejected; 8 ejected; ");
    assert_int_equal(fake_nics.alive, 0);
    end(&f);
}

static void test_asked_twice(void **state _unused_)
{
    struct fixture f;

    start(&f);
    (void)add_seen(&f, 7);
    ask_back(&f, 7, FAR);
    (void)guest_in(&f.machine, HOTPLUG_PORT_DOWN);
    pump(&f);
    ask_back(&f, 7, 20);
    assert_string_equal(f.log, "7 requested; 7 acknowledged; 7 acknowledged; ");
    /* The earlier deadline counts, whichever came first. */
    ask_back(&f, 7, FAR);
    fake_nics_pump(&f.machine, 200);
    assert_null(f.nics.first);
    assert_text_has(f.log, "7 revoked; ");
    end(&f);
}

/* The guest's own idea. */
static void test_unasked(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    slot = add_seen(&f, 7);
    ask_back(&f, 7, FAR);
    guest_eject(&f.machine, UINT32_MAX); /* also of slots with nothing, or the host bridge */
    pump(&f);
    assert_string_equal(f.log, "7 requested; 7 ejected; ");
    /* It hadn't read the request, which isn't meant for who comes next. */
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 0);
    assert_false(guest_sees(&f.machine, slot));
    assert_true(guest_sees(&f.machine, 0));
    end(&f);
}

static void signal_eventfd(int fd)
{
    const uint64_t one = 1;

    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void test_kernel_wants_it_back(void **state _unused_)
{
    struct fixture f;

    start(&f);
    (void)add_seen(&f, 7);
    signal_eventfd(fake_nics.wish);
    pump(&f);
    assert_string_equal(f.log, "7 requested kernel; ");
    /* The agent, which hears of it, may ask too. */
    ask_back(&f, 7, 0);
    assert_string_equal(f.log, "7 requested kernel; 7 revoked kernel; ");
    end(&f);
}

static void test_error_takes_that_one_only(void **state _unused_)
{
    struct fixture f;
    unsigned slot, other;
    int error;

    start(&f);
    slot = add_seen(&f, 7);
    error = fake_nics.error;
    other = add_seen(&f, 8);
    ask_back(&f, 7, FAR);
    signal_eventfd(error);
    pump(&f);
    assert_string_equal(f.log, "7 requested; 7 revoked error; ");
    assert_false(guest_sees(&f.machine, slot));
    assert_true(guest_sees(&f.machine, other));
    end(&f);
}

/* Who was asked has left when the guest has rebooted; every slot is free for all. */
static void test_reboot(void **state _unused_)
{
    struct fixture f;
    unsigned revoked, asked;

    start(&f);
    revoked = add_seen(&f, 7);
    ask_back(&f, 7, 0);
    asked = add_seen(&f, 8);
    ask_back(&f, 8, FAR);
    assert_int_equal(add_kind(&f, 9, HANDOFF_KIND_VF, true), 0);
    f.log[0] = '\0';
    nic_set_reset(&f.nics);
    assert_string_equal(f.log, "8 ejected; ");
    assert_non_null(nic_find(&f.nics, 9));
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_UP), 0);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_DOWN), 0);
    assert_int_equal(add_seen(&f, 10), revoked);
    assert_int_equal(add_seen(&f, 11), asked);
    end(&f);
}

static void test_refused(void **state _unused_)
{
    struct fixture f;
    unsigned fds;

    start(&f);
    fake_nics.result = -ENOMEM;
    assert_int_equal(add_kind(&f, 7, HANDOFF_KIND_VF, true), -ENOMEM);
    fake_nics.result = 0;
    assert_int_equal(add_kind(&f, 0, HANDOFF_KIND_VF, true), -EPROTO);
    assert_int_equal(count_fds(), f.fds);
    for (uint64_t generation = 1; generation < PCI_SLOTS; generation++)
        assert_int_equal(add_kind(&f, generation, HANDOFF_KIND_VF, true), 0);
    fds = count_fds();
    assert_int_equal(add_kind(&f, 31, HANDOFF_KIND_VF, true), -EEXIST);
    assert_int_equal(add_kind(&f, 32, HANDOFF_KIND_VF, true), -ENOSPC);
    assert_text_has(f.e.text, "eth0/vf3: ");
    assert_int_equal(count_fds(), fds);
    assert_int_equal(guest_in(&f.machine, HOTPLUG_PORT_UP), 0xfffffffe);
    end(&f);
}

/* The machine ends with one that the guest has ejected and nobody has buried. */
static void test_end_amid_an_ejection(void **state _unused_)
{
    struct fixture f;
    unsigned slot;

    start(&f);
    slot = add_seen(&f, 7);
    (void)add_seen(&f, 8);
    guest_eject(&f.machine, 1U << slot);
    end(&f);
}

static void test_many_cycles_leave_nothing(void **state _unused_)
{
    struct fixture f;

    start(&f);
    for (uint64_t generation = 1; generation <= 200; generation++) {
        const unsigned slot = add_seen(&f, generation);

        assert_int_equal(slot, 1);
        guest_turns_on(&f.machine, slot);
        ask_back(&f, generation, generation % 2 ? FAR : 0);
        (void)guest_in(&f.machine, HOTPLUG_PORT_DOWN);
        guest_eject(&f.machine, 1U << slot);
        pump(&f);
        f.log[0] = '\0';
    }
    assert_int_equal(count_fds(), f.fds);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_and_goes),
        cmocka_unit_test(test_states_may_be_skipped),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_removed_before_it_was_seen),
        cmocka_unit_test(test_removed_from_a_booting_guest),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_asked_twice),
        cmocka_unit_test(test_unasked),
        cmocka_unit_test(test_kernel_wants_it_back),
        cmocka_unit_test(test_error_takes_that_one_only),
        cmocka_unit_test(test_reboot),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_end_amid_an_ejection),
        cmocka_unit_test(test_many_cycles_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
