/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's interrupt controllers take everything: an MSI goes from an irqfd to the LAPIC
 * without this process running. The routing table is the VM's, replaced as a whole by each
 * KVM_SET_GSI_ROUTING; its copy lives here.
 *
 * KVM_CREATE_IRQCHIP makes a pair of 8259s too. No route leads to them: a guest on
 * hardware-reduced ACPI never programs them, and an unprogrammed 8259 would deliver an edge of
 * the console as vector 4, an exception.
 */
#include "vmm/kvm.h"

#include "vmm/memory.h"

#include <errno.h>
#include <sys/ioctl.h>

/* Intel without unrestricted guest needs four pages of the guest's map for a task state segment
 * and a page table: they sit between the IOAPIC and the end of the hole, where nothing else is. */
#define IDENTITY_MAP_ADDRESS 0xFEFFC000ULL
#define TSS_ADDRESS          0xFEFFD000UL

#define LONG_BITS   (8 * sizeof(long))
#define IOAPIC_PINS 24

/* What the VM can't do without, and what it would miss. */
static const struct {
    int cap;
    const char *what;
} required[] = {
    {KVM_CAP_IRQCHIP, "an interrupt controller in the kernel"},
    {KVM_CAP_USER_MEMORY, "memory slots"},
    {KVM_CAP_SET_TSS_ADDR, "a task state segment address"},
    {KVM_CAP_EXT_CPUID, "CPUID"},
    {KVM_CAP_MP_STATE, "several CPUs"},
    {KVM_CAP_IRQ_ROUTING, "interrupt routing"},
    {KVM_CAP_IRQFD, "irqfd"},
    {KVM_CAP_IOEVENTFD, "ioeventfd"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

static bool test_bit(const unsigned long *map, unsigned bit)
{
    return map[bit / LONG_BITS] & (1UL << (bit % LONG_BITS));
}

static void set_bit(unsigned long *map, unsigned bit, bool value)
{
    if (value)
        map[bit / LONG_BITS] |= 1UL << (bit % LONG_BITS);
    else
        map[bit / LONG_BITS] &= ~(1UL << (bit % LONG_BITS));
}

/* First clear bit from @first up, set; -ENOSPC. */
static int take_bit(unsigned long *map, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        if (!test_bit(map, i)) {
            set_bit(map, i, true);
            return (int)i;
        }
    }
    return -ENOSPC;
}

static int check_host(int kvm_fd, size_t *ret_run_size, struct error *e)
{
    int n = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

    if (n != KVM_API_VERSION)
        return error_set(e, -EOPNOTSUPP, "/dev/kvm speaks version %d of its interface, not %d", n,
                         KVM_API_VERSION);
    for (size_t i = 0; i < ELEMENTSOF(required); i++)
        if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, required[i].cap) <= 0)
            return error_set(e, -EOPNOTSUPP,
                             "/dev/kvm lacks %s (capability %d): use a newer kernel",
                             required[i].what, required[i].cap);
    n = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (n < (int)sizeof(struct kvm_run))
        return error_set(e, -EOPNOTSUPP, "/dev/kvm gives a vCPU mapping of %d bytes", n);
    *ret_run_size = (size_t)n;
    return 0;
}

static int set_routing(struct kvm *k)
{
    const size_t size = k->num_routes * sizeof(k->routes[0]);
    _cleanup_free_ struct kvm_irq_routing *table = calloc(1, sizeof(*table) + size);

    if (!table)
        return -ENOMEM;
    table->nr = k->num_routes;
    memcpy(table->entries, k->routes, size);
    return ioctl(k->vm, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
}

static int init_routing(struct kvm *k)
{
    k->routes = calloc(KVM_ROUTES_MAX, sizeof(k->routes[0]));
    if (!k->routes)
        return -ENOMEM;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        k->routes[k->num_routes++] = (struct kvm_irq_routing_entry){
            .gsi = pin,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = pin},
        };
    return set_routing(k);
}

/* The order is the kernel's: both addresses before any vCPU, the irqchip before its routes. */
static int create_vm(struct kvm *k, struct error *e)
{
    uint64_t identity = IDENTITY_MAP_ADDRESS;
    int r;

    k->vm = ioctl(k->fd, KVM_CREATE_VM, 0);
    if (k->vm < 0)
        return error_set(e, -errno, "/dev/kvm: cannot create a VM: %s", strerror(errno));
    if (ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
        ioctl(k->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0)
        return error_set(e, -errno, "/dev/kvm: cannot place the task state segment: %s",
                         strerror(errno));
    if (ioctl(k->vm, KVM_CREATE_IRQCHIP, 0) < 0)
        return error_set(e, -errno, "/dev/kvm: cannot create the interrupt controllers: %s",
                         strerror(errno));
    k->ioapic.chip_id = KVM_IRQCHIP_IOAPIC;
    if (ioctl(k->vm, KVM_GET_IRQCHIP, &k->ioapic) < 0)
        return error_set(e, -errno, "/dev/kvm: cannot read the IOAPIC: %s", strerror(errno));
    r = init_routing(k);
    if (r < 0)
        return error_set(e, r, "/dev/kvm: cannot route interrupts: %s", strerror(-r));
    return 0;
}

int kvm_init(struct kvm *k, int kvm_fd, struct error *e)
{
    size_t run_size = 0;
    int r = check_host(kvm_fd, &run_size, e);

    if (r < 0)
        return r;
    *k = (struct kvm){.fd = kvm_fd, .vm = -1, .run_size = run_size, .vfio_dev = -1};
    r = create_vm(k, e);
    if (r < 0) {
        k->fd = -1; /* only success takes it over */
        kvm_done(k);
    }
    return r;
}

void kvm_done(struct kvm *k)
{
    closep(&k->vfio_dev);
    closep(&k->vm);
    closep(&k->fd);
    free(TAKE_PTR(k->routes));
    k->num_routes = 0;
}

int kvm_reset_ioapic(struct kvm *k)
{
    return ioctl(k->vm, KVM_SET_IRQCHIP, &k->ioapic) < 0 ? -errno : 0;
}

int kvm_slot_add(struct kvm *k, uint64_t gpa, uint64_t size, void *hva, uint32_t flags)
{
    const int slot = take_bit(k->slots, 0, KVM_SLOTS_MAX);
    struct kvm_userspace_memory_region region = {
        .slot = (uint32_t)slot,
        .flags = flags,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uint64_t)(uintptr_t)hva,
    };

    if (slot < 0)
        return slot;
    if (ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        const int r = -errno;

        set_bit(k->slots, (unsigned)slot, false);
        return r;
    }
    return slot;
}

void kvm_slot_remove(struct kvm *k, int slot)
{
    /* Size 0 deletes the slot; a slot that exists can't fail to be deleted. */
    struct kvm_userspace_memory_region region = {.slot = (uint32_t)slot};

    if (slot < 0)
        return;
    (void)ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region);
    set_bit(k->slots, (unsigned)slot, false);
}

int kvm_msi_alloc(struct kvm *k)
{
    return take_bit(k->gsis, KVM_GSI_MSI_FIRST, KVM_ROUTES_MAX);
}

static struct kvm_irq_routing_entry *find_route(struct kvm *k, int gsi)
{
    for (unsigned i = IOAPIC_PINS; i < k->num_routes; i++)
        if (k->routes[i].gsi == (uint32_t)gsi)
            return &k->routes[i];
    return NULL;
}

int kvm_msi_route(struct kvm *k, int gsi, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry *entry = find_route(k, gsi);
    const struct kvm_irq_routing_entry fresh = {
        .gsi = (uint32_t)gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = {.address_lo = (uint32_t)address,
                  .address_hi = (uint32_t)(address >> 32),
                  .data = data},
    };
    struct kvm_irq_routing_entry old = fresh;
    const bool is_new = entry == NULL;
    int r;

    if (is_new)
        entry = &k->routes[k->num_routes++]; /* kvm_msi_alloc has seen that there is room */
    else
        old = *entry;
    if (!is_new && memcmp(&old.u.msi, &fresh.u.msi, sizeof(old.u.msi)) == 0)
        return 0; /* the call waits for a grace period: worth saving */
    *entry = fresh;
    r = set_routing(k);
    if (r < 0) {
        *entry = old;
        k->num_routes -= is_new;
    }
    return r;
}

void kvm_msi_free(struct kvm *k, int gsi)
{
    struct kvm_irq_routing_entry *entry;

    if (gsi < KVM_GSI_MSI_FIRST)
        return;
    entry = find_route(k, gsi);
    if (entry) {
        *entry = k->routes[--k->num_routes];
        /* A route that stays behind on failure leads nowhere: nothing signals its GSI. */
        (void)set_routing(k);
    }
    set_bit(k->gsis, (unsigned)gsi, false);
}

int kvm_irqfd(struct kvm *k, int eventfd, int gsi, bool assign)
{
    struct kvm_irqfd irqfd = {
        .fd = (uint32_t)eventfd,
        .gsi = (uint32_t)gsi,
        .flags = assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
    };

    return ioctl(k->vm, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

int kvm_irq_line(struct kvm *k, int gsi, bool high)
{
    struct kvm_irq_level line = {.irq = (uint32_t)gsi, .level = high};

    return ioctl(k->vm, KVM_IRQ_LINE, &line) < 0 ? -errno : 0;
}

int kvm_ioeventfd_mmio(struct kvm *k, int eventfd, uint64_t gpa, bool assign)
{
    /* Length 0 matches any, and is the kernel's fast path: the write isn't even decoded. */
    struct kvm_ioeventfd ioeventfd = {
        .addr = gpa,
        .fd = eventfd,
        .flags = assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
    };

    return ioctl(k->vm, KVM_IOEVENTFD, &ioeventfd) < 0 ? -errno : 0;
}

static int make_vfio_device(struct kvm *k)
{
    struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};

    if (k->vfio_dev >= 0)
        return 0;
    if (ioctl(k->vm, KVM_CREATE_DEVICE, &device) < 0)
        return -errno;
    k->vfio_dev = (int)device.fd;
    return 0;
}

int kvm_vfio_add_group(struct kvm *k, int group_fd, bool add)
{
    int32_t fd = group_fd;
    struct kvm_device_attr attr = {
        .group = KVM_DEV_VFIO_GROUP,
        .attr = add ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
        .addr = (uint64_t)(uintptr_t)&fd,
    };
    int r = make_vfio_device(k);

    if (r < 0)
        return r;
    return ioctl(k->vfio_dev, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}
