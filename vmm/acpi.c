/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/acpi.h"

#include "vmm/dsdt.h"
#include "vmm/power.h"

#include <errno.h>

#define OEM_ID       "SRIOVC"
#define OEM_TABLE_ID "SRIOVVMM"

/* FADT flags, ACPI 6.3 table 5-34. */
#define FADT_WBINVD     (1U << 0)
#define FADT_PWR_BUTTON (1U << 4) /* not a fixed feature */
#define FADT_SLP_BUTTON (1U << 5) /* the same */
#define FADT_RESET_REG  (1U << 10)
#define FADT_HW_REDUCED (1U << 20)
/* FADT IA-PC boot flags; clear are: legacy devices, an 8042. The clock is there for who looks, but
 * a guest that is told of it sets its time by it to the second, where it knows it better. */
#define FADT_NO_CMOS (1U << 5)
#define FADT_NO_VGA  (1U << 2)

#define GAS_SYSTEM_IO   1
#define GAS_BYTE_ACCESS 1

#define MADT_LAPIC  0
#define MADT_IOAPIC 1
#define CPUS_MAX    255 /* 255 is everyone's id */

#define _packed_ __attribute__((packed))

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} _packed_;

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} _packed_;

struct acpi_gas {
    uint8_t space;
    uint8_t bits;
    uint8_t bit_offset;
    uint8_t access;
    uint64_t address;
} _packed_;

struct acpi_xsdt {
    struct acpi_header header;
    uint64_t tables[3];
} _packed_;

/* Only the fields a hardware-reduced machine has; the others are zero. */
struct acpi_fadt {
    struct acpi_header header;
    uint8_t legacy1[73];
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_gas reset;
    uint8_t reset_value;
    uint16_t arm_flags;
    uint8_t minor;
    uint64_t x_facs;
    uint64_t x_dsdt;
    struct acpi_gas legacy2[8];
    struct acpi_gas sleep_control;
    struct acpi_gas sleep_status;
    uint64_t hypervisor;
} _packed_;
_Static_assert(offsetof(struct acpi_fadt, boot_flags) == 109, "ACPI 6.3 table 5-33");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "ACPI 6.3 table 5-33");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.3 table 5-33");

struct acpi_madt_lapic {
    uint8_t type, length;
    uint8_t uid, id;
    uint32_t flags;
} _packed_;

struct acpi_madt_ioapic {
    uint8_t type, length;
    uint8_t id, reserved;
    uint32_t address;
    uint32_t first_gsi;
} _packed_;

struct acpi_madt {
    struct acpi_header header;
    uint32_t lapic_address;
    uint32_t flags; /* no 8259s */
    struct acpi_madt_ioapic ioapic;
    struct acpi_madt_lapic lapics[CPUS_MAX];
} _packed_;

struct acpi_mcfg {
    struct acpi_header header;
    uint64_t reserved;
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved2;
} _packed_;

/* Tables go one after another behind the parameter block. */
struct acpi_area {
    uint8_t *start; /* host address of ACPI_START */
    uint64_t next;  /* guest address of the next table */
};

static uint8_t checksum(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint8_t sum = 0;

    while (size-- > 0)
        sum = (uint8_t)(sum + *p++);
    return (uint8_t)-sum;
}

static struct acpi_header header(const char *signature, uint8_t revision, size_t length)
{
    struct acpi_header h = {
        .length = (uint32_t)length, .revision = revision, .oem_revision = 1, .creator_revision = 1};

    memcpy(h.signature, signature, sizeof(h.signature));
    memcpy(h.oem_id, OEM_ID, sizeof(h.oem_id));
    memcpy(h.oem_table_id, OEM_TABLE_ID, sizeof(h.oem_table_id));
    memcpy(h.creator_id, OEM_ID, sizeof(h.creator_id));
    return h;
}

/* Write a table and its checksum; its guest address. */
static uint64_t put(struct acpi_area *a, const void *table, size_t size)
{
    const uint64_t gpa = a->next;
    uint8_t *to = a->start + (gpa - ACPI_START);

    memcpy(to, table, size);
    to[offsetof(struct acpi_header, checksum)] = 0;
    to[offsetof(struct acpi_header, checksum)] = checksum(to, size);
    a->next = (gpa + size + 15) & ~15ULL;
    return gpa;
}

static struct acpi_gas port(uint16_t address)
{
    return (struct acpi_gas){
        .space = GAS_SYSTEM_IO, .bits = 8, .access = GAS_BYTE_ACCESS, .address = address};
}

static uint64_t put_fadt(struct acpi_area *a, uint64_t dsdt)
{
    const struct acpi_fadt fadt = {
        .header = header("FACP", 6, sizeof(fadt)),
        .boot_flags = FADT_NO_VGA | FADT_NO_CMOS,
        .flags = FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_RESET_REG | FADT_HW_REDUCED,
        .reset = port(POWER_RESET_PORT),
        .reset_value = POWER_RESET_VALUE,
        .minor = 3,
        .x_dsdt = dsdt,
        .sleep_control = port(POWER_SLEEP_CONTROL_PORT),
        .sleep_status = port(POWER_SLEEP_STATUS_PORT),
    };

    return put(a, &fadt, sizeof(fadt));
}

static uint64_t put_madt(struct acpi_area *a, unsigned num_cpus)
{
    const size_t size =
        offsetof(struct acpi_madt, lapics) + num_cpus * sizeof(struct acpi_madt_lapic);
    struct acpi_madt madt = {
        .header = header("APIC", 5, size),
        .lapic_address = LAPIC_BASE,
        .ioapic = {.type = MADT_IOAPIC,
                   .length = sizeof(struct acpi_madt_ioapic),
                   .address = IOAPIC_BASE},
    };

    for (unsigned i = 0; i < num_cpus; i++)
        madt.lapics[i] = (struct acpi_madt_lapic){.type = MADT_LAPIC,
                                                  .length = sizeof(struct acpi_madt_lapic),
                                                  .uid = (uint8_t)i,
                                                  .id = (uint8_t)i,
                                                  .flags = 1 /* enabled */};
    return put(a, &madt, size);
}

static uint64_t put_mcfg(struct acpi_area *a)
{
    const struct acpi_mcfg mcfg = {
        .header = header("MCFG", 1, sizeof(mcfg)),
        .base = PCI_ECAM_BASE,
        .last_bus = (uint8_t)((PCI_ECAM_SIZE >> 20) - 1),
    };

    return put(a, &mcfg, sizeof(mcfg));
}

static void put_rsdp(struct acpi_area *a, uint64_t xsdt)
{
    struct acpi_rsdp rsdp = {.oem_id = OEM_ID, .revision = 2, .length = sizeof(rsdp), .xsdt = xsdt};

    memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
    rsdp.checksum = checksum(&rsdp, 20);
    rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
    memcpy(a->start + (ACPI_RSDP - ACPI_START), &rsdp, sizeof(rsdp));
}

static void put_params(struct acpi_area *a, uint64_t window64_start, uint64_t window64_end)
{
    const struct acpi_params params = {
        .window32_start = PCI_WINDOW32_START,
        .window32_size = PCI_WINDOW32_END - PCI_WINDOW32_START,
        .ecam_start = PCI_ECAM_BASE,
        .ecam_size = PCI_ECAM_SIZE,
        .window64_start = window64_start,
        .window64_last = window64_end - 1,
        .window64_size = window64_end - window64_start,
    };

    memcpy(a->start + (ACPI_PARAMS - ACPI_START), &params, sizeof(params));
}

int acpi_build(const struct memory *m, unsigned num_cpus, uint64_t window64_start,
               uint64_t window64_end, struct error *e)
{
    struct acpi_area a = {
        .start = memory_at(m, ACPI_START, ACPI_END - ACPI_START),
        .next = (ACPI_PARAMS + sizeof(struct acpi_params) + 15) & ~15ULL,
    };
    struct acpi_xsdt xsdt = {.header = header("XSDT", 1, sizeof(xsdt))};

    if (num_cpus == 0 || num_cpus > CPUS_MAX || window64_start >= window64_end)
        return error_set(e, -ERANGE, "acpi: no tables for %u CPUs and a 64-bit window of 0x%llx",
                         num_cpus, (unsigned long long)(window64_end - window64_start));
    memset(a.start, 0, ACPI_END - ACPI_START);
    put_params(&a, window64_start, window64_end);
    xsdt.tables[0] = put_fadt(&a, put(&a, dsdt_aml, sizeof(dsdt_aml)));
    xsdt.tables[1] = put_madt(&a, num_cpus);
    xsdt.tables[2] = put_mcfg(&a);
    put_rsdp(&a, put(&a, &xsdt, sizeof(xsdt)));
    return 0;
}
