/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI core as a guest meets it: through ECAM. */
#include "vmm/pci.h"

#include "unit.h"

#include <errno.h>

#define WINDOW64_START 0x1000000000ULL
#define WINDOW64_END   0x2000000000ULL

#define BAR0 PCI_BASE_ADDRESS_0
#define BAR1 PCI_BASE_ADDRESS_1
#define BAR2 PCI_BASE_ADDRESS_2

struct device {
    struct pci_device pci;
    uint64_t at[PCI_BARS]; /* 0: unmapped */
    int map_result;
    unsigned maps, unmaps, resets, destroyed, written;
};

static struct bus mmio;
static struct pci_bus bus;
static struct device devices[2];

static int bar_map(struct pci_device *d, unsigned bar, uint64_t gpa)
{
    struct device *t = CONTAINER_OF(d, struct device, pci);

    if (t->map_result < 0)
        return t->map_result;
    assert_int_equal(t->at[bar], 0);
    t->maps++;
    t->at[bar] = gpa;
    return 0;
}

static void bar_unmap(struct pci_device *d, unsigned bar)
{
    struct device *t = CONTAINER_OF(d, struct device, pci);

    assert_int_not_equal(t->at[bar], 0);
    t->unmaps++;
    t->at[bar] = 0;
}

static void device_reset(struct pci_device *d)
{
    CONTAINER_OF(d, struct device, pci)->resets++;
}

static void device_destroy(struct pci_device *d)
{
    CONTAINER_OF(d, struct device, pci)->destroyed++;
}

static void config_written(struct pci_device *d, unsigned offset _unused_, unsigned len _unused_,
                           uint32_t value _unused_)
{
    CONTAINER_OF(d, struct device, pci)->written++;
}

static const struct pci_device_ops device_ops = {
    .name = "test",
    .config_written = config_written,
    .bar_map = bar_map,
    .bar_unmap = bar_unmap,
    .reset = device_reset,
    .destroy = device_destroy,
};

static uint64_t config(unsigned slot, unsigned offset)
{
    return PCI_ECAM_BASE + ((uint64_t)slot << 15) + offset;
}

static uint32_t get(unsigned slot, unsigned offset)
{
    return (uint32_t)bus_read(&mmio, config(slot, offset), 4);
}

static void put(unsigned slot, unsigned offset, unsigned len, uint64_t value)
{
    bus_write(&mmio, config(slot, offset), len, value);
}

static void decode(unsigned slot, bool on)
{
    put(slot, PCI_COMMAND, 2, on ? PCI_COMMAND_MEMORY : 0);
}

/* Two devices alike, in slots 1 and 2: BAR 0 of 16 KiB, 64-bit prefetchable; BAR 2 of 4 KiB. */
static int setup(void **state _unused_)
{
    mmio = (struct bus){0};
    assert_int_equal(pci_bus_init(&bus, &mmio, WINDOW64_START, WINDOW64_END, NULL), 0);
    for (unsigned i = 0; i < ELEMENTSOF(devices); i++) {
        devices[i] = (struct device){.pci.ops = &device_ops};
        pci_put32(devices[i].pci.config, PCI_VENDOR_ID, 0x10ca8086);
        devices[i].pci.bars[0] =
            (struct pci_bar){.size = 0x4000, .is_64bit = true, .prefetchable = true};
        devices[i].pci.bars[2] = (struct pci_bar){.size = 0x1000};
        assert_int_equal(pci_bus_add(&bus, &devices[i].pci, NULL), i + 1);
    }
    return 0;
}

static int teardown(void **state _unused_)
{
    pci_bus_done(&bus);
    assert_int_equal(mmio.num_ranges, 0);
    return 0;
}

static void test_config_space_is_reached(void **state _unused_)
{
    assert_int_equal(get(0, PCI_VENDOR_ID), 0x00081b36);
    assert_int_equal(get(1, PCI_VENDOR_ID), 0x10ca8086);
    assert_int_equal(bus_read(&mmio, config(1, 1), 1), 0x80);
    assert_int_equal(bus_read(&mmio, config(1, 2), 2), 0x10ca);
    assert_int_equal(get(3, PCI_VENDOR_ID), 0xffffffff);
    assert_int_equal(bus_read(&mmio, config(1, 0x1000), 4), 0xffffffff); /* function 1 */
}

/* As which KVM delivers an access across a page: of any size, anywhere. */
static void test_any_size_reads_its_bytes(void **state _unused_)
{
    for (unsigned len = 1; len <= 8; len++) {
        for (unsigned at = 0; at < 16; at++) {
            uint64_t expected = 0;

            for (unsigned i = 0; i < len; i++)
                expected |= bus_read(&mmio, config(1, at + i), 1) << (8 * i);
            assert_int_equal(bus_read(&mmio, config(1, at), len), expected);
        }
    }
}

static void test_odd_accesses_are_split(void **state _unused_)
{
    assert_int_equal(bus_read(&mmio, config(1, 0), 8), get(1, 0) | (uint64_t)get(1, 4) << 32);
    assert_int_equal(bus_read(&mmio, config(1, 1), 2), 0xca80);
    assert_int_equal(bus_read(&mmio, config(1, 1), 4) & 0xffffff, 0x10ca80);
    /* The last bytes of a function and the first of one that isn't there. */
    assert_int_equal(bus_read(&mmio, config(1, 0xffe), 4), 0xffff0000);
    put(1, BAR0, 8, 0x1000004000ULL);
    assert_int_equal(get(1, BAR0) & ~0xfU, 0x4000);
    assert_int_equal(get(1, BAR1), 0x10);
}

static void test_read_only_bits_stay(void **state _unused_)
{
    put(1, PCI_VENDOR_ID, 4, 0);
    assert_int_equal(get(1, PCI_VENDOR_ID), 0x10ca8086);
    put(1, PCI_COMMAND, 2, 0xffff);
    assert_int_equal(get(1, PCI_COMMAND) & PCI_COMMAND_IO, 0);
    assert_int_equal(get(1, PCI_COMMAND) & PCI_COMMAND_MASTER, PCI_COMMAND_MASTER);
    put(1, PCI_INTERRUPT_LINE, 1, 11);
    assert_int_equal(bus_read(&mmio, config(1, PCI_INTERRUPT_LINE), 1), 11);
    assert_int_equal(devices[0].written, 3);
}

static void test_sizing(void **state _unused_)
{
    for (unsigned offset = BAR0; offset <= BAR2 + 4; offset += 4)
        put(1, offset, 4, 0xffffffff);
    assert_int_equal(get(1, BAR0), 0xffffc00c); /* 16 KiB, 64-bit, prefetchable */
    assert_int_equal(get(1, BAR1), 0xffffffff);
    assert_int_equal(get(1, BAR2), 0xfffff000);
    assert_int_equal(get(1, BAR2 + 4), 0); /* no such BAR */
}

static void test_sizing_while_decoding_maps_nothing_astray(void **state _unused_)
{
    decode(1, true);
    put(1, BAR0, 4, 0xffffffff);
    put(1, BAR1, 4, 0xffffffff);
    assert_int_equal(devices[0].at[0], 0);
    put(1, BAR0, 4, 0);
    put(1, BAR1, 4, 0x10);
    assert_int_equal(devices[0].at[0], WINDOW64_START);
}

static void test_placement(void **state _unused_)
{
    assert_int_equal(devices[0].pci.bars[0].home, WINDOW64_START);
    assert_int_equal(devices[1].pci.bars[0].home, WINDOW64_START + 0x4000);
    assert_int_equal(devices[0].pci.bars[2].home, PCI_WINDOW32_START);
    assert_int_equal(devices[1].pci.bars[2].home, PCI_WINDOW32_START + 0x1000);
    assert_int_equal(devices[0].maps, 0);
}

static void test_decoding_maps_and_unmaps(void **state _unused_)
{
    decode(1, true);
    assert_int_equal(devices[0].at[0], WINDOW64_START);
    assert_int_equal(devices[0].at[2], PCI_WINDOW32_START);
    assert_int_equal(devices[1].at[0], 0);
    decode(1, true);
    assert_int_equal(devices[0].maps, 2);
    decode(1, false);
    assert_int_equal(devices[0].at[0], 0);
    assert_int_equal(devices[0].unmaps, 2);
}

static void test_a_move_half_by_half(void **state _unused_)
{
    decode(1, true);
    put(1, BAR0, 4, 0x100000);
    assert_int_equal(devices[0].at[0], WINDOW64_START + 0x100000);
    put(1, BAR1, 4, 0x18);
    assert_int_equal(devices[0].at[0], 0x1800100000ULL);
    put(1, BAR1, 4, 0x0); /* 0x100000 is RAM */
    assert_int_equal(devices[0].at[0], 0);
    put(1, BAR0, 4, 0xd0000000);
    assert_int_equal(devices[0].at[0], 0xd0000000);
}

static void test_outside_the_windows_stays_unmapped(void **state _unused_)
{
    static const uint64_t addresses[] = {
        0,
        PCI_WINDOW32_START - 0x4000,
        PCI_WINDOW32_END,
        PCI_ECAM_BASE,
        LAPIC_BASE,
        MEMORY_4G,
        WINDOW64_START - 0x4000,
        WINDOW64_END,
        UINT64_MAX & ~0x3fffULL,
    };

    decode(1, true);
    for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
        put(1, BAR0, 8, addresses[i]);
        assert_int_equal(devices[0].at[0], 0);
    }
    put(1, BAR0, 8, WINDOW64_END - 0x4000);
    assert_int_equal(devices[0].at[0], WINDOW64_END - 0x4000);
}

static void test_an_overlap_never_replaces(void **state _unused_)
{
    decode(1, true);
    decode(2, true);
    put(2, BAR0, 4, 0); /* onto the first device's */
    assert_int_equal(devices[0].at[0], WINDOW64_START);
    assert_int_equal(devices[1].at[0], 0);
    put(1, BAR0, 4, 0x8000); /* who was in the way goes */
    assert_int_equal(devices[0].at[0], WINDOW64_START + 0x8000);
    assert_int_equal(devices[1].at[0], WINDOW64_START);
}

static void test_a_removed_device_makes_way(void **state _unused_)
{
    decode(1, true);
    decode(2, true);
    put(2, BAR0, 4, 0);
    pci_bus_remove(&bus, &devices[0].pci);
    assert_int_equal(devices[0].at[0], 0);
    assert_int_equal(devices[0].at[2], 0);
    assert_int_equal(devices[1].at[0], WINDOW64_START);
    assert_int_equal(get(1, PCI_VENDOR_ID), 0xffffffff);
}

static void test_a_failed_map_leaves_it_unmapped(void **state _unused_)
{
    devices[0].map_result = -ENOSPC;
    decode(1, true);
    assert_false(devices[0].pci.bars[0].mapped);
    devices[0].map_result = 0;
    decode(1, true);
    assert_true(devices[0].pci.bars[0].mapped);
    devices[0].map_result = -ENOSPC;
    put(1, BAR0, 4, 0x8000);
    assert_false(devices[0].pci.bars[0].mapped);
    assert_int_equal(devices[0].at[0], 0);
}

static void test_reset(void **state _unused_)
{
    decode(1, true);
    put(1, BAR0, 4, 0x8000);
    put(1, PCI_INTERRUPT_LINE, 1, 5);
    pci_bus_reset(&bus);
    assert_int_equal(devices[0].resets, 1);
    assert_int_equal(devices[0].at[0], 0);
    assert_int_equal(get(1, PCI_COMMAND) & 0xffff, 0);
    assert_int_equal(get(1, BAR0) & ~0xfU, 0);
    assert_int_equal(get(1, BAR1), 0x10);
    assert_int_equal(get(1, PCI_INTERRUPT_LINE) & 0xff, 0);
    decode(1, true);
    assert_int_equal(devices[0].at[0], WINDOW64_START);
}

static void test_full_windows_and_slots(void **state _unused_)
{
    struct error e = ERROR_INIT;
    struct device big = {.pci.ops = &device_ops};
    static struct device more[PCI_SLOTS];

    big.pci.bars[0] = (struct pci_bar){.size = 0x20000000};
    assert_int_equal(pci_bus_add(&bus, &big.pci, &e), -ENOSPC);
    assert_text_has(e.text, "32-bit window");
    big.pci.bars[0] = (struct pci_bar){.size = 1ULL << 36, .is_64bit = true, .prefetchable = true};
    assert_int_equal(pci_bus_add(&bus, &big.pci, &e), -ENOSPC);
    assert_text_has(e.text, "64-bit window");
    for (unsigned i = 3; i < PCI_SLOTS; i++) {
        more[i].pci.ops = &device_ops;
        assert_int_equal(pci_bus_add(&bus, &more[i].pci, &e), i);
    }
    big.pci.bars[0].size = 0;
    assert_int_equal(pci_bus_add(&bus, &big.pci, &e), -ENOSPC);
    assert_text_has(e.text, "slots");
}

static void test_bars_that_cannot_be(void **state _unused_)
{
    static const struct pci_bar bars[] = {
        {.size = 0x800},
        {.size = 0x3000},
        {.size = 1ULL << 32},
    };
    struct device d = {.pci.ops = &device_ops};

    for (size_t i = 0; i < ELEMENTSOF(bars); i++) {
        d.pci.bars[0] = bars[i];
        assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), -EINVAL);
    }
    d.pci.bars[0] = (struct pci_bar){0};
    d.pci.bars[5] = (struct pci_bar){.size = 0x4000, .is_64bit = true};
    assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), -EINVAL);
}

static void test_capabilities(void **state _unused_)
{
    struct pci_device *d = &devices[0].pci;

    assert_int_equal(pci_add_capability(d, PCI_CAP_ID_VNDR, 18), 0x40);
    assert_int_equal(pci_add_capability(d, PCI_CAP_ID_MSIX, 12), 0x54);
    assert_int_equal(get(1, PCI_STATUS & ~3U) >> 16 & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
    assert_int_equal(get(1, PCI_CAPABILITY_LIST) & 0xff, 0x40);
    assert_int_equal(get(1, 0x40) & 0xffff, 0x5400 | PCI_CAP_ID_VNDR);
    assert_int_equal(get(1, 0x54) & 0xffff, PCI_CAP_ID_MSIX);
    assert_int_equal(pci_add_capability(d, PCI_CAP_ID_VNDR, 0xa4), -ENOSPC);
    assert_int_equal(pci_add_capability(d, PCI_CAP_ID_VNDR, 0xa0), 0x60);
}

static void test_done_destroys(void **state _unused_)
{
    decode(1, true);
    pci_bus_done(&bus);
    assert_int_equal(devices[0].destroyed, 1);
    assert_int_equal(devices[0].at[0], 0);
    assert_int_equal(devices[1].destroyed, 1);
}

static struct device late(void)
{
    struct device d = {.pci.ops = &device_ops};

    pci_put32(d.pci.config, PCI_VENDOR_ID, 0x10ca8086);
    d.pci.bars[0] = (struct pci_bar){.size = 0x4000, .is_64bit = true, .prefetchable = true};
    d.pci.bars[2] = (struct pci_bar){.size = 0x1000};
    return d;
}

/* Devices that come and go for ever use neither slots nor windows up. */
static void test_place_is_used_again(void **state _unused_)
{
    static struct device d;

    pci_bus_remove(&bus, &devices[0].pci);
    for (unsigned i = 0; i < 3; i++) {
        d = late();
        assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), 1);
        assert_int_equal(d.pci.bars[0].home, WINDOW64_START);
        assert_int_equal(d.pci.bars[2].home, PCI_WINDOW32_START);
        pci_bus_remove(&bus, &d.pci);
    }
    /* A gap that is too small is passed by, and its own BARs don't overlap. */
    d = late();
    d.pci.bars[0].size = 0x8000;
    d.pci.bars[3].size = 0x1000;
    assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), 1);
    assert_int_equal(d.pci.bars[0].home, WINDOW64_START + 0x8000);
    assert_int_equal(d.pci.bars[2].home, PCI_WINDOW32_START);
    assert_int_equal(d.pci.bars[3].home, PCI_WINDOW32_START + 0x2000);
    pci_bus_remove(&bus, &d.pci);
    assert_int_equal(pci_bus_add(&bus, &devices[0].pci, NULL), 1);
}

static void test_withheld_slots(void **state _unused_)
{
    static struct device d;
    struct error e = ERROR_INIT;

    d = late();
    bus.withheld = 1U << 3;
    assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), 4);
    pci_bus_remove(&bus, &d.pci);
    bus.withheld = ~7U;
    assert_int_equal(pci_bus_add(&bus, &d.pci, &e), -ENOSPC);
    bus.withheld = 0;
    assert_int_equal(pci_bus_add(&bus, &d.pci, NULL), 3);
    pci_bus_remove(&bus, &d.pci);
}

static unsigned activations;

static void activated(void *opaque, struct pci_device *d)
{
    assert_ptr_equal(opaque, &activations);
    assert_ptr_equal(d, &devices[1].pci);
    activations++;
}

static void test_activation_is_told_once(void **state _unused_)
{
    pci_device_active(&devices[0].pci); /* nobody listens */
    bus.activated = activated;
    bus.opaque = &activations;
    pci_device_active(&devices[1].pci);
    pci_device_active(&devices[1].pci);
    assert_int_equal(activations, 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_config_space_is_reached),
        TEST(test_any_size_reads_its_bytes),
        TEST(test_odd_accesses_are_split),
        TEST(test_read_only_bits_stay),
        TEST(test_sizing),
        TEST(test_sizing_while_decoding_maps_nothing_astray),
        TEST(test_placement),
        TEST(test_decoding_maps_and_unmaps),
        TEST(test_a_move_half_by_half),
        TEST(test_outside_the_windows_stays_unmapped),
        TEST(test_an_overlap_never_replaces),
        TEST(test_a_removed_device_makes_way),
        TEST(test_a_failed_map_leaves_it_unmapped),
        TEST(test_reset),
        TEST(test_full_windows_and_slots),
        TEST(test_place_is_used_again),
        TEST(test_withheld_slots),
        TEST(test_activation_is_told_once),
        TEST(test_bars_that_cannot_be),
        TEST(test_capabilities),
        TEST(test_done_destroys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
