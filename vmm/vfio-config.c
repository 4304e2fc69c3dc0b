/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vfio-config.h"

#include <errno.h>

#define BAR_SIZE_MIN 4096U /* a page: less can't be mapped into the guest */

/* More capabilities than fit between header and end: the list loops. */
#define CAPABILITIES_MAX ((PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF)

/* What is copied from the device's header; the core makes the rest (command, BARs). */
static const struct {
    unsigned offset, size;
} header_copied[] = {
    {PCI_VENDOR_ID, 2},  {PCI_DEVICE_ID, 2},           {PCI_REVISION_ID, 1},
    {PCI_CLASS_PROG, 3}, {PCI_SUBSYSTEM_VENDOR_ID, 2}, {PCI_SUBSYSTEM_ID, 2},
};

struct view {
    const uint8_t *hw;
    struct pci_device *d;
    struct vfio_config *config;
};

static void copy(struct view *v, unsigned offset, unsigned size)
{
    memcpy(v->d->config + offset, v->hw + offset, size);
}

static unsigned express_size(const uint8_t *cap)
{
    return (cap[PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) >= 2 ? PCI_CAP_EXP_ENDPOINT_SIZEOF_V2
                                                          : PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V1;
}

/* On the root bus, where no link leads to it, an endpoint is an integrated one, whose link
 * registers are left zero. Function-level reset is the VMM's to do. */
static void express_shape(struct view *v, unsigned at)
{
    uint16_t version = pci_get16(v->hw, at + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS;

    if (version == 0)
        version = 1; /* 82599's VF says 0, which never existed */
    pci_put16(v->d->config, at + PCI_EXP_FLAGS, (uint16_t)(version | PCI_EXP_TYPE_RC_END << 4));
    pci_put32(v->d->config, at + PCI_EXP_DEVCAP,
              pci_get32(v->hw, at + PCI_EXP_DEVCAP) & ~(uint32_t)PCI_EXP_DEVCAP_FLR);
    /* Payload sizes and ordering are the host's policy: the guest may write what it likes, and
     * reads it back, but the device never sees it. */
    copy(v, at + PCI_EXP_DEVCTL, 2);
    pci_put16(v->d->writable, at + PCI_EXP_DEVCTL, (uint16_t)~PCI_EXP_DEVCTL_BCR_FLR);
    pci_put16(v->config->live, at + PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_TRPND);
}

static unsigned msix_size(const uint8_t *cap _unused_)
{
    return PCI_CAP_MSIX_SIZEOF;
}

static void msix_shape(struct view *v, unsigned at)
{
    const uint16_t control = pci_get16(v->hw, at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE;

    copy(v, at, PCI_CAP_MSIX_SIZEOF);
    pci_put16(v->d->config, at + PCI_MSIX_FLAGS, control);
    pci_put16(v->d->writable, at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    v->config->msix = at;
    v->config->num_vectors = control + 1U;
    v->config->table_bar = v->hw[at + PCI_MSIX_TABLE] & PCI_MSIX_TABLE_BIR;
    v->config->table = pci_get32(v->hw, at + PCI_MSIX_TABLE) & PCI_MSIX_TABLE_OFFSET;
    v->config->pba_bar = v->hw[at + PCI_MSIX_PBA] & PCI_MSIX_PBA_BIR;
    v->config->pba = pci_get32(v->hw, at + PCI_MSIX_PBA) & PCI_MSIX_PBA_OFFSET;
}

static unsigned vendor_size(const uint8_t *cap)
{
    return cap[PCI_CAP_FLAGS];
}

/* Says where things are (in virtio's VFs, say), and is constant. */
static void vendor_shape(struct view *v, unsigned at)
{
    copy(v, at, vendor_size(v->hw + at));
}

/* The capabilities that a guest gets to see. */
static const struct capability {
    uint8_t id;
    const char *name;
    unsigned (*size)(const uint8_t *cap); /* bytes it has; only the first four may be looked at */
    void (*shape)(struct view *v, unsigned at); /* all but ID and link to the next */
} capabilities[] = {
    {PCI_CAP_ID_EXP, "PCI Express", express_size, express_shape},
    {PCI_CAP_ID_MSIX, "MSI-X", msix_size, msix_shape},
    {PCI_CAP_ID_VNDR, "vendor-specific", vendor_size, vendor_shape},
};

static const struct capability *find_capability(uint8_t id)
{
    for (size_t i = 0; i < ELEMENTSOF(capabilities); i++)
        if (capabilities[i].id == id)
            return &capabilities[i];
    return NULL;
}

/* Show the capability at @at, linked from @link, if it is of those shown. */
static int take_capability(struct view *v, unsigned at, unsigned *link, struct error *e)
{
    const struct capability *c = find_capability(v->hw[at]);

    if (!c || (c->id == PCI_CAP_ID_MSIX && v->config->msix))
        return 0;
    if (c->size(v->hw + at) > PCI_CFG_SPACE_SIZE - at)
        return error_set(e, -EPROTO, "its %s capability at 0x%x leaves config space", c->name, at);
    c->shape(v, at);
    v->d->config[at + PCI_CAP_LIST_ID] = c->id;
    v->d->config[at + PCI_CAP_LIST_NEXT] = 0;
    v->d->config[*link] = (uint8_t)at;
    *link = at + PCI_CAP_LIST_NEXT;
    v->d->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    return 0;
}

static int take_capabilities(struct view *v, struct error *e)
{
    unsigned link = PCI_CAPABILITY_LIST, count = 0;
    unsigned at = v->hw[PCI_CAPABILITY_LIST] & ~3U;

    if (!(pci_get16(v->hw, PCI_STATUS) & PCI_STATUS_CAP_LIST))
        return 0;
    while (at != 0) {
        int r;

        if (at < PCI_STD_HEADER_SIZEOF || ++count > CAPABILITIES_MAX)
            return error_set(e, -EPROTO, "its list of capabilities %s at 0x%x",
                             at < PCI_STD_HEADER_SIZEOF ? "leads into the header" : "loops", at);
        r = take_capability(v, at, &link, e);
        if (r < 0)
            return r;
        at = v->hw[at + PCI_CAP_LIST_NEXT] & ~3U;
    }
    return 0;
}

static int take_bars(struct view *v, const uint64_t *sizes, struct error *e)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const uint32_t value = pci_get32(v->hw, PCI_BASE_ADDRESS_0 + 4 * i);
        struct pci_bar *bar = &v->d->bars[i];

        if (sizes[i] == 0 || (value & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_IO)
            continue;
        if ((sizes[i] & (sizes[i] - 1)) != 0)
            return error_set(e, -EPROTO, "its BAR %u has 0x%llx bytes, not a power of two", i,
                             (unsigned long long)sizes[i]);
        *bar = (struct pci_bar){
            .size = sizes[i] < BAR_SIZE_MIN ? BAR_SIZE_MIN : sizes[i],
            .is_64bit = (value & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64,
            .prefetchable = value & PCI_BASE_ADDRESS_MEM_PREFETCH,
        };
        if (bar->is_64bit)
            i++; /* the next register is its upper half */
    }
    return 0;
}

static bool fits(const struct view *v, const uint64_t *sizes, unsigned bar, uint32_t offset,
                 uint32_t size)
{
    return bar < PCI_BARS && v->d->bars[bar].size > 0 && offset <= sizes[bar] &&
           size <= sizes[bar] - offset;
}

static int check_msix(const struct view *v, const uint64_t *sizes, struct error *e)
{
    const struct vfio_config *c = v->config;

    if (!c->msix)
        return 0;
    if (!fits(v, sizes, c->table_bar, c->table, c->num_vectors * PCI_MSIX_ENTRY_SIZE) ||
        !fits(v, sizes, c->pba_bar, c->pba, (c->num_vectors + 63) / 64 * 8))
        return error_set(e, -EPROTO,
                         "its MSI-X table (BAR %u, 0x%x) or pending bits (BAR %u, 0x%x) lie "
                         "outside their BAR",
                         c->table_bar, c->table, c->pba_bar, c->pba);
    return 0;
}

int vfio_config_make(const uint8_t hw[static PCI_CFG_SPACE_SIZE],
                     const uint64_t sizes[static PCI_BARS], struct pci_device *d,
                     struct vfio_config *ret, struct error *e)
{
    struct vfio_config config = {0};
    struct view v = {.hw = hw, .d = d, .config = &config};
    int r;

    if ((hw[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
        return error_set(e, -EOPNOTSUPP, "it is a bridge: only endpoints can be assigned");
    for (size_t i = 0; i < ELEMENTSOF(header_copied); i++)
        copy(&v, header_copied[i].offset, header_copied[i].size);
    r = take_bars(&v, sizes, e);
    if (r == 0)
        r = take_capabilities(&v, e);
    if (r == 0)
        r = check_msix(&v, sizes, e);
    if (r < 0)
        return r;
    *ret = config;
    return 0;
}
