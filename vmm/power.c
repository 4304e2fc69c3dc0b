/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/power.h"

#include "vmm/machine.h"

/* ACPI 6.3 section 4.8.3.7: the sleep type \_S5 names, and the bit that sets it off. */
#define SLEEP_TYPE_S5 5
#define SLEEP_TYPE(v) ((v) >> 2 & 7)
#define SLEEP_ENABLE  (1U << 5)

#define KEYBOARD_PORT  0x64
#define KEYBOARD_RESET 0xFE
/* Of a controller that is always ready for a command, but has a byte that never ends: a driver
 * that probes gives up at once, one that wants to reset doesn't wait 65,536 reads for the bit. */
#define KEYBOARD_STATUS 0xFD

/* F000:FFF0, where an 8086 started and where a reset by jump goes. */
#define RESET_VECTOR 0xFFFF0ULL

#define PCI_RESET_PORT 0xCF9
#define PCI_RESET_CPU  (1U << 2)

static uint64_t acpi_read(void *opaque _unused_, uint64_t offset _unused_, unsigned len _unused_)
{
    return 0;
}

static void acpi_write(void *opaque, uint64_t offset, unsigned len _unused_, uint64_t value)
{
    struct machine *m = opaque;

    switch (POWER_SLEEP_CONTROL_PORT + offset) {
    case POWER_SLEEP_CONTROL_PORT:
        if ((value & SLEEP_ENABLE) && SLEEP_TYPE(value) == SLEEP_TYPE_S5)
            machine_request(m, MACHINE_POWER_OFF, "the guest powered off");
        break;
    case POWER_RESET_PORT:
        if ((value & 0xff) == POWER_RESET_VALUE)
            machine_request(m, MACHINE_RESET, "the guest wrote the ACPI reset register");
        break;
    }
}

static const struct bus_ops acpi_ops = {
    .name = "acpi-power",
    .read = acpi_read,
    .write = acpi_write,
};

static uint64_t keyboard_read(void *opaque _unused_, uint64_t offset _unused_,
                              unsigned len _unused_)
{
    return KEYBOARD_STATUS;
}

static void keyboard_write(void *opaque, uint64_t offset _unused_, unsigned len _unused_,
                           uint64_t value)
{
    if ((value & 0xff) == KEYBOARD_RESET)
        machine_request(opaque, MACHINE_RESET, "the guest reset by the keyboard controller");
}

static const struct bus_ops keyboard_ops = {
    .name = "keyboard-reset",
    .read = keyboard_read,
    .write = keyboard_write,
};

static uint64_t pci_read(void *opaque _unused_, uint64_t offset _unused_, unsigned len _unused_)
{
    return 0;
}

static void pci_write(void *opaque, uint64_t offset _unused_, unsigned len _unused_, uint64_t value)
{
    if (value & PCI_RESET_CPU)
        machine_request(opaque, MACHINE_RESET, "the guest reset by port 0xcf9");
}

static const struct bus_ops pci_ops = {
    .name = "pci-reset",
    .read = pci_read,
    .write = pci_write,
};

static const struct {
    uint16_t port, size;
    const struct bus_ops *ops;
} registers[] = {
    {POWER_SLEEP_CONTROL_PORT, 3, &acpi_ops},
    {KEYBOARD_PORT, 1, &keyboard_ops},
    {PCI_RESET_PORT, 1, &pci_ops},
};

int power_init(struct machine *m)
{
    for (size_t i = 0; i < ELEMENTSOF(registers); i++) {
        int r = bus_add(&m->pio, registers[i].port, registers[i].size, registers[i].ops, m);

        if (r < 0)
            return r;
    }
    return 0;
}

void power_put_reset_vector(const struct memory *m)
{
    static const uint8_t code[] = {
        0xba,
        POWER_RESET_PORT & 0xff,
        POWER_RESET_PORT >> 8, /* mov $port, %dx */
        0xb0,
        POWER_RESET_VALUE, /* mov $value, %al */
        0xee,              /* out %al, %dx */
        0xf4,              /* hlt */
        0xeb,
        0xfd, /* jmp to the hlt */
    };

    memcpy(memory_at(m, RESET_VECTOR, sizeof(code)), code, sizeof(code));
}
