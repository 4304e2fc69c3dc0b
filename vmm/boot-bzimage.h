/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A distribution's kernel: Documentation/arch/x86/boot.rst, entered by the 64-bit protocol. */
#ifndef VMM_BOOT_BZIMAGE_H
#define VMM_BOOT_BZIMAGE_H

#include "vmm/boot.h"

extern const struct boot_kind boot_bzimage;

#endif
