/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers as a guest's ACPI code uses them, and the interrupt's level. */
#include "unit.h"
#include "vmm/hotplug.h"

#include <errno.h>

static struct {
    struct hotplug hotplug;
    struct bus pio;
    bool line;
    uint32_t acknowledged, ejected; /* bitmaps */
} f;

int __wrap_kvm_irq_line(struct kvm *k, int gsi, bool high);

int __wrap_kvm_irq_line(struct kvm *k _unused_, int gsi, bool high)
{
    assert_int_equal(gsi, HOTPLUG_GSI);
    f.line = high;
    return 0;
}

static void acknowledged(void *opaque, unsigned slot)
{
    assert_ptr_equal(opaque, &f);
    f.acknowledged |= 1U << slot;
}

static void ejected(void *opaque, unsigned slot)
{
    assert_ptr_equal(opaque, &f);
    f.ejected |= 1U << slot;
}

static const struct hotplug_ops ops = {.acknowledged = acknowledged, .ejected = ejected};

static int setup(void **state _unused_)
{
    memset(&f, 0, sizeof(f));
    assert_int_equal(hotplug_init(&f.hotplug, &f.pio, NULL, &ops, &f), 0);
    return 0;
}

static uint64_t in(uint16_t port)
{
    return bus_read(&f.pio, port, 4);
}

static void test_insert(void **state _unused_)
{
    hotplug_insert(&f.hotplug, 1);
    hotplug_insert(&f.hotplug, 31);
    assert_true(f.line);
    assert_true(hotplug_unseen(&f.hotplug, 1) && hotplug_unseen(&f.hotplug, 31));
    assert_false(hotplug_unseen(&f.hotplug, 2));
    assert_int_equal(in(HOTPLUG_PORT_UP), 0x80000002);
    assert_false(f.line);
    assert_false(hotplug_unseen(&f.hotplug, 1));
    assert_int_equal(in(HOTPLUG_PORT_UP), 0);
    assert_int_equal(f.acknowledged, 0);
}

static void test_request(void **state _unused_)
{
    hotplug_request(&f.hotplug, 3);
    hotplug_request(&f.hotplug, 4);
    assert_true(f.line);
    assert_int_equal(in(HOTPLUG_PORT_UP), 0);
    assert_int_equal(f.acknowledged, 0);
    assert_true(f.line);
    assert_int_equal(in(HOTPLUG_PORT_DOWN), 0x18);
    assert_int_equal(f.acknowledged, 0x18);
    assert_false(f.line);
    assert_int_equal(in(HOTPLUG_PORT_DOWN), 0);
}

static void test_line_is_low_when_all_is_read(void **state _unused_)
{
    hotplug_insert(&f.hotplug, 1);
    hotplug_request(&f.hotplug, 2);
    (void)in(HOTPLUG_PORT_UP);
    assert_true(f.line);
    (void)in(HOTPLUG_PORT_DOWN);
    assert_false(f.line);
}

static void test_eject(void **state _unused_)
{
    bus_write(&f.pio, HOTPLUG_PORT_EJECT, 4, 0x80000003);
    assert_int_equal(f.ejected, 0x80000003);
    assert_int_equal(in(HOTPLUG_PORT_EJECT), 0);
}

static void test_forget_and_reset(void **state _unused_)
{
    hotplug_insert(&f.hotplug, 5);
    hotplug_request(&f.hotplug, 5);
    hotplug_request(&f.hotplug, 6);
    hotplug_forget(&f.hotplug, 5);
    assert_false(hotplug_unseen(&f.hotplug, 5));
    assert_true(f.line);
    hotplug_reset(&f.hotplug);
    assert_false(f.line);
    assert_int_equal(in(HOTPLUG_PORT_DOWN), 0);
    assert_int_equal(f.acknowledged, 0);
}

/* Other widths, offsets and directions neither read, clear nor eject. */
static void test_other_accesses(void **state _unused_)
{
    hotplug_insert(&f.hotplug, 0);
    hotplug_request(&f.hotplug, 0);
    for (uint16_t port = HOTPLUG_PORT; port < HOTPLUG_PORT + HOTPLUG_PORTS; port++) {
        assert_int_equal(bus_read(&f.pio, port, 1), 0);
        bus_write(&f.pio, port, 1, 0xff);
        if (port % 4 != 0 && port + 4 <= HOTPLUG_PORT + HOTPLUG_PORTS)
            assert_int_equal(bus_read(&f.pio, port, 4), 0);
    }
    bus_write(&f.pio, HOTPLUG_PORT_UP, 4, UINT32_MAX);
    bus_write(&f.pio, HOTPLUG_PORT_EJECT - 1, 4, UINT32_MAX);
    assert_int_equal(f.ejected | f.acknowledged, 0);
    assert_int_equal(in(HOTPLUG_PORT_UP), 1);
    assert_int_equal(in(HOTPLUG_PORT_DOWN), 1);
}

#define TEST(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_insert), TEST(test_request),          TEST(test_line_is_low_when_all_is_read),
        TEST(test_eject),  TEST(test_forget_and_reset), TEST(test_other_accesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
