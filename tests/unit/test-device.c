/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/device.h"

#include "unit.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/mman.h>
#include <time.h>

/* One canned region: the fixed structure, then room for capabilities. */
static union {
    struct vfio_region_info info;
    uint8_t bytes[512];
} answer;

static unsigned naps;
static int reset_errors[16]; /* of successive resets; 0: it worked */
static unsigned resets;
static int set_irqs_result; /* what SET_IRQS returns, or -errno */
static union {
    struct vfio_irq_set set;
    int words[sizeof(struct vfio_irq_set) / sizeof(int) + VFIO_IRQ_VECTORS_MAX];
} seen;
static const int *const seen_fds = seen.words + sizeof(struct vfio_irq_set) / sizeof(int);

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_nanosleep(const struct timespec *duration, struct timespec *rem);

int __wrap_nanosleep(const struct timespec *duration _unused_, struct timespec *rem _unused_)
{
    naps++;
    return 0;
}

static int fail_with(int code)
{
    if (code >= 0)
        return code;
    errno = -code;
    return -1;
}

int __wrap_ioctl(int fd _unused_, unsigned long request, void *argument)
{
    struct vfio_irq_set *set = argument;
    struct vfio_irq_info *irq = argument;

    switch (request) {
    case VFIO_DEVICE_GET_REGION_INFO:
        if (((struct vfio_region_info *)argument)->index != 0)
            return fail_with(-EINVAL);
        if (set->argsz < sizeof(answer))
            set->argsz = sizeof(answer);
        else
            memcpy(argument, &answer, sizeof(answer));
        return 0;
    case VFIO_DEVICE_GET_IRQ_INFO:
        irq->count = 3;
        irq->flags = VFIO_IRQ_INFO_EVENTFD | (irq->index ? VFIO_IRQ_INFO_NORESIZE : 0U);
        return 0;
    case VFIO_DEVICE_SET_IRQS:
        memcpy(&seen, argument, set->argsz);
        return fail_with(set_irqs_result);
    case VFIO_DEVICE_RESET:
        return fail_with(reset_errors[resets++]);
    default:
        return fail_with(-ENOTTY);
    }
}

static void reset_answer(uint32_t flags)
{
    memset(&answer, 0, sizeof(answer));
    answer.info = (struct vfio_region_info){
        .argsz = sizeof(answer), .flags = flags, .size = 0x4000, .offset = 1ULL << 40};
}

static void put_sparse(uint32_t claimed, const struct vfio_region_sparse_mmap_area *areas, size_t n)
{
    const struct vfio_region_info_cap_sparse_mmap cap = {
        .header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1}, .nr_areas = claimed};

    answer.info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
    answer.info.cap_offset = sizeof(answer.info);
    memcpy(answer.bytes + sizeof(answer.info), &cap, sizeof(cap));
    memcpy(answer.bytes + sizeof(answer.info) + sizeof(cap), areas, n * sizeof(*areas));
}

static int parse(struct vfio_region *r)
{
    return vfio_region_parse(&answer, sizeof(answer), r);
}

static void test_plain_regions(void **state _unused_)
{
    struct vfio_region r;

    reset_answer(VFIO_REGION_INFO_FLAG_READ);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.size, 0x4000);
    assert_int_equal(r.offset, 1ULL << 40);
    assert_false(r.mmap_ok);
    assert_int_equal(r.num_areas, 0);

    reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
    assert_int_equal(parse(&r), 0);
    assert_true(r.mmap_ok);
    assert_false(r.msix_mappable);
    assert_int_equal(r.num_areas, 1);
    assert_int_equal(r.areas[0].offset, 0);
    assert_int_equal(r.areas[0].size, 0x4000);

    reset_answer(VFIO_REGION_INFO_FLAG_MMAP); /* a BAR that isn't there */
    answer.info.size = 0;
    assert_int_equal(parse(&r), 0);
    assert_false(r.mmap_ok);
}

static void test_sparse_areas(void **state _unused_)
{
    static const struct vfio_region_sparse_mmap_area areas[] = {
        {0, 0x1000}, {0x1000, 0}, {0x2000, 0x2000}};
    struct vfio_region r;

    reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
    put_sparse(3, areas, 3);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.num_areas, 2);
    assert_int_equal(r.areas[1].offset, 0x2000);
    assert_int_equal(r.areas[1].size, 0x2000);

    reset_answer(0); /* not to be mapped at all, whatever is listed */
    put_sparse(3, areas, 3);
    assert_int_equal(parse(&r), 0);
    assert_false(r.mmap_ok);
}

static void test_msix_mappable(void **state _unused_)
{
    const struct vfio_info_cap_header h = {.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, .version = 1};
    struct vfio_region r;

    reset_answer(VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS);
    answer.info.cap_offset = 64;
    memcpy(answer.bytes + 64, &h, sizeof(h));
    assert_int_equal(parse(&r), 0);
    assert_true(r.msix_mappable);
    assert_int_equal(r.num_areas, 1);
}

static void test_hostile_regions(void **state _unused_)
{
    static const struct vfio_region_sparse_mmap_area outside[] = {
        {0x4000, 1}, {0, 0x4001}, {UINT64_MAX, 2}, {8, UINT64_MAX - 4}};
    struct vfio_region_sparse_mmap_area many[VFIO_REGION_AREAS_MAX + 1];
    struct vfio_region r = {.size = 5};

    for (size_t i = 0; i < ELEMENTSOF(outside); i++) {
        reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
        put_sparse(1, &outside[i], 1);
        assert_int_equal(parse(&r), -EPROTO);
    }
    reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
    put_sparse(0xffffffff, outside, 1); /* more than is there */
    assert_int_equal(parse(&r), -EPROTO);
    for (size_t i = 0; i < ELEMENTSOF(many); i++)
        many[i] = (struct vfio_region_sparse_mmap_area){.offset = i, .size = 1};
    reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
    put_sparse(ELEMENTSOF(many), many, ELEMENTSOF(many));
    assert_int_equal(parse(&r), -EPROTO);
    put_sparse(ELEMENTSOF(many) - 1, many, ELEMENTSOF(many));
    assert_int_equal(parse(&(struct vfio_region){0}), 0);

    reset_answer(VFIO_REGION_INFO_FLAG_CAPS);
    answer.info.cap_offset = 16; /* inside the fixed structure */
    assert_int_equal(parse(&r), -EPROTO);
    reset_answer(0);
    answer.info.offset = INT64_MAX;
    assert_int_equal(parse(&r), -EPROTO);
    assert_int_equal(vfio_region_parse(&answer, sizeof(answer.info) - 1, &r), -EPROTO);
    assert_int_equal(r.size, 5);
}

static void test_region_get(void **state _unused_)
{
    static const struct vfio_region_sparse_mmap_area area = {0x1000, 0x1000};
    struct error e = ERROR_INIT;
    struct vfio_region r;

    reset_answer(VFIO_REGION_INFO_FLAG_MMAP);
    put_sparse(1, &area, 1);
    assert_int_equal(vfio_region_get(5, 0, &r, &e), 0);
    assert_int_equal(r.areas[0].offset, 0x1000);
    assert_int_equal(vfio_region_get(5, 9, &r, &e), -EINVAL);
    assert_text_has(e.text, "region 9");
    put_sparse(99, &area, 1);
    assert_int_equal(vfio_region_get(5, 0, &r, &e), -EPROTO);
}

static void test_config(void **state _unused_)
{
    const struct vfio_region config = {.size = 256, .offset = 4096};
    const uint8_t bytes[4] = {0x86, 0x80, 0xca, 0x10};
    _cleanup_close_ int fd = memfd_create("config", MFD_CLOEXEC);
    uint32_t v = 7;
    uint8_t b = 0;

    assert_int_equal(ftruncate(fd, 4096 + 254), 0);
    assert_int_equal(pwrite(fd, bytes, 4, 4096), 4);
    assert_int_equal(vfio_config_read(fd, &config, 0, 4, &v), 0);
    assert_int_equal(v, 0x10ca8086);
    assert_int_equal(vfio_config_read(fd, &config, 2, 2, &v), 0);
    assert_int_equal(v, 0x10ca);
    assert_int_equal(vfio_config_read(fd, &config, 3, 1, &v), 0);
    assert_int_equal(v, 0x10);
    assert_int_equal(vfio_config_write(fd, &config, 0x10, 4, 0x11223344), 0);
    assert_int_equal(pread(fd, &b, 1, 4096 + 0x10), 1);
    assert_int_equal(b, 0x44);

    v = 7;
    assert_int_equal(vfio_config_read(fd, &config, 0, 3, &v), -EINVAL);
    assert_int_equal(vfio_config_read(fd, &config, 0, 8, &v), -EINVAL);
    assert_int_equal(vfio_config_read(fd, &config, 1, 2, &v), -EINVAL);
    assert_int_equal(vfio_config_read(fd, &config, 256, 1, &v), -EINVAL);
    assert_int_equal(vfio_config_write(fd, &config, 0xfffffffc, 4, 0), -EINVAL);
    assert_int_equal(vfio_config_read(fd, &config, 252, 4, &v), -EIO); /* the file ends short */
    assert_int_equal(vfio_config_read(-1, &config, 0, 4, &v), -EBADF);
    assert_int_equal(v, 7);
}

static void test_irqs(void **state _unused_)
{
    int fds[2] = {8, -1}, many[VFIO_IRQ_VECTORS_MAX] = {0};
    struct vfio_irq irq;

    assert_int_equal(vfio_irq_get(5, 0, &irq), 0);
    assert_int_equal(irq.count, 3);
    assert_false(irq.noresize);
    assert_int_equal(vfio_irq_get(5, 1, &irq), 0);
    assert_true(irq.noresize);

    set_irqs_result = 0;
    assert_int_equal(vfio_irq_arm(5, VFIO_PCI_MSIX_IRQ_INDEX, 1, fds, 2), 0);
    assert_int_equal(seen.set.argsz, sizeof(seen.set) + 8);
    assert_int_equal(seen.set.flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
    assert_int_equal(seen.set.index, VFIO_PCI_MSIX_IRQ_INDEX);
    assert_int_equal(seen.set.start, 1);
    assert_int_equal(seen.set.count, 2);
    assert_int_equal(seen_fds[0], 8);
    assert_int_equal(seen_fds[1], -1);
    assert_int_equal(vfio_irq_arm(5, 2, 0, many, VFIO_IRQ_VECTORS_MAX), 0);
    assert_int_equal(vfio_irq_arm(5, 2, 1, many, VFIO_IRQ_VECTORS_MAX), -EINVAL);
    assert_int_equal(vfio_irq_arm(5, 2, 0xffffffff, fds, 2), -EINVAL);
    assert_int_equal(vfio_irq_arm(5, 2, 0, fds, 0), -EINVAL);
    set_irqs_result = 1;
    assert_int_equal(vfio_irq_arm(5, 2, 0, fds, 2), -ENOSPC);
    set_irqs_result = -ENOMEM;
    assert_int_equal(vfio_irq_arm(5, 2, 0, fds, 2), -ENOMEM);

    set_irqs_result = -EINVAL; /* off already */
    assert_int_equal(vfio_irq_disable(5, VFIO_PCI_MSIX_IRQ_INDEX), 0);
    assert_int_equal(seen.set.flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
    assert_int_equal(seen.set.count, 0);
    set_irqs_result = -EIO;
    assert_int_equal(vfio_irq_disable(5, VFIO_PCI_MSIX_IRQ_INDEX), -EIO);
}

static int reset_with(unsigned agains, int last)
{
    naps = resets = 0;
    for (unsigned i = 0; i < agains; i++)
        reset_errors[i] = -EAGAIN;
    reset_errors[agains] = last;
    return vfio_device_reset(5);
}

static void test_reset(void **state _unused_)
{
    assert_int_equal(reset_with(0, 0), 0);
    assert_int_equal(naps, 0);
    assert_int_equal(reset_with(3, 0), 0);
    assert_int_equal(naps, 3);
    assert_int_equal(reset_with(15, 0), -EAGAIN);
    assert_int_equal(reset_with(0, -ENOTTY), -EOPNOTSUPP);
    assert_int_equal(reset_with(0, -EINVAL), -EOPNOTSUPP);
    assert_int_equal(reset_with(0, -EIO), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_regions), cmocka_unit_test(test_sparse_areas),
        cmocka_unit_test(test_msix_mappable), cmocka_unit_test(test_hostile_regions),
        cmocka_unit_test(test_region_get),    cmocka_unit_test(test_config),
        cmocka_unit_test(test_irqs),          cmocka_unit_test(test_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
