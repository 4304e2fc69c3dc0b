/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bare-machine.h"
#include "vmm/msix.h"

#define VECTORS 4
#define ADDRESS 0xfee00000U

struct fixture {
    struct machine machine;
    struct pci_device d;
    struct msix msix;
    int vcpu;
    unsigned armed[VECTORS]; /* how often */
    int eventfd;             /* last one armed */
    unsigned turned_on, turned_off;
};

static int armed(void *opaque, unsigned vector, int eventfd)
{
    struct fixture *f = opaque;

    f->armed[vector]++;
    f->eventfd = eventfd;
    return 0;
}

static void enabled(void *opaque, bool on)
{
    struct fixture *f = opaque;

    if (on)
        f->turned_on++;
    else
        f->turned_off++;
}

static const struct msix_ops ops = {.armed = armed, .enabled = enabled};

static void start(struct fixture *f)
{
    *f = (struct fixture){.eventfd = -1};
    bare_machine_init(&f->machine);
    f->vcpu = bare_vcpu(&f->machine);
    assert_int_equal(msix_init(&f->msix, &f->machine.kvm, VECTORS, &ops, f), 0);
    assert_int_equal(msix_add_capability(&f->msix, &f->d, 3, 0, 3, 0x2000), 0);
}

static void end(struct fixture *f)
{
    msix_done(&f->msix);
    close(f->vcpu);
    bare_machine_done(&f->machine);
}

static void set_control(struct fixture *f, uint16_t control)
{
    pci_put16(f->d.config, f->msix.capability + PCI_MSIX_FLAGS, control);
    msix_config_written(&f->msix, &f->d, f->msix.capability + PCI_MSIX_FLAGS, 2);
}

static void set_masked(struct fixture *f, unsigned vector, bool masked)
{
    msix_table_write(&f->msix, vector * 16 + 12, 4, masked);
}

static void program(struct fixture *f, unsigned vector)
{
    msix_table_write(&f->msix, vector * 16, 8, ADDRESS);
    msix_table_write(&f->msix, vector * 16 + 8, 4, 0x30 + vector);
    set_masked(f, vector, false);
}

static void signal_vector(struct fixture *f, unsigned vector)
{
    const uint64_t one = 1;

    assert_int_equal(write(f->msix.vectors[vector].eventfd, &one, sizeof(one)), sizeof(one));
}

static void test_limits(void **state _unused_)
{
    struct msix x;

    assert_int_equal(msix_init(&x, NULL, 0, &ops, NULL), -EINVAL);
    assert_int_equal(msix_init(&x, NULL, MSIX_VECTORS_MAX + 1, &ops, NULL), -EINVAL);
    assert_int_equal(msix_init(&x, NULL, MSIX_VECTORS_MAX, &ops, NULL), 0);
    assert_int_equal(msix_table_size(&x), 32768);
    assert_int_equal(msix_pba_size(&x), 256);
    msix_done(&x);
}

static void test_starts_masked_and_costs_nothing(void **state _unused_)
{
    struct fixture f;

    start(&f);
    for (unsigned i = 0; i < VECTORS; i++) {
        assert_int_equal(msix_table_read(&f.msix, i * 16 + 12, 4), 1);
        assert_int_equal(f.msix.vectors[i].eventfd, -1);
    }
    /* Enabling with all masked tells the device, and takes neither eventfd nor route. */
    set_control(&f, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    assert_int_equal(f.turned_on, 1);
    assert_int_equal(f.msix.vectors[0].eventfd, -1);
    assert_int_equal(f.machine.kvm.num_routes, KVM_GSI_MSI_FIRST);
    end(&f);
}

static void test_strange_accesses(void **state _unused_)
{
    struct fixture f;

    start(&f);
    assert_true(msix_table_read(&f.msix, 0, 1) == UINT64_MAX);
    assert_true(msix_table_read(&f.msix, 2, 4) == UINT64_MAX);
    assert_true(msix_table_read(&f.msix, 4, 8) == UINT64_MAX);
    assert_true(msix_table_read(&f.msix, VECTORS * 16, 4) == UINT64_MAX);
    assert_true(msix_table_read(&f.msix, UINT64_MAX - 3, 4) == UINT64_MAX);
    assert_true(msix_pba_read(&f.msix, 8, 8) == UINT64_MAX);
    msix_table_write(&f.msix, 0, 2, 0xffff);
    msix_table_write(&f.msix, 4, 8, UINT64_MAX);
    msix_table_write(&f.msix, VECTORS * 16, 8, UINT64_MAX);
    msix_table_write(&f.msix, UINT64_MAX - 7, 8, UINT64_MAX);
    assert_true(msix_table_read(&f.msix, 0, 8) == 0);
    /* Bits that don't exist stay 0. */
    msix_table_write(&f.msix, 0, 8, UINT64_MAX);
    msix_table_write(&f.msix, 8, 8, UINT64_MAX);
    assert_true(msix_table_read(&f.msix, 0, 8) == 0xfffffffffffffffcULL);
    assert_true(msix_table_read(&f.msix, 8, 8) == 0x1ffffffffULL);
    end(&f);
}

static void test_armed_once_and_delivered(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 2);
    assert_int_equal(f.armed[2], 1);
    assert_int_equal(f.armed[0], 0);
    assert_int_equal(f.eventfd, f.msix.vectors[2].eventfd);
    assert_int_equal(f.machine.kvm.num_routes, KVM_GSI_MSI_FIRST + 1);
    assert_int_equal(f.machine.kvm.routes[KVM_GSI_MSI_FIRST].u.msi.data, 0x32);

    signal_vector(&f, 2);
    assert_true(bare_vcpu_has(f.vcpu, 0x32));
    set_masked(&f, 2, true);
    set_masked(&f, 2, false);
    assert_int_equal(f.armed[2], 1);
    /* A message that changes changes the route, not the number of them. */
    msix_table_write(&f.msix, 2 * 16 + 8, 4, 0x41);
    assert_int_equal(f.machine.kvm.routes[KVM_GSI_MSI_FIRST].u.msi.data, 0x41);
    assert_int_equal(f.machine.kvm.num_routes, KVM_GSI_MSI_FIRST + 1);
    end(&f);
}

/* What comes while a vector is masked is pending, and delivered when it no longer is. */
static void test_mask(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 1);
    set_masked(&f, 1, true);
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 0);
    signal_vector(&f, 1);
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 2);
    assert_int_equal(msix_pba_read(&f.msix, 0, 4), 2);
    assert_false(bare_vcpu_has(f.vcpu, 0x31));
    set_masked(&f, 1, false);
    assert_true(bare_vcpu_has(f.vcpu, 0x31));
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 0);
    /* Delivered once: masking and unmasking brings no second one. */
    bare_vcpu_clear(f.vcpu);
    set_masked(&f, 1, true);
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 0);
    set_masked(&f, 1, false);
    assert_false(bare_vcpu_has(f.vcpu, 0x31));
    end(&f);
}

static void test_function_mask(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 0);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    signal_vector(&f, 0);
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 1);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    assert_true(bare_vcpu_has(f.vcpu, 0x30));
    assert_int_equal(f.turned_on, 1);
    assert_int_equal(f.turned_off, 0);
    end(&f);
}

static void test_disable_forgets(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 3);
    set_masked(&f, 3, true);
    signal_vector(&f, 3);
    set_control(&f, 0);
    assert_int_equal(f.turned_off, 1);
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 0);
    /* The device has forgotten its eventfds: it is given them again. */
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    set_masked(&f, 3, false);
    assert_int_equal(f.armed[3], 2);
    end(&f);
}

/* A guest may write message control as the upper half of a dword. */
static void test_control_in_a_dword(void **state _unused_)
{
    struct fixture f;

    start(&f);
    pci_put16(f.d.config, f.msix.capability + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    msix_config_written(&f.msix, &f.d, f.msix.capability + 4, 4);
    assert_int_equal(f.turned_on, 0);
    msix_config_written(&f.msix, &f.d, f.msix.capability, 4);
    assert_int_equal(f.turned_on, 1);
    end(&f);
}

static void test_reset(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 0);
    msix_reset(&f.msix, &f.d);
    assert_int_equal(f.turned_off, 1);
    assert_int_equal(f.msix.vectors[0].eventfd, -1);
    assert_int_equal(f.machine.kvm.num_routes, KVM_GSI_MSI_FIRST);
    assert_int_equal(msix_table_read(&f.msix, 12, 4), 1);
    assert_int_equal(msix_table_read(&f.msix, 0, 4), 0);
    assert_int_equal(pci_get16(f.d.config, f.msix.capability + PCI_MSIX_FLAGS), VECTORS - 1);
    end(&f);
}

static void test_eventfd_before_unmask(void **state _unused_)
{
    struct fixture f;
    const uint64_t one = 1;
    int fd;

    start(&f);
    assert_int_equal(msix_eventfd(&f.msix, VECTORS), -EINVAL);
    assert_int_equal(msix_eventfd(&f.msix, 0xffff), -EINVAL);
    fd = msix_eventfd(&f.msix, 0);
    assert_true(fd >= 0);
    assert_int_equal(msix_eventfd(&f.msix, 0), fd);
    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(msix_pba_read(&f.msix, 0, 8), 1);
    set_control(&f, PCI_MSIX_FLAGS_ENABLE);
    program(&f, 0);
    assert_int_equal(f.eventfd, fd);
    assert_true(bare_vcpu_has(f.vcpu, 0x30));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_starts_masked_and_costs_nothing),
        cmocka_unit_test(test_strange_accesses),
        cmocka_unit_test(test_armed_once_and_delivered),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_function_mask),
        cmocka_unit_test(test_disable_forgets),
        cmocka_unit_test(test_control_in_a_dword),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_eventfd_before_unmask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
