/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vfio-pci.h"

#include "basic/log.h"
#include "vfio/device.h"
#include "vmm/msix.h"
#include "vmm/vfio-bar.h"
#include "vmm/vfio-config.h"
#include "vmm/vfio-container.h"

#include <errno.h>
#include <linux/vfio.h>

struct vfio_pci {
    struct pci_device pci;
    struct machine *machine;
    char *name;
    struct vfio_container *container;
    int group;
    int device;
    struct vfio_region config_region;
    struct vfio_config config;
    uint8_t power_on[PCI_CFG_SPACE_SIZE]; /* config[] as it is after reset */
    bool bus_master;                      /* the device may do DMA and interrupt */
    struct vfio_irq irq;                  /* of MSI-X */
    struct msix msix;
    struct vfio_bar bars[PCI_BARS];
};

static struct vfio_pci *vfio_of(struct pci_device *d)
{
    return CONTAINER_OF(d, struct vfio_pci, pci);
}

/* Memory decoding stays on in the device, whatever the guest says: of a VF the bit is hardwired,
 * and of a PF turning it off would take our mapping away. */
static void set_bus_master(struct vfio_pci *p, bool on)
{
    const uint32_t command = PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0);
    int r;

    if (p->bus_master == on)
        return;
    p->bus_master = on;
    r = vfio_config_write(p->device, &p->config_region, PCI_COMMAND, 2, command);
    if (r < 0)
        log_warning("%s: cannot turn bus mastering %s: %s", p->name, on ? "on" : "off",
                    strerror(-r));
}

/* Without dynamic vectors every vector must be had at once: to add one later the kernel would
 * disarm the others for a moment, and lose what they signal. */
static int enable_vectors(struct vfio_pci *p)
{
    static const int none[VFIO_IRQ_VECTORS_MAX] = {[0 ... VFIO_IRQ_VECTORS_MAX - 1] = -1};
    unsigned count = p->irq.noresize ? p->msix.num_vectors : 1;
    int r;

    do {
        r = vfio_irq_arm(p->device, VFIO_PCI_MSIX_IRQ_INDEX, 0, none, count);
        count /= 2; /* a host short of vectors: the guest's higher ones will stay silent */
    } while (r == -ENOSPC && count > 0);
    return r;
}

/* On also when all vectors are masked: a PF's mailbox looks at the VF's enable bit. */
static void msix_enabled(void *opaque, bool enabled)
{
    struct vfio_pci *p = opaque;
    int r = enabled ? enable_vectors(p) : vfio_irq_disable(p->device, VFIO_PCI_MSIX_IRQ_INDEX);

    if (r < 0)
        log_warning("%s: cannot turn MSI-X %s: %s", p->name, enabled ? "on" : "off", strerror(-r));
}

static int msix_armed(void *opaque, unsigned vector, int eventfd)
{
    struct vfio_pci *p = opaque;

    return vfio_irq_arm(p->device, VFIO_PCI_MSIX_IRQ_INDEX, vector, &eventfd, 1);
}

static const struct msix_ops msix_callbacks = {
    .armed = msix_armed,
    .enabled = msix_enabled,
};

static uint64_t table_read(void *opaque, uint64_t offset, unsigned len)
{
    return msix_table_read(opaque, offset, len);
}

static void table_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    msix_table_write(opaque, offset, len, value);
}

static const struct bus_ops table_ops = {
    .name = "msix-table",
    .read = table_read,
    .write = table_write,
};

static uint64_t pba_read(void *opaque, uint64_t offset, unsigned len)
{
    return msix_pba_read(opaque, offset, len);
}

static void pba_write(void *opaque _unused_, uint64_t offset _unused_, unsigned len _unused_,
                      uint64_t value _unused_)
{
    /* Read-only: PCI 3.0, 6.8.2. */
}

static const struct bus_ops pba_ops = {
    .name = "msix-pba",
    .read = pba_read,
    .write = pba_write,
};

static bool has_live_bits(const struct vfio_pci *p, unsigned offset, unsigned len)
{
    for (unsigned i = 0; i < len && offset + i < sizeof(p->config.live); i++)
        if (p->config.live[offset + i])
            return true;
    return false;
}

static uint32_t config_read(struct pci_device *d, unsigned offset, unsigned len)
{
    struct vfio_pci *p = vfio_of(d);
    uint32_t hw = 0, value = 0;

    if (has_live_bits(p, offset, len) &&
        vfio_config_read(p->device, &p->config_region, offset, len, &hw) < 0)
        hw = 0;
    for (unsigned i = 0; i < len; i++) {
        const unsigned at = offset + i;
        const uint8_t live = at < sizeof(p->config.live) ? p->config.live[at] : 0;
        const uint8_t hw_byte = (uint8_t)(hw >> (8 * i));

        value |= (uint32_t)((d->config[at] & ~live) | (hw_byte & live)) << (8 * i);
    }
    return value;
}

static void config_written(struct pci_device *d, unsigned offset, unsigned len,
                           uint32_t value _unused_)
{
    struct vfio_pci *p = vfio_of(d);

    set_bus_master(p, pci_get16(d->config, PCI_COMMAND) & PCI_COMMAND_MASTER);
    if (p->config.msix)
        msix_config_written(&p->msix, d, offset, len);
    if (p->bus_master && (!p->config.msix || p->msix.enabled))
        pci_device_active(d);
}

static int bar_map(struct pci_device *d, unsigned bar, uint64_t gpa)
{
    struct vfio_pci *p = vfio_of(d);
    int r = vfio_bar_map(&p->bars[bar], gpa);

    if (r < 0)
        log_warning("%s: cannot map BAR %u at 0x%llx: %s", p->name, bar, (unsigned long long)gpa,
                    strerror(-r));
    return r;
}

static void bar_unmap(struct pci_device *d, unsigned bar)
{
    vfio_bar_unmap(&vfio_of(d)->bars[bar], d->bars[bar].gpa);
}

/* Interrupts off, then DMA, then the reset itself: the device is silent when it comes. */
static void reset(struct pci_device *d)
{
    struct vfio_pci *p = vfio_of(d);
    int r;

    if (p->config.msix)
        msix_reset(&p->msix, d);
    set_bus_master(p, false);
    r = vfio_device_reset(p->device);
    if (r < 0)
        log_warning("%s: cannot be reset, the guest finds it as it was left: %s", p->name,
                    strerror(-r));
    memcpy(d->config, p->power_on, sizeof(p->power_on));
}

static void free_device(struct vfio_pci *p)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        vfio_bar_close(&p->bars[i]);
    if (p->msix.vectors)
        msix_done(&p->msix);
    free(p->name);
    free(p);
}

/* The routes of interrupts are shared with the other devices, so they go under the lock; the
 * rest, of which closing the device takes the time of a reset, doesn't need it. */
static void destroy(struct pci_device *d)
{
    struct vfio_pci *p = vfio_of(d);

    pthread_mutex_lock(&p->machine->lock);
    set_bus_master(p, false);
    if (p->config.msix) {
        msix_reset(&p->msix, d);
        msix_done(&p->msix);
    }
    pthread_mutex_unlock(&p->machine->lock);
    for (unsigned i = 0; i < PCI_BARS; i++)
        vfio_bar_close(&p->bars[i]);
    closep(&p->device);
    vfio_container_leave(p->machine, p->container, p->group);
    free_device(p);
}

static const struct pci_device_ops ops = {
    .name = "vfio-pci",
    .config_read = config_read,
    .config_written = config_written,
    .bar_map = bar_map,
    .bar_unmap = bar_unmap,
    .reset = reset,
    .destroy = destroy,
};

static int read_config(struct vfio_pci *p, uint8_t *hw, struct error *e)
{
    int r = vfio_region_get(p->device, VFIO_PCI_CONFIG_REGION_INDEX, &p->config_region, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < PCI_CFG_SPACE_SIZE; i += 4) {
        uint32_t value;

        r = vfio_config_read(p->device, &p->config_region, i, 4, &value);
        if (r < 0)
            return error_set(e, r, "cannot read its config space: %s", strerror(-r));
        pci_put32(hw, i, value);
    }
    return 0;
}

/* The kernel's view of config space, turned into the guest's; fills in the BARs' regions. */
static int make_config(struct vfio_pci *p, struct error *e)
{
    uint8_t hw[PCI_CFG_SPACE_SIZE];
    uint64_t sizes[PCI_BARS];
    int r = read_config(p, hw, e);

    for (unsigned i = 0; r == 0 && i < PCI_BARS; i++) {
        r = vfio_region_get(p->device, VFIO_PCI_BAR0_REGION_INDEX + i, &p->bars[i].region, e);
        sizes[i] = p->bars[i].region.size;
    }
    if (r == 0)
        r = vfio_config_make(hw, sizes, &p->pci, &p->config, e);
    if (r == 0)
        memcpy(p->power_on, p->pci.config, sizeof(p->power_on));
    return r;
}

static int make_msix(struct vfio_pci *p, struct error *e)
{
    int r;

    if (!p->config.msix)
        return 0;
    r = vfio_irq_get(p->device, VFIO_PCI_MSIX_IRQ_INDEX, &p->irq);
    if (r < 0)
        return error_set(e, r, "cannot ask for its interrupts: %s", strerror(-r));
    r = msix_init(&p->msix, &p->machine->kvm, p->config.num_vectors, &msix_callbacks, p);
    if (r < 0)
        return error_set(e, r, "cannot make its MSI-X table: %s", strerror(-r));
    p->msix.capability = p->config.msix;
    return 0;
}

static void add_trap(struct vfio_pci *p, unsigned bar, struct vfio_trap trap)
{
    p->bars[bar].traps[p->bars[bar].num_traps++] = trap;
}

/* The pending bits are trapped where their BAR is trapped already: elsewhere their page may be
 * one that a driver lives in, and no driver is known to look at them. */
static void add_traps(struct vfio_pci *p)
{
    const struct vfio_config *c = &p->config;

    if (!c->msix)
        return;
    add_trap(p, c->table_bar,
             (struct vfio_trap){c->table, msix_table_size(&p->msix), &table_ops, &p->msix});
    if (c->pba_bar == c->table_bar)
        add_trap(p, c->pba_bar,
                 (struct vfio_trap){c->pba, msix_pba_size(&p->msix), &pba_ops, &p->msix});
}

static int open_bars(struct vfio_pci *p, struct error *e)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct vfio_bar *bar = &p->bars[i];
        int r;

        bar->machine = p->machine;
        bar->device = p->device;
        bar->size = p->pci.bars[i].size;
        r = vfio_bar_open(bar);
        if (r < 0)
            return error_set(e, r, "cannot map its BAR %u: %s", i, strerror(-r));
    }
    return 0;
}

/* Everything but guest memory. */
static int open_device(struct vfio_pci *p, struct error *e)
{
    unsigned num_regions, num_irqs;
    uint32_t flags;
    int r = vfio_device_info(p->device, &num_regions, &num_irqs, &flags);

    if (r < 0)
        return error_set(e, r, "isn't a VFIO device: %s", strerror(-r));
    if (!(flags & VFIO_DEVICE_FLAGS_PCI))
        return error_set(e, -EOPNOTSUPP, "isn't a PCI device");
    r = make_config(p, e);
    if (r == 0)
        r = make_msix(p, e);
    if (r < 0)
        return r;
    add_traps(p);
    r = open_bars(p, e);
    if (r < 0)
        return r;
    p->bus_master = true; /* unknown yet: makes sure that it is turned off */
    set_bus_master(p, false);
    return 0;
}

int vfio_pci_notify(struct pci_device *d, unsigned index, int eventfd)
{
    struct vfio_irq irq;

    /* EINVAL is how the kernel says that this device has no such event. */
    if (vfio_irq_get(vfio_of(d)->device, index, &irq) < 0 || irq.count == 0)
        return -EOPNOTSUPP;
    return vfio_irq_arm(vfio_of(d)->device, index, 0, &eventfd, 1);
}

int vfio_pci_new(struct machine *m, const char *name, uint32_t container,
                 const struct vfio_pci_fds *fds, struct pci_device **ret, struct error *e)
{
    struct vfio_pci *p = calloc(1, sizeof(*p));
    int r;

    if (!p || !(p->name = strdup(name))) {
        free(p);
        return error_set(e, -ENOMEM, "%s: out of memory", name);
    }
    p->pci.ops = &ops;
    p->machine = m;
    p->group = fds->group;
    p->device = fds->device;
    r = open_device(p, e);
    if (r == 0)
        r = vfio_container_join(m, container, fds->container, fds->group, &p->container, e);
    if (r < 0) {
        error_prefix(e, "%s", name);
        free_device(p);
        return r;
    }
    *ret = &p->pci;
    return 0;
}
