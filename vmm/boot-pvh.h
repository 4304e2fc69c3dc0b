/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF kernel (vmlinux) by Xen's PVH protocol: Xen's docs/misc/pvh.pandoc, start_info.h. */
#ifndef VMM_BOOT_PVH_H
#define VMM_BOOT_PVH_H

#include "vmm/boot.h"

/* What the entry finds at EBX. */
struct boot_pvh_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t num_modules;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t map;
    uint32_t num_map;
    uint32_t reserved;
};

struct boot_pvh_module {
    uint64_t start;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
};

struct boot_pvh_range {
    uint64_t start;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

#define BOOT_PVH_MAGIC   0x336ec578U /* "xEn3" with the top bit set */
#define BOOT_PVH_VERSION 1           /* the first with a memory map */

extern const struct boot_kind boot_pvh;

#endif
