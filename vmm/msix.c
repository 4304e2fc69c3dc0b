/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/msix.h"

#include "basic/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

/* Dwords of a table entry. */
enum {
    ENTRY_ADDRESS_LOW,
    ENTRY_ADDRESS_HIGH,
    ENTRY_DATA,
    ENTRY_CONTROL,
    ENTRY_DWORDS,
};

static void vector_init(struct msix_vector *v)
{
    *v = (struct msix_vector){
        .entry[ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT,
        .eventfd = -1,
        .gsi = -1,
    };
}

int msix_init(struct msix *x, struct kvm *kvm, unsigned num_vectors, const struct msix_ops *ops,
              void *opaque)
{
    struct msix_vector *vectors;

    if (num_vectors == 0 || num_vectors > MSIX_VECTORS_MAX)
        return -EINVAL;
    vectors = calloc(num_vectors, sizeof(*vectors));
    if (!vectors)
        return -ENOMEM;
    for (unsigned i = 0; i < num_vectors; i++)
        vector_init(&vectors[i]);
    *x = (struct msix){
        .kvm = kvm,
        .ops = ops,
        .opaque = opaque,
        .vectors = vectors,
        .num_vectors = num_vectors,
    };
    return 0;
}

/* What a guest writes to a table can't fail on hardware, so there is nobody to return an error to:
 * the vector stays as it is and the log says why. */
static void report(struct msix *x, unsigned vector, const char *what, int error)
{
    if (x->reported)
        return;
    log_warning("MSI-X vector %u: cannot %s it: %s", vector, what, strerror(-error));
    x->reported = true;
}

static void vector_detach(struct msix *x, struct msix_vector *v)
{
    int r;

    if (!v->routed)
        return;
    v->routed = false;
    r = kvm_irqfd(x->kvm, v->eventfd, v->gsi, false);
    if (r < 0)
        report(x, (unsigned)(v - x->vectors), "mask", r);
}

static void vector_done(struct msix *x, struct msix_vector *v)
{
    vector_detach(x, v);
    if (v->gsi >= 0)
        kvm_msi_free(x->kvm, v->gsi);
    closep(&v->eventfd);
    vector_init(v);
}

void msix_done(struct msix *x)
{
    for (unsigned i = 0; i < x->num_vectors; i++)
        vector_done(x, &x->vectors[i]);
    free(TAKE_PTR(x->vectors));
    x->num_vectors = 0;
}

/* What is pending when the function is disabled is lost, as in hardware. */
static void vector_forget(struct msix_vector *v)
{
    uint64_t count;

    v->armed = false;
    if (v->eventfd >= 0 && read(v->eventfd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: nothing was */
}

static void set_enabled(struct msix *x, bool enabled)
{
    if (x->enabled == enabled)
        return;
    x->enabled = enabled;
    for (unsigned i = 0; !enabled && i < x->num_vectors; i++)
        vector_detach(x, &x->vectors[i]);
    if (x->ops->enabled)
        x->ops->enabled(x->opaque, enabled);
    for (unsigned i = 0; !enabled && i < x->num_vectors; i++)
        vector_forget(&x->vectors[i]);
}

void msix_reset(struct msix *x, struct pci_device *d)
{
    set_enabled(x, false);
    for (unsigned i = 0; i < x->num_vectors; i++)
        vector_done(x, &x->vectors[i]);
    x->masked = false;
    x->reported = false;
    pci_put16(d->config, x->capability + PCI_MSIX_FLAGS, (uint16_t)(x->num_vectors - 1));
}

int msix_eventfd(struct msix *x, unsigned vector)
{
    struct msix_vector *v;

    if (vector >= x->num_vectors)
        return -EINVAL;
    v = &x->vectors[vector];
    if (v->eventfd < 0)
        v->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return v->eventfd < 0 ? -errno : v->eventfd;
}

static int vector_route(struct msix *x, struct msix_vector *v)
{
    const uint64_t address =
        (uint64_t)v->entry[ENTRY_ADDRESS_HIGH] << 32 | v->entry[ENTRY_ADDRESS_LOW];

    if (v->gsi < 0) {
        const int gsi = kvm_msi_alloc(x->kvm);

        if (gsi < 0)
            return gsi;
        v->gsi = gsi;
    }
    return kvm_msi_route(x->kvm, v->gsi, address, v->entry[ENTRY_DATA]);
}

static int vector_attach(struct msix *x, unsigned vector)
{
    struct msix_vector *v = &x->vectors[vector];
    int r = msix_eventfd(x, vector);

    if (r < 0)
        return r;
    r = vector_route(x, v);
    if (r < 0)
        return r;
    if (!v->routed) {
        r = kvm_irqfd(x->kvm, v->eventfd, v->gsi, true);
        if (r < 0)
            return r;
        v->routed = true;
    }
    if (!v->armed && x->ops->armed) {
        r = x->ops->armed(x->opaque, vector, v->eventfd);
        if (r < 0)
            return r;
    }
    v->armed = true;
    return 0;
}

/* Bring KVM in line with what the guest has written. */
static void vector_update(struct msix *x, unsigned vector)
{
    struct msix_vector *v = &x->vectors[vector];
    int r;

    if (!x->enabled || x->masked || v->entry[ENTRY_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT) {
        vector_detach(x, v);
        return;
    }
    r = vector_attach(x, vector);
    if (r < 0)
        report(x, vector, "deliver", r);
}

int msix_add_capability(struct msix *x, struct pci_device *d, unsigned table_bar, uint32_t table,
                        unsigned pba_bar, uint32_t pba)
{
    const int offset = pci_add_capability(d, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);

    if (offset < 0)
        return offset;
    x->capability = (unsigned)offset;
    pci_put16(d->config, x->capability + PCI_MSIX_FLAGS, (uint16_t)(x->num_vectors - 1));
    pci_put16(d->writable, x->capability + PCI_MSIX_FLAGS,
              PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_put32(d->config, x->capability + PCI_MSIX_TABLE, table | table_bar);
    pci_put32(d->config, x->capability + PCI_MSIX_PBA, pba | pba_bar);
    return 0;
}

void msix_config_written(struct msix *x, const struct pci_device *d, unsigned offset, unsigned len)
{
    const unsigned control = x->capability + PCI_MSIX_FLAGS;
    const uint16_t value = pci_get16(d->config, control);
    const bool enabled = value & PCI_MSIX_FLAGS_ENABLE, masked = value & PCI_MSIX_FLAGS_MASKALL;

    /* Also as the upper half of a dword. */
    if (offset >= control + 2 || offset + len <= control)
        return;
    if (enabled == x->enabled && masked == x->masked)
        return;
    x->masked = masked;
    set_enabled(x, enabled);
    for (unsigned i = 0; i < x->num_vectors; i++)
        vector_update(x, i);
}

unsigned msix_table_size(const struct msix *x)
{
    return x->num_vectors * PCI_MSIX_ENTRY_SIZE;
}

unsigned msix_pba_size(const struct msix *x)
{
    return (x->num_vectors + 63) / 64 * 8;
}

/* PCI 3.0, 6.8.2: dword or qword, aligned; anything else is undefined. Both sizes are multiples of
 * a qword, so what starts within ends within. */
static bool access_ok(uint64_t offset, unsigned len, uint64_t size)
{
    return (len == 4 || len == 8) && offset % len == 0 && offset < size;
}

uint64_t msix_table_read(const struct msix *x, uint64_t offset, unsigned len)
{
    const struct msix_vector *v;
    unsigned dword;

    if (!access_ok(offset, len, msix_table_size(x)))
        return UINT64_MAX;
    v = &x->vectors[offset / PCI_MSIX_ENTRY_SIZE];
    dword = (unsigned)(offset % PCI_MSIX_ENTRY_SIZE) / 4;
    return len == 4 ? v->entry[dword] : v->entry[dword] | (uint64_t)v->entry[dword + 1] << 32;
}

void msix_table_write(struct msix *x, uint64_t offset, unsigned len, uint64_t value)
{
    const unsigned vector = (unsigned)(offset / PCI_MSIX_ENTRY_SIZE);
    const unsigned dword = (unsigned)(offset % PCI_MSIX_ENTRY_SIZE) / 4;

    if (!access_ok(offset, len, msix_table_size(x)))
        return;
    x->vectors[vector].entry[dword] = (uint32_t)value;
    if (len == 8)
        x->vectors[vector].entry[dword + 1] = (uint32_t)(value >> 32);
    /* The low address bits are always 0, and of control only the mask bit exists. */
    x->vectors[vector].entry[ENTRY_ADDRESS_LOW] &= ~3U;
    x->vectors[vector].entry[ENTRY_CONTROL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
    vector_update(x, vector);
}

static bool is_pending(const struct msix_vector *v)
{
    struct pollfd p = {.fd = v->eventfd, .events = POLLIN};

    /* While an irqfd is on it KVM delivers each signal at once. One that it found there when it
     * came stays readable until it goes, which clears it. */
    return v->eventfd >= 0 && !v->routed && poll(&p, 1, 0) > 0;
}

uint64_t msix_pba_read(const struct msix *x, uint64_t offset, unsigned len)
{
    uint64_t bits = 0;

    if (!access_ok(offset, len, msix_pba_size(x)))
        return UINT64_MAX;
    for (unsigned i = 0; i < 8 * len && 8 * offset + i < x->num_vectors; i++)
        if (is_pending(&x->vectors[8 * offset + i]))
            bits |= 1ULL << i;
    return bits;
}
