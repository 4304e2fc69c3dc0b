/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables as a guest finds them: from the RSDP on; and as ACPICA's disassembler reads them. */
#include "vmm/acpi.h"

#include "unit.h"

#include <errno.h>

#define WINDOW64_START 0x1000000000ULL
#define WINDOW64_END   0x2000000000ULL

static struct memory memory;

static int setup(void **state _unused_)
{
    assert_int_equal(memory_init(&memory, MEMORY_MIN, NULL), 0);
    assert_int_equal(acpi_build(&memory, 3, WINDOW64_START, WINDOW64_END, NULL), 0);
    return 0;
}

static int teardown(void **state _unused_)
{
    memory_done(&memory);
    return 0;
}

static uint64_t get(uint64_t gpa, unsigned len)
{
    uint64_t value = 0;

    memcpy(&value, memory_at(&memory, gpa, len), len);
    return value;
}

static uint8_t sum(uint64_t gpa, uint64_t len)
{
    const uint8_t *p = memory_at(&memory, gpa, len);
    uint8_t total = 0;

    assert_non_null(p);
    while (len-- > 0)
        total = (uint8_t)(total + *p++);
    return total;
}

static bool has_signature(uint64_t gpa, const char *signature)
{
    return memcmp(memory_at(&memory, gpa, 4), signature, 4) == 0;
}

static uint64_t find_table(const char *signature)
{
    const uint64_t xsdt = get(ACPI_RSDP + 24, 8);
    const uint64_t end = xsdt + get(xsdt + 4, 4);

    for (uint64_t entry = xsdt + 36; entry < end; entry += 8)
        if (has_signature(get(entry, 8), signature))
            return get(entry, 8);
    fail_msg("no %s", signature);
    return 0;
}

static void test_rsdp(void **state _unused_)
{
    assert_memory_equal(memory_at(&memory, ACPI_RSDP, 8), "RSD PTR ", 8);
    assert_int_equal(sum(ACPI_RSDP, 20), 0);
    assert_int_equal(sum(ACPI_RSDP, 36), 0);
    assert_true(has_signature(get(ACPI_RSDP + 24, 8), "XSDT"));
}

static void test_checksums_and_places(void **state _unused_)
{
    const uint64_t dsdt = get(find_table("FACP") + 140, 8);
    const uint64_t tables[] = {get(ACPI_RSDP + 24, 8), find_table("FACP"), find_table("APIC"),
                               find_table("MCFG"), dsdt};

    assert_true(has_signature(dsdt, "DSDT"));
    for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
        const uint64_t length = get(tables[i] + 4, 4);

        assert_int_equal(sum(tables[i], length), 0);
        assert_in_range(tables[i], ACPI_PARAMS + sizeof(struct acpi_params), ACPI_END - length);
    }
}

static void test_fadt_is_hardware_reduced(void **state _unused_)
{
    const uint64_t fadt = find_table("FACP");

    assert_int_equal(get(fadt + 4, 4), 276);
    assert_int_equal(get(fadt + 112, 4) & (1U << 20), 1U << 20);
    assert_int_equal(get(fadt + 112, 4) & (1U << 10), 1U << 10);
    assert_int_equal(get(fadt + 116, 1), 1); /* reset register: a port */
    assert_int_equal(get(fadt + 116 + 4, 8), 0x602);
    assert_int_equal(get(fadt + 128, 1), 1);
    assert_int_equal(get(fadt + 244 + 4, 8), 0x600); /* sleep control */
    assert_int_equal(get(fadt + 256 + 4, 8), 0x601);
}

static void test_madt_has_every_cpu(void **state _unused_)
{
    const uint64_t madt = find_table("APIC");
    const uint64_t end = madt + get(madt + 4, 4);
    unsigned cpus = 0, ioapics = 0;

    assert_int_equal(get(madt + 36, 4), LAPIC_BASE);
    assert_int_equal(get(madt + 40, 4), 0); /* no 8259s */
    for (uint64_t entry = madt + 44; entry < end; entry += get(entry + 1, 1)) {
        if (get(entry, 1) == 0) {
            assert_int_equal(get(entry + 3, 1), cpus);
            assert_int_equal(get(entry + 4, 4), 1);
            cpus++;
        } else {
            assert_int_equal(get(entry + 4, 4), IOAPIC_BASE);
            ioapics++;
        }
    }
    assert_int_equal(cpus, 3);
    assert_int_equal(ioapics, 1);
}

static void test_mcfg(void **state _unused_)
{
    const uint64_t mcfg = find_table("MCFG");

    assert_int_equal(get(mcfg + 4, 4), 60);
    assert_int_equal(get(mcfg + 44, 8), PCI_ECAM_BASE);
    assert_int_equal(get(mcfg + 54, 2), 0); /* bus 0 to 0 */
}

static void test_params(void **state _unused_)
{
    const struct acpi_params *p = memory_at(&memory, ACPI_PARAMS, sizeof(*p));

    assert_int_equal(p->window32_start, PCI_WINDOW32_START);
    assert_int_equal(p->window32_start + p->window32_size, PCI_WINDOW32_END);
    assert_int_equal(p->ecam_start, PCI_ECAM_BASE);
    assert_int_equal(p->window64_start, WINDOW64_START);
    assert_int_equal(p->window64_last, WINDOW64_END - 1);
    assert_int_equal(p->window64_size, WINDOW64_END - WINDOW64_START);
}

static void write_table(const char *path, uint64_t gpa)
{
    const uint64_t length = get(gpa + 4, 4);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(memory_at(&memory, gpa, length), 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

/* iasl prints "Error" or "Warning" about a table it takes offence at, and exits 0 all the same. */
static void test_iasl_disassembles(void **state _unused_)
{
    static const char check[] =
        "cd %s && iasl -d *.aml >log 2>&1 && ! grep -iE 'error|warning|invalid' log && "
        "grep -q 'SystemMemory, 0x000E0040, 0x28' dsdt.dsl && "
        "grep -q 'Hardware Reduced (V5) : 1' facp.dsl && ls apic.dsl mcfg.dsl xsdt.dsl >>log && "
        "rm -r %s";
    const uint64_t fadt = find_table("FACP");
    const struct {
        const char *name;
        uint64_t gpa;
    } tables[] = {{"xsdt", get(ACPI_RSDP + 24, 8)},
                  {"facp", fadt},
                  {"apic", find_table("APIC")},
                  {"mcfg", find_table("MCFG")},
                  {"dsdt", get(fadt + 140, 8)}};
    char dir[] = "/tmp/test-acpi.XXXXXX", path[64], command[512];

    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
        snprintf(path, sizeof(path), "%s/%s.aml", dir, tables[i].name);
        write_table(path, tables[i].gpa);
    }
    snprintf(command, sizeof(command), check, dir, dir);
    assert_int_equal(system(command), 0);
}

static void test_impossible_machines(void **state _unused_)
{
    struct error e = ERROR_INIT;

    assert_int_equal(acpi_build(&memory, 0, WINDOW64_START, WINDOW64_END, &e), -ERANGE);
    assert_int_equal(acpi_build(&memory, 256, WINDOW64_START, WINDOW64_END, &e), -ERANGE);
    assert_int_equal(acpi_build(&memory, 1, WINDOW64_END, WINDOW64_END, &e), -ERANGE);
    assert_int_equal(acpi_build(&memory, 255, WINDOW64_START, WINDOW64_END, &e), 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rsdp),
        TEST(test_checksums_and_places),
        TEST(test_fadt_is_hardware_reduced),
        TEST(test_madt_has_every_cpu),
        TEST(test_mcfg),
        TEST(test_params),
        TEST(test_iasl_disassembles),
        TEST(test_impossible_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
