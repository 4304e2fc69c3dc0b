/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planner on a host that is made up: two igb cards, of which the first has three VFs, and a
 * storage card with one. What the planner asks the kernel beside its inventory is answered here.
 */
#include "src/planner.h"

#include "src/planner-parts.h"
#include "src/stable-mac.h"
#include "temp-dir.h"
#include "unit.h"

#include <errno.h>
#include <linux/if_ether.h>

#define MAC 0x525400123456

static struct {
    struct pf pfs[3];
    struct vf vfs[3], nvme;
    struct lease leases[4];
    struct present now;

    /* Answers. */
    int group_error, viable_error, busy, holder, netdev_up, carrier;
    bool bridge, tap, macvtap_held;
} host;

int __wrap_vfio_group_of(const struct pci_addr *dev, struct error *e);
int __wrap_vfio_group_viable(const struct pci_addr *dev, struct error *e);
int __wrap_vfio_group_busy(int group, pid_t *ret_pid);
int __wrap_netdev_is_up(const char *name);
bool __wrap_netdev_is_bridge(const char *name);
bool __wrap_netdev_exists(const char *name);
int __wrap_netdev_macvtap_held(const char *name);

int __wrap_vfio_group_of(const struct pci_addr *dev _unused_, struct error *e)
{
    return host.group_error ? error_set(e, host.group_error, "no IOMMU") : 9;
}

int __wrap_vfio_group_viable(const struct pci_addr *dev _unused_, struct error *e)
{
    return host.viable_error ? error_set(e, host.viable_error, "not viable") : 0;
}

/* @busy: the group that is; negative an error. */
int __wrap_vfio_group_busy(int group, pid_t *ret_pid)
{
    if (host.busy < 0)
        return host.busy;
    if (ret_pid)
        *ret_pid = group == host.busy ? host.holder : 0;
    return group == host.busy;
}

int __wrap_netdev_is_up(const char *name _unused_)
{
    return host.netdev_up;
}

bool __wrap_netdev_is_bridge(const char *name)
{
    return host.bridge && streq(name, "br0");
}

bool __wrap_netdev_exists(const char *name)
{
    return host.tap && strncmp(name, "svt-", 4) == 0;
}

int __wrap_netdev_macvtap_held(const char *name _unused_)
{
    return host.macvtap_held;
}

static void make_vf(struct vf *vf, unsigned index)
{
    *vf = (struct vf){.addr = {.bus = 1, .dev = 0x10, .fn = (uint8_t)(2 * index)},
                      .index = index,
                      .driver = "vfio-pci",
                      .iommu_group = 7 + (int)index,
                      .numa_node = -1,
                      .can_reset = true};
    policy_put(&vf->policy, POLICY_MAC, 0);
    policy_put(&vf->policy, POLICY_VLAN, 0);
    policy_put(&vf->policy, POLICY_QOS, 0);
    policy_put(&vf->policy, POLICY_PROTO, ETH_P_8021Q);
    policy_put(&vf->policy, POLICY_MAX_TX_RATE, 0);
    policy_put(&vf->policy, POLICY_SPOOFCHK, 1);
    policy_put(&vf->policy, POLICY_TRUST, 0);
}

static int make_host(void **state)
{
    memset(&host, 0, sizeof(host));
    for (unsigned i = 0; i < 2; i++) {
        host.pfs[i] = (struct pf){.addr = {.bus = (uint8_t)(1 + i)},
                                  .ifindex = 2 + (int)i,
                                  .driver = "igb",
                                  .total_vfs = 7,
                                  .autoprobe = true};
        snprintf(host.pfs[i].name, sizeof(host.pfs[i].name), "eth%u", i);
    }
    for (unsigned i = 0; i < 3; i++)
        make_vf(&host.vfs[i], i);
    host.pfs[0].vfs = host.vfs;
    host.pfs[0].num_vfs = 3;
    host.nvme = (struct vf){.addr = {.bus = 9, .fn = 1}, .driver = "vfio-pci", .iommu_group = 20};
    host.nvme.can_reset = true;
    host.pfs[2] = (struct pf){.addr = {.bus = 9}, .name = "0000:09:00.0", .driver = "nvme"};
    host.pfs[2].vfs = &host.nvme;
    host.pfs[2].num_vfs = 1;
    host.now = (struct present){.state_dir = temp_dir_make(state),
                                .boot_id = "b00t",
                                .fallback_bridge = "",
                                .inv = {.pfs = host.pfs, .num_pfs = 3},
                                .leases = {.items = host.leases, .count = 0}};
    return 0;
}

static int free_host(void **state)
{
    temp_dir_remove(state);
    return 0;
}

static struct lease *add_lease(unsigned vf, const char *vm, enum lease_phase phase)
{
    struct lease *l = &host.leases[host.now.leases.count++];

    *l = (struct lease){.kind = LEASE_KIND_VF,
                        .phase = phase,
                        .generation = 5,
                        .boot_id = "b00t",
                        .pf = host.pfs[0].addr,
                        .vf = host.vfs[vf].addr,
                        .index = vf,
                        .before = host.vfs[vf].policy};
    pci_addr_format(&l->vf, l->id);
    snprintf(l->vm, sizeof(l->vm), "%s", vm);
    policy_put(&host.vfs[vf].policy, POLICY_MAC, MAC + vf);
    l->wanted = host.vfs[vf].policy;
    return l;
}

static struct lease *add_virtio_lease(bool on_bridge)
{
    struct lease *l = &host.leases[host.now.leases.count++];

    *l = (struct lease){.id = "virtio0",
                        .kind = LEASE_KIND_VIRTIO,
                        .phase = LEASE_ASSIGNED,
                        .generation = 5,
                        .boot_id = "b00t",
                        .vm = "vm1",
                        .parent_is_bridge = on_bridge};
    snprintf(l->parent, sizeof(l->parent), "%s", on_bridge ? "br0" : "eth0");
    policy_put(&l->wanted, POLICY_MAC, MAC);
    return l;
}

/* The plan in one line: its steps, with what is true already in parentheses. */
static void assert_steps(const struct plan *p, const char *expected)
{
    char text[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < p->num_steps; i++) {
        const bool already = p->steps[i].state == STEP_ALREADY;

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s", i ? " " : "",
                                 already ? "(" : "", step_name(&p->steps[i]), already ? ")" : "");
    }
    assert_string_equal(text, expected);
}

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

        free_host(state);
        make_host(state);
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

        free_host(state);
        make_host(state);
        strcpy(add_lease(0, cases[i].vm, cases[i].phase)->reason, "worn out");
        assert_int_equal(plan_assign(0, "vm1", &no_policy, &p, &e), -EBUSY);
        assert_text_has(e.text, cases[i].text);
    }
}

static void test_assign_again(void **state _unused_)
{
    _cleanup_plan_ struct plan p = PLAN_INIT, q = PLAN_INIT, r = PLAN_INIT;
    struct policy asked = no_policy;

    add_lease(0, "vm1", LEASE_ASSIGNED);
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

        free_host(state);
        make_host(state);
        add_lease(0, "vm1", LEASE_ASSIGNED);
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

    assert_int_equal(planner_pick(&host.now, &pf, &vf, NULL), 0);
    assert_ptr_equal(pf, &host.pfs[0]);
    assert_ptr_equal(vf, &host.vfs[0]);
    add_lease(0, "vm1", LEASE_QUARANTINED);
    host.busy = 8; /* vf1's */
    assert_int_equal(planner_pick(&host.now, &pf, &vf, NULL), 0);
    assert_ptr_equal(vf, &host.vfs[2]);
    host.vfs[2].can_reset = false;
    vf = NULL;
    assert_int_equal(planner_pick(&host.now, &pf, &vf, &e), -EOPNOTSUPP);
    assert_null(vf);
    assert_text_has(e.text, "none of the 4 VFs is free; the last one looked at: eth0/vf2 can't");
    strcpy(host.vfs[2].driver, "igbvf"); /* the host's */
    host.vfs[2].can_reset = true;
    assert_int_equal(planner_pick(&host.now, &pf, &vf, NULL), -EOPNOTSUPP);
}

static void test_pick_where_there_is_none(void **state _unused_)
{
    struct error e = ERROR_INIT;
    const struct pf *pf;
    const struct vf *vf;

    host.now.inv.num_pfs = 2;
    host.pfs[0].num_vfs = 0;
    assert_int_equal(planner_pick(&host.now, &pf, &vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "no VF is enabled: 'sriovctl enable eth0 COUNT' first");
    host.now.inv.num_pfs = 0;
    assert_int_equal(planner_pick(&host.now, &pf, &vf, &e), -EOPNOTSUPP);
    assert_text_has(e.text, "has no SR-IOV network card: add 'fallback virtio'");
}

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

    add_virtio_lease(false);
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
    const struct lease *l = add_lease(0, "vm1", LEASE_ASSIGNED);
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
    struct lease *l = add_lease(0, "vm1", LEASE_ASSIGNED);
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
    const struct lease *l = add_lease(2, "vm1", LEASE_ASSIGNED);
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

        free_host(state);
        make_host(state);
        l = add_virtio_lease(cases[i].on_bridge);
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

        free_host(state);
        make_host(state);
        if (cases[i].leased)
            policy_put(&add_lease(0, "vm1", LEASE_ASSIGNED)->wanted, POLICY_MIN_TX_RATE, 20);
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

        free_host(state);
        make_host(state);
        add_lease(0, "vm1", (enum lease_phase)phase);
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
    add_lease(1, "vm1", LEASE_ASSIGNED);
    add_lease(2, "", LEASE_QUARANTINED);
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
        {LEASE_ASSIGNED, "", PLAN_BACK},
        {LEASE_RELEASING, "lease reset mac (vlan) (spoofchk) (trust) (rate) bind forget",
         PLAN_FORWARD},
        {LEASE_QUARANTINED, "", PLAN_BACK},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_plan_ struct plan p = PLAN_INIT;

        free_host(state);
        make_host(state);
        assert_int_equal(planner_recover(&host.now, add_lease(0, "vm1", cases[i].phase), &p, NULL),
                         0);
        assert_steps(&p, cases[i].steps);
        assert_int_equal(p.direction, cases[i].direction);
    }
}

static void test_recover_virtio(void **state _unused_)
{
    struct lease *l = add_virtio_lease(false);
    _cleanup_plan_ struct plan p = PLAN_INIT;

    l->phase = LEASE_ASSIGNING;
    l->pf = host.pfs[0].addr;
    assert_int_equal(planner_recover(&host.now, l, &p, NULL), 0);
    assert_steps(&p, "lease pf-up macvtap lease");
}

static void test_recover_of_a_gone_vf(void **state _unused_)
{
    const struct lease *l = add_lease(2, "vm1", LEASE_ASSIGNING);
    _cleanup_plan_ struct plan p = PLAN_INIT;
    struct error e = ERROR_INIT;

    host.pfs[0].num_vfs = 2;
    assert_int_equal(planner_recover(&host.now, l, &p, &e), -ENODEV);
    assert_text_has(e.text, "0000:01:10.4, assigned to vm1, is gone");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_host, free_host)

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
        TEST(test_pick_where_there_is_none),
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
