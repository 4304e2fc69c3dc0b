/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transport seen from a guest: config space by ECAM, registers by their BAR. */
#include "bare-machine.h"
#include "vmm/virtio-pci.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#define QUEUES   2
#define FEATURES (1ULL << 5 | 1ULL << 33)

/* What the fake device was asked. */
static struct {
    unsigned started, stopped, set_call;
    int start_result;
    int call;
    bool refuse_features;
} fake;

static bool fake_features_ok(uint64_t features _unused_)
{
    return !fake.refuse_features;
}

static int fake_start(struct virtio_pci *v)
{
    fake.started++;
    fake.call = virtio_pci_call(v, 0);
    return fake.start_result;
}

static void fake_stop(struct virtio_pci *v _unused_)
{
    fake.stopped++;
}

static int fake_set_call(struct virtio_pci *v _unused_, unsigned queue _unused_, int eventfd)
{
    fake.set_call++;
    fake.call = eventfd;
    return 0;
}

static void fake_destroy(struct virtio_pci *v)
{
    virtio_pci_done(v);
}

static const struct virtio_ops fake_ops = {
    .name = "fake",
    .type = 1,
    .pci_class = 0x0200,
    .num_queues = QUEUES,
    .queue_size = 256,
    .features_ok = fake_features_ok,
    .start = fake_start,
    .stop = fake_stop,
    .set_call = fake_set_call,
    .destroy = fake_destroy,
};

struct fixture {
    struct machine machine;
    struct virtio_pci v;
    uint64_t common, isr, config, msix;
    unsigned window;
};

static uint64_t reg(struct fixture *f, uint64_t offset, unsigned len)
{
    return bus_read(&f->machine.mmio, f->common + offset, len);
}

static void set(struct fixture *f, uint64_t offset, unsigned len, uint64_t value)
{
    bus_write(&f->machine.mmio, f->common + offset, len, value);
}

static uint64_t conf(struct fixture *f, unsigned offset, unsigned len)
{
    return bus_read(&f->machine.mmio, config_at(f->v.pci.slot, offset), len);
}

static void set_conf(struct fixture *f, unsigned offset, unsigned len, uint64_t value)
{
    bus_write(&f->machine.mmio, config_at(f->v.pci.slot, offset), len, value);
}

/* Finds the structures as a driver does, by the capabilities. */
static void walk_capabilities(struct fixture *f)
{
    uint64_t bar0 = conf(f, PCI_BASE_ADDRESS_0, 4) & ~0xfULL;
    unsigned count = 0;

    for (unsigned at = (unsigned)conf(f, PCI_CAPABILITY_LIST, 1); at;
         at = (unsigned)conf(f, at + 1, 1)) {
        const uint64_t place = bar0 + conf(f, at + VIRTIO_PCI_CAP_OFFSET, 4);

        assert_true(++count < 10);
        if (conf(f, at, 1) == PCI_CAP_ID_MSIX) {
            assert_int_equal(conf(f, at + 2, 2), QUEUES); /* one more, less one */
            f->msix = conf(f, PCI_BASE_ADDRESS_1, 4) & ~0xfULL;
            continue;
        }
        switch (conf(f, at + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
        case VIRTIO_PCI_CAP_COMMON_CFG:
            f->common = place;
            break;
        case VIRTIO_PCI_CAP_ISR_CFG:
            f->isr = place;
            break;
        case VIRTIO_PCI_CAP_DEVICE_CFG:
            f->config = place;
            assert_int_equal(conf(f, at + VIRTIO_PCI_CAP_LENGTH, 4), 6);
            break;
        case VIRTIO_PCI_CAP_NOTIFY_CFG:
            assert_int_equal(conf(f, at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4), 4);
            break;
        case VIRTIO_PCI_CAP_PCI_CFG:
            f->window = at;
            break;
        default:
            fail();
        }
    }
}

static void start(struct fixture *f)
{
    struct error e = ERROR_INIT;

    memset(&fake, 0, sizeof(fake));
    *f = (struct fixture){0};
    bare_machine_init(&f->machine);
    assert_int_equal(virtio_pci_init(&f->v, &f->machine, &fake_ops, FEATURES, "\1\2\3\4\5\6", 6),
                     0);
    assert_true(pci_bus_add(&f->machine.pci, &f->v.pci, &e) > 0);
    walk_capabilities(f);
    assert_true(f->common && f->isr && f->config && f->msix && f->window);
    assert_true(reg(f, VIRTIO_PCI_COMMON_STATUS, 1) == UINT64_MAX >> 56);
    set_conf(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void end(struct fixture *f)
{
    bare_machine_done(&f->machine);
}

static void set_features(struct fixture *f, uint64_t features)
{
    set(f, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
    set(f, VIRTIO_PCI_COMMON_GF, 4, features & 0xffffffff);
    set(f, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
    set(f, VIRTIO_PCI_COMMON_GF, 4, features >> 32);
}

static unsigned status(struct fixture *f)
{
    return (unsigned)reg(f, VIRTIO_PCI_COMMON_STATUS, 1);
}

static void set_status(struct fixture *f, unsigned value)
{
    set(f, VIRTIO_PCI_COMMON_STATUS, 1, value);
}

#define ACK_DRIVER  (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define FEATURES_OK (ACK_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define DRIVER_OK   (FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

static void negotiate(struct fixture *f)
{
    set_status(f, ACK_DRIVER);
    set_features(f, FEATURES | 1ULL << VIRTIO_F_VERSION_1);
    set_status(f, FEATURES_OK);
    assert_int_equal(status(f), FEATURES_OK);
}

static void set_queue(struct fixture *f, unsigned queue, unsigned size, uint64_t desc,
                      uint64_t avail, uint64_t used)
{
    set(f, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
    set(f, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
    set(f, VIRTIO_PCI_COMMON_Q_DESCLO, 4, desc & 0xffffffff);
    set(f, VIRTIO_PCI_COMMON_Q_DESCHI, 4, desc >> 32);
    set(f, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, avail & 0xffffffff);
    set(f, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, avail >> 32);
    set(f, VIRTIO_PCI_COMMON_Q_USEDLO, 4, used & 0xffffffff);
    set(f, VIRTIO_PCI_COMMON_Q_USEDHI, 4, used >> 32);
    set(f, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static void test_identity(void **state _unused_)
{
    struct fixture f;

    start(&f);
    assert_int_equal(conf(&f, PCI_VENDOR_ID, 4), 0x10411af4);
    assert_int_equal(conf(&f, PCI_CLASS_REVISION, 4), 0x02000001);
    assert_int_equal(conf(&f, PCI_INTERRUPT_PIN, 1), 0);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_NUMQ, 2), QUEUES);
    assert_int_equal(bus_read(&f.machine.mmio, f.config, 4), 0x04030201);
    assert_int_equal(bus_read(&f.machine.mmio, f.config + 4, 2), 0x0605);
    assert_int_equal(bus_read(&f.machine.mmio, f.config + 4, 4), 0xffffffff);
    bus_write(&f.machine.mmio, f.config, 1, 0xff);
    assert_int_equal(bus_read(&f.machine.mmio, f.config, 1), 1);
    end(&f);
}

static void test_whole_life(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set(&f, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_DF, 4), 3);
    set(&f, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_DF, 4), 0x20);
    set(&f, VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_DF, 4), 0);
    negotiate(&f);
    set_queue(&f, 0, 128, 0x10000, 0x20000, 0x30000);
    set_queue(&f, 1, 256, 0x40000, 0x50000, 0x60000);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
    set_status(&f, DRIVER_OK);
    assert_int_equal(status(&f), DRIVER_OK);
    assert_int_equal(fake.started, 1);
    /* Once is enough. */
    set_status(&f, DRIVER_OK);
    assert_int_equal(fake.started, 1);

    set_status(&f, 0);
    assert_int_equal(fake.stopped, 1);
    assert_int_equal(status(&f), 0);
    set_status(&f, 0);
    assert_int_equal(fake.stopped, 1);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    set(&f, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
    /* And again from the start. */
    negotiate(&f);
    set_status(&f, DRIVER_OK);
    assert_int_equal(fake.started, 2);
    end(&f);
    assert_int_equal(fake.stopped, 2);
}

static void test_features_refused(void **state _unused_)
{
    static const uint64_t refused[] = {
        0,                                         /* not even virtio 1 */
        FEATURES,                                  /* legacy */
        FEATURES | 1ULL << VIRTIO_F_VERSION_1 | 1, /* never offered */
        1ULL << VIRTIO_F_VERSION_1 | 1ULL << 63,   /* never offered */
    };
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
        set_status(&f, 0);
        set_status(&f, ACK_DRIVER);
        set_features(&f, refused[i]);
        set_status(&f, FEATURES_OK);
        assert_int_equal(status(&f), ACK_DRIVER);
        set_status(&f, DRIVER_OK);
        assert_int_equal(status(&f), ACK_DRIVER);
    }
    fake.refuse_features = true;
    set_features(&f, 1ULL << VIRTIO_F_VERSION_1);
    set_status(&f, FEATURES_OK);
    assert_int_equal(status(&f), ACK_DRIVER);
    fake.refuse_features = false;
    set_status(&f, FEATURES_OK);
    assert_int_equal(status(&f), FEATURES_OK);
    /* Settled: later changes are ignored. */
    set_features(&f, UINT64_MAX);
    assert_true(f.v.accepted == 1ULL << VIRTIO_F_VERSION_1);
    assert_int_equal(fake.started, 0);
    end(&f);
}

static void test_hostile_queues(void **state _unused_)
{
    static const struct {
        unsigned size;
        uint64_t desc, avail, used;
    } hostile[] = {
        {0, 0x10000, 0x20000, 0x30000},
        {3, 0x10000, 0x20000, 0x30000},
        {512, 0x10000, 0x20000, 0x30000},
        {0xffff, 0x10000, 0x20000, 0x30000},
        {256, 0x10008, 0x20000, 0x30000}, /* misaligned */
        {256, 0x10000, 0x20001, 0x30000},
        {256, 0x10000, 0x20000, 0x30002},
        {256, BARE_MEMORY, 0x20000, 0x30000},      /* outside memory */
        {256, BARE_MEMORY - 16, 0x20000, 0x30000}, /* half outside */
        {256, 0x10000, BARE_MEMORY - 2, 0x30000},
        {256, 0x10000, 0x20000, BARE_MEMORY - 256},
        {256, UINT64_MAX - 15, 0x20000, 0x30000}, /* wraps */
        {256, 0x10000, 0x20000, UINT64_MAX - 3},
        {256, PCI_ECAM_BASE, 0x20000, 0x30000}, /* devices aren't memory */
    };
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < ELEMENTSOF(hostile); i++) {
        set_status(&f, 0);
        negotiate(&f);
        set_queue(&f, 0, hostile[i].size, hostile[i].desc, hostile[i].avail, hostile[i].used);
        assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
        assert_int_equal(status(&f), FEATURES_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
        set_status(&f, DRIVER_OK);
        assert_int_equal(fake.started, 0);
    }
    /* The last place that fits does. */
    set_status(&f, 0);
    negotiate(&f);
    set_queue(&f, 0, 256, BARE_MEMORY - 4096, 0x20000, 0x30000);
    assert_int_equal(status(&f), FEATURES_OK);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
    end(&f);
}

/* What was checked can't be changed afterwards, neither by hand nor by order. */
static void test_enabled_queue_is_fixed(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set_status(&f, ACK_DRIVER);
    set_queue(&f, 0, 256, 0x10000, 0x20000, 0x30000); /* too early */
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    negotiate(&f);
    set_queue(&f, 0, 256, 0x10000, 0x20000, 0x30000);
    set_queue(&f, 0, 0xffff, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
    assert_true(f.v.queues[0].desc == 0x10000);
    assert_true(f.v.queues[0].avail == 0x20000);
    assert_true(f.v.queues[0].used == 0x30000);
    assert_int_equal(status(&f), FEATURES_OK);
    set_status(&f, DRIVER_OK);
    set_queue(&f, 1, 256, 0x10000, 0x20000, 0x30000); /* too late */
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    end(&f);
}

static void test_registers_that_are_not(void **state _unused_)
{
    struct fixture f;

    start(&f);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_STATUS, 2), 0xffff);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_NUMQ, 1), 0xff);
    assert_int_equal(reg(&f, 0x800, 4), 0xffffffff);
    set(&f, VIRTIO_PCI_COMMON_STATUS, 2, 1);
    assert_int_equal(status(&f), 0);
    set(&f, VIRTIO_PCI_COMMON_Q_SELECT, 2, QUEUES);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
    set_queue(&f, 0xffff, 256, 0x10000, 0x20000, 0x30000);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    end(&f);
}

static void test_failing_device_needs_reset(void **state _unused_)
{
    struct fixture f;

    start(&f);
    fake.start_result = -EIO;
    negotiate(&f);
    set(&f, VIRTIO_PCI_COMMON_MSIX, 2, 0);
    set_status(&f, DRIVER_OK);
    assert_int_equal(status(&f), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
    /* It is a change of configuration: told by vector 0, which is masked yet, and by ISR. */
    assert_int_equal(bus_read(&f.machine.mmio, f.msix + 0x1000, 4), 1);
    assert_int_equal(bus_read(&f.machine.mmio, f.isr, 1), 2);
    assert_int_equal(bus_read(&f.machine.mmio, f.isr, 1), 0);
    set_status(&f, 0);
    assert_int_equal(fake.stopped, 0); /* it never ran */
    assert_int_equal(status(&f), 0);
    end(&f);
}

static void test_vectors(void **state _unused_)
{
    struct fixture f;

    start(&f);
    set(&f, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    set(&f, VIRTIO_PCI_COMMON_Q_MSIX, 2, QUEUES + 1); /* there are QUEUES + 1: this is one past */
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
    set(&f, VIRTIO_PCI_COMMON_MSIX, 2, 0x8000);
    assert_int_equal(reg(&f, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
    negotiate(&f);
    set_queue(&f, 0, 256, 0x10000, 0x20000, 0x30000);
    set_status(&f, DRIVER_OK);
    assert_int_equal(fake.call, -1);
    set(&f, VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
    assert_int_equal(fake.set_call, 1);
    assert_int_equal(fake.call, f.v.msix.vectors[2].eventfd);
    set(&f, VIRTIO_PCI_COMMON_Q_MSIX, 2, VIRTIO_MSI_NO_VECTOR);
    assert_int_equal(fake.call, -1);
    end(&f);
}

static void test_window_in_config_space(void **state _unused_)
{
    struct pollfd kick;
    struct fixture f;

    start(&f);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_LENGTH, 4, 1);
    set_conf(&f, f.window + 16, 1, ACK_DRIVER);
    assert_int_equal(status(&f), ACK_DRIVER);
    assert_int_equal(conf(&f, f.window + 16, 1), ACK_DRIVER);
    /* What can't be reads as what is there and does nothing. */
    set_conf(&f, f.window + VIRTIO_PCI_CAP_LENGTH, 4, 3);
    set_conf(&f, f.window + 16, 1, 0);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_LENGTH, 4, 1);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_BAR, 1, 1);
    set_conf(&f, f.window + 16, 1, 0);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_BAR, 1, 0);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_OFFSET, 4, 0xfffffffc);
    set_conf(&f, f.window + 16, 1, 0x77);
    assert_int_equal(conf(&f, f.window + 16, 1), 0x77);
    assert_int_equal(status(&f), ACK_DRIVER);
    /* A notification, the same way. */
    set_conf(&f, f.window + VIRTIO_PCI_CAP_OFFSET, 4, 0x3000 + 4);
    set_conf(&f, f.window + VIRTIO_PCI_CAP_LENGTH, 4, 2);
    set_conf(&f, f.window + 16, 2, 1);
    kick = (struct pollfd){.fd = f.v.queues[1].kick, .events = POLLIN};
    assert_int_equal(poll(&kick, 1, 0), 1);
    end(&f);
}

static void test_machine_reset(void **state _unused_)
{
    struct fixture f;

    start(&f);
    negotiate(&f);
    set_status(&f, DRIVER_OK);
    set_conf(&f, f.v.msix.capability + 2, 2, 0x8000);
    pci_bus_reset(&f.machine.pci);
    assert_int_equal(fake.stopped, 1);
    assert_int_equal(conf(&f, PCI_COMMAND, 2), 0);
    assert_int_equal(conf(&f, f.v.msix.capability + 2, 2), QUEUES);
    set_conf(&f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(status(&f), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_whole_life),
        cmocka_unit_test(test_features_refused),
        cmocka_unit_test(test_hostile_queues),
        cmocka_unit_test(test_enabled_queue_is_fixed),
        cmocka_unit_test(test_registers_that_are_not),
        cmocka_unit_test(test_failing_device_needs_reset),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_window_in_config_space),
        cmocka_unit_test(test_machine_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
