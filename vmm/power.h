/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a guest powers off or resets itself: ACPI's sleep and reset registers for hardware-reduced
 * machines, and the two older ways to reset that kernels fall back to, the keyboard controller's
 * port and PCI's 0xCF9. Each ends in machine_request.
 *
 * A Linux guest on hardware-reduced ACPI without EFI uses none of these by itself: it drops to
 * real mode and jumps to the firmware's reset vector. So there is one: a few instructions that
 * write the reset register.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include "basic/macro.h"

/* The FADT and the DSDT tell the guest of these. */
#define POWER_SLEEP_CONTROL_PORT 0x600
#define POWER_SLEEP_STATUS_PORT  0x601
#define POWER_RESET_PORT         0x602
#define POWER_RESET_VALUE        1

struct machine;
struct memory;

/* power_init - put the registers on @m's ports; -EEXIST if something is there. */
int power_init(struct machine *m) _must_check_;

/* power_put_reset_vector - write the reset vector into guest RAM, in the area of ACPI's tables. */
void power_put_reset_vector(const struct memory *m);

#endif
