/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How plans run and go back. Steps of leases act on real files; a bind, a reset and a policy
 * message do as the test says. */
#include "src/plan.h"

#include "temp-dir.h"
#include "unit.h"
#include "vfio/bind.h"

#include <errno.h>

static int dir = -1;
static const struct pci_addr vf = {.bus = 1, .dev = 0x10};

/* What the kernel does when asked. */
static struct {
    char driver[32];
    int bind_error, unbind_error, reset_error, set_error, unset_error;
    bool bind_lies;
    uint64_t mac;
    unsigned resets;
    unsigned room; /* on the disk, for so many files */
} kernel;

int __real_file_replace(int dirfd, const char *name, const void *data, size_t size);
int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t size);

int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t size)
{
    if (kernel.room == 0)
        return -ENOSPC;
    kernel.room--;
    return __real_file_replace(dirfd, name, data, size);
}

int __wrap_bind_driver(const struct pci_addr *dev, const char *driver, struct error *e);
int __wrap_bind_none(const struct pci_addr *dev, struct error *e);
int __wrap_bind_is(const struct pci_addr *dev, const char *driver);
int __wrap_bind_reset(const struct pci_addr *dev, struct error *e);
int __wrap_vflink_set(int ifindex, const char *pf_driver, unsigned index,
                      const struct vflink_message *m, const struct policy *wanted, struct error *e);

int __wrap_bind_driver(const struct pci_addr *dev _unused_, const char *driver, struct error *e)
{
    if (kernel.bind_error)
        return error_set(e, kernel.bind_error, "%s can't be bound", driver);
    if (!kernel.bind_lies)
        strcpy(kernel.driver, driver);
    return 0;
}

int __wrap_bind_none(const struct pci_addr *dev _unused_, struct error *e)
{
    if (kernel.unbind_error)
        return error_set(e, kernel.unbind_error, "can't be unbound");
    kernel.driver[0] = '\0';
    return 0;
}

int __wrap_bind_is(const struct pci_addr *dev _unused_, const char *driver)
{
    return streq(kernel.driver, driver);
}

int __wrap_bind_reset(const struct pci_addr *dev _unused_, struct error *e)
{
    kernel.resets++;
    return kernel.reset_error ? error_set(e, kernel.reset_error, "no\nreset") : 0;
}

int __wrap_vflink_set(int ifindex _unused_, const char *pf_driver _unused_, unsigned index _unused_,
                      const struct vflink_message *m _unused_, const struct policy *wanted,
                      struct error *e)
{
    const uint64_t mac = wanted->value[POLICY_MAC];
    const int r = mac == 0 ? kernel.unset_error : kernel.set_error;

    if (r < 0)
        return error_set(e, r, "refused by igb");
    kernel.mac = mac;
    return 0;
}

static struct lease make_lease(enum lease_phase phase)
{
    struct lease l = {.id = "0000:01:10.0",
                      .phase = phase,
                      .generation = 5,
                      .boot_id = "b00t",
                      .vm = "vm1",
                      .pf = {.bus = 1},
                      .vf = vf};

    policy_put(&l.wanted, POLICY_MAC, 0x525400123456);
    return l;
}

static void add_lease_step(struct plan *p, enum lease_phase phase, const enum lease_phase *before)
{
    struct step *s = plan_add(p, STEP_LEASE);

    s->lease = make_lease(phase);
    if (before)
        s->lease_before = make_lease(*before);
}

/* An assignment: from igbvf, by way of no driver, with a MAC, to vfio-pci. */
static struct plan make_assign(void)
{
    static const enum lease_phase assigning = LEASE_ASSIGNING;
    struct plan p = {.verb = "assign", .object = "eth0/vf0", .state_dir = dir, .has_lease = true};
    struct step *s;

    p.lease = make_lease(LEASE_ASSIGNING);
    add_lease_step(&p, LEASE_ASSIGNING, NULL);
    s = plan_add(&p, STEP_BIND);
    s->dev = vf;
    strcpy(s->driver_before, "igbvf");
    s = plan_add(&p, STEP_POLICY);
    s->message = &vflink_messages[0];
    policy_put(&s->wanted, POLICY_MAC, 0x525400123456);
    policy_put(&s->before, POLICY_MAC, 0);
    plan_add(&p, STEP_RESET)->dev = vf;
    s = plan_add(&p, STEP_BIND);
    s->dev = vf;
    strcpy(s->driver, "vfio-pci");
    add_lease_step(&p, LEASE_ASSIGNED, &assigning);
    return p;
}

static int setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    strcpy(kernel.driver, "igbvf");
    kernel.room = 100;
    dir = temp_dir_make(state);
    return 0;
}

static int teardown(void **state)
{
    temp_dir_remove(state);
    return 0;
}

static int stored(void)
{
    const struct lease l = make_lease(LEASE_ASSIGNED);

    return lease_stored_phase(dir, &l);
}

static void assert_as_before(void)
{
    assert_string_equal(kernel.driver, "igbvf");
    assert_int_equal(kernel.mac, 0);
    assert_int_equal(stored(), -ENOENT);
}

static void test_run(void **state _unused_)
{
    _cleanup_plan_ struct plan p = make_assign(), again = make_assign();

    assert_false(plan_changed(&p));
    assert_int_equal(plan_run(&p, NULL), 0);
    assert_true(plan_changed(&p));
    assert_string_equal(kernel.driver, "vfio-pci");
    assert_int_equal(kernel.mac, 0x525400123456);
    assert_int_equal(stored(), LEASE_ASSIGNED);
    /* Once run, it is left alone. */
    assert_int_equal(plan_run(&p, NULL), 0);
    assert_int_equal(kernel.resets, 1);
    /* What can be seen to be true isn't done. */
    plan_look(&again);
    assert_int_equal(again.steps[4].state, STEP_ALREADY);
    assert_int_equal(again.steps[5].state, STEP_ALREADY);
    assert_int_equal(again.steps[3].state, STEP_PLANNED);
    assert_int_equal(kernel.resets, 1);
}

/* Each step that can fail, failing: everything is as it was. */
static void test_back(void **state)
{
    static const struct {
        int set_error, reset_error, bind_error;
        bool bind_lies, bad_lease;
        int expected;
        const char *text;
    } cases[] = {
        {-EOPNOTSUPP, 0, 0, false, false, -EOPNOTSUPP, "refused by igb"},
        {0, -ENOTTY, 0, false, false, -ENOTTY, "no\nreset"},
        {0, 0, -EIO, false, false, -EIO, "vfio-pci can't be bound"},
        {0, 0, 0, true, false, -EIO,
         "bind of eth0/vf0 was accepted by the kernel but isn't so when read back"},
        {0, 0, 0, false, true, -EMSGSIZE, "state file 0000:01:10.0.lease: a value is too long"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = {.state_dir = -1};
        struct error e = ERROR_INIT;

        teardown(state);
        setup(state);
        p = make_assign();
        kernel.set_error = cases[i].set_error;
        kernel.reset_error = cases[i].reset_error;
        kernel.bind_error = cases[i].bind_error;
        kernel.bind_lies = cases[i].bind_lies;
        if (cases[i].bad_lease)
            strcpy(p.steps[0].lease.before_driver, "\n");
        /* The way back binds too: only the first one fails. */
        strcpy(p.steps[1].driver_before, cases[i].bind_error || cases[i].bind_lies ? "" : "igbvf");
        assert_int_equal(plan_run(&p, &e), cases[i].expected);
        assert_text_has(e.text, cases[i].text);
        if (cases[i].bind_error || cases[i].bind_lies)
            strcpy(kernel.driver, "igbvf");
        assert_as_before();
    }
}

/* The disk fills up before the last step: the way back needs no room. */
static void test_back_on_a_full_disk(void **state _unused_)
{
    _cleanup_plan_ struct plan p = make_assign();
    struct error e = ERROR_INIT;

    kernel.room = 1;
    assert_int_equal(plan_run(&p, &e), -ENOSPC);
    assert_text_has(e.text, "cannot write state file 0000:01:10.0.lease");
    assert_null(strstr(e.text, "quarantined"));
    assert_as_before();
}

/* What can't be undone blocks the VF, and the rest is undone all the same. */
static void test_stuck(void **state _unused_)
{
    _cleanup_plan_ struct plan p = make_assign();
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;
    struct error e = ERROR_INIT;

    kernel.reset_error = -ENOTTY;
    kernel.unset_error = -EBUSY;
    assert_int_equal(plan_run(&p, &e), -ENOTTY);
    assert_text_has(e.text, "eth0/vf0 is quarantined: nobody gets it until 'sriovctl release");
    assert_string_equal(kernel.driver, "igbvf");
    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].phase, LEASE_QUARANTINED);
    assert_string_equal(list.items[0].reason, "no reset");
}

/* A set isn't an assignment: nothing is quarantined by it, and the lease says what it said. */
static void test_stuck_set(void **state _unused_)
{
    static const enum lease_phase assigned = LEASE_ASSIGNED;
    _cleanup_plan_ struct plan p = {.verb = "set", .object = "eth0/vf0", .state_dir = dir};
    const struct lease l = make_lease(LEASE_ASSIGNED);
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;
    struct error e = ERROR_INIT;
    struct step *s;

    assert_int_equal(lease_save(dir, &l, NULL), 0);
    add_lease_step(&p, LEASE_ASSIGNED, &assigned);
    policy_put(&p.steps[0].lease.wanted, POLICY_MAC, 7);
    s = plan_add(&p, STEP_POLICY);
    s->message = &vflink_messages[0];
    policy_put(&s->wanted, POLICY_MAC, 7);
    policy_put(&s->before, POLICY_MAC, 0);
    kernel.set_error = -EINVAL;
    kernel.unset_error = -EINVAL;
    assert_int_equal(plan_run(&p, &e), -EINVAL);
    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.items[0].phase, LEASE_ASSIGNED);
    assert_int_equal(list.items[0].wanted.value[POLICY_MAC], 0x525400123456);
}

static void test_forward(void **state _unused_)
{
    _cleanup_plan_ struct plan p = make_assign();
    struct error e = ERROR_INIT;

    p.direction = PLAN_FORWARD;
    kernel.reset_error = -ENOTTY;
    assert_int_equal(plan_run(&p, &e), -ENOTTY);
    assert_text_has(e.text, "is quarantined");
    /* What was done stays. */
    assert_int_equal(kernel.mac, 0x525400123456);
    assert_string_equal(kernel.driver, "");
    assert_int_equal(stored(), LEASE_QUARANTINED);
}

/* A lease is forgotten only if it is the one meant, and only a whole file is one. */
static void test_forget(void **state _unused_)
{
    _cleanup_plan_ struct plan p = {.state_dir = dir}, q = {.state_dir = dir};
    struct lease l = make_lease(LEASE_RELEASING);

    l.generation = 6; /* the next tenant's */
    assert_int_equal(lease_save(dir, &l, NULL), 0);
    plan_add(&p, STEP_FORGET_LEASE)->lease = make_lease(LEASE_RELEASING);
    assert_int_equal(plan_run(&p, NULL), 0);
    assert_false(plan_changed(&p));
    assert_int_equal(lease_stored_phase(dir, &l), LEASE_RELEASING);

    temp_dir_write(dir, "0000:01:10.0.lease", "half", 4);
    plan_add(&q, STEP_FORGET_LEASE)->lease = make_lease(LEASE_RELEASING);
    assert_int_equal(plan_run(&q, NULL), 0);
    assert_int_equal(stored(), -ENOENT);
}

/* A release may claim what is seen assigned while the assignment's last steps still run. */
static void test_claimed_meanwhile(void **state _unused_)
{
    struct lease releasing = make_lease(LEASE_RELEASING), next = make_lease(LEASE_RELEASING);
    struct step s = {.type = STEP_LEASE, .state_dir = dir, .lease = make_lease(LEASE_ASSIGNED)};

    assert_int_equal(lease_save(dir, &releasing, NULL), 0);
    assert_int_equal(step_table[STEP_LEASE].check(&s), 1);
    /* Not so for one that is only being assigned, nor for the next tenant's. */
    s.lease.phase = LEASE_ASSIGNING;
    assert_int_equal(step_table[STEP_LEASE].check(&s), 0);
    s.lease.phase = LEASE_ASSIGNED;
    next.generation = 6;
    assert_int_equal(lease_save(dir, &next, NULL), 0);
    assert_int_equal(step_table[STEP_LEASE].check(&s), 0);
}

/* A plan stops after a step, and goes on from there; what was done isn't done again. */
static void test_run_through(void **state _unused_)
{
    _cleanup_plan_ struct plan p = make_assign();

    assert_true(plan_has(&p, STEP_RESET));
    assert_false(plan_has(&p, STEP_UNPLUG));
    assert_int_equal(plan_run_through(&p, STEP_UNPLUG, NULL), 0);
    assert_false(plan_changed(&p));
    assert_int_equal(plan_run_through(&p, STEP_RESET, NULL), 0);
    assert_int_equal(kernel.resets, 1);
    assert_string_not_equal(kernel.driver, "vfio-pci");
    assert_int_equal(stored(), LEASE_ASSIGNING);
    assert_int_equal(plan_run(&p, NULL), 0);
    assert_int_equal(kernel.resets, 1);
    assert_string_equal(kernel.driver, "vfio-pci");
    assert_int_equal(stored(), LEASE_ASSIGNED);
}

static void test_names(void **state _unused_)
{
    struct step s = {.type = STEP_POLICY, .message = &vflink_messages[0]};

    assert_string_equal(step_name(&s), "mac");
    assert_string_equal(step_cost(&s), "resets the VF");
    assert_string_equal(step_state_name(STEP_PLANNED), "planned");
    assert_string_equal(step_state_name(STEP_ALREADY), "already");
    assert_string_equal(step_state_name(STEP_DONE), "done");
    for (unsigned i = 0; i < STEP_TYPE_COUNT; i++) {
        assert_non_null(step_table[i].name);
        assert_non_null(step_table[i].cost);
        assert_non_null(step_table[i].run);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run),
        TEST(test_back),
        TEST(test_back_on_a_full_disk),
        TEST(test_stuck),
        TEST(test_stuck_set),
        TEST(test_forward),
        TEST(test_forget),
        TEST(test_claimed_meanwhile),
        TEST(test_run_through),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
