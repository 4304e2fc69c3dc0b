/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two BARs: the registers, a page for each of the four structures, and the MSI-X table with its
 * pending bits. Pages of their own, so that what must be trapped is all that is trapped.
 */
#include "vmm/virtio-pci.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <sys/eventfd.h>

#define VIRTIO_VENDOR_ID    0x1af4
#define VIRTIO_DEVICE_ID(t) (0x1040 + (t))
#define VIRTIO_SUBSYSTEM_ID 0x0040 /* anything from here up says that it isn't a legacy device */

#define PAGE 0x1000U

enum {
    BAR_REGISTERS = 0,
    BAR_MSIX = 1,
};

#define REGISTERS_SIZE (4 * PAGE)
#define MSIX_SIZE      (2 * PAGE)
#define MSIX_PBA       PAGE

/* Pages of BAR_REGISTERS. */
enum {
    PAGE_COMMON,
    PAGE_ISR,
    PAGE_CONFIG,
    PAGE_NOTIFY,
};

#define NOTIFY_MULTIPLIER 4
#define NOTIFY_SIZE       (NOTIFY_MULTIPLIER * VIRTIO_QUEUES_MAX)

#define ISR_CONFIG 2

/* The capabilities that tell the guest where things are. */
static const struct {
    uint8_t type;
    unsigned page;
    unsigned length; /* of the structure; 0: as long as the device's own configuration */
    unsigned size;   /* of the capability */
} capabilities[] = {
    {VIRTIO_PCI_CAP_COMMON_CFG, PAGE_COMMON, sizeof(struct virtio_pci_common_cfg),
     sizeof(struct virtio_pci_cap)},
    {VIRTIO_PCI_CAP_ISR_CFG, PAGE_ISR, 1, sizeof(struct virtio_pci_cap)},
    {VIRTIO_PCI_CAP_DEVICE_CFG, PAGE_CONFIG, 0, sizeof(struct virtio_pci_cap)},
    {VIRTIO_PCI_CAP_NOTIFY_CFG, PAGE_NOTIFY, NOTIFY_SIZE, sizeof(struct virtio_pci_notify_cap)},
    {VIRTIO_PCI_CAP_PCI_CFG, PAGE_COMMON, 0, sizeof(struct virtio_pci_cfg_cap)},
};

static struct virtio_pci *virtio_of(struct pci_device *d)
{
    return CONTAINER_OF(d, struct virtio_pci, pci);
}

int virtio_pci_call(struct virtio_pci *v, unsigned queue)
{
    const int fd = msix_eventfd(&v->msix, v->queues[queue].vector);

    return fd < 0 ? -1 : fd;
}

void virtio_pci_ring(const struct virtio_pci *v, unsigned queue, void **ret_desc, void **ret_avail,
                     void **ret_used)
{
    const struct virtio_queue *q = &v->queues[queue];

    /* Length 0: the whole has been checked when the queue was enabled, and RAM never changes. */
    *ret_desc = memory_at(&v->machine->memory, q->desc, 0);
    *ret_avail = memory_at(&v->machine->memory, q->avail, 0);
    *ret_used = memory_at(&v->machine->memory, q->used, 0);
}

static void signal_eventfd(int fd)
{
    const uint64_t one = 1;

    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        return; /* EAGAIN: it has been signalled 2^64 times and is pending */
}

/* The guest asked for what can't be. Told by a configuration change, if it listens already. */
static void needs_reset(struct virtio_pci *v)
{
    v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    v->generation++;
    if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK))
        return;
    v->isr |= ISR_CONFIG;
    signal_eventfd(msix_eventfd(&v->msix, v->config_vector));
}

static void queue_reset(struct virtio_pci *v, struct virtio_queue *q)
{
    *q = (struct virtio_queue){
        .size = v->ops->queue_size,
        .vector = VIRTIO_MSI_NO_VECTOR,
        .kick = q->kick,
    };
}

static void reset(struct virtio_pci *v)
{
    if (v->running)
        v->ops->stop(v);
    v->running = false;
    v->status = 0;
    v->isr = 0;
    v->accepted = 0;
    v->offered_select = v->accepted_select = 0;
    v->queue_select = 0;
    v->config_vector = VIRTIO_MSI_NO_VECTOR;
    for (unsigned i = 0; i < v->ops->num_queues; i++)
        queue_reset(v, &v->queues[i]);
}

static bool features_acceptable(const struct virtio_pci *v)
{
    return (v->accepted & ~v->offered) == 0 && v->accepted & 1ULL << VIRTIO_F_VERSION_1 &&
           v->ops->features_ok(v->accepted);
}

static void start(struct virtio_pci *v)
{
    v->status |= VIRTIO_CONFIG_S_DRIVER_OK;
    if (v->ops->start(v) < 0)
        needs_reset(v);
    else
        v->running = true;
    if (v->running)
        pci_device_active(&v->pci);
}

/* Bits are only ever added, but for the write of 0 that resets. */
static void set_status(struct virtio_pci *v, uint8_t value)
{
    const uint8_t added = (uint8_t)(value & ~v->status);

    if (value == 0) {
        reset(v);
        return;
    }
    v->status |=
        added & (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FAILED);
    if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
        return;
    if (added & VIRTIO_CONFIG_S_FEATURES_OK && features_acceptable(v))
        v->status |= VIRTIO_CONFIG_S_FEATURES_OK;
    if (added & VIRTIO_CONFIG_S_DRIVER_OK && v->status & VIRTIO_CONFIG_S_FEATURES_OK)
        start(v);
}

static bool part_ok(const struct virtio_pci *v, uint64_t gpa, uint64_t size, uint64_t align)
{
    return gpa % align == 0 && memory_at(&v->machine->memory, gpa, size);
}

/* Virtio 1.2, 2.7: sizes and alignments of a split queue; both rings end in an event index. */
static bool queue_ok(const struct virtio_pci *v, const struct virtio_queue *q)
{
    const uint64_t n = q->size;

    return n > 0 && n <= v->ops->queue_size && (n & (n - 1)) == 0 &&
           part_ok(v, q->desc, 16 * n, 16) && part_ok(v, q->avail, 6 + 2 * n, 2) &&
           part_ok(v, q->used, 6 + 8 * n, 4);
}

static void enable_queue(struct virtio_pci *v, struct virtio_queue *q)
{
    if (q->enabled || v->status & VIRTIO_CONFIG_S_DRIVER_OK ||
        !(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
        return;
    if (queue_ok(v, q))
        q->enabled = true;
    else
        needs_reset(v);
}

/* A vector that doesn't exist reads back as none: that is how the guest learns of it. */
static uint16_t vector_or_none(const struct virtio_pci *v, uint64_t value)
{
    return value < v->msix.num_vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void set_queue_vector(struct virtio_pci *v, unsigned queue, uint64_t value)
{
    struct virtio_queue *q = &v->queues[queue];

    q->vector = vector_or_none(v, value);
    if (v->running && q->enabled && v->ops->set_call(v, queue, virtio_pci_call(v, queue)) < 0)
        needs_reset(v);
}

static uint32_t half(uint64_t value, uint32_t select)
{
    return select > 1 ? 0 : (uint32_t)(value >> (32 * select));
}

static uint64_t with_half(uint64_t value, uint32_t select, uint64_t part)
{
    if (select > 1)
        return value;
    return (value & ~(0xffffffffULL << (32 * select))) | (part & 0xffffffffULL) << (32 * select);
}

/* Each register is accessed with exactly its own size; the 64-bit ones by halves. 0: none. */
static unsigned common_size(uint64_t offset)
{
    switch (offset) {
    case VIRTIO_PCI_COMMON_STATUS:
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return 1;
    case VIRTIO_PCI_COMMON_MSIX:
    case VIRTIO_PCI_COMMON_NUMQ:
    case VIRTIO_PCI_COMMON_Q_SELECT:
    case VIRTIO_PCI_COMMON_Q_SIZE:
    case VIRTIO_PCI_COMMON_Q_MSIX:
    case VIRTIO_PCI_COMMON_Q_ENABLE:
    case VIRTIO_PCI_COMMON_Q_NOFF:
        return 2;
    case VIRTIO_PCI_COMMON_DFSELECT:
    case VIRTIO_PCI_COMMON_DF:
    case VIRTIO_PCI_COMMON_GFSELECT:
    case VIRTIO_PCI_COMMON_GF:
    case VIRTIO_PCI_COMMON_Q_DESCLO:
    case VIRTIO_PCI_COMMON_Q_DESCHI:
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
    case VIRTIO_PCI_COMMON_Q_USEDLO:
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        return 4;
    default:
        return 0;
    }
}

static uint64_t queue_read(const struct virtio_pci *v, uint64_t offset)
{
    const struct virtio_queue *q;

    if (v->queue_select >= v->ops->num_queues)
        return 0; /* size 0: there is no such queue */
    q = &v->queues[v->queue_select];
    switch (offset) {
    case VIRTIO_PCI_COMMON_Q_SIZE:
        return q->size;
    case VIRTIO_PCI_COMMON_Q_MSIX:
        return q->vector;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        return q->enabled;
    case VIRTIO_PCI_COMMON_Q_NOFF:
        return v->queue_select;
    case VIRTIO_PCI_COMMON_Q_DESCLO:
        return half(q->desc, 0);
    case VIRTIO_PCI_COMMON_Q_DESCHI:
        return half(q->desc, 1);
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
        return half(q->avail, 0);
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
        return half(q->avail, 1);
    case VIRTIO_PCI_COMMON_Q_USEDLO:
        return half(q->used, 0);
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        return half(q->used, 1);
    default:
        return 0;
    }
}

static uint64_t common_read(const struct virtio_pci *v, uint64_t offset, unsigned len)
{
    if (common_size(offset) != len)
        return UINT64_MAX;
    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        return v->offered_select;
    case VIRTIO_PCI_COMMON_DF:
        return half(v->offered, v->offered_select);
    case VIRTIO_PCI_COMMON_GFSELECT:
        return v->accepted_select;
    case VIRTIO_PCI_COMMON_GF:
        return half(v->accepted, v->accepted_select);
    case VIRTIO_PCI_COMMON_MSIX:
        return v->config_vector;
    case VIRTIO_PCI_COMMON_NUMQ:
        return v->ops->num_queues;
    case VIRTIO_PCI_COMMON_STATUS:
        return v->status;
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return v->generation;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        return v->queue_select;
    default:
        return queue_read(v, offset);
    }
}

static void queue_write(struct virtio_pci *v, uint64_t offset, uint64_t value)
{
    struct virtio_queue *q;

    if (v->queue_select >= v->ops->num_queues)
        return;
    q = &v->queues[v->queue_select];
    if (offset == VIRTIO_PCI_COMMON_Q_MSIX)
        set_queue_vector(v, v->queue_select, value);
    /* The rest was checked when the queue was enabled, and stays what was checked. */
    if (q->enabled)
        return;
    switch (offset) {
    case VIRTIO_PCI_COMMON_Q_SIZE:
        q->size = (uint16_t)value;
        break;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        if (value == 1)
            enable_queue(v, q);
        break;
    case VIRTIO_PCI_COMMON_Q_DESCLO:
        q->desc = with_half(q->desc, 0, value);
        break;
    case VIRTIO_PCI_COMMON_Q_DESCHI:
        q->desc = with_half(q->desc, 1, value);
        break;
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
        q->avail = with_half(q->avail, 0, value);
        break;
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
        q->avail = with_half(q->avail, 1, value);
        break;
    case VIRTIO_PCI_COMMON_Q_USEDLO:
        q->used = with_half(q->used, 0, value);
        break;
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        q->used = with_half(q->used, 1, value);
        break;
    }
}

static void common_write(struct virtio_pci *v, uint64_t offset, unsigned len, uint64_t value)
{
    if (common_size(offset) != len)
        return;
    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        v->offered_select = (uint32_t)value;
        break;
    case VIRTIO_PCI_COMMON_GFSELECT:
        v->accepted_select = (uint32_t)value;
        break;
    case VIRTIO_PCI_COMMON_GF:
        if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
            v->accepted = with_half(v->accepted, v->accepted_select, value);
        break;
    case VIRTIO_PCI_COMMON_MSIX:
        v->config_vector = vector_or_none(v, value);
        break;
    case VIRTIO_PCI_COMMON_STATUS:
        set_status(v, (uint8_t)value);
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        v->queue_select = (uint16_t)value;
        break;
    default:
        queue_write(v, offset, value);
        break;
    }
}

static uint64_t isr_read(struct virtio_pci *v, uint64_t offset)
{
    const uint8_t isr = v->isr;

    if (offset != 0)
        return 0;
    v->isr = 0; /* reading acknowledges */
    return isr;
}

static uint64_t config_area_read(const struct virtio_pci *v, uint64_t offset, unsigned len)
{
    uint64_t value = 0;

    if (offset > v->config_size || len > v->config_size - offset)
        return UINT64_MAX;
    for (unsigned i = 0; i < len; i++)
        value |= (uint64_t)v->config[offset + i] << (8 * i);
    return value;
}

static uint64_t registers_read(void *opaque, uint64_t offset, unsigned len)
{
    struct virtio_pci *v = opaque;
    const uint64_t within = offset % PAGE;

    switch (offset / PAGE) {
    case PAGE_COMMON:
        return common_read(v, within, len);
    case PAGE_ISR:
        return isr_read(v, within);
    case PAGE_CONFIG:
        return config_area_read(v, within, len);
    default:
        return 0;
    }
}

static void registers_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    struct virtio_pci *v = opaque;
    const uint64_t queue = offset % PAGE / NOTIFY_MULTIPLIER;

    switch (offset / PAGE) {
    case PAGE_COMMON:
        common_write(v, offset % PAGE, len, value);
        break;
    case PAGE_NOTIFY: /* only through config space: an ioeventfd takes the guest's own writes */
        if (queue < v->ops->num_queues)
            signal_eventfd(v->queues[queue].kick);
        break;
    default:
        break;
    }
}

static const struct bus_ops registers_ops = {
    .name = "virtio",
    .read = registers_read,
    .write = registers_write,
};

static uint64_t msix_bar_read(void *opaque, uint64_t offset, unsigned len)
{
    const struct virtio_pci *v = opaque;

    return offset < MSIX_PBA ? msix_table_read(&v->msix, offset, len)
                             : msix_pba_read(&v->msix, offset - MSIX_PBA, len);
}

static void msix_bar_write(void *opaque, uint64_t offset, unsigned len, uint64_t value)
{
    struct virtio_pci *v = opaque;

    if (offset < MSIX_PBA)
        msix_table_write(&v->msix, offset, len, value);
}

static const struct bus_ops msix_bar_ops = {
    .name = "virtio-msix",
    .read = msix_bar_read,
    .write = msix_bar_write,
};

static void detach_kicks(struct virtio_pci *v, uint64_t gpa, unsigned count)
{
    /* Nothing to be done about a failure: the address is leaving the guest's map anyhow. */
    for (unsigned i = 0; i < count; i++)
        if (kvm_ioeventfd_mmio(&v->machine->kvm, v->queues[i].kick,
                               gpa + PAGE_NOTIFY * PAGE + i * NOTIFY_MULTIPLIER, false) < 0)
            continue;
}

static int attach_kicks(struct virtio_pci *v, uint64_t gpa)
{
    for (unsigned i = 0; i < v->ops->num_queues; i++) {
        int r = kvm_ioeventfd_mmio(&v->machine->kvm, v->queues[i].kick,
                                   gpa + PAGE_NOTIFY * PAGE + i * NOTIFY_MULTIPLIER, true);

        if (r < 0) {
            detach_kicks(v, gpa, i);
            return r;
        }
    }
    return 0;
}

static int bar_map(struct pci_device *d, unsigned bar, uint64_t gpa)
{
    struct virtio_pci *v = virtio_of(d);
    struct bus *mmio = &v->machine->mmio;
    int r;

    if (bar == BAR_MSIX)
        return bus_add(mmio, gpa, MSIX_SIZE, &msix_bar_ops, v);
    r = bus_add(mmio, gpa, REGISTERS_SIZE, &registers_ops, v);
    if (r < 0)
        return r;
    r = attach_kicks(v, gpa);
    if (r < 0)
        bus_remove(mmio, gpa);
    return r;
}

static void bar_unmap(struct pci_device *d, unsigned bar)
{
    struct virtio_pci *v = virtio_of(d);
    const uint64_t gpa = d->bars[bar].gpa;

    if (bar == BAR_REGISTERS)
        detach_kicks(v, gpa, v->ops->num_queues);
    bus_remove(&v->machine->mmio, gpa);
}

/* Virtio 1.2, 4.1.4.9: the guest puts BAR, offset and length into the window capability and
 * accesses the register through its data field. True if what it put there can be. */
static bool window_target(const struct virtio_pci *v, uint32_t *ret_offset, unsigned *ret_len)
{
    const uint8_t *cap = v->pci.config + v->window;
    const uint32_t offset = pci_get32(cap, VIRTIO_PCI_CAP_OFFSET);
    const uint32_t len = pci_get32(cap, VIRTIO_PCI_CAP_LENGTH);

    if (cap[VIRTIO_PCI_CAP_BAR] != BAR_REGISTERS || (len != 1 && len != 2 && len != 4) ||
        offset % len != 0 || offset >= REGISTERS_SIZE)
        return false;
    *ret_offset = offset;
    *ret_len = len;
    return true;
}

static unsigned window_data(const struct virtio_pci *v)
{
    return v->window + (unsigned)sizeof(struct virtio_pci_cap);
}

static uint32_t config_read(struct pci_device *d, unsigned offset, unsigned len)
{
    struct virtio_pci *v = virtio_of(d);
    uint32_t target, value = 0;
    unsigned target_len;

    if (offset == window_data(v) && window_target(v, &target, &target_len))
        pci_put32(d->config, offset, (uint32_t)registers_read(v, target, target_len));
    for (unsigned i = 0; i < len; i++)
        value |= (uint32_t)d->config[offset + i] << (8 * i);
    return value;
}

static void config_written(struct pci_device *d, unsigned offset, unsigned len,
                           uint32_t value _unused_)
{
    struct virtio_pci *v = virtio_of(d);
    uint32_t target;
    unsigned target_len;

    if (offset == window_data(v) && window_target(v, &target, &target_len))
        registers_write(v, target, target_len, pci_get32(d->config, offset));
    msix_config_written(&v->msix, d, offset, len);
}

static void pci_reset(struct pci_device *d)
{
    struct virtio_pci *v = virtio_of(d);

    reset(v);
    v->generation = 0;
    msix_reset(&v->msix, d);
    d->config[v->window + VIRTIO_PCI_CAP_BAR] = BAR_REGISTERS;
    memset(d->config + v->window + VIRTIO_PCI_CAP_OFFSET, 0,
           sizeof(struct virtio_pci_cfg_cap) - VIRTIO_PCI_CAP_OFFSET);
}

static void pci_destroy(struct pci_device *d)
{
    struct virtio_pci *v = virtio_of(d);

    v->ops->destroy(v);
}

static const struct pci_device_ops pci_ops = {
    .name = "virtio",
    .config_read = config_read,
    .config_written = config_written,
    .bar_map = bar_map,
    .bar_unmap = bar_unmap,
    .reset = pci_reset,
    .destroy = pci_destroy,
};

static int add_capability(struct virtio_pci *v, size_t row)
{
    const uint8_t type = capabilities[row].type;
    const unsigned length = capabilities[row].length;
    uint8_t *config = v->pci.config;
    const int r = pci_add_capability(&v->pci, PCI_CAP_ID_VNDR, capabilities[row].size);
    const unsigned offset = (unsigned)r;

    if (r < 0)
        return r;
    config[offset + VIRTIO_PCI_CAP_LEN] = (uint8_t)capabilities[row].size;
    config[offset + VIRTIO_PCI_CAP_CFG_TYPE] = type;
    config[offset + VIRTIO_PCI_CAP_BAR] = BAR_REGISTERS;
    pci_put32(config, offset + VIRTIO_PCI_CAP_OFFSET, capabilities[row].page * PAGE);
    pci_put32(config, offset + VIRTIO_PCI_CAP_LENGTH,
              type == VIRTIO_PCI_CAP_DEVICE_CFG ? v->config_size : length);
    if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
        pci_put32(config, offset + VIRTIO_PCI_NOTIFY_CAP_MULT, NOTIFY_MULTIPLIER);
    if (type == VIRTIO_PCI_CAP_PCI_CFG) {
        v->window = offset;
        v->pci.writable[offset + VIRTIO_PCI_CAP_BAR] = 0xff;
        memset(v->pci.writable + offset + VIRTIO_PCI_CAP_OFFSET, 0xff,
               sizeof(struct virtio_pci_cfg_cap) - VIRTIO_PCI_CAP_OFFSET);
    }
    return 0;
}

static int make_config_space(struct virtio_pci *v)
{
    uint8_t *config = v->pci.config;

    pci_put16(config, PCI_VENDOR_ID, VIRTIO_VENDOR_ID);
    pci_put16(config, PCI_DEVICE_ID, (uint16_t)VIRTIO_DEVICE_ID(v->ops->type));
    config[PCI_REVISION_ID] = 1; /* modern */
    pci_put16(config, PCI_CLASS_DEVICE, v->ops->pci_class);
    pci_put16(config, PCI_SUBSYSTEM_VENDOR_ID, VIRTIO_VENDOR_ID);
    pci_put16(config, PCI_SUBSYSTEM_ID, VIRTIO_SUBSYSTEM_ID);
    v->pci.bars[BAR_REGISTERS].size = REGISTERS_SIZE;
    v->pci.bars[BAR_MSIX].size = MSIX_SIZE;
    for (size_t i = 0; i < ELEMENTSOF(capabilities); i++) {
        int r = add_capability(v, i);

        if (r < 0)
            return r;
    }
    return msix_add_capability(&v->msix, &v->pci, BAR_MSIX, 0, BAR_MSIX, MSIX_PBA);
}

static int make_queues(struct virtio_pci *v)
{
    for (unsigned i = 0; i < v->ops->num_queues; i++) {
        v->queues[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (v->queues[i].kick < 0)
            return -errno;
    }
    return 0;
}

int virtio_pci_init(struct virtio_pci *v, struct machine *m, const struct virtio_ops *ops,
                    uint64_t features, const void *config, unsigned config_size)
{
    static const struct msix_ops no_msix_ops = {0};
    int r;

    if (config_size > VIRTIO_CONFIG_MAX || ops->num_queues > VIRTIO_QUEUES_MAX)
        return -EINVAL;
    *v = (struct virtio_pci){
        .pci.ops = &pci_ops,
        .ops = ops,
        .machine = m,
        .offered = features | 1ULL << VIRTIO_F_VERSION_1,
        .config_size = config_size,
    };
    memcpy(v->config, config, config_size);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        v->queues[i].kick = -1;
    /* The devices signal eventfds that they ask for by themselves (virtio_pci_call). */
    r = msix_init(&v->msix, &m->kvm, ops->num_queues + 1, &no_msix_ops, v);
    if (r < 0)
        return r;
    r = make_queues(v);
    if (r == 0)
        r = make_config_space(v);
    if (r < 0) {
        virtio_pci_done(v);
        return r;
    }
    reset(v);
    return 0;
}

void virtio_pci_done(struct virtio_pci *v)
{
    pthread_mutex_lock(&v->machine->lock);
    reset(v);
    msix_done(&v->msix);
    pthread_mutex_unlock(&v->machine->lock);
    for (unsigned i = 0; i < v->ops->num_queues; i++)
        closep(&v->queues[i].kick);
}
