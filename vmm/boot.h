/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a kernel: files in, guest RAM filled and an entry point out.
 *
 * boot.c holds what every kind of kernel needs: the map of RAM, the command line, the initrd and
 * the descriptor table. A kind of kernel is a file of its own (boot-bzimage.c, boot-pvh.c) and a
 * row in boot.c's table.
 *
 * What is loaded is hostile: every number in a header is checked against the file and against
 * guest RAM before it is used, and an error names the file and what is wrong with it. Files are
 * read straight into guest RAM and stay open, so that a reboot can load them again.
 *
 *   0x01000  descriptor table      0x07000  zero page (bzImage)
 *   0x02000  start info (PVH)      0x09000  page tables (bzImage)
 *   0x20000  command line          0xe0000  ACPI (acpi.h)      1 MiB  kernel, then the initrd
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include "basic/error.h"
#include "vmm/memory.h"
#include <stdint.h>

#define BOOT_GDT          0x1000ULL
#define BOOT_START_INFO   0x2000ULL
#define BOOT_ZERO_PAGE    0x7000ULL
#define BOOT_PAGE_TABLES  0x9000ULL
#define BOOT_CMDLINE      0x20000ULL
#define BOOT_CMDLINE_MAX  0x10000U   /* with the terminating NUL */
#define BOOT_LOW_END      0x9FC00ULL /* of RAM below the legacy hole */
#define BOOT_KERNEL_START 0x100000ULL

/* Selectors of the descriptor table, as the x86 boot protocol wants them. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18
#define BOOT_TR 0x20

struct boot_files {
    int kernel;
    const char *kernel_path;
    int initrd; /* -1: none */
    const char *initrd_path;
    const char *cmdline;
};

/* How the first CPU starts. */
struct boot_entry {
    bool long_mode; /* 64-bit with paging, info in RSI; else 32-bit without, info in EBX */
    uint64_t ip;
    uint64_t info;
};

/**
 * boot_load - load kernel, initrd and command line into guest RAM
 * @rsdp: where the ACPI tables start
 *
 * May be called again for a reboot.
 *
 * Return: 0; -ENOEXEC if a file isn't what it should be (neither kind of kernel, truncated,
 * hostile); -ERANGE if it doesn't fit the guest's memory; an errno of reading.
 */
int boot_load(const struct memory *m, const struct boot_files *f, uint64_t rsdp,
              struct boot_entry *ret, struct error *e) _must_check_;

/* --- for the kinds of kernel --- */

#define BOOT_HEAD_SIZE 1024 /* of the file, read before anyone is asked whose it is */

struct boot_image {
    const struct boot_files *files;
    uint64_t size; /* of the kernel file */
    uint8_t head[BOOT_HEAD_SIZE];
    uint64_t rsdp;
};

struct boot_kind {
    const char *name;
    bool (*probe)(const struct boot_image *image); /* by magic alone */
    int (*load)(const struct memory *m, const struct boot_image *image, struct boot_entry *ret,
                struct error *e);
};

/* E820's numbers, which PVH's memory map uses too. */
enum boot_range_type {
    BOOT_RANGE_RAM = 1,
    BOOT_RANGE_RESERVED = 2,
};

struct boot_range {
    uint64_t start, size;
    enum boot_range_type type;
};

#define BOOT_RANGES_MAX 5

/* boot_map - what the guest is told of its physical address space; number of ranges. */
unsigned boot_map(const struct memory *m, struct boot_range ret[static BOOT_RANGES_MAX]);

/* boot_read - exactly @size bytes of the kernel file; -ENOEXEC if it ends before. */
int boot_read(const struct boot_image *image, uint64_t offset, void *buf, uint64_t size,
              struct error *e) _must_check_;

/* boot_kernel_at - host address of [gpa, gpa+size), where a kernel may be put: RAM from 1 MiB up
 * to the hole; NULL elsewhere. */
void *boot_kernel_at(const struct memory *m, uint64_t gpa, uint64_t size);

/* boot_put_cmdline - at BOOT_CMDLINE; -ERANGE if longer than @max bytes. */
int boot_put_cmdline(const struct memory *m, const struct boot_image *image, uint64_t max,
                     struct error *e) _must_check_;

/**
 * boot_put_initrd - read the initrd into the highest pages below @limit
 * @kernel_end: first address the kernel doesn't need
 * @ret_gpa, @ret_size: 0 where there is none
 */
int boot_put_initrd(const struct memory *m, const struct boot_image *image, uint64_t kernel_end,
                    uint64_t limit, uint64_t *ret_gpa, uint64_t *ret_size,
                    struct error *e) _must_check_;

#endif
