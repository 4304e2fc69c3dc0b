/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "planner-host.h"
#include "src/stable-mac.h"
#include "unit.h"

#include <errno.h>

static int plan_assign(unsigned vf, const char *vm, const struct policy *policy, struct plan *ret,
                       struct error *e)
{
    return planner_assign(&host.now, &host.pfs[0], &host.vfs[vf], vm, policy, ret, e);
}

static const struct policy no_policy = {.set = 0};

/* ---- assign ---- */

static void test_assign(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    const struct lease *first, *last;

    assert_int_equal(plan_assign(1, "vm1", &no_policy, &p, NULL), 0);
    assert_steps(&p, "lease pf-up mac (vlan) (spoofchk) (trust) (rate) reset bind lease");
    assert_int_equal(p.direction, PLAN_BACK);
    assert_string_equal(p.object, "eth0/vf1");
    first = &p.steps[0].lease;
    last = &p.steps[p.num_steps - 1].lease;
    assert_int_equal(first->phase, LEASE_ASSIGNING);
    assert_int_equal(last->phase, LEASE_ASSIGNED);
    assert_string_equal(p.steps[0].lease_before.id, "");
    assert_string_equal(first->id, "0000:01:10.2");
    assert_string_equal(first->vm, "vm1");
    assert_string_equal(first->boot_id, "b00t");
    assert_true(first->generation > 0);
    assert_int_equal(first->generation, last->generation);
    assert_int_equal(policy_diff(&first->before, &host.vfs[1].policy), 0);
    assert_int_equal(first->wanted.value[POLICY_MAC], stable_mac("vm1", "0000:01:10.2"));
    /* It was on vfio-pci: there it goes back, by no name of its own. */
    assert_string_equal(first->before_driver, "");
}

/* What is left open is made safe, where the driver shows it; what is given is kept. */
static void test_assign_is_safe(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct policy asked = no_policy;
    const struct policy *wanted;

    policy_put(&host.vfs[0].policy, POLICY_TRUST, 1);
    policy_put(&host.vfs[0].policy, POLICY_VLAN, 9);
    policy_put(&host.vfs[0].policy, POLICY_QOS, 3);
    policy_put(&host.vfs[0].policy, POLICY_MAX_TX_RATE, 50);
    policy_put(&asked, POLICY_MAC, MAC);
    policy_put(&asked, POLICY_SPOOFCHK, 0);
    assert_int_equal(plan_assign(0, "vm1", &asked, &p, NULL), 0);
    assert_steps(&p, "lease pf-up pf-link mac vlan spoofchk trust rate reset bind lease");
    wanted = &p.lease.wanted;
    assert_int_equal(wanted->value[POLICY_MAC], MAC);
    assert_int_equal(wanted->value[POLICY_SPOOFCHK], 0);
    assert_int_equal(wanted->value[POLICY_TRUST], 0);
    assert_int_equal(wanted->value[POLICY_VLAN], 0);
    assert_int_equal(wanted->value[POLICY_QOS], 0);
    assert_int_equal(wanted->value[POLICY_MAX_TX_RATE], 0);
    /* igb shows no link state: none is asked for. */
    assert_false(policy_has(wanted, POLICY_STATE));
}

static void test_assign_from_a_host_driver(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;

    strcpy(host.vfs[0].driver, "igbvf");
    strcpy(host.vfs[0].netdev, "eth0v0");
    assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, NULL), 0);
    assert_steps(&p, "lease pf-up bind mac (vlan) (spoofchk) (trust) (rate) reset bind lease");
    assert_string_equal(p.steps[2].driver, "");
    assert_string_equal(p.steps[2].driver_before, "igbvf");
    assert_string_equal(p.steps[9].driver, "vfio-pci");
    assert_string_equal(p.lease.before_driver, "igbvf");
}

static void test_assign_refused(void **state)
{
    static const struct {
        const char *driver, *netdev;
        int netdev_up, group_error, viable_error, busy, holder;
        bool no_reset;
        int expected;
        const char *text;
    } cases[] = {
        {"igbvf", "eth0v0", 1, 0, 0, 0, 0, false, -EBUSY, "'ip link set eth0v0 down'"},
        {"igbvf", "eth0v0", -ENOENT, 0, 0, 0, 0, false, -EBUSY, "in use by the host as eth0v0"},
        {"igbvf", "", 0, 0, 0, 0, 0, false, -EBUSY, "in use by the host (driver igbvf): unbind"},
        {"vfio-pci", "", 0, 0, 0, 0, 0, true, -EOPNOTSUPP, "can't be reset by itself"},
        {"vfio-pci", "", 0, -EOPNOTSUPP, 0, 0, 0, false, -EOPNOTSUPP, "no IOMMU"},
        {"vfio-pci", "", 0, 0, -EOPNOTSUPP, 0, 0, false, -EOPNOTSUPP, "not viable"},
        {"vfio-pci", "", 0, 0, 0, 7, 42, false, -EBUSY, "by process 42 (/dev/vfio/7): power"},
        {"vfio-pci", "", 0, 0, 0, 7, 0, false, -EBUSY, "by some process (/dev/vfio/7): power"},
        {"vfio-pci", "", 0, 0, 0, -EACCES, 0, false, -EACCES, "cannot tell whether eth0/vf0"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct error e = ERROR_INIT;

        planner_host_free(state);
        planner_host_make(state);
        strcpy(host.vfs[0].driver, cases[i].driver);
        strcpy(host.vfs[0].netdev, cases[i].netdev);
        host.vfs[0].can_reset = !cases[i].no_reset;
        host.netdev_up = cases[i].netdev_up;
        host.group_error = cases[i].group_error;
        host.viable_error = cases[i].viable_error;
        host.busy = cases[i].busy;
        host.holder = cases[i].holder;
        assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, &e), cases[i].expected);
        assert_text_has(e.text, cases[i].text);
        assert_int_equal(p.num_steps, 0);
    }
}

static void test_assign_conflicts(void **state)
{
    static const struct {
        enum lease_phase phase;
        const char *vm, *text;
    } cases[] = {
        {LEASE_ASSIGNED, "vm2", "is assigned to vm2: 'sriovctl release eth0/vf0' first"},
        {LEASE_ASSIGNING, "vm1", "is assigned to vm1"},
        {LEASE_RELEASING, "vm1", "is being released from vm1: try again"},
        {LEASE_QUARANTINED, "vm1", "is quarantined (worn out); 'sriovctl release eth0/vf0'"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct error e = ERROR_INIT;

        planner_host_free(state);
        planner_host_make(state);
        strcpy(planner_host_lease(0, cases[i].vm, cases[i].phase)->reason, "worn out");
        assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, &e), -EBUSY);
        assert_text_has(e.text, cases[i].text);
    }
}

static void test_assign_again(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT, r = PLAN_INIT;
    struct policy asked = no_policy;

    planner_host_lease(0, "vm1", LEASE_ASSIGNED);
    assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, NULL), 0);
    assert_steps(&p, "lease pf-up (mac) (vlan) (spoofchk) (trust) (rate)");
    /* The lease step says what stands already, so that it is found true. */
    assert_int_equal(p.steps[0].lease.phase, LEASE_ASSIGNED);
    assert_int_equal(p.steps[0].lease.generation, 5);

    policy_put(&asked, POLICY_VLAN, 9);
    assert_int_equal(plan_assign(0, "vm1", &asked, &q, NULL), 0);
    assert_steps(&q, "lease vlan");
    assert_int_equal(q.steps[0].lease.wanted.value[POLICY_VLAN], 9);
    assert_int_equal(q.steps[0].lease.wanted.value[POLICY_MAC], MAC);
    assert_int_equal(q.steps[0].lease_before.wanted.value[POLICY_VLAN], 0);

    /* A host driver took it: back to vfio-pci, without what that left in it. */
    strcpy(host.vfs[0].driver, "igbvf");
    assert_int_equal(plan_assign(0, "vm1", &no_policy, &r, NULL), 0);
    assert_steps(&r, "lease pf-up bind (mac) (vlan) (spoofchk) (trust) (rate) reset bind");
}

static void test_mac_conflicts(void **state)
{
    static const struct {
        unsigned vf;
        uint64_t mac;
        int expected;
        const char *text;
    } cases[] = {
        {1, MAC, -EEXIST, "52:54:00:12:34:56 is taken by the lease of 0000:01:10.0 (VM vm1)"},
        {1, MAC + 2, -EEXIST, "is taken by eth0/vf2: choose another"},
        {1, MAC + 3, 0, NULL},
        {2, MAC + 2, 0, NULL}, /* its own */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT;
        struct policy asked = no_policy;
        struct error e = ERROR_INIT;

        planner_host_free(state);
        planner_host_make(state);
        planner_host_lease(0, "vm1", LEASE_ASSIGNED);
        host.vfs[0].policy.value[POLICY_MAC] = 0; /* the lease alone tells */
        policy_put(&host.vfs[2].policy, POLICY_MAC, MAC + 2);
        policy_put(&asked, POLICY_MAC, cases[i].mac);
        assert_int_equal(plan_assign(cases[i].vf, "vm2", &asked, &p, &e), cases[i].expected);
        if (cases[i].text)
            assert_text_has(e.text, cases[i].text);
        assert_int_equal(
            planner_set(&host.now, &host.pfs[0], &host.vfs[cases[i].vf], &asked, &q, NULL),
            cases[i].expected);
    }
}

static void test_assign_no_interface(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct policy asked = no_policy;
    struct error e = ERROR_INIT;

    policy_put(&asked, POLICY_VLAN, 5);
    assert_int_equal(planner_assign(&host.now, &host.pfs[2], &host.nvme, "vm1", &asked, &p, &e),
                     -EOPNOTSUPP);
    assert_text_has(e.text, "0000:09:00.0 isn't a network interface");
    assert_int_equal(
        planner_assign(&host.now, &host.pfs[2], &host.nvme, "vm1", &no_policy, &p, NULL), 0);
    assert_steps(&p, "lease reset bind lease");
}

static void test_assign_policy_is_checked(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct policy asked = no_policy;

    policy_put(&asked, POLICY_QOS, 3);
    assert_int_equal(plan_assign(0, "vm1", &asked, &p, NULL), -EINVAL);
    assert_int_equal(planner_set(&host.now, &host.pfs[0], &host.vfs[0], &asked, &p, NULL), -EINVAL);
}

/* Nothing is changed by a plan that can't be written down. */
static void test_assign_without_a_state_dir(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    const int dir = host.now.state_dir;

    host.now.state_dir = -1;
    assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, NULL), -EBADF);
    assert_int_equal(p.num_steps, 0);
    host.now.state_dir = dir;
}

/* ---- any ---- */

static void test_pick(void **state _unused_)
{
    const struct pf *pf = NULL;
    const struct vf *vf = NULL;
    struct error e = ERROR_INIT;

    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, NULL), 0);
    assert_ptr_equal(pf, &host.pfs[0]);
    assert_ptr_equal(vf, &host.vfs[0]);
    planner_host_lease(0, "vm1", LEASE_QUARANTINED);
    host.busy = 8; /* vf1's */
    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, NULL), 0);
    assert_ptr_equal(vf, &host.vfs[2]);
    host.vfs[2].can_reset = false;
    vf = NULL;
    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, &e), -EOPNOTSUPP);
    assert_null(vf);
    assert_text_has(e.text, "none of the 4 VFs is free; the last one looked at: eth0/vf2 can't");
    strcpy(host.vfs[2].driver, "igbvf"); /* the host's */
    host.vfs[2].can_reset = true;
    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, NULL), -EOPNOTSUPP);
}

/* Near to the VM if there is one, and any rather than none. */
static void test_pick_by_numa_node(void **state _unused_)
{
    const struct pf *pf;
    const struct vf *vf;

    host.vfs[0].numa_node = 0;
    host.vfs[1].numa_node = 1;
    host.vfs[2].numa_node = 1;
    assert_int_equal(planner_pick(&host.now, 1, &pf, &vf, NULL), 0);
    assert_ptr_equal(vf, &host.vfs[1]);
    assert_int_equal(planner_pick(&host.now, 0, &pf, &vf, NULL), 0);
    assert_ptr_equal(vf, &host.vfs[0]);
    assert_int_equal(planner_pick(&host.now, 2, &pf, &vf, NULL), 0);
    assert_ptr_equal(vf, &host.vfs[0]);
}

static void test_pick_where_there_is_none(void **state _unused_)
{
    struct error e = ERROR_INIT;
    const struct pf *pf;
    const struct vf *vf;

    host.now.inv.num_pfs = 2;
    host.pfs[0].num_vfs = 0;
    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "no VF is enabled: 'sriovctl enable eth0 COUNT' first");
    host.now.inv.num_pfs = 0;
    assert_int_equal(planner_pick(&host.now, -1, &pf, &vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "has no SR-IOV network card: add 'fallback virtio'");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, planner_host_make, planner_host_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_assign),
        TEST(test_assign_is_safe),
        TEST(test_assign_from_a_host_driver),
        TEST(test_assign_refused),
        TEST(test_assign_conflicts),
        TEST(test_assign_again),
        TEST(test_mac_conflicts),
        TEST(test_assign_no_interface),
        TEST(test_assign_policy_is_checked),
        TEST(test_assign_without_a_state_dir),
        TEST(test_pick),
        TEST(test_pick_by_numa_node),
        TEST(test_pick_where_there_is_none),
    };

    return cmocka_run_group_tests_name("plan-assign", tests, NULL, NULL);
}
