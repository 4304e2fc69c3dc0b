/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/hotplug.h"

#include "basic/log.h"
#include "vmm/pci.h"

/* Bring the interrupt in line with the bitmaps. */
static void update(struct hotplug *h)
{
    int r = kvm_irq_line(h->kvm, HOTPLUG_GSI, (h->up | h->down) != 0);

    if (r < 0)
        log_warning("hotplug: cannot interrupt the guest: %s", strerror(-r));
}

static void for_each_slot(struct hotplug *h, uint32_t slots,
                          void (*call)(void *opaque, unsigned slot))
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (slots & 1U << slot)
            call(h->opaque, slot);
}

static uint32_t take(struct hotplug *h, uint32_t *bitmap)
{
    const uint32_t slots = *bitmap;

    *bitmap = 0;
    update(h);
    return slots;
}

static uint64_t read_register(void *opaque, uint64_t offset, unsigned len)
{
    struct hotplug *h = opaque;
    uint32_t slots;

    if (len != 4)
        return 0;
    switch (HOTPLUG_PORT + offset) {
    case HOTPLUG_PORT_UP:
        return take(h, &h->up);
    case HOTPLUG_PORT_DOWN:
        slots = take(h, &h->down);
        for_each_slot(h, slots, h->ops->acknowledged);
        return slots;
    default:
        return 0;
    }
}

static void write_register(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    struct hotplug *h = opaque;

    if (len == 4 && HOTPLUG_PORT + offset == HOTPLUG_PORT_EJECT)
        for_each_slot(h, (uint32_t)value, h->ops->ejected);
}

static const struct bus_ops register_ops = {
    .name = "hotplug",
    .read = read_register,
    .write = write_register,
};

int hotplug_init(struct hotplug *h, struct bus *pio, struct kvm *kvm, const struct hotplug_ops *ops,
                 void *opaque)
{
    *h = (struct hotplug){.kvm = kvm, .ops = ops, .opaque = opaque};
    return bus_add(pio, HOTPLUG_PORT, HOTPLUG_PORTS, &register_ops, h);
}

void hotplug_insert(struct hotplug *h, unsigned slot)
{
    h->up |= 1U << slot;
    update(h);
}

void hotplug_request(struct hotplug *h, unsigned slot)
{
    h->down |= 1U << slot;
    update(h);
}

bool hotplug_unseen(const struct hotplug *h, unsigned slot)
{
    return h->up & 1U << slot;
}

void hotplug_forget(struct hotplug *h, unsigned slot)
{
    h->up &= ~(1U << slot);
    h->down &= ~(1U << slot);
    update(h);
}

void hotplug_reset(struct hotplug *h)
{
    h->up = h->down = 0;
    update(h);
}
