/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables: hardware-reduced ACPI 6.3, with only what a guest can't find by itself.
 *
 * RSDP, XSDT, FADT, MADT, MCFG and a DSDT that the build compiles from dsdt.asl. The DSDT's code
 * never varies: it reads addresses from the parameter block, which lies right behind the RSDP.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include "basic/error.h"
#include "vmm/memory.h"
#include <stdint.h>

/* Where firmware would be; a guest without our pointer looks for the RSDP right here. */
#define ACPI_START  0xE0000ULL
#define ACPI_END    0x100000ULL
#define ACPI_RSDP   ACPI_START
#define ACPI_PARAMS (ACPI_START + 0x40) /* as in dsdt.asl */

struct acpi_params {
    uint32_t window32_start, window32_size;
    uint32_t ecam_start, ecam_size;
    uint64_t window64_start, window64_last, window64_size;
};

/**
 * acpi_build - write the tables into guest RAM
 * @num_cpus: their APIC ids are 0..num_cpus-1
 *
 * May be called again for a reboot. Return: 0; -ERANGE if the window is empty or too many CPUs.
 */
int acpi_build(const struct memory *m, unsigned num_cpus, uint64_t window64_start,
               uint64_t window64_end, struct error *e) _must_check_;

#endif
