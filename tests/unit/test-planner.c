/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All verbs but assign to a VF, which is in test-plan-assign.c. */
#include "planner-host.h"
#include "src/planner-parts.h"
#include "src/stable-mac.h"
#include "unit.h"

#include <errno.h>
#include <linux/if_ether.h>

static const struct policy no_policy = {.set = 0};

/* ---- virtio ---- */

static void test_virtio_on_a_bridge(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error e = ERROR_INIT;

    host.now.fallback_bridge = "br0";
    assert_int_equal(planner_assign_virtio(&host.now, "vm1", &no_policy, &p, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "the fallback bridge br0 isn't there, or isn't a bridge");
    host.bridge = true;
    assert_int_equal(planner_assign_virtio(&host.now, "vm1", &no_policy, &p, NULL), 0);
    assert_steps(&p, "lease lease");
    assert_string_equal(p.lease.parent, "br0");
    assert_true(p.lease.parent_is_bridge);
    assert_string_equal(p.lease.id, "virtio0");
    assert_int_equal(p.lease.wanted.value[POLICY_MAC], stable_mac("vm1", "virtio0"));
}

static void test_virtio_on_a_pf(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT;
    struct policy asked = no_policy;
    struct error e = ERROR_INIT;

    planner_host_virtio_lease(false);
    policy_put(&asked, POLICY_MAC, MAC + 1);
    assert_int_equal(planner_assign_virtio(&host.now, "vm1", &asked, &p, NULL), 0);
    assert_steps(&p, "lease pf-up macvtap lease");
    assert_string_equal(p.lease.id, "virtio1");
    assert_string_equal(p.steps[2].ifname, "svm-virtio1");
    assert_string_equal(p.lease.parent, "eth0");
    policy_put(&asked, POLICY_MAC, MAC);
    assert_int_equal(planner_assign_virtio(&host.now, "vm2", &asked, &q, NULL), -EEXIST);
    policy_put(&asked, POLICY_VLAN, 5);
    assert_int_equal(planner_assign_virtio(&host.now, "vm2", &asked, &q, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "vlan can't be enforced on a virtio fallback NIC");
}

static void test_virtio_on_nothing(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error e = ERROR_INIT;

    host.pfs[0].ifindex = host.pfs[1].ifindex = 0;
    assert_int_equal(planner_assign_virtio(&host.now, "vm1", &no_policy, &p, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "name a bridge in sriovd.conf");
}

/* ---- release ---- */

static void test_release(void **state _unused_)
{
    const struct lease *l = planner_host_lease(0, "vm1", LEASE_ASSIGNED);
    _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT;
    struct error e = ERROR_INIT;

    assert_int_equal(planner_release(&host.now, l, &p, NULL), 0);
    assert_steps(&p, "lease reset mac (vlan) (spoofchk) (trust) (rate) bind forget");
    assert_int_equal(p.direction, PLAN_FORWARD);
    assert_int_equal(p.steps[0].lease.phase, LEASE_RELEASING);
    assert_int_equal(p.steps[0].lease_before.phase, LEASE_ASSIGNED);
    assert_int_equal(p.steps[2].wanted.value[POLICY_MAC], 0);
    assert_string_equal(p.steps[7].driver, "vfio-pci");
    host.busy = 7;
    host.holder = 42;
    assert_int_equal(planner_release(&host.now, l, &q, &e), -EBUSY);
    assert_text_has(e.text, "eth0/vf0 is in use by process 42");
}

static void test_release_to_its_driver(void **state _unused_)
{
    struct lease *l = planner_host_lease(0, "vm1", LEASE_ASSIGNED);
    _cleanup_plan_ struct plan p = PLAN_INIT;

    strcpy(l->before_driver, "igbvf");
    assert_int_equal(planner_release(&host.now, l, &p, NULL), 0);
    assert_string_equal(p.steps[7].driver, "igbvf");
}

/* It tells its VF and nothing else: that gets what is safe, and the lease a whole file first. */
static void test_release_damaged(void **state _unused_)
{
    struct lease *l = &host.leases[0];
    _cleanup_plan_ struct plan p = PLAN_INIT;
    const struct lease *first;

    *l = (struct lease){.phase = LEASE_QUARANTINED, .vf = host.vfs[1].addr, .id = "0000:01:10.2"};
    host.now.leases.count = 1;
    policy_put(&host.vfs[1].policy, POLICY_TRUST, 1);
    policy_put(&host.vfs[1].policy, POLICY_MAC, MAC);
    assert_int_equal(planner_release(&host.now, l, &p, NULL), 0);
    assert_steps(&p, "lease reset mac (vlan) (spoofchk) trust (rate) bind forget");
    assert_int_equal(p.steps[2].wanted.value[POLICY_MAC], 0);
    first = &p.steps[0].lease;
    assert_int_equal(first->phase, LEASE_RELEASING);
    assert_string_equal(first->boot_id, "b00t");
    assert_true(first->generation > 0);
    assert_true(pci_addr_eq(&first->pf, &host.pfs[0].addr));
    assert_int_equal(first->index, 1);
    assert_int_equal(p.steps[p.num_steps - 1].lease.generation, first->generation);
}

static void test_release_of_a_gone_vf(void **state _unused_)
{
    const struct lease *l = planner_host_lease(2, "vm1", LEASE_ASSIGNED);
    _cleanup_plan_ struct plan p = PLAN_INIT;

    host.pfs[0].num_vfs = 2;
    assert_int_equal(planner_release(&host.now, l, &p, NULL), 0);
    assert_steps(&p, "lease forget");
    assert_string_equal(p.object, "0000:01:10.4");
}

static void test_release_virtio(void **state)
{
    static const struct {
        bool on_bridge, tap, held;
        const char *steps; /* NULL: refused */
    } cases[] = {
        {true, false, false, "lease forget"},
        {true, true, false, NULL},
        {false, false, false, "lease no-macvtap forget"},
        {false, false, true, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct error e = ERROR_INIT;
        const struct lease *l;

        planner_host_free(state);
        planner_host_make(state);
        l = planner_host_virtio_lease(cases[i].on_bridge);
        host.tap = cases[i].tap;
        host.macvtap_held = cases[i].held;
        assert_int_equal(planner_release(&host.now, l, &p, &e), cases[i].steps ? 0 : -EBUSY);
        if (cases[i].steps)
            assert_steps(&p, cases[i].steps);
        else
            assert_text_has(e.text, "virtio0 is in use by a process");
    }
}

/* ---- set ---- */

static void test_set(void **state)
{
    static const struct {
        bool leased;
        enum policy_attr attr;
        uint64_t value;
        int expected;
        const char *steps; /* or the refusal */
    } cases[] = {
        {false, POLICY_TRUST, 1, 0, "trust"},
        {false, POLICY_TRUST, 0, 0, "(trust)"},
        {true, POLICY_TRUST, 1, 0, "lease trust"},
        {true, POLICY_MAX_TX_RATE, 10, -EINVAL, "min_tx_rate 20 exceeds max_tx_rate 10"},
        {true, POLICY_MAX_TX_RATE, 40, 0, "lease rate"},
        {true, POLICY_MAC, MAC + 9, -EBUSY, "can't change while a VM runs with it"},
        {true, POLICY_MAC, MAC, 0, "lease (mac)"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct policy asked = no_policy;
        struct error e = ERROR_INIT;

        planner_host_free(state);
        planner_host_make(state);
        if (cases[i].leased)
            policy_put(&planner_host_lease(0, "vm1", LEASE_ASSIGNED)->wanted, POLICY_MIN_TX_RATE,
                       20);
        host.busy = 7;
        policy_put(&asked, cases[i].attr, cases[i].value);
        assert_int_equal(planner_set(&host.now, &host.pfs[0], &host.vfs[0], &asked, &p, &e),
                         cases[i].expected);
        if (cases[i].expected == 0)
            assert_steps(&p, cases[i].steps);
        else
            assert_text_has(e.text, cases[i].steps);
    }
}

static void test_set_while_not_assigned(void **state)
{
    for (unsigned phase = LEASE_ASSIGNING; phase <= LEASE_QUARANTINED; phase++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;
        struct policy asked = no_policy;

        planner_host_free(state);
        planner_host_make(state);
        planner_host_lease(0, "vm1", (enum lease_phase)phase);
        policy_put(&asked, POLICY_TRUST, 1);
        assert_int_equal(planner_set(&host.now, &host.pfs[0], &host.vfs[0], &asked, &p, NULL),
                         phase == LEASE_ASSIGNED ? 0 : -EBUSY);
    }
}

static void test_merge(void **state _unused_)
{
    struct policy old = no_policy, asked = no_policy, merged;

    policy_put(&old, POLICY_VLAN, 9);
    policy_put(&old, POLICY_QOS, 3);
    policy_put(&old, POLICY_PROTO, ETH_P_8021AD);
    policy_put(&asked, POLICY_VLAN, 10);
    merged = planner_merge_policy(&old, &asked);
    assert_int_equal(merged.value[POLICY_VLAN], 10);
    assert_int_equal(merged.value[POLICY_QOS], 3);
    assert_int_equal(merged.value[POLICY_PROTO], ETH_P_8021AD);
    policy_put(&asked, POLICY_VLAN, 0);
    merged = planner_merge_policy(&old, &asked);
    assert_int_equal(merged.value[POLICY_QOS], 0);
    assert_int_equal(merged.value[POLICY_PROTO], ETH_P_8021Q);
    assert_int_equal(merged.set, old.set);
    old.set = 0;
    assert_int_equal(planner_merge_policy(&old, &asked).set, 1U << POLICY_VLAN);
}

/* ---- enable ---- */

static int plan_enable(unsigned pf, unsigned count, struct plan *ret, struct error *e)
{
    return planner_enable(&host.now, &host.pfs[pf], count, ret, e);
}

static void test_enable(void **state _unused_)
{
    static const struct {
        unsigned pf, count;
        const char *steps;
    } cases[] = {
        {1, 4, "record pf-up autoprobe numvfs wait rest"},
        {0, 3, "record pf-up autoprobe numvfs rest"},
        {0, 5, "record pf-up autoprobe numvfs numvfs wait rest"},
        {0, 0, "numvfs forget"},
        {2, 1, "record autoprobe numvfs rest"},
    };

    host.pfs[2].total_vfs = 4;
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;

        assert_int_equal(plan_enable(cases[i].pf, cases[i].count, &p, NULL), 0);
        assert_steps(&p, cases[i].steps);
        assert_int_equal(p.direction, PLAN_BACK);
    }
}

static void test_enable_by_way_of_none(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;

    assert_int_equal(plan_enable(0, 5, &p, NULL), 0);
    assert_int_equal(p.steps[3].count, 0);
    assert_int_equal(p.steps[3].count_before, 3);
    assert_string_not_equal(step_cost(&p.steps[3]), "");
    assert_int_equal(p.steps[4].count, 5);
    assert_int_equal(p.steps[4].count_before, 0);
    assert_string_equal(step_cost(&p.steps[4]), "");
}

/* What autoprobe was before the first enable is what it gets back, not what we made it. */
static void test_enable_keeps_autoprobe(void **state _unused_)
{
    struct pf_record rec = {.pf = host.pfs[0].addr, .count = 3, .autoprobe_before = true};
    _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT, r = PLAN_INIT;

    host.pfs[0].autoprobe = false;
    strcpy(rec.boot_id, "b00t");
    assert_int_equal(pf_record_save(host.now.state_dir, &rec, NULL), 0);
    assert_int_equal(plan_enable(0, 4, &p, NULL), 0);
    assert_true(p.steps[0].record.autoprobe_before);
    assert_int_equal(p.steps[0].count_before, 3);
    assert_int_equal(plan_enable(0, 0, &q, NULL), 0);
    assert_steps(&q, "numvfs autoprobe forget");
    assert_true(q.steps[1].on);
    /* Another boot's record tells nothing of this one. */
    strcpy(rec.boot_id, "other");
    assert_int_equal(pf_record_save(host.now.state_dir, &rec, NULL), 0);
    assert_int_equal(plan_enable(0, 4, &r, NULL), 0);
    assert_false(r.steps[0].record.autoprobe_before);
    assert_int_equal(r.steps[0].count_before, 0);
}

static void test_enable_refused(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error e = ERROR_INIT;

    assert_int_equal(plan_enable(0, 8, &p, &e), -ERANGE);
    assert_text_has(e.text, "eth0 offers at most 7 VFs, not 8");
    host.busy = 9;
    assert_int_equal(plan_enable(0, 0, &p, &e), -EBUSY);
    assert_text_has(e.text, "eth0/vf2 is in use");
    planner_host_lease(1, "vm1", LEASE_ASSIGNED);
    planner_host_lease(2, "", LEASE_QUARANTINED);
    assert_int_equal(plan_enable(0, 2, &p, &e), -EBUSY);
    assert_text_has(e.text, "leased: eth0/vf1 (vm1), eth0/vf2 (quarantined); release them first");
    assert_int_equal(p.num_steps, 0);
    /* The same count harms nobody. */
    assert_int_equal(plan_enable(0, 3, &p, NULL), 0);
}

/* ---- recovery ---- */

static void test_recover(void **state)
{
    static const struct {
        enum lease_phase phase;
        const char *steps;
        enum plan_direction direction;
    } cases[] = {
        {LEASE_ASSIGNING, "lease pf-up (mac) (vlan) (spoofchk) (trust) (rate) reset bind lease",
         PLAN_FORWARD},
        {LEASE_ASSIGNED, "lease pf-up (mac) (vlan) (spoofchk) (trust) (rate)", PLAN_BACK},
        {LEASE_RELEASING, "lease reset mac (vlan) (spoofchk) (trust) (rate) bind forget",
         PLAN_FORWARD},
        {LEASE_QUARANTINED, "", PLAN_BACK},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;

        planner_host_free(state);
        planner_host_make(state);
        assert_int_equal(
            planner_recover(&host.now, planner_host_lease(0, "vm1", cases[i].phase), &p, NULL), 0);
        assert_steps(&p, cases[i].steps);
        assert_int_equal(p.direction, cases[i].direction);
    }
}

static void test_recover_virtio(void **state _unused_)
{
    struct lease *l = planner_host_virtio_lease(false);
    _cleanup_plan_ struct plan p = PLAN_INIT;

    l->phase = LEASE_ASSIGNING;
    l->pf = host.pfs[0].addr;
    assert_int_equal(planner_recover(&host.now, l, &p, NULL), 0);
    assert_steps(&p, "lease pf-up macvtap lease");
}

static void test_recover_of_a_gone_vf(void **state _unused_)
{
    const struct lease *l = planner_host_lease(2, "vm1", LEASE_ASSIGNING);
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error e = ERROR_INIT;

    host.pfs[0].num_vfs = 2;
    assert_int_equal(planner_recover(&host.now, l, &p, &e), -ENODEV);
    assert_text_has(e.text, "0000:01:10.4, assigned to vm1, is gone");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, planner_host_make, planner_host_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_virtio_on_a_bridge),
        TEST(test_virtio_on_a_pf),
        TEST(test_virtio_on_nothing),
        TEST(test_release),
        TEST(test_release_to_its_driver),
        TEST(test_release_damaged),
        TEST(test_release_of_a_gone_vf),
        TEST(test_release_virtio),
        TEST(test_set),
        TEST(test_set_while_not_assigned),
        TEST(test_merge),
        TEST(test_enable),
        TEST(test_enable_by_way_of_none),
        TEST(test_enable_keeps_autoprobe),
        TEST(test_enable_refused),
        TEST(test_recover),
        TEST(test_recover_virtio),
        TEST(test_recover_of_a_gone_vf),
    };

    return cmocka_run_group_tests_name("planner", tests, NULL, NULL);
}
