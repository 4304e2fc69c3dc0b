/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI's PCI hotplug: how the guest learns that a device came, and gives one back.
 *
 * Three registers, and an interrupt of the generic event device (GED). When it is raised the
 * guest's ACPI interpreter reads both bitmaps and notifies the slots (dsdt.asl); its driver for
 * slots, acpiphp, then looks at a new device, or stops the driver of one that is asked back and
 * writes the slot's bit to the eject register.
 *
 *   insert   up bit set, interrupt ─► guest reads `up` (which clears it) ─► finds the device
 *   request  down bit set, interrupt ─► guest reads `down` ─► stops the driver ─► writes `eject`
 *
 * The interrupt is a level: high as long as a bitmap holds a bit. A guest that boots, or is busy,
 * finds what happened before it listened; an edge at a pin that it hadn't unmasked would be lost.
 *
 * ACPI 6.3, 5.6.9 (GED), 5.6.6 (notifications), 6.3.3 (_EJ0).
 */
#ifndef VMM_HOTPLUG_H
#define VMM_HOTPLUG_H

#include "vmm/bus.h"
#include "vmm/kvm.h"

/* As in dsdt.asl. Each register is accessed as a dword; other accesses read 0 and do nothing. */
#define HOTPLUG_PORT       0x610
#define HOTPLUG_PORTS      12
#define HOTPLUG_PORT_UP    0x610 /* bitmap of slots, bit 0 is slot 0; reading clears it */
#define HOTPLUG_PORT_DOWN  0x614 /* the same */
#define HOTPLUG_PORT_EJECT 0x618 /* write: bitmap of slots; reads 0 */
#define HOTPLUG_GSI        16

/* What the guest does; in a vCPU thread, under the machine's lock. */
struct hotplug_ops {
    /* It has read that the device in @slot is asked back. */
    void (*acknowledged)(void *opaque, unsigned slot);
    /* It gives back what is in @slot, asked or unasked; perhaps there is nothing. */
    void (*ejected)(void *opaque, unsigned slot);
};

struct hotplug {
    struct kvm *kvm;
    const struct hotplug_ops *ops;
    void *opaque;
    uint32_t up, down; /* what the guest hasn't read yet */
};

/* hotplug_init - put the registers on @pio; -EEXIST if something is there. */
int hotplug_init(struct hotplug *h, struct bus *pio, struct kvm *kvm, const struct hotplug_ops *ops,
                 void *opaque) _must_check_;

/* hotplug_insert - tell the guest of the device in @slot. */
void hotplug_insert(struct hotplug *h, unsigned slot);

/* hotplug_request - ask the guest to give back the device in @slot. */
void hotplug_request(struct hotplug *h, unsigned slot);

/* hotplug_unseen - has the guest still to be told of what was inserted in @slot? */
bool hotplug_unseen(const struct hotplug *h, unsigned slot);

/* hotplug_forget - don't tell the guest about @slot what it hasn't read yet. */
void hotplug_forget(struct hotplug *h, unsigned slot);

/* hotplug_reset - nothing to tell: the guest will find all devices as it boots. */
void hotplug_reset(struct hotplug *h);

#endif
