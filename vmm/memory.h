/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM and the guest-physical map.
 *
 *   0 .. MEMORY_HOLE_START        RAM, as much as there is below the hole
 *   MEMORY_HOLE_START .. 4 GiB    the PCI hole: 32-bit window, ECAM, IOAPIC, LAPIC
 *   4 GiB ..                      the rest of RAM, then the 64-bit PCI window
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include "basic/error.h"
#include <stdint.h>

#define MEMORY_MIN        (64ULL << 20)
#define MEMORY_MAX        (1ULL << 40)
#define MEMORY_HOLE_START 0xC0000000ULL
#define MEMORY_4G         0x100000000ULL

#define PCI_WINDOW32_START 0xC0000000ULL
#define PCI_WINDOW32_END   0xE0000000ULL /* exclusive */
#define PCI_ECAM_BASE      0xE8000000ULL /* 1 MiB: bus 0 only */
#define PCI_ECAM_SIZE      0x00100000ULL
#define IOAPIC_BASE        0xFEC00000ULL
#define LAPIC_BASE         0xFEE00000ULL

#define MEMORY_REGIONS_MAX 2

struct memory_region {
    uint64_t gpa;
    uint64_t size;
    uint8_t *hva;
};

struct memory {
    uint64_t size;
    struct memory_region regions[MEMORY_REGIONS_MAX];
    unsigned num_regions;
};

/* memory_init - reserve @size bytes of anonymous guest RAM (page multiple, MIN..MAX). */
int memory_init(struct memory *m, uint64_t size, struct error *e) _must_check_;
void memory_done(struct memory *m);

/* memory_at - host address of [gpa, gpa+len), or NULL unless all of it is in one RAM region. */
void *memory_at(const struct memory *m, uint64_t gpa, uint64_t len);

/* memory_end - first guest-physical address above all RAM and above 4 GiB. */
uint64_t memory_end(const struct memory *m);

#endif
