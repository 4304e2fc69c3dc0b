/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/describe.h"

#include "planner-host.h"
#include "unit.h"

static struct running vm1 = {.vm = "vm1", .pid = 42};
static const struct running_list nobody = {.items = NULL, .count = 0};
static const struct running_list runs = {.items = &vm1, .count = 1};

static const char *text_of(json_object *o, const char *key)
{
    json_object *value;

    assert_true(json_object_object_get_ex(o, key, &value));
    return json_object_get_string(value);
}

static void assert_text(json_object *o, const char *key, const char *expected)
{
    const char *text = text_of(o, key);

    if (!expected)
        assert_null(text);
    else
        assert_string_equal(text, expected);
}

/* vm1's VMM says where a NIC stands. */
static void tell_state(struct live *live, uint64_t generation, enum handoff_state state)
{
    int fds[HANDOFF_FDS_MAX] = {-1, -1, -1};
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_STATE, 0);
    m.change = (struct handoff_change){.generation = generation, .state = state};
    assert_int_equal(live_join(live, "vm1", -1, 42), 0);
    assert_int_equal(live_message(live, "vm1", &m, fds), 0);
}

/* Each state, and who has the VF. */
static void test_states(void **state)
{
    static const struct {
        const char *driver;
        int phase; /* of vm1's lease; -1: none */
        bool connected, held;
        enum handoff_state guest; /* as its VMM says */
        const char *state, *vm;
    } cases[] = {
        {"vfio-pci", -1, false, false, 0, "free", NULL},
        {"igbvf", -1, false, false, 0, "host", NULL},
        {"", -1, false, false, 0, "unbound", NULL},
        {"vfio-pci", LEASE_ASSIGNING, true, false, 0, "assigning", "vm1"},
        {"vfio-pci", LEASE_ASSIGNED, false, false, 0, "assigned", "vm1"},
        {"vfio-pci", LEASE_ASSIGNED, true, false, HANDOFF_STATE_ACTIVE, "in-use", "vm1"},
        /* The kernel took it back while its VM runs. */
        {"", LEASE_ASSIGNED, true, false, HANDOFF_STATE_EJECTED, "assigned", "vm1"},
        {"vfio-pci", LEASE_ASSIGNED, false, true, 0, "in-use", "vm1"},
        {"vfio-pci", LEASE_RELEASING, true, true, HANDOFF_STATE_REQUESTED, "releasing", "vm1"},
        {"", LEASE_QUARANTINED, false, false, 0, "quarantined", "vm1"},
    };

    struct live *live;

    assert_int_equal(live_new(&live), 0);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const struct running_list *running = cases[i].connected ? &runs : &nobody;
        _cleanup_json_ json_object *o = NULL, *vm = NULL;

        planner_host_free(state);
        planner_host_make(state);
        live_leave(live, "vm1");
        host.now.live = live;
        strcpy(host.vfs[1].driver, cases[i].driver);
        if (cases[i].phase >= 0) {
            struct lease *l = planner_host_lease(1, "vm1", (enum lease_phase)cases[i].phase);

            l->held = cases[i].held;
            if (cases[i].guest)
                tell_state(live, l->generation, cases[i].guest);
        }
        o = describe_vf(&host.now, &host.pfs[0], &host.vfs[1]);
        assert_text(o, "state", cases[i].state);
        assert_text(o, "vm", cases[i].vm);
        vm = describe_vm(&host.now, running, "vm1");
        assert_text(vm, "running", cases[i].connected || cases[i].held ? "true" : "false");
    }
    host.now.live = NULL;
    live_free(live);
}

/* The keys of the contract are there, each of its type, whatever isn't known null. */
static void test_keys(void **state _unused_)
{
    static const char *const vf_keys[] = {"name",        "pci",         "driver", "iommu_group",
                                          "numa_node",   "mac",         "vlan",   "qos",
                                          "proto",       "spoofchk",    "trust",  "link_state",
                                          "max_tx_rate", "min_tx_rate", "vm",     "state"};
    static const char *const pf_keys[] = {"name",      "pci",     "driver", "numa_node",
                                          "total_vfs", "num_vfs", "vfs"};
    _cleanup_json_ json_object *list = NULL;
    json_object *pf, *vf;

    host.vfs[0] = (struct vf){.iommu_group = -1, .numa_node = -1};
    list = describe_pfs(&host.now);
    assert_int_equal(json_object_array_length(list), 3);
    pf = json_object_array_get_idx(list, 0);
    for (size_t i = 0; i < ELEMENTSOF(pf_keys); i++)
        assert_true(json_object_object_get_ex(pf, pf_keys[i], NULL));
    assert_text(pf, "num_vfs", "3");
    vf = json_object_array_get_idx(json_object_object_get(pf, "vfs"), 0);
    for (size_t i = 0; i < ELEMENTSOF(vf_keys); i++)
        assert_true(json_object_object_get_ex(vf, vf_keys[i], NULL));
    assert_text(vf, "driver", NULL);
    assert_text(vf, "iommu_group", NULL);
    assert_text(vf, "numa_node", "-1");
    assert_text(vf, "vlan", NULL);
    assert_text(vf, "spoofchk", NULL);
    vf = json_object_array_get_idx(json_object_object_get(pf, "vfs"), 2);
    assert_text(vf, "name", "eth0/vf2");
    assert_text(vf, "iommu_group", "9");
    assert_text(vf, "vlan", "0");
    assert_text(vf, "spoofchk", "true");
    assert_text(vf, "proto", "802.1Q");
    assert_text(vf, "min_tx_rate", NULL);
}

static void test_vms(void **state _unused_)
{
    static struct running two[] = {{.vm = "vm1", .pid = 42}, {.vm = "vm9", .pid = 43}};
    const struct running_list running = {.items = two, .count = 2};
    _cleanup_json_ json_object *list = NULL;
    json_object *vm, *nics;

    planner_host_lease(0, "vm1", LEASE_ASSIGNED);
    planner_host_lease(1, "vm2", LEASE_ASSIGNED);
    planner_host_lease(2, "", LEASE_QUARANTINED); /* damaged: nobody knows whose */
    planner_host_virtio_lease(false);
    list = describe_vms(&host.now, &running);
    assert_int_equal(json_object_array_length(list), 3);
    vm = json_object_array_get_idx(list, 0);
    assert_text(vm, "name", "vm1");
    assert_text(vm, "pid", "42");
    nics = json_object_object_get(vm, "nics");
    assert_int_equal(json_object_array_length(nics), 2);
    assert_text(json_object_array_get_idx(nics, 0), "name", "eth0/vf0");
    assert_text(json_object_array_get_idx(nics, 1), "name", "virtio0");
    assert_text(json_object_array_get_idx(nics, 1), "pci", NULL);
    vm = json_object_array_get_idx(list, 1);
    assert_text(vm, "name", "vm2");
    assert_text(vm, "running", "false");
    vm = json_object_array_get_idx(list, 2);
    assert_text(vm, "name", "vm9");
    assert_int_equal(json_object_array_length(json_object_object_get(vm, "nics")), 0);
}

static void test_nic_of_a_gone_vf(void **state _unused_)
{
    _cleanup_json_ json_object *vm = NULL;

    planner_host_lease(2, "vm1", LEASE_ASSIGNED);
    host.pfs[0].num_vfs = 2;
    vm = describe_vm(&host.now, &nobody, "vm1");
    assert_text(json_object_array_get_idx(json_object_object_get(vm, "nics"), 0), "name",
                "0000:01:10.4");
}

static void test_plan(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT;
    const struct policy asked = {.set = 0};
    _cleanup_json_ json_object *o = NULL;
    json_object *steps;

    assert_int_equal(planner_assign(&host.now, &host.pfs[0], &host.vfs[0], "vm1", &asked, &p, NULL),
                     0);
    o = describe_plan(&p, true, false);
    assert_text(o, "object", "eth0/vf0");
    assert_text(o, "verb", "assign");
    assert_text(o, "vm", "vm1");
    assert_text(o, "changed", "false");
    assert_text(o, "dry_run", "true");
    steps = json_object_object_get(o, "steps");
    assert_int_equal(json_object_array_length(steps), p.num_steps);
    assert_text(json_object_array_get_idx(steps, 2), "step", "mac");
    assert_text(json_object_array_get_idx(steps, 2), "cost", "resets the VF");
    /* What is so already costs nobody anything. */
    assert_text(json_object_array_get_idx(steps, 3), "state", "already");
    assert_text(json_object_array_get_idx(steps, 3), "cost", NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, planner_host_make, planner_host_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_states),           TEST(test_keys), TEST(test_vms),
        TEST(test_nic_of_a_gone_vf), TEST(test_plan),
    };

    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
