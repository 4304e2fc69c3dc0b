/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/bus.h"

#include "unit.h"

#include <errno.h>

struct device {
    uint64_t offset, value;
    unsigned len;
    unsigned accesses;
};

static uint64_t device_read(void *opaque, uint64_t offset, unsigned len)
{
    struct device *d = opaque;

    d->accesses++;
    d->offset = offset;
    d->len = len;
    return d->value;
}

static void device_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    struct device *d = opaque;

    (void)device_read(d, offset, len);
    d->value = value;
}

static const struct bus_ops ops = {.name = "test", .read = device_read, .write = device_write};

static void test_dispatch(void **state _unused_)
{
    struct bus b = {0};
    struct device low = {0}, high = {0};

    assert_int_equal(bus_add(&b, 0x2000, 0x100, &ops, &high), 0);
    assert_int_equal(bus_add(&b, 0x1000, 0x10, &ops, &low), 0);
    bus_write(&b, 0x20fc, 4, 0xabcd);
    assert_int_equal(high.offset, 0xfc);
    assert_int_equal(high.len, 4);
    assert_int_equal(bus_read(&b, 0x2000, 8), 0xabcd);
    assert_int_equal(low.accesses, 0);
    bus_write(&b, 0x100f, 1, 7);
    assert_int_equal(low.value, 7);
    assert_int_equal(low.offset, 15);
}

static void test_nothing_reads_all_ones(void **state _unused_)
{
    struct bus b = {0};
    struct device d = {0};

    assert_int_equal(bus_read(&b, 0x1000, 8), UINT64_MAX);
    assert_int_equal(bus_add(&b, 0x1000, 0x10, &ops, &d), 0);
    assert_int_equal(bus_read(&b, 0xfff, 1), 0xff);
    assert_int_equal(bus_read(&b, 0x1010, 2), 0xffff);
    assert_int_equal(bus_read(&b, 0x100e, 4), 0xffffffff); /* straddles the end */
    assert_int_equal(bus_read(&b, 0xffe, 4), 0xffffffff);  /* straddles the start */
    bus_write(&b, 0x100e, 4, 0);
    assert_int_equal(d.accesses, 0);
}

static void test_a_read_is_cut_to_its_width(void **state _unused_)
{
    struct bus b = {0};
    struct device d = {.value = UINT64_MAX};

    assert_int_equal(bus_add(&b, 0, 8, &ops, &d), 0);
    assert_int_equal(bus_read(&b, 0, 2), 0xffff);
    assert_int_equal(bus_read(&b, 0, 8), UINT64_MAX);
}

static void test_overlap(void **state _unused_)
{
    static const struct {
        uint64_t base, size;
        int result;
    } rows[] = {
        {0x1000, 0x10, -EEXIST}, {0x0ff8, 0x10, -EEXIST}, {0x100f, 1, -EEXIST},
        {0x1004, 4, -EEXIST},    {0, 0x10000, -EEXIST},   {0x0ff0, 0x10, 0},
        {0x1010, 0x10, 0},       {0x5000, 0, -EINVAL},    {UINT64_MAX, 2, -EINVAL},
        {UINT64_MAX, 1, 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct bus b = {0};
        struct device d = {0};

        assert_int_equal(bus_add(&b, 0x1000, 0x10, &ops, &d), 0);
        assert_int_equal(bus_add(&b, rows[i].base, rows[i].size, &ops, &d), rows[i].result);
    }
}

static void test_remove(void **state _unused_)
{
    struct bus b = {0};
    struct device d[3] = {0};

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bus_add(&b, 0x1000 * i, 0x1000, &ops, &d[i]), 0);
    bus_remove(&b, 0x1000);
    bus_remove(&b, 0x1800); /* no range starts there */
    assert_int_equal(b.num_ranges, 2);
    assert_int_equal(bus_read(&b, 0x1000, 1), 0xff);
    assert_int_equal(bus_read(&b, 0x2000, 1), 0);
    assert_int_equal(d[2].accesses, 1);
    assert_int_equal(bus_add(&b, 0x1000, 0x1000, &ops, &d[1]), 0);
}

static void test_full(void **state _unused_)
{
    struct bus b = {0};
    struct device d = {0};

    for (uint64_t i = 0; i < BUS_RANGES_MAX; i++)
        assert_int_equal(bus_add(&b, (BUS_RANGES_MAX - i) * 16, 16, &ops, &d), 0);
    assert_int_equal(bus_add(&b, 1 << 20, 16, &ops, &d), -ENOSPC);
    bus_write(&b, 16 * BUS_RANGES_MAX + 8, 1, 1);
    assert_int_equal(d.offset, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch),
        cmocka_unit_test(test_nothing_reads_all_ones),
        cmocka_unit_test(test_a_read_is_cut_to_its_width),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
