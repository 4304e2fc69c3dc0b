/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0: a flat bus of 32 slots behind a host bridge, reached by ECAM.
 *
 * The core owns what every function has alike: the shadow of config space with a mask of the
 * bits the guest may write, BAR sizing, and the mapping of BARs as the guest turns memory
 * decoding on and off or moves them. A device fills config[] and writable[] once, gives its BARs
 * sizes, and answers the callbacks of its ops. Devices that virtualise real hardware (vfio-pci.c)
 * take over reads and writes outside the header with config_read and config_write.
 *
 * Invariants: a BAR is mapped only while COMMAND.MEM is set and its whole range lies in a PCI
 * window and overlaps no other mapped BAR; a BAR that can't be mapped stays unmapped (reads give
 * all ones), it never replaces what is there.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include "basic/error.h"
#include "vmm/bus.h"
#include "vmm/memory.h"
#include <linux/pci_regs.h>

#define PCI_SLOTS       32
#define PCI_BARS        6
#define PCI_CONFIG_SIZE 4096

struct pci_device;

struct pci_device_ops {
    const char *name;
    /* Optional. Value of [offset, offset+len), header included; NULL: from config[]. len is 1, 2
     * or 4, aligned. */
    uint32_t (*config_read)(struct pci_device *d, unsigned offset, unsigned len);
    /* Optional. Called after the core has applied the write to config[] through writable[] and
     * has remapped BARs; @value is what the guest wrote. */
    void (*config_written)(struct pci_device *d, unsigned offset, unsigned len, uint32_t value);
    /* The guest placed BAR @bar at @gpa and decodes memory: make it answer there. */
    int (*bar_map)(struct pci_device *d, unsigned bar, uint64_t gpa);
    void (*bar_unmap)(struct pci_device *d, unsigned bar);
    /* Back to the state after power-on; BARs are unmapped already. */
    void (*reset)(struct pci_device *d);
    /* Free the device; it is off the bus. Called by the main thread without the machine's lock: it
     * may take time (closing a VF resets it), so it takes the lock only around what is shared. */
    void (*destroy)(struct pci_device *d);
};

struct pci_bar {
    uint64_t size; /* power of two, at least 4 KiB; 0: no such BAR */
    bool is_64bit; /* takes the next BAR's register too */
    bool prefetchable;
    bool mapped;
    uint64_t gpa;  /* where it is mapped */
    uint64_t home; /* where the core placed it, and puts it again on reset */
};

/* Devices embed this as a member and find themselves by CONTAINER_OF. */
struct pci_device {
    const struct pci_device_ops *ops;
    struct pci_bus *bus;
    unsigned slot;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE];
    struct pci_bar bars[PCI_BARS];
    unsigned caps_end; /* of what pci_add_capability has placed; 0: nothing yet */
    bool active;       /* pci_device_active was called since it was made */
};

struct pci_bus {
    struct bus *mmio;
    struct pci_device *slots[PCI_SLOTS];
    uint32_t withheld; /* bitmap of slots that take no device, though they are free */
    uint64_t window64_start, window64_end;
    /* Optional. The guest's driver has turned @d on; under the machine's lock. */
    void (*activated)(void *opaque, struct pci_device *d);
    void *opaque;
};

/**
 * pci_bus_init - empty bus with its host bridge in slot 0; ECAM is added to @mmio
 * @window64_start, @window64_end: the 64-bit window, above RAM and below what the CPU and every
 *                                 IOMMU can address
 */
int pci_bus_init(struct pci_bus *b, struct bus *mmio, uint64_t window64_start,
                 uint64_t window64_end, struct error *e) _must_check_;
void pci_bus_done(struct pci_bus *b);

/**
 * pci_bus_add - plug @d into the first free slot and place its BARs
 *
 * The core makes the BAR registers (type bits and write masks) from @d->bars, then places each:
 * 64-bit prefetchable ones in the 64-bit window, the others below 4 GiB, each where no other
 * device's was placed. (A guest that runs places those of a new device by itself.) Decoding stays
 * off until the guest turns it on. COMMAND, cache line size and interrupt line are the core's too:
 * it makes them writable here and clears them on reset.
 *
 * Return: slot, or -ENOSPC with what is full (@d stays the caller's).
 */
int pci_bus_add(struct pci_bus *b, struct pci_device *d, struct error *e) _must_check_;

/* pci_bus_remove - unmap its BARs and take it out: config space and BARs read all ones from here.
 * The caller destroys it. */
void pci_bus_remove(struct pci_bus *b, struct pci_device *d);

/* pci_device_active - for devices: the guest's driver has turned this one on. The first time, the
 * bus passes it on. */
void pci_device_active(struct pci_device *d);

/* pci_bus_reset - every device back to power-on (guest reboot). */
void pci_bus_reset(struct pci_bus *b);

/* Little-endian access to config[] and writable[], for devices that build theirs. */
void pci_put16(uint8_t *config, unsigned offset, uint16_t value);
void pci_put32(uint8_t *config, unsigned offset, uint32_t value);
uint16_t pci_get16(const uint8_t *config, unsigned offset);
uint32_t pci_get32(const uint8_t *config, unsigned offset);

/**
 * pci_add_capability - put a capability of @size bytes at the end of the list
 *
 * Return: its offset (dword aligned), or -ENOSPC.
 */
int pci_add_capability(struct pci_device *d, uint8_t id, unsigned size) _must_check_;

#endif
