/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/dma.h"

#include "unit.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/resource.h>

#define MIB (1ULL << 20)

static int map_error;
static uint64_t unmapped; /* what the kernel says it unmapped */
static rlim_t limit;
static struct vfio_iommu_type1_dma_map seen;

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *ret);

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *ret)
{
    assert_int_equal(resource, RLIMIT_MEMLOCK);
    ret->rlim_cur = ret->rlim_max = limit;
    return 0;
}

int __wrap_ioctl(int fd _unused_, unsigned long request, void *argument)
{
    if (request == VFIO_IOMMU_MAP_DMA)
        memcpy(&seen, argument, sizeof(seen));
    else if (request == VFIO_IOMMU_UNMAP_DMA)
        ((struct vfio_iommu_type1_dma_unmap *)argument)->size = unmapped;
    if (map_error == 0)
        return 0;
    errno = map_error;
    return -1;
}

static union {
    struct vfio_iommu_type1_info info;
    uint8_t bytes[1024];
} answer;

static const struct vfio_iova_range x86[] = {{0, 0xfedfffff}, {0xfef00000, (1ULL << 39) - 1}};

static size_t put_ranges(uint32_t claimed, const struct vfio_iova_range *ranges, size_t n)
{
    const struct vfio_iommu_type1_info_cap_iova_range cap = {
        .header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1}, .nr_iovas = claimed};
    /* As kernels before 6.6 may: behind a structure of twelve bytes, not aligned to eight. */
    const size_t at = (sizeof(answer.info) + 7) / 8 * 8 + 12;

    memset(&answer, 0, sizeof(answer));
    answer.info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
    answer.info.iova_pgsizes = 0x40201000;
    answer.info.cap_offset = (uint32_t)at;
    memcpy(answer.bytes + at, &cap, sizeof(cap));
    memcpy(answer.bytes + at + sizeof(cap), ranges, n * sizeof(*ranges));
    return at + sizeof(cap) + n * sizeof(*ranges);
}

static void test_info(void **state _unused_)
{
    const struct vfio_iommu_type1_info_dma_avail avail = {
        .header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1}, .avail = 17};
    struct vfio_dma_info d;
    uint32_t next = 512;

    put_ranges(2, x86, 2);
    memcpy(answer.bytes + answer.info.cap_offset + 4, &next, sizeof(next));
    memcpy(answer.bytes + next, &avail, sizeof(avail));
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), 0);
    assert_int_equal(d.page_sizes, 0x40201000);
    assert_int_equal(d.maps_avail, 17);
    assert_int_equal(d.num_ranges, 2);
    assert_int_equal(d.ranges[1].start, 0xfef00000);
    assert_int_equal(d.ranges[1].end, (1ULL << 39) - 1);
}

static void test_old_kernel(void **state _unused_)
{
    struct vfio_dma_info d;

    memset(&answer, 0, sizeof(answer));
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer.info), &d), 0);
    assert_int_equal(d.page_sizes, sysconf(_SC_PAGESIZE));
    assert_int_equal(d.maps_avail, 65535);
    assert_true(vfio_dma_covers(&d, 0, UINT64_MAX));
}

static void test_hostile_info(void **state _unused_)
{
    static const struct vfio_iova_range backwards = {5, 4};
    struct vfio_iova_range many[VFIO_DMA_RANGES_MAX + 1] = {0};
    struct vfio_dma_info d;
    size_t size = put_ranges(2, x86, 2);

    assert_int_equal(vfio_dma_info_parse(&answer, size, &d), 0);
    assert_int_equal(vfio_dma_info_parse(&answer, size - 1, &d), -EPROTO);
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer.info) - 1, &d), -EPROTO);
    put_ranges(1, &backwards, 1);
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), -EPROTO);
    put_ranges(0x10000001, x86, 2);
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), -EPROTO);
    put_ranges(ELEMENTSOF(many), many, ELEMENTSOF(many));
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), -EPROTO);
    put_ranges(2, x86, 2);
    answer.info.cap_offset = 8;
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), -EPROTO);
}

static void test_covers(void **state _unused_)
{
    struct vfio_dma_info d;

    put_ranges(2, x86, 2);
    assert_int_equal(vfio_dma_info_parse(&answer, sizeof(answer), &d), 0);
    assert_true(vfio_dma_covers(&d, 0, 0xfee00000));
    assert_false(vfio_dma_covers(&d, 0, 0xfee00001));
    assert_true(vfio_dma_covers(&d, 1ULL << 32, 1ULL << 32));
    assert_true(vfio_dma_covers(&d, (1ULL << 39) - 4096, 4096));
    assert_false(vfio_dma_covers(&d, (1ULL << 39) - 4096, 4097));
    assert_false(vfio_dma_covers(&d, 0xfedff000, 0x200000)); /* across the MSI window */
    assert_false(vfio_dma_covers(&d, 0, 0));
    assert_false(vfio_dma_covers(&d, UINT64_MAX, 2));
}

static void test_map(void **state _unused_)
{
    char memory[1];

    map_error = 0;
    assert_int_equal(vfio_dma_map(3, 4 * MIB, 2 * MIB, memory, true, NULL), 0);
    assert_int_equal(seen.flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
    assert_int_equal(seen.iova, 4 * MIB);
    assert_int_equal(seen.size, 2 * MIB);
    assert_int_equal(seen.vaddr, (uintptr_t)memory);
    assert_int_equal(vfio_dma_map(3, 4 * MIB, 2 * MIB, memory, false, NULL), 0);
    assert_int_equal(seen.flags, VFIO_DMA_MAP_FLAG_READ);
}

static void test_map_errors(void **state _unused_)
{
    struct error e = ERROR_INIT;

    map_error = ENOMEM;
    limit = 8 * MIB;
    assert_int_equal(vfio_dma_map(3, 0, 512 * MIB, NULL, true, &e), -ENOMEM);
    assert_text_has(e.text, "locking 512 MiB of guest memory needs RLIMIT_MEMLOCK >= 512 MiB");
    assert_text_has(e.text, "have 8 MiB");
    assert_text_has(e.text, "LimitMEMLOCK=");
    limit = RLIM_INFINITY;
    assert_int_equal(vfio_dma_map(3, 0, 512 * MIB, NULL, true, &e), -ENOMEM);
    assert_text_has(e.text, "the host has not enough free memory");
    map_error = EEXIST;
    assert_int_equal(vfio_dma_map(3, 0, MIB, NULL, true, &e), -EEXIST);
    assert_text_has(e.text, "mapped already");
    map_error = EBADF;
    assert_int_equal(vfio_dma_map(3, 0, MIB, NULL, true, NULL), -EBADF);
    assert_int_equal(vfio_dma_info_get(3, &(struct vfio_dma_info){0}, &e), -EBADF);
}

static void test_unmap(void **state _unused_)
{
    struct error e = ERROR_INIT;

    map_error = 0;
    unmapped = MIB;
    assert_int_equal(vfio_dma_unmap(3, 0, MIB, &e), 0);
    assert_int_equal(vfio_dma_unmap(3, 0, 2 * MIB, &e), -EIO);
    assert_text_has(e.text, "unmapped 1048576");
    map_error = EINVAL;
    assert_int_equal(vfio_dma_unmap(3, 0, MIB, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),         cmocka_unit_test(test_old_kernel),
        cmocka_unit_test(test_hostile_info), cmocka_unit_test(test_covers),
        cmocka_unit_test(test_map),          cmocka_unit_test(test_map_errors),
        cmocka_unit_test(test_unmap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
