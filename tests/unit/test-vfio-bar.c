/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How BARs are cut, and a BAR whose device is a file: what is mapped and what is trapped. */
#include "bare-machine.h"
#include "vmm/vfio-bar.h"

#include <linux/vfio.h>
#include <sys/mman.h>

#define READ_WRITE (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)
#define GPA        0xC0010000ULL

static uint64_t trap_read(void *opaque _unused_, uint64_t offset, unsigned len _unused_)
{
    return 0x100 + offset;
}

static void trap_write(void *opaque, uint64_t offset, unsigned len _unused_, uint64_t value)
{
    *(uint64_t *)opaque = offset << 32 | value;
}

static const struct bus_ops trap_ops = {.name = "trap", .read = trap_read, .write = trap_write};

/* A BAR of 16 KiB, all of it mappable, with a table at its start and pending bits in the middle. */
static struct vfio_bar like_igbvf(void)
{
    return (struct vfio_bar){
        .region = {.size = 0x4000, .flags = READ_WRITE, .areas = {{0, 0x4000}}, .num_areas = 1},
        .size = 0x4000,
        .traps = {{0, 48, &trap_ops, NULL}, {0x2000, 8, &trap_ops, NULL}},
        .num_traps = 2,
    };
}

static void assert_segment(const struct vfio_bar *bar, unsigned i, uint64_t offset, uint64_t size,
                           bool direct)
{
    assert_true(i < bar->num_segments);
    assert_int_equal(bar->segments[i].offset, offset);
    assert_int_equal(bar->segments[i].size, size);
    assert_int_equal(bar->segments[i].direct, direct);
}

static void test_split_around_traps(void **state _unused_)
{
    struct vfio_bar bar = like_igbvf();

    vfio_bar_split(&bar, 4096);
    assert_int_equal(bar.num_segments, 4);
    assert_segment(&bar, 0, 0, 0x1000, false);
    assert_segment(&bar, 1, 0x1000, 0x1000, true);
    assert_segment(&bar, 2, 0x2000, 0x1000, false);
    assert_segment(&bar, 3, 0x3000, 0x1000, true);

    /* The host's page is the grain. */
    vfio_bar_split(&bar, 0x4000);
    assert_int_equal(bar.num_segments, 1);
    assert_segment(&bar, 0, 0, 0x4000, false);

    bar.num_traps = 0;
    vfio_bar_split(&bar, 4096);
    assert_int_equal(bar.num_segments, 1);
    assert_segment(&bar, 0, 0, 0x4000, true);
}

static void test_split_areas(void **state _unused_)
{
    struct vfio_bar bar = like_igbvf();

    /* Out of order, touching, and not whole pages. */
    bar.num_traps = 0;
    bar.region.num_areas = 3;
    bar.region.areas[0] = (struct vfio_area){0x2000, 0x1000};
    bar.region.areas[1] = (struct vfio_area){0x0800, 0x0c00};
    bar.region.areas[2] = (struct vfio_area){0x3000, 0x0800};
    vfio_bar_split(&bar, 4096);
    assert_int_equal(bar.num_segments, 3);
    assert_segment(&bar, 0, 0, 0x2000, false);
    assert_segment(&bar, 1, 0x2000, 0x1000, true);
    assert_segment(&bar, 2, 0x3000, 0x1000, false);

    /* A read-only region can't be a memory slot. */
    bar.region.flags = VFIO_REGION_INFO_FLAG_READ;
    vfio_bar_split(&bar, 4096);
    assert_int_equal(bar.num_segments, 1);
    assert_segment(&bar, 0, 0, 0x4000, false);
}

/* Less than a page: the neighbour's registers are in the same page of the host's. */
static void test_split_small(void **state _unused_)
{
    struct vfio_bar bar = {
        .region = {.size = 0x100, .flags = READ_WRITE, .areas = {{0, 0x100}}, .num_areas = 1},
        .size = 0x1000,
    };

    vfio_bar_split(&bar, 4096);
    assert_int_equal(bar.num_segments, 1);
    assert_segment(&bar, 0, 0, 0x1000, false);
}

/* As many segments as the areas and traps allow fit. */
static void test_split_most(void **state _unused_)
{
    struct vfio_bar bar = {
        .region = {.size = 1 << 20, .flags = READ_WRITE, .num_areas = VFIO_REGION_AREAS_MAX},
        .size = 1 << 20,
        .traps = {{0x2000, 16, &trap_ops, NULL}, {0x6000, 16, &trap_ops, NULL}},
        .num_traps = 2,
    };
    uint64_t end = 0;

    for (unsigned i = 0; i < VFIO_REGION_AREAS_MAX; i++)
        bar.region.areas[i] = (struct vfio_area){0x1000 + i * 0x4000, 0x3000};
    vfio_bar_split(&bar, 4096);
    assert_true(bar.num_segments <= VFIO_SEGMENTS_MAX);
    for (unsigned i = 0; i < bar.num_segments; i++) {
        assert_int_equal(bar.segments[i].offset, end);
        end += bar.segments[i].size;
    }
    assert_int_equal(end, 1 << 20);
}

static int device_of_zeroes(uint64_t size)
{
    int fd = memfd_create("bar", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void test_mapped_and_trapped(void **state _unused_)
{
    struct vfio_bar bar = like_igbvf();
    struct machine m;
    uint64_t written = 0, value = 0;

    bare_machine_init(&m);
    bar.machine = &m;
    bar.device = device_of_zeroes(0x14000);
    bar.region.offset = 0x10000;
    bar.traps[0].opaque = &written;
    assert_int_equal(vfio_bar_open(&bar), 0);
    assert_int_equal(vfio_bar_map(&bar, GPA), 0);
    assert_true(bar.segments[1].slot >= 0 && bar.segments[3].slot >= 0);

    /* In the table: the trap's. */
    assert_int_equal(bus_read(&m.mmio, GPA + 0x10, 4), 0x110);
    bus_write(&m.mmio, GPA + 0x2c, 4, 7);
    assert_true(written == (0x2cULL << 32 | 7));
    assert_int_equal(bus_read(&m.mmio, GPA + 0x2000, 8), 0x100);
    /* In its page but not in it: the device's. */
    bus_write(&m.mmio, GPA + 0x100, 4, 0x12345678);
    assert_int_equal(bus_read(&m.mmio, GPA + 0x100, 4), 0x12345678);
    assert_int_equal(pread(bar.device, &value, 4, 0x10100), 4);
    assert_int_equal(value, 0x12345678);
    /* Across the table's end: nobody's, and nothing of it reaches the device. */
    vfio_bar_write(&bar, 0x2c, 8, UINT64_MAX);
    assert_true(vfio_bar_read(&bar, 0x2c, 8) == UINT64_MAX);
    assert_int_equal(pread(bar.device, &value, 8, 0x10030), 8);
    assert_int_equal(value, 0);
    /* Past the region. */
    assert_true(vfio_bar_read(&bar, 0x3ffe, 4) == UINT64_MAX);
    assert_true(vfio_bar_read(&bar, UINT64_MAX, 1) == UINT64_MAX);
    /* Mapped segments are the device's memory. */
    bar.memory[0x1004] = 0x5a;
    assert_int_equal(pread(bar.device, &value, 1, 0x11004), 1);
    assert_int_equal(value & 0xff, 0x5a);

    vfio_bar_unmap(&bar, GPA);
    assert_true(bus_read(&m.mmio, GPA + 0x10, 4) == 0xffffffff);
    /* It can be put elsewhere, and where it was. */
    assert_int_equal(vfio_bar_map(&bar, GPA + 0x100000), 0);
    vfio_bar_unmap(&bar, GPA + 0x100000);
    assert_int_equal(vfio_bar_map(&bar, GPA), 0);
    vfio_bar_unmap(&bar, GPA);
    vfio_bar_close(&bar);
    close(bar.device);
    bare_machine_done(&m);
}

/* Where something is in the way it is mapped nowhere at all. */
static void test_collision_leaves_nothing(void **state _unused_)
{
    struct vfio_bar bar = like_igbvf();
    struct machine m;
    unsigned ranges;

    bare_machine_init(&m);
    bar.machine = &m;
    bar.device = device_of_zeroes(0x4000);
    assert_int_equal(vfio_bar_open(&bar), 0);
    assert_int_equal(bus_add(&m.mmio, GPA + 0x2000, 0x1000, &trap_ops, NULL), 0);
    ranges = m.mmio.num_ranges;
    assert_int_equal(vfio_bar_map(&bar, GPA), -EEXIST);
    assert_int_equal(m.mmio.num_ranges, ranges);
    for (unsigned i = 0; i < bar.num_segments; i++)
        assert_int_equal(bar.segments[i].slot, -1);
    bus_remove(&m.mmio, GPA + 0x2000);
    assert_int_equal(vfio_bar_map(&bar, GPA), 0);
    vfio_bar_unmap(&bar, GPA);
    vfio_bar_close(&bar);
    close(bar.device);
    bare_machine_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_around_traps), cmocka_unit_test(test_split_areas),
        cmocka_unit_test(test_split_small),        cmocka_unit_test(test_split_most),
        cmocka_unit_test(test_mapped_and_trapped), cmocka_unit_test(test_collision_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
