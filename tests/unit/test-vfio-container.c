/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of KVM and VFIO calls and what is undone, with both sides' calls written down. */
#include "unit.h"
#include "vfio/dma.h"
#include "vmm/vfio-container.h"

#include <errno.h>
#include <fcntl.h>

#define LOW  0xC0000000ULL
#define HIGH 0x40000000ULL

static struct {
    char log[256];
    unsigned maps_allowed;
    uint64_t reach; /* last address that the IOMMU translates */
} kernel;

static void note(const char *what)
{
    strncat(kernel.log, what, sizeof(kernel.log) - strlen(kernel.log) - 1);
}

int __wrap_kvm_vfio_add_group(struct kvm *k, int group_fd, bool add);
int __wrap_vfio_dma_info_get(int container, struct vfio_dma_info *ret, struct error *e);
int __wrap_vfio_dma_map(int container, uint64_t iova, uint64_t size, void *memory, bool writable,
                        struct error *e);
int __wrap_vfio_dma_unmap(int container, uint64_t iova, uint64_t size, struct error *e);

int __wrap_kvm_vfio_add_group(struct kvm *k _unused_, int group_fd _unused_, bool add)
{
    note(add ? "+group " : "-group ");
    return 0;
}

int __wrap_vfio_dma_info_get(int container _unused_, struct vfio_dma_info *ret,
                             struct error *e _unused_)
{
    *ret = (struct vfio_dma_info){.ranges = {{0, 0xfedfffff}, {0xfef00000, kernel.reach}},
                                  .num_ranges = 2};
    return 0;
}

int __wrap_vfio_dma_map(int container _unused_, uint64_t iova, uint64_t size _unused_,
                        void *memory _unused_, bool writable, struct error *e)
{
    assert_true(writable);
    if (kernel.maps_allowed-- == 0)
        return error_set(e, -ENOMEM, "raise the limit");
    note(iova == 0 ? "+low " : "+high ");
    return 0;
}

int __wrap_vfio_dma_unmap(int container _unused_, uint64_t iova, uint64_t size _unused_,
                          struct error *e _unused_)
{
    note(iova == 0 ? "-low " : "-high ");
    return 0;
}

static struct machine four_gigabytes(void)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.maps_allowed = 2;
    kernel.reach = (1ULL << 39) - 1;
    return (struct machine){
        .memory = {.regions = {{0, LOW, NULL}, {MEMORY_4G, HIGH, NULL}}, .num_regions = 2}};
}

static int some_fd(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_memory_is_mapped_once(void **state _unused_)
{
    struct machine m = four_gigabytes();
    struct vfio_container *a, *b, *c;
    const int first = some_fd(), second = some_fd(), other = some_fd();
    const int g1 = some_fd(), g2 = some_fd(), g3 = some_fd();
    struct error e = ERROR_INIT;

    assert_int_equal(vfio_container_join(&m, 7, first, g1, &a, &e), 0);
    assert_string_equal(kernel.log, "+group +low +high ");
    assert_int_equal(vfio_container_join(&m, 7, second, g2, &b, &e), 0);
    assert_string_equal(kernel.log, "+group +low +high +group ");
    assert_ptr_equal(a, b);
    assert_true(is_open(first) && is_open(g2));
    assert_false(is_open(second)); /* the machine has it already */
    kernel.maps_allowed = 2;
    assert_int_equal(vfio_container_join(&m, 8, other, g3, &c, &e), 0);
    assert_ptr_not_equal(a, c);

    kernel.log[0] = '\0';
    vfio_container_leave(&m, a, g1);
    assert_string_equal(kernel.log, "-group ");
    assert_true(is_open(first));
    assert_false(is_open(g1));
    /* With the last one memory goes, also if somebody else is in the container by now. */
    vfio_container_leave(&m, b, g2);
    assert_string_equal(kernel.log, "-group -high -low -group ");
    assert_false(is_open(first));
    assert_ptr_equal(m.containers, c);
    vfio_container_leave(&m, c, g3);
    assert_null(m.containers);
    assert_false(is_open(other));
}

static void test_out_of_reach(void **state _unused_)
{
    struct machine m = four_gigabytes();
    const int container = some_fd(), group = some_fd();
    struct vfio_container *c = NULL;
    struct error e = ERROR_INIT;

    kernel.reach = MEMORY_4G + HIGH - 2;
    assert_int_equal(vfio_container_join(&m, 1, container, group, &c, &e), -ERANGE);
    assert_text_has(e.text, "0x100000000-0x13fffffff");
    assert_string_equal(kernel.log, "+group -group ");
    assert_true(is_open(container) && is_open(group));
    assert_null(c);
    assert_null(m.containers);
    kernel.reach++;
    assert_int_equal(vfio_container_join(&m, 1, container, group, &c, &e), 0);
    /* A later group that narrows it is refused, and the first one stays. */
    kernel.reach--;
    assert_int_equal(vfio_container_join(&m, 1, container, group, &c, &e), -ERANGE);
    assert_int_equal(c->num_groups, 1);
    vfio_container_leave(&m, c, group);
}

static void test_half_mapped_is_undone(void **state _unused_)
{
    struct machine m = four_gigabytes();
    const int container = some_fd(), group = some_fd();
    struct vfio_container *c = NULL;
    struct error e = ERROR_INIT;

    kernel.maps_allowed = 1;
    assert_int_equal(vfio_container_join(&m, 1, container, group, &c, &e), -ENOMEM);
    assert_text_has(e.text, "raise the limit");
    assert_string_equal(kernel.log, "+group +low -low -group ");
    assert_true(is_open(container) && is_open(group));
    assert_null(m.containers);
    close(container);
    close(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_mapped_once),
        cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_half_mapped_is_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
