/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Config space is reached by ECAM alone. The legacy ports (0xCF8, 0xCFC) don't exist: with MCFG
 * in the ACPI tables Linux never needs them, and while they answer it scans 256 buses through
 * them, 16,000 exits to userspace a boot.
 *
 * A write to COMMAND or a BAR register leads to remap(), which compares where each BAR of the
 * bus should be with where it is: first everything misplaced is unmapped, then everything that
 * may be is mapped. So two BARs can trade places, and a BAR that was in another's way and moves
 * lets that one in.
 */
#include "vmm/pci.h"

#include <errno.h>

#define ECAM_FUNCTION_SIZE PCI_CONFIG_SIZE
#define FUNCTIONS_PER_SLOT 8

/* The header's bits that any function lets a guest write. No I/O decoding: no BAR is in ports. */
#define COMMAND_WRITABLE                                                                           \
    (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |             \
     PCI_COMMAND_INTX_DISABLE)

#define BAR_REGISTER(i) (PCI_BASE_ADDRESS_0 + 4 * (i))

void pci_put16(uint8_t *config, unsigned offset, uint16_t value)
{
    config[offset] = (uint8_t)value;
    config[offset + 1] = (uint8_t)(value >> 8);
}

void pci_put32(uint8_t *config, unsigned offset, uint32_t value)
{
    pci_put16(config, offset, (uint16_t)value);
    pci_put16(config, offset + 2, (uint16_t)(value >> 16));
}

uint16_t pci_get16(const uint8_t *config, unsigned offset)
{
    return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

uint32_t pci_get32(const uint8_t *config, unsigned offset)
{
    return pci_get16(config, offset) | (uint32_t)pci_get16(config, offset + 2) << 16;
}

static uint64_t bar_address(const struct pci_device *d, unsigned bar)
{
    uint64_t address = pci_get32(d->config, BAR_REGISTER(bar)) & PCI_BASE_ADDRESS_MEM_MASK;

    /* The mask sign-extends to 64 bits; the register doesn't reach there. */
    address &= UINT32_MAX;
    if (d->bars[bar].is_64bit)
        address |= (uint64_t)pci_get32(d->config, BAR_REGISTER(bar + 1)) << 32;
    return address;
}

static void set_bar_address(struct pci_device *d, unsigned bar, uint64_t address)
{
    const struct pci_bar *b = &d->bars[bar];
    uint32_t flags = PCI_BASE_ADDRESS_SPACE_MEMORY;

    if (b->prefetchable)
        flags |= PCI_BASE_ADDRESS_MEM_PREFETCH;
    if (b->is_64bit) {
        flags |= PCI_BASE_ADDRESS_MEM_TYPE_64;
        pci_put32(d->config, BAR_REGISTER(bar + 1), (uint32_t)(address >> 32));
    }
    pci_put32(d->config, BAR_REGISTER(bar), (uint32_t)address | flags);
}

static bool within(uint64_t start, uint64_t size, uint64_t window_start, uint64_t window_end)
{
    return start >= window_start && start < window_end && size <= window_end - start;
}

static bool in_window(const struct pci_bus *b, uint64_t start, uint64_t size)
{
    return within(start, size, PCI_WINDOW32_START, PCI_WINDOW32_END) ||
           within(start, size, b->window64_start, b->window64_end);
}

static bool overlaps_mapped(const struct pci_bus *b, uint64_t start, uint64_t size)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        const struct pci_device *d = b->slots[slot];

        for (unsigned i = 0; d && i < PCI_BARS; i++) {
            const struct pci_bar *bar = &d->bars[i];

            if (bar->mapped && start < bar->gpa + bar->size && bar->gpa < start + size)
                return true;
        }
    }
    return false;
}

static bool decodes_memory(const struct pci_device *d)
{
    return pci_get16(d->config, PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

static void unmap_bar(struct pci_device *d, unsigned i)
{
    if (!d->bars[i].mapped)
        return;
    d->bars[i].mapped = false;
    d->ops->bar_unmap(d, i);
}

static void unmap_misplaced(struct pci_device *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (!decodes_memory(d) || bar_address(d, i) != d->bars[i].gpa)
            unmap_bar(d, i);
}

static void map_missing(struct pci_device *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &d->bars[i];
        const uint64_t gpa = bar_address(d, i);

        if (bar->size == 0 || bar->mapped || !decodes_memory(d) ||
            !in_window(d->bus, gpa, bar->size) || overlaps_mapped(d->bus, gpa, bar->size))
            continue;
        if (d->ops->bar_map(d, i, gpa) < 0)
            continue; /* the guest reads all ones there, as from a bridge that nobody answers */
        bar->mapped = true;
        bar->gpa = gpa;
    }
}

static void remap(struct pci_bus *b)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (b->slots[slot])
            unmap_misplaced(b->slots[slot]);
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (b->slots[slot])
            map_missing(b->slots[slot]);
}

static uint32_t config_read(struct pci_device *d, unsigned offset, unsigned len)
{
    uint32_t value = 0;

    if (d->ops->config_read)
        return d->ops->config_read(d, offset, len);
    for (unsigned i = 0; i < len; i++)
        value |= (uint32_t)d->config[offset + i] << (8 * i);
    return value;
}

/* Does [offset, offset+len) touch the command register or a BAR? */
static bool moves_bars(unsigned offset, unsigned len)
{
    return (offset < PCI_COMMAND + 2 && offset + len > PCI_COMMAND) ||
           (offset < BAR_REGISTER(PCI_BARS) && offset + len > BAR_REGISTER(0));
}

static void config_write(struct pci_device *d, unsigned offset, unsigned len, uint32_t value)
{
    for (unsigned i = 0; i < len; i++) {
        const uint8_t mask = d->writable[offset + i];
        const uint8_t byte = (uint8_t)(value >> (8 * i));

        d->config[offset + i] = (uint8_t)((d->config[offset + i] & ~mask) | (byte & mask));
    }
    if (moves_bars(offset, len))
        remap(d->bus);
    if (d->ops->config_written)
        d->ops->config_written(d, offset, len, value);
}

/* Which function an offset into ECAM means; bus 0, whose devices have one function each. */
static struct pci_device *ecam_device(const struct pci_bus *b, uint64_t offset)
{
    const uint64_t function = offset / ECAM_FUNCTION_SIZE;

    return function % FUNCTIONS_PER_SLOT == 0 ? b->slots[function / FUNCTIONS_PER_SLOT] : NULL;
}

/* Config accesses are of 1, 2 or 4 bytes, naturally aligned. Others are taken in two parts: also
 * those of odd sizes, as which KVM delivers an access across a page. */
static bool is_split(uint64_t offset, unsigned len)
{
    return len > 4 || (len & (len - 1)) != 0 || offset % len != 0;
}

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned len)
{
    struct pci_bus *b = opaque;
    struct pci_device *d = ecam_device(b, offset);

    if (is_split(offset, len)) {
        const unsigned half = len / 2;

        return ecam_read(b, offset, half) | ecam_read(b, offset + half, len - half) << (8 * half);
    }
    if (!d)
        return UINT64_MAX >> (64 - 8 * len);
    return config_read(d, (unsigned)(offset % PCI_CONFIG_SIZE), len);
}

static void ecam_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    struct pci_bus *b = opaque;
    struct pci_device *d = ecam_device(b, offset);

    if (is_split(offset, len)) {
        const unsigned half = len / 2;

        ecam_write(b, offset, half, value);
        ecam_write(b, offset + half, len - half, value >> (8 * half));
        return;
    }
    if (d)
        config_write(d, (unsigned)(offset % PCI_CONFIG_SIZE), len, (uint32_t)value);
}

static const struct bus_ops ecam_ops = {
    .name = "ecam",
    .read = ecam_read,
    .write = ecam_write,
};

static void host_bridge_reset(struct pci_device *d _unused_)
{
}

static void host_bridge_destroy(struct pci_device *d)
{
    free(d);
}

/* It has no BAR, so nothing maps or unmaps one. */
static const struct pci_device_ops host_bridge_ops = {
    .name = "host-bridge",
    .reset = host_bridge_reset,
    .destroy = host_bridge_destroy,
};

static int add_host_bridge(struct pci_bus *b, struct error *e)
{
    struct pci_device *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return error_set(e, -ENOMEM, "pci: out of memory for the host bridge");
    d->ops = &host_bridge_ops;
    pci_put16(d->config, PCI_VENDOR_ID, 0x1b36); /* Red Hat's generic PCIe host bridge */
    pci_put16(d->config, PCI_DEVICE_ID, 0x0008);
    pci_put16(d->config, PCI_CLASS_DEVICE, 0x0600);
    r = pci_bus_add(b, d, e);
    if (r < 0)
        free(d);
    return r;
}

int pci_bus_init(struct pci_bus *b, struct bus *mmio, uint64_t window64_start,
                 uint64_t window64_end, struct error *e)
{
    int r;

    *b = (struct pci_bus){
        .mmio = mmio,
        .window64_start = window64_start,
        .window64_end = window64_end,
    };
    r = add_host_bridge(b, e);
    if (r < 0)
        return r;
    r = bus_add(mmio, PCI_ECAM_BASE, PCI_ECAM_SIZE, &ecam_ops, b);
    if (r < 0) {
        b->mmio = NULL;
        pci_bus_done(b);
        return error_set(e, r, "pci: cannot place config space at 0x%llx: %s", PCI_ECAM_BASE,
                         strerror(-r));
    }
    return 0;
}

void pci_bus_done(struct pci_bus *b)
{
    for (unsigned slot = PCI_SLOTS; slot-- > 0;) {
        struct pci_device *d = b->slots[slot];

        if (!d)
            continue;
        pci_bus_remove(b, d);
        d->ops->destroy(d);
    }
    if (b->mmio)
        bus_remove(b->mmio, PCI_ECAM_BASE);
    b->mmio = NULL;
}

/* A BAR register's writable bits are its address bits above the size: that is how a guest sizes
 * it, by writing ones and reading which stuck. */
static void make_bar_masks(struct pci_device *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const uint64_t mask = -d->bars[i].size;

        pci_put32(d->writable, BAR_REGISTER(i), 0);
        if (d->bars[i].size == 0)
            continue;
        pci_put32(d->writable, BAR_REGISTER(i), (uint32_t)mask);
        if (d->bars[i].is_64bit)
            pci_put32(d->writable, BAR_REGISTER(++i), (uint32_t)(mask >> 32));
    }
}

static int check_bars(const struct pci_device *d, struct error *e)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &d->bars[i];

        if (bar->size == 0)
            continue;
        if (bar->size < 4096 || (bar->size & (bar->size - 1)) != 0 ||
            (bar->is_64bit && (i + 1 == PCI_BARS || d->bars[i + 1].size != 0)) ||
            (!bar->is_64bit && bar->size > 1ULL << 31))
            return error_set(e, -EINVAL, "pci: %s: BAR %u of 0x%llx bytes can't be", d->ops->name,
                             i, (unsigned long long)bar->size);
    }
    return 0;
}

/* First BAR of @count devices that was placed within [start, start+size). */
static const struct pci_bar *find_placed(struct pci_device *const *devices, unsigned count,
                                         uint64_t start, uint64_t size)
{
    for (unsigned n = 0; n < count; n++)
        for (unsigned i = 0; devices[n] && i < PCI_BARS; i++) {
            const struct pci_bar *bar = &devices[n]->bars[i];

            if (bar->home && start < bar->home + bar->size && bar->home < start + size)
                return bar;
        }
    return NULL;
}

/* First size-aligned place in [start, end) that neither the bus's devices have nor @d itself. */
static int find_place(const struct pci_bus *b, struct pci_device *d, uint64_t start, uint64_t end,
                      uint64_t size, uint64_t *ret)
{
    const struct pci_bar *bar;

    start = (start + size - 1) & -size;
    do {
        if (start > end || size > end - start)
            return -ENOSPC;
        bar = find_placed(b->slots, PCI_SLOTS, start, size);
        if (!bar)
            bar = find_placed(&d, 1, start, size);
        if (bar)
            start = (bar->home + bar->size + size - 1) & -size;
    } while (bar);
    *ret = start;
    return 0;
}

static int place_bars(struct pci_bus *b, struct pci_device *d, struct error *e)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        d->bars[i].home = 0;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &d->bars[i];
        const bool high = bar->is_64bit && bar->prefetchable;
        int r;

        if (bar->size == 0)
            continue;
        r = high ? find_place(b, d, b->window64_start, b->window64_end, bar->size, &bar->home)
                 : find_place(b, d, PCI_WINDOW32_START, PCI_WINDOW32_END, bar->size, &bar->home);
        if (r < 0)
            return error_set(e, r,
                             "pci: %s: no room for BAR %u of %llu KiB in the %s window: give the "
                             "VM fewer or smaller devices",
                             d->ops->name, i, (unsigned long long)(bar->size >> 10),
                             high ? "64-bit" : "32-bit");
        set_bar_address(d, i, bar->home);
    }
    return 0;
}

static int free_slot(const struct pci_bus *b)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (!b->slots[slot] && !(b->withheld & 1U << slot))
            return (int)slot;
    return -ENOSPC;
}

int pci_bus_add(struct pci_bus *b, struct pci_device *d, struct error *e)
{
    const int slot = free_slot(b);
    int r;

    if (slot < 0)
        return error_set(
            e, slot, "pci: %s: all %d slots are taken: give the VM fewer devices%s", d->ops->name,
            PCI_SLOTS, b->withheld ? ", or reboot it: it hasn't let go of some that it lost" : "");
    r = check_bars(d, e);
    if (r < 0)
        return r;
    make_bar_masks(d);
    r = place_bars(b, d, e);
    if (r < 0)
        return r;
    pci_put16(d->config, PCI_COMMAND, 0);
    pci_put16(d->writable, PCI_COMMAND, COMMAND_WRITABLE);
    d->writable[PCI_CACHE_LINE_SIZE] = 0xff;
    d->writable[PCI_INTERRUPT_LINE] = 0xff;
    d->bus = b;
    d->slot = (unsigned)slot;
    b->slots[slot] = d;
    return slot;
}

void pci_bus_remove(struct pci_bus *b, struct pci_device *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        unmap_bar(d, i);
    b->slots[d->slot] = NULL;
    d->bus = NULL;
    remap(b);
}

void pci_device_active(struct pci_device *d)
{
    if (d->active)
        return;
    d->active = true;
    if (d->bus->activated)
        d->bus->activated(d->bus->opaque, d);
}

static void reset_device(struct pci_device *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        unmap_bar(d, i);
    d->ops->reset(d);
    pci_put16(d->config, PCI_COMMAND, 0);
    d->config[PCI_CACHE_LINE_SIZE] = 0;
    d->config[PCI_INTERRUPT_LINE] = 0;
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (d->bars[i].size > 0)
            set_bar_address(d, i, d->bars[i].home);
}

void pci_bus_reset(struct pci_bus *b)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (b->slots[slot])
            reset_device(b->slots[slot]);
}

int pci_add_capability(struct pci_device *d, uint8_t id, unsigned size)
{
    const unsigned offset = d->caps_end > 0 ? d->caps_end : PCI_STD_HEADER_SIZEOF;
    unsigned link = PCI_CAPABILITY_LIST;

    if (size < 2 || size > PCI_CFG_SPACE_SIZE - offset)
        return -ENOSPC;
    while (d->config[link] != 0)
        link = d->config[link] + PCI_CAP_LIST_NEXT;
    d->config[link] = (uint8_t)offset;
    d->config[offset] = id;
    d->config[offset + PCI_CAP_LIST_NEXT] = 0;
    d->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    d->caps_end = (offset + size + 3) & ~3U;
    return (int)offset;
}
