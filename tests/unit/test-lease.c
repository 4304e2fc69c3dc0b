/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/lease.h"

#include "src/state-file.h"
#include "temp-dir.h"
#include "unit.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <sys/stat.h>

static int dir = -1;

static int make_dir(void **state)
{
    dir = temp_dir_make(state);
    return 0;
}

static int remove_dir(void **state)
{
    temp_dir_remove(state);
    return 0;
}

static struct lease vf_lease(void)
{
    struct lease l = {.id = "0000:01:10.2",
                      .kind = LEASE_KIND_VF,
                      .phase = LEASE_ASSIGNED,
                      .generation = UINT64_MAX - 1,
                      .boot_id = "b00t",
                      .vm = "libvirt:vm-1",
                      .pf = {.bus = 1},
                      .vf = {.bus = 1, .dev = 0x10, .fn = 2},
                      .index = 1,
                      .before_driver = "igbvf"};

    policy_put(&l.wanted, POLICY_MAC, 0x525400123456);
    policy_put(&l.wanted, POLICY_VLAN, 100);
    policy_put(&l.wanted, POLICY_PROTO, ETH_P_8021AD);
    policy_put(&l.wanted, POLICY_TRUST, 1);
    policy_put(&l.before, POLICY_MAC, 0); /* what igb says of a VF that nobody gave one */
    policy_put(&l.before, POLICY_STATE, 2);
    return l;
}

static struct lease virtio_lease(void)
{
    struct lease l = {.id = "virtio3",
                      .kind = LEASE_KIND_VIRTIO,
                      .phase = LEASE_ASSIGNING,
                      .generation = 5,
                      .boot_id = "b00t",
                      .vm = "vm2",
                      .pf = {.bus = 2},
                      .parent = "eth0",
                      .parent_is_bridge = false};

    policy_put(&l.wanted, POLICY_MAC, 0x525400123457);
    return l;
}

static void assert_same_policy(const struct policy *a, const struct policy *b)
{
    assert_int_equal(a->set, b->set);
    assert_int_equal(policy_diff(a, b), 0);
}

/* The only lease in the directory. */
static struct lease load_only(void)
{
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;

    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 1);
    return list.items[0];
}

static void assert_round_trip(const struct lease *l)
{
    struct lease got;

    assert_int_equal(lease_save(dir, l, NULL), 0);
    got = load_only();
    assert_string_equal(got.id, l->id);
    assert_int_equal(got.kind, l->kind);
    assert_int_equal(got.phase, l->phase);
    assert_true(got.generation == l->generation);
    assert_string_equal(got.boot_id, l->boot_id);
    assert_string_equal(got.vm, l->vm);
    assert_true(pci_addr_eq(&got.pf, &l->pf));
    assert_true(pci_addr_eq(&got.vf, &l->vf));
    assert_int_equal(got.index, l->index);
    assert_same_policy(&got.wanted, &l->wanted);
    assert_same_policy(&got.before, &l->before);
    assert_string_equal(got.before_driver, l->before_driver);
    assert_string_equal(got.parent, l->parent);
    assert_int_equal(got.parent_is_bridge, l->parent_is_bridge);
    assert_string_equal(got.reason, l->reason);
    assert_false(got.held);
}

static void test_vf_round_trip(void **state _unused_)
{
    const struct lease l = vf_lease();

    assert_round_trip(&l);
}

static void test_virtio_round_trip(void **state _unused_)
{
    const struct lease l = virtio_lease();

    assert_round_trip(&l);
}

static void test_every_phase(void **state _unused_)
{
    static const char *const names[] = {"assigning", "assigned", "releasing",
                                        "draining",  "drained",  "quarantined"};

    for (unsigned i = 0; i < ELEMENTSOF(names); i++) {
        struct lease l = vf_lease();

        l.phase = (enum lease_phase)i;
        assert_string_equal(lease_phase_name(l.phase), names[i]);
        assert_round_trip(&l);
        assert_int_equal(lease_stored_phase(dir, &l), l.phase);
    }
}

static void test_stored_phase(void **state _unused_)
{
    struct lease l = vf_lease();

    assert_int_equal(lease_stored_phase(dir, &l), -ENOENT);
    assert_int_equal(lease_save(dir, &l, NULL), 0);
    l.generation--;
    assert_int_equal(lease_stored_phase(dir, &l), -ENOENT);
    temp_dir_write(dir, "0000:01:10.2.lease", "half", 4);
    assert_int_equal(lease_stored_phase(dir, &l), -EBADMSG);
}

static void test_remove(void **state _unused_)
{
    const struct lease l = vf_lease();
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;

    assert_int_equal(lease_save(dir, &l, NULL), 0);
    assert_int_equal(lease_remove(dir, &l, NULL), 0);
    assert_int_equal(lease_remove(dir, &l, NULL), 0);
    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 0);
}

/* The reason comes from anywhere, and ends in a line of a file and on a terminal. */
static void test_quarantine(void **state _unused_)
{
    struct lease l = vf_lease(), got;
    char reason[600];

    memset(reason, 'r', sizeof(reason));
    memcpy(reason, "no\nvm=other\033\xff", 13);
    reason[sizeof(reason) - 1] = '\0';
    assert_int_equal(lease_quarantine(dir, &l, reason, NULL), 0);
    got = load_only();
    assert_int_equal(got.phase, LEASE_QUARANTINED);
    assert_string_equal(got.vm, "libvirt:vm-1");
    assert_int_equal(strncmp(got.reason, "no vm=other  rr", 15), 0);
    assert_int_equal(strlen(got.reason), sizeof(got.reason) - 1);
}

/* One that can't be believed blocks its VF, by its file's name, and nothing else. */
static void test_damaged(void **state _unused_)
{
    const struct lease good = virtio_lease();
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;
    const struct pci_addr vf = {.bus = 1, .dev = 0x10};
    const struct lease *bad;

    assert_int_equal(lease_save(dir, &good, NULL), 0);
    temp_dir_write(dir, "0000:01:10.0.lease", "sriovctl lease 1\nkind=vf\n", 25);
    temp_dir_write(dir, "virtio7.lease", "", 0);
    assert_int_equal(mkdirat(dir, "0000:01:10.4.lease", 0755), 0);
    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 4);
    bad = lease_find_vf(&list, &vf);
    assert_non_null(bad);
    assert_int_equal(bad->phase, LEASE_QUARANTINED);
    assert_int_equal(bad->kind, LEASE_KIND_VF);
    assert_string_equal(bad->vm, "");
    assert_string_equal(bad->boot_id, "");
    assert_text_has(bad->reason, "0000:01:10.0.lease is damaged (it has no end");
    assert_int_equal(lease_find(&list, "virtio7")->kind, LEASE_KIND_VIRTIO);
    assert_int_equal(lease_find(&list, "0000:01:10.4")->phase, LEASE_QUARANTINED);
    assert_int_equal(lease_find(&list, "virtio3")->phase, LEASE_ASSIGNING);
}

/* Sealed correctly, and yet no lease: each case sets one field wrong. */
static void test_wrong_fields(void **state _unused_)
{
    static const struct {
        const char *key, *value; /* NULL: the field isn't there */
    } cases[] = {
        {"kind", "tap"},
        {"kind", NULL},
        {"phase", "free"},
        {"phase", ""},
        {"generation", "-1"},
        {"generation", NULL},
        {"boot", NULL},
        {"vm", NULL},
        {"vm", "../vm"},
        {"vm", "libvirt:a b"},
        {"pf", "1"},
        {"vf", "0000:01:10.4"},
        {"vf", "../../x"},
        {"index", "65536"},
        {"index", NULL},
        {"before_driver", NULL},
        {"wanted.mac", "5254"},
        {"wanted.vlan", "4095"},
        {"before.trust", "1"},
    };
    static const struct {
        const char *key, *value;
    } whole[] = {
        {"kind", "vf"},          {"phase", "assigned"},
        {"generation", "9"},     {"boot", "b00t"},
        {"vm", "vm1"},           {"pf", "0000:01:00.0"},
        {"vf", "0000:01:10.2"},  {"index", "1"},
        {"before_driver", ""},   {"wanted.mac", "52:54:00:12:34:56"},
        {"wanted.vlan", "4094"}, {"before.trust", "off"},
    };

    for (size_t i = 0; i <= ELEMENTSOF(cases); i++) {
        const bool wrong = i < ELEMENTSOF(cases);
        struct state_draft d;

        state_draft_init(&d, "lease");
        for (size_t k = 0; k < ELEMENTSOF(whole); k++) {
            const bool here = wrong && streq(whole[k].key, cases[i].key);

            if (!here || cases[i].value)
                state_draft_put(&d, whole[k].key, "%s", here ? cases[i].value : whole[k].value);
        }
        assert_int_equal(state_draft_save(&d, dir, "0000:01:10.2.lease", NULL), 0);
        assert_int_equal(load_only().phase, wrong ? LEASE_QUARANTINED : LEASE_ASSIGNED);
    }
}

static void test_other_files_are_none(void **state _unused_)
{
    static const char *const names[] = {"generation", ".lease", "0000:01:00.0.pf",
                                        "0000:01:10.2.lease.new",
                                        "this-name-is-longer-than-an-id.lease"};
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        temp_dir_write(dir, names[i], "x", 1);
    assert_int_equal(lease_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(lease_load_all(-1, &list, NULL), -EBADF);
}

static void test_generations_go_up(void **state _unused_)
{
    uint64_t last = 0, next = 0;

    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(lease_next_generation(dir, &next, NULL), 0);
        assert_true(next > last);
        last = next;
    }
    /* Lost or damaged: the clock is the floor. */
    temp_dir_write(dir, "generation", "?", 1);
    assert_int_equal(lease_next_generation(dir, &next, NULL), 0);
    assert_true(next > last);
}

/* A clock that was set back doesn't take generations back. */
static void test_generation_beyond_the_clock(void **state _unused_)
{
    struct state_draft d;
    uint64_t next = 0;

    state_draft_init(&d, "generation");
    state_draft_put(&d, "last", "%s", "17000000000000000000");
    assert_int_equal(state_draft_save(&d, dir, "generation", NULL), 0);
    assert_int_equal(lease_next_generation(dir, &next, NULL), 0);
    assert_true(next == 17000000000000000001U);
    next = 3;
    assert_int_equal(lease_next_generation(-1, &next, NULL), -EBADF);
    assert_true(next == 3);
}

static void test_find_mac(void **state _unused_)
{
    struct lease items[] = {vf_lease(), virtio_lease()};
    const struct lease_list list = {.items = items, .count = 2};

    assert_ptr_equal(lease_find_mac(&list, 0x525400123457, ""), &items[1]);
    assert_null(lease_find_mac(&list, 0x525400123457, "virtio3"));
    assert_null(lease_find_mac(&list, 0x525400123458, ""));
    items[1].wanted.set = 0;
    assert_null(lease_find_mac(&list, 0x525400123457, ""));
}

static void test_boot_id(void **state _unused_)
{
    char id[BOOT_ID] = "";

    assert_int_equal(lease_boot_id(id, NULL), 0);
    assert_int_equal(strlen(id), 36);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(test_vf_round_trip),
        DIR_TEST(test_virtio_round_trip),
        DIR_TEST(test_every_phase),
        DIR_TEST(test_stored_phase),
        DIR_TEST(test_remove),
        DIR_TEST(test_quarantine),
        DIR_TEST(test_damaged),
        DIR_TEST(test_wrong_fields),
        DIR_TEST(test_other_files_are_none),
        DIR_TEST(test_generations_go_up),
        DIR_TEST(test_generation_beyond_the_clock),
        DIR_TEST(test_find_mac),
        cmocka_unit_test(test_boot_id),
    };

    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
