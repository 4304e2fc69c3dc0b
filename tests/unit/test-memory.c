/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/memory.h"

#include "unit.h"

#include <errno.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static void test_small_is_one_region(void **state _unused_)
{
    struct memory m;

    assert_int_equal(memory_init(&m, 64 * MIB, NULL), 0);
    assert_int_equal(m.num_regions, 1);
    assert_int_equal(m.regions[0].gpa, 0);
    assert_int_equal(m.regions[0].size, 64 * MIB);
    assert_int_equal(memory_end(&m), MEMORY_4G);
    memory_done(&m);
    assert_int_equal(m.num_regions, 0);
}

static void test_large_is_split_round_the_hole(void **state _unused_)
{
    struct memory m;

    assert_int_equal(memory_init(&m, 5 * GIB, NULL), 0);
    assert_int_equal(m.num_regions, 2);
    assert_int_equal(m.regions[0].size, MEMORY_HOLE_START);
    assert_int_equal(m.regions[1].gpa, MEMORY_4G);
    assert_int_equal(m.regions[1].size, 5 * GIB - MEMORY_HOLE_START);
    assert_int_equal(memory_end(&m), MEMORY_4G + 2 * GIB);
    memory_done(&m);
}

static void test_exactly_up_to_the_hole(void **state _unused_)
{
    struct memory m;

    assert_int_equal(memory_init(&m, MEMORY_HOLE_START, NULL), 0);
    assert_int_equal(m.num_regions, 1);
    memory_done(&m);
}

static void test_host_and_guest_agree_on_huge_pages(void **state _unused_)
{
    struct memory m;

    assert_int_equal(memory_init(&m, 5 * GIB, NULL), 0);
    for (unsigned i = 0; i < m.num_regions; i++)
        assert_int_equal(((uintptr_t)m.regions[i].hva ^ m.regions[i].gpa) % (2 * MIB), 0);
    memory_done(&m);
}

static void test_at_stays_within_one_region(void **state _unused_)
{
    struct memory m;

    assert_int_equal(memory_init(&m, 4 * GIB, NULL), 0);
    assert_ptr_equal(memory_at(&m, 0, 1), m.regions[0].hva);
    assert_ptr_equal(memory_at(&m, MEMORY_4G, GIB), m.regions[1].hva);
    assert_non_null(memory_at(&m, MEMORY_HOLE_START - 8, 8));
    assert_null(memory_at(&m, MEMORY_HOLE_START - 8, 9));
    assert_null(memory_at(&m, MEMORY_HOLE_START, 8));
    assert_null(memory_at(&m, MEMORY_4G, GIB + 1));
    assert_null(memory_at(&m, MEMORY_4G - 4, 8));
    assert_null(memory_at(&m, 0x1000, UINT64_MAX));
    assert_null(memory_at(&m, UINT64_MAX - 4, 8));
    memory_done(&m);
}

static void test_all_of_it_can_be_written(void **state _unused_)
{
    struct memory m;
    uint8_t *last;

    assert_int_equal(memory_init(&m, 64 * MIB, NULL), 0);
    last = memory_at(&m, 64 * MIB - 1, 1);
    m.regions[0].hva[0] = 1;
    *last = 2;
    assert_int_equal(*last, 2);
    memory_done(&m);
}

static void test_sizes_out_of_range(void **state _unused_)
{
    static const uint64_t sizes[] = {0, 4096, 64 * MIB - 4096, 64 * MIB + 1, MEMORY_MAX + 4096};
    struct memory m;

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        struct error e = ERROR_INIT;

        assert_int_equal(memory_init(&m, sizes[i], &e), -EINVAL);
        assert_text_has(e.text, "64M to 1T");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_is_one_region),
        cmocka_unit_test(test_large_is_split_round_the_hole),
        cmocka_unit_test(test_exactly_up_to_the_hole),
        cmocka_unit_test(test_host_and_guest_agree_on_huge_pages),
        cmocka_unit_test(test_at_stays_within_one_region),
        cmocka_unit_test(test_all_of_it_can_be_written),
        cmocka_unit_test(test_sizes_out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
