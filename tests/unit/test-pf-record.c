/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/pf-record.h"

#include "src/state-file.h"
#include "temp-dir.h"
#include "unit.h"

#include <errno.h>

static int dir = -1;
static const struct pci_addr pf = {.bus = 1};

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

static void test_round_trip(void **state _unused_)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct pf_record rec = {
            .pf = pf, .count = 65535 * i, .autoprobe_before = i, .boot_id = "b00t"};
        struct pf_record got;

        assert_int_equal(pf_record_save(dir, &rec, NULL), 0);
        assert_int_equal(pf_record_load(dir, &pf, &got, NULL), 0);
        assert_true(pci_addr_eq(&got.pf, &pf));
        assert_int_equal(got.count, rec.count);
        assert_int_equal(got.autoprobe_before, rec.autoprobe_before);
        assert_string_equal(got.boot_id, "b00t");
    }
}

static void test_remove(void **state _unused_)
{
    const struct pf_record rec = {.pf = pf, .count = 2, .boot_id = "b00t"};
    struct pf_record got;

    assert_int_equal(pf_record_load(dir, &pf, &got, NULL), -ENOENT);
    assert_int_equal(pf_record_save(dir, &rec, NULL), 0);
    assert_int_equal(pf_record_remove(dir, &pf, NULL), 0);
    assert_int_equal(pf_record_remove(dir, &pf, NULL), 0);
    assert_int_equal(pf_record_load(dir, &pf, &got, NULL), -ENOENT);
}

static void test_wrong_fields(void **state _unused_)
{
    static const struct {
        const char *count, *autoprobe, *boot;
    } cases[] = {
        {"65536", "on", "b"},
        {"-1", "on", "b"},
        {"1", "yes", "b"},
        {"1", "on", "a boot id that is longer than any boot id is"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct error e = ERROR_INIT;
        struct state_draft d;
        struct pf_record got;

        state_draft_init(&d, "pf");
        state_draft_put(&d, "count", "%s", cases[i].count);
        state_draft_put(&d, "autoprobe_before", "%s", cases[i].autoprobe);
        state_draft_put(&d, "boot", "%s", cases[i].boot);
        assert_int_equal(state_draft_save(&d, dir, "0000:01:00.0.pf", NULL), 0);
        assert_int_equal(pf_record_load(dir, &pf, &got, &e), -EBADMSG);
        assert_text_has(e.text, "0000:01:00.0.pf is damaged");
    }
}

/* A damaged record, and what is none, don't keep the others from being read. */
static void test_load_all(void **state _unused_)
{
    struct pf_record rec = {.pf = pf, .count = 2, .boot_id = "b00t"};
    _cleanup_pf_records_ struct pf_record_list list = PF_RECORD_LIST_INIT;

    assert_int_equal(pf_record_save(dir, &rec, NULL), 0);
    rec.pf.bus = 2;
    rec.count = 7;
    assert_int_equal(pf_record_save(dir, &rec, NULL), 0);
    temp_dir_write(dir, "0000:03:00.0.pf", "x", 1);
    temp_dir_write(dir, "eth0.pf", "x", 1);
    temp_dir_write(dir, "0000:01:10.0.lease", "x", 1);
    assert_int_equal(pf_record_load_all(dir, &list, NULL), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].count + list.items[1].count, 9);
    assert_int_equal(pf_record_load_all(-1, &list, NULL), -EBADF);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(test_round_trip),
        DIR_TEST(test_remove),
        DIR_TEST(test_wrong_fields),
        DIR_TEST(test_load_all),
    };

    return cmocka_run_group_tests_name("pf-record", tests, NULL, NULL);
}
