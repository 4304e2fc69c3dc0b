/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The config space of an 82576 VF as VFIO shows it, then what hardware that lies could show. */
#include "unit.h"
#include "vmm/vfio-config.h"

#include <errno.h>

#define MSIX 0x70
#define PCIE 0xa0

struct fixture {
    uint8_t hw[PCI_CFG_SPACE_SIZE];
    uint64_t sizes[PCI_BARS];
    struct pci_device d;
    struct vfio_config config;
    struct error e;
};

/* As read in the lab from an igb VF through vfio-pci. */
static struct fixture igbvf(void)
{
    struct fixture f = {.sizes = {[0] = 0x4000, [3] = 0x4000}, .e = ERROR_INIT};

    pci_put32(f.hw, PCI_VENDOR_ID, 0x10ca8086);
    pci_put16(f.hw, PCI_COMMAND, PCI_COMMAND_MEMORY);
    pci_put16(f.hw, PCI_STATUS, PCI_STATUS_CAP_LIST);
    pci_put32(f.hw, PCI_CLASS_REVISION, 0x02000001);
    f.hw[PCI_HEADER_TYPE] = 0x80; /* multifunction */
    pci_put32(f.hw, PCI_BASE_ADDRESS_0, 0xfe000000 | 0xc);
    pci_put32(f.hw, PCI_BASE_ADDRESS_3, 0xfe020000 | 0xc);
    pci_put32(f.hw, PCI_SUBSYSTEM_VENDOR_ID, 0x00008086);
    pci_put32(f.hw, PCI_ROM_ADDRESS, 0xfe100001);
    f.hw[PCI_CAPABILITY_LIST] = MSIX;
    f.hw[PCI_INTERRUPT_PIN] = 1;
    pci_put32(f.hw, MSIX,
              0xc0020000 | PCIE << 8 | PCI_CAP_ID_MSIX); /* enabled, masked, 3 vectors */
    pci_put32(f.hw, MSIX + PCI_MSIX_TABLE, 0x0000 | 3);
    pci_put32(f.hw, MSIX + PCI_MSIX_PBA, 0x2000 | 3);
    pci_put32(f.hw, PCIE, 0x00020000 | PCI_CAP_ID_EXP); /* version 2, endpoint */
    pci_put32(f.hw, PCIE + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR | 0x8cc2);
    pci_put16(f.hw, PCIE + PCI_EXP_DEVCTL, 0x2810);
    pci_put32(f.hw, PCIE + PCI_EXP_LNKCAP, 0x00036c41);
    return f;
}

static int make(struct fixture *f)
{
    return vfio_config_make(f->hw, f->sizes, &f->d, &f->config, &f->e);
}

static void test_header(void **state _unused_)
{
    struct fixture f = igbvf();

    assert_int_equal(make(&f), 0);
    assert_int_equal(pci_get32(f.d.config, PCI_VENDOR_ID), 0x10ca8086);
    assert_int_equal(pci_get32(f.d.config, PCI_CLASS_REVISION), 0x02000001);
    assert_int_equal(pci_get32(f.d.config, PCI_SUBSYSTEM_VENDOR_ID), 0x8086);
    assert_int_equal(f.d.config[PCI_HEADER_TYPE], 0);
    assert_int_equal(f.d.config[PCI_INTERRUPT_PIN], 0);
    assert_int_equal(pci_get32(f.d.config, PCI_ROM_ADDRESS), 0);
    assert_int_equal(pci_get16(f.d.config, PCI_STATUS), PCI_STATUS_CAP_LIST);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(f.d.writable[PCI_VENDOR_ID + i], 0);
}

static void test_bars(void **state _unused_)
{
    struct fixture f = igbvf();

    f.sizes[2] = 0x20; /* ports */
    pci_put32(f.hw, PCI_BASE_ADDRESS_2, 0xe001);
    f.sizes[5] = 0x100; /* less than a page */
    pci_put32(f.hw, PCI_BASE_ADDRESS_5, 0xfe200000);
    assert_int_equal(make(&f), 0);
    assert_int_equal(f.d.bars[0].size, 0x4000);
    assert_true(f.d.bars[0].is_64bit && f.d.bars[0].prefetchable);
    assert_int_equal(f.d.bars[1].size, 0);
    assert_int_equal(f.d.bars[2].size, 0);
    assert_int_equal(f.d.bars[3].size, 0x4000);
    assert_int_equal(f.d.bars[5].size, 0x1000);
    assert_false(f.d.bars[5].is_64bit || f.d.bars[5].prefetchable);
}

static void test_express(void **state _unused_)
{
    struct fixture f = igbvf();

    assert_int_equal(make(&f), 0);
    assert_int_equal(f.d.config[PCIE], PCI_CAP_ID_EXP);
    /* An integrated endpoint, without link and without reset. */
    assert_int_equal(pci_get16(f.d.config, PCIE + PCI_EXP_FLAGS), 0x92);
    assert_int_equal(pci_get32(f.d.config, PCIE + PCI_EXP_DEVCAP), 0x8cc2);
    assert_int_equal(pci_get32(f.d.config, PCIE + PCI_EXP_LNKCAP), 0);
    assert_int_equal(pci_get16(f.d.config, PCIE + PCI_EXP_DEVCTL), 0x2810);
    assert_int_equal(pci_get16(f.d.writable, PCIE + PCI_EXP_DEVCTL), 0x7fff);
    assert_int_equal(pci_get16(f.d.writable, PCIE + PCI_EXP_DEVSTA), 0);
    /* The one thing the device itself answers. */
    for (unsigned i = 0; i < PCI_CFG_SPACE_SIZE; i++)
        assert_int_equal(f.config.live[i], i == PCIE + PCI_EXP_DEVSTA ? PCI_EXP_DEVSTA_TRPND : 0);

    f = igbvf();
    f.hw[PCIE + PCI_EXP_FLAGS] = 0; /* 82599's */
    assert_int_equal(make(&f), 0);
    assert_int_equal(pci_get16(f.d.config, PCIE + PCI_EXP_FLAGS), 0x91);
}

static void test_msix(void **state _unused_)
{
    struct fixture f = igbvf();

    assert_int_equal(make(&f), 0);
    assert_int_equal(f.config.msix, MSIX);
    assert_int_equal(f.config.num_vectors, 3);
    assert_int_equal(f.config.table_bar, 3);
    assert_int_equal(f.config.table, 0);
    assert_int_equal(f.config.pba_bar, 3);
    assert_int_equal(f.config.pba, 0x2000);
    assert_int_equal(pci_get16(f.d.config, MSIX + PCI_MSIX_FLAGS), 2);
    assert_int_equal(pci_get16(f.d.writable, MSIX + PCI_MSIX_FLAGS), 0xc000);
    assert_int_equal(pci_get32(f.d.config, MSIX + PCI_MSIX_PBA), 0x2003);
}

/* Capabilities in the way are linked around, the others stay where they are. */
static void test_hidden_capabilities(void **state _unused_)
{
    struct fixture f = igbvf();

    f.hw[PCI_CAPABILITY_LIST] = 0x40;
    pci_put32(f.hw, 0x40, 0xffff0000 | 0x50 << 8 | PCI_CAP_ID_PM);
    pci_put32(f.hw, 0x50, 0xffff0000 | MSIX << 8 | PCI_CAP_ID_MSI);
    f.hw[MSIX + 1] = 0x80;
    pci_put32(f.hw, 0x80, 0xffff0000 | 0x90 << 8 | PCI_CAP_ID_VPD);
    pci_put32(f.hw, 0x90, 0x12080000 | PCIE << 8 | PCI_CAP_ID_VNDR);
    pci_put32(f.hw, 0x94, 0xcafecafe);
    pci_put32(f.hw, 0x98, 0xdeaddead);
    assert_int_equal(make(&f), 0);
    assert_int_equal(f.d.config[PCI_CAPABILITY_LIST], MSIX);
    assert_int_equal(f.d.config[MSIX + 1], 0x90);
    assert_int_equal(f.d.config[0x91], PCIE);
    assert_int_equal(f.d.config[PCIE + 1], 0);
    assert_int_equal(pci_get32(f.d.config, 0x40), 0);
    assert_int_equal(pci_get32(f.d.config, 0x50), 0);
    assert_int_equal(pci_get32(f.d.config, 0x80), 0);
    /* The vendor's, whole but no more, and constant. */
    assert_int_equal(pci_get32(f.d.config, 0x94), 0xcafecafe);
    assert_int_equal(pci_get32(f.d.config, 0x98), 0);
    assert_int_equal(pci_get32(f.d.writable, 0x94), 0);
}

static void test_none(void **state _unused_)
{
    struct fixture f = igbvf();

    pci_put16(f.hw, PCI_STATUS, 0); /* the pointer means nothing then */
    assert_int_equal(make(&f), 0);
    assert_int_equal(f.d.config[PCI_CAPABILITY_LIST], 0);
    assert_int_equal(pci_get16(f.d.config, PCI_STATUS), 0);
    assert_int_equal(f.config.msix, 0);
}

static void test_lying_lists(void **state _unused_)
{
    struct fixture f = igbvf();

    f.hw[PCIE + 1] = MSIX; /* loops */
    assert_int_equal(make(&f), -EPROTO);
    assert_text_has(f.e.text, "loops");

    f = igbvf();
    f.hw[MSIX + 1] = MSIX; /* to itself */
    assert_int_equal(make(&f), -EPROTO);

    f = igbvf();
    f.hw[MSIX + 1] = 0x3c; /* into the header */
    assert_int_equal(make(&f), -EPROTO);
    assert_text_has(f.e.text, "header");

    f = igbvf();
    f.hw[PCIE + 1] = 0xfc; /* a capability that has no room */
    f.hw[0xfc] = PCI_CAP_ID_VNDR;
    f.hw[0xfe] = 5;
    assert_int_equal(make(&f), -EPROTO);
    assert_text_has(f.e.text, "vendor-specific");

    f = igbvf();
    f.hw[PCI_CAPABILITY_LIST] = MSIX | 3; /* reserved bits */
    assert_int_equal(make(&f), 0);
    assert_int_equal(f.d.config[PCI_CAPABILITY_LIST], MSIX);
}

static void test_lying_msix(void **state _unused_)
{
    static const struct {
        uint32_t table, pba;
    } lies[] = {
        {0x4000 | 3, 0x2000 | 3}, /* past the end */
        {0x3ff0 | 3, 0x2000 | 3}, /* starts at the end: three entries don't fit one */
        {0xfffffff8 | 3, 0x2000 | 3}, {0 | 3, 0x4000 | 3},
        {0 | 1, 0x2000 | 3}, /* upper half of BAR 0 */
        {0 | 2, 0x2000 | 3}, /* no such BAR */
        {0 | 7, 0x2000 | 3}, /* never such a BAR */
        {0 | 3, 0x2000 | 6},
    };

    for (size_t i = 0; i < ELEMENTSOF(lies); i++) {
        struct fixture f = igbvf();

        pci_put32(f.hw, MSIX + PCI_MSIX_TABLE, lies[i].table);
        pci_put32(f.hw, MSIX + PCI_MSIX_PBA, lies[i].pba);
        assert_int_equal(make(&f), -EPROTO);
        assert_text_has(f.e.text, "MSI-X");
    }
}

static void test_what_cannot_be_assigned(void **state _unused_)
{
    struct fixture f = igbvf();

    f.hw[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    assert_int_equal(make(&f), -EOPNOTSUPP);
    f = igbvf();
    f.sizes[0] = 0x3000;
    assert_int_equal(make(&f), -EPROTO);
    assert_text_has(f.e.text, "BAR 0");
    f = igbvf();
    memset(f.hw, 0xff, sizeof(f.hw)); /* gone from the bus */
    assert_true(make(&f) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_express),
        cmocka_unit_test(test_msix),
        cmocka_unit_test(test_hidden_capabilities),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_lying_lists),
        cmocka_unit_test(test_lying_msix),
        cmocka_unit_test(test_what_cannot_be_assigned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
