/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/machine.h"

#include "basic/log.h"
#include "vmm/acpi.h"
#include "vmm/console.h"
#include "vmm/cpuid.h"
#include "vmm/nic.h"
#include "vmm/power.h"
#include "vmm/serial.h"
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

/* The 64-bit PCI window: room for the largest BARs of a few devices, within what a 39-bit IOMMU
 * translates unless RAM reaches beyond. */
#define WINDOW64_SIZE  (64ULL << 30)
#define WINDOW64_ALIGN (1ULL << 30)
#define IOMMU_REACH    (1ULL << 39)

void machine_request(struct machine *m, enum machine_request request, const char *fmt, ...)
{
    int nothing = MACHINE_NOTHING;
    const uint64_t one = 1;
    va_list ap;

    if (!atomic_compare_exchange_strong(&m->request, &nothing, request))
        return;
    va_start(ap, fmt);
    vsnprintf(m->reason, sizeof(m->reason), fmt, ap);
    va_end(ap);
    atomic_store(&m->paused, true);
    (void)!write(m->wake, &one, sizeof(one));
}

bool machine_park(struct machine *m)
{
    bool goes_on;

    pthread_mutex_lock(&m->lock);
    m->num_parked++;
    pthread_cond_broadcast(&m->changed);
    while (machine_paused(m) && !m->ending)
        pthread_cond_wait(&m->changed, &m->lock);
    m->num_parked--;
    goes_on = !m->ending;
    pthread_mutex_unlock(&m->lock);
    return goes_on;
}

static unsigned count_threads(const struct machine *m)
{
    unsigned n = 0;

    for (unsigned i = 0; i < m->num_vcpus; i++)
        n += m->vcpus[i].has_thread;
    return n;
}

void machine_pause(struct machine *m)
{
    const unsigned threads = count_threads(m);

    atomic_store(&m->paused, true);
    for (unsigned i = 0; i < m->num_vcpus; i++)
        vcpu_kick(&m->vcpus[i]);
    pthread_mutex_lock(&m->lock);
    while (m->num_parked < threads)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

void machine_resume(struct machine *m)
{
    pthread_mutex_lock(&m->lock);
    atomic_store(&m->paused, false);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

/* Load everything and put every vCPU at its start. The vCPUs are parked or have no thread yet. */
static int load(struct machine *m, struct error *e)
{
    struct boot_entry entry = {0};
    int r = acpi_build(&m->memory, m->num_vcpus, m->pci.window64_start, m->pci.window64_end, e);

    power_put_reset_vector(&m->memory);
    if (r == 0)
        r = boot_load(&m->memory, &m->config.files, ACPI_RSDP, &entry, e);
    for (unsigned i = 0; r == 0 && i < m->num_vcpus; i++)
        r = vcpu_reset(&m->vcpus[i], i == 0 ? &entry : NULL, e);
    return r;
}

static int reset(struct machine *m, struct error *e)
{
    int r;

    nic_set_reset(m->nics);
    pthread_mutex_lock(&m->lock);
    pci_bus_reset(&m->pci);
    serial_reset(m->serial);
    r = kvm_reset_ioapic(&m->kvm);
    pthread_mutex_unlock(&m->lock);
    if (r < 0)
        return error_set(e, r, "cannot reset the interrupt controller: %s", strerror(-r));
    return load(m, e);
}

static void end(struct machine *m, int result, const char *reason)
{
    m->result = result;
    if (result < 0)
        error_set(m->outcome, result, "%s: %s", m->name, reason);
    loop_quit(&m->loop);
}

static void reboot(struct machine *m)
{
    int r;

    if (m->config.no_reboot) {
        log_info("%s: %s; it may not reboot, so this is the end", m->name, m->reason);
        end(m, 0, NULL);
        return;
    }
    r = reset(m, m->outcome);
    if (r < 0) {
        m->result = error_prefix(m->outcome, "%s: cannot reboot", m->name);
        loop_quit(&m->loop);
        return;
    }
    atomic_store(&m->request, MACHINE_NOTHING);
    early_start(m);
    machine_resume(m);
}

static void triple_fault(struct machine *m)
{
    if (early_fault(m))
        end(m, -EIO,
            "the guest only triple-faults, without a word on its console: is the kernel "
            "file corrupt?");
    else
        reboot(m);
}

static void on_wake(void *opaque, uint32_t events _unused_)
{
    struct machine *m = opaque;
    uint64_t count;

    (void)!read(m->wake, &count, sizeof(count));
    machine_pause(m);
    switch ((enum machine_request)atomic_load(&m->request)) {
    case MACHINE_NOTHING:
        break;
    case MACHINE_POWER_OFF:
        end(m, 0, NULL);
        break;
    case MACHINE_RESET:
        m->early.faults = 0;
        reboot(m);
        break;
    case MACHINE_TRIPLE_FAULT:
        triple_fault(m);
        break;
    case MACHINE_CRASH:
        end(m, -EIO, m->reason);
        break;
    }
}

static void on_signal(void *opaque, uint32_t events _unused_)
{
    end(opaque, 0, NULL);
}

static void on_console_quit(void *opaque)
{
    end(opaque, 0, NULL);
}

static void serial_output(void *opaque, uint8_t byte)
{
    struct machine *m = opaque;

    console_put(m->console, byte);
}

static void serial_drained(void *opaque)
{
    struct machine *m = opaque;

    console_drained(m->console);
}

static void serial_interrupt(void *opaque)
{
    const struct machine *m = opaque;
    const uint64_t one = 1;

    (void)!write(m->serial_irq, &one, sizeof(one));
}

static const struct serial_ops serial_ops = {
    .output = serial_output,
    .drained = serial_drained,
    .interrupt = serial_interrupt,
};

static int init_console(struct machine *m, struct error *e)
{
    const struct console_wiring wiring = {
        .loop = &m->loop,
        .serial = m->serial,
        .lock = &m->lock,
        .paused = &m->paused,
        .quit = on_console_quit,
        .opaque = m,
    };
    int r = serial_init(m->serial, &m->pio, &serial_ops, m);

    if (r == 0)
        r = kvm_irqfd(&m->kvm, m->serial_irq, SERIAL_GSI, true);
    if (r < 0)
        return error_set(e, r, "cannot make the serial port: %s", strerror(-r));
    return console_attach(m->console, &wiring, e);
}

/* SIGTERM and its like end the machine as the user's wish. */
static int watch_signals(struct machine *m)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return m->signals < 0 ? -errno : loop_add(&m->loop, m->signals, EPOLLIN, on_signal, m);
}

/* All that only memory or file descriptors can be lacking for. */
static int init_basics(struct machine *m, struct error *e)
{
    int r = loop_init(&m->loop);

    m->serial = calloc(1, sizeof(*m->serial));
    m->vcpus = calloc(m->config.cpus, sizeof(*m->vcpus));
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->serial_irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r == 0 && (!m->serial || !m->vcpus))
        r = -ENOMEM;
    if (r == 0 && (m->wake < 0 || m->serial_irq < 0))
        r = -EMFILE;
    if (r == 0)
        r = loop_add(&m->loop, m->wake, EPOLLIN, on_wake, m);
    if (r == 0)
        r = watch_signals(m);
    if (r == 0)
        r = early_init(m);
    return r < 0 ? error_set(e, r, "cannot make the machine: %s", strerror(-r)) : 0;
}

static int init_memory(struct machine *m, struct error *e)
{
    int r = memory_init(&m->memory, m->config.memory, e);

    for (unsigned i = 0; r == 0 && i < m->memory.num_regions; i++) {
        const struct memory_region *region = &m->memory.regions[i];

        r = kvm_slot_add(&m->kvm, region->gpa, region->size, region->hva, 0);
        if (r < 0)
            return error_set(e, r, "cannot give the guest its memory: %s", strerror(-r));
        r = 0;
    }
    return r;
}

static uint64_t align_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) & -to;
}

/* Where the 64-bit window is: at a multiple of its own size above RAM where it fits, so that any
 * BAR does; else what there is. */
static int init_pci(struct machine *m, unsigned phys_bits, struct error *e)
{
    const uint64_t ram_end = memory_end(&m->memory), reach = 1ULL << phys_bits;
    const uint64_t limit = reach > IOMMU_REACH && ram_end < IOMMU_REACH ? IOMMU_REACH : reach;
    uint64_t start = align_up(ram_end, WINDOW64_SIZE), window_end;

    if (start + WINDOW64_SIZE > limit)
        start = align_up(ram_end, WINDOW64_ALIGN);
    window_end = start + WINDOW64_SIZE < limit ? start + WINDOW64_SIZE : limit;
    if (start >= window_end)
        return error_set(e, -ERANGE,
                         "%s: memory of %llu MiB leaves no room for devices in the %u bits of this "
                         "CPU's addresses: give it less",
                         m->name, (unsigned long long)(m->memory.size >> 20), phys_bits);
    return pci_bus_init(&m->pci, &m->mmio, start, window_end, e);
}

static int init_ports(struct machine *m, struct error *e)
{
    int r = power_init(m);

    if (r == 0)
        r = cmos_init(&m->cmos, &m->pio);
    return r < 0 ? error_set(e, r, "cannot make the machine's ports: %s", strerror(-r)) : 0;
}

static int init_nics(struct machine *m, struct error *e)
{
    m->nics = calloc(1, sizeof(*m->nics));
    if (!m->nics)
        return error_set(e, -ENOMEM, "cannot make the machine: out of memory");
    return nic_set_init(m->nics, m, e);
}

static int init_vcpus(struct machine *m, struct kvm_cpuid2 *cpuid, struct error *e)
{
    for (unsigned i = 0; i < m->config.cpus; i++) {
        int r;

        cpuid_fit(cpuid, i, m->config.cpus);
        r = vcpu_init(&m->vcpus[i], m, i, cpuid, e);
        if (r < 0)
            return r;
        m->num_vcpus++;
    }
    return 0;
}

static int init(struct machine *m, struct error *e)
{
    _cleanup_free_ struct kvm_cpuid2 *cpuid = NULL;
    int r = init_basics(m, e);

    if (r == 0)
        r = cpuid_supported(m->kvm.fd, &cpuid, e);
    if (r == 0)
        r = init_memory(m, e);
    if (r == 0)
        r = init_pci(m, cpuid_phys_bits(cpuid), e);
    if (r == 0)
        r = init_ports(m, e);
    if (r == 0)
        r = init_nics(m, e);
    if (r == 0)
        r = init_console(m, e);
    if (r == 0)
        r = init_vcpus(m, cpuid, e);
    return r;
}

int machine_init(struct machine *m, const struct machine_config *config, int kvm_fd,
                 struct console *console, struct error *e)
{
    int r;

    *m = (struct machine){
        .name = config->name,
        .loop.epoll = -1,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .console = console,
        .serial_irq = -1,
        .early.timer = -1,
        .config = *config,
        .signals = -1,
        .wake = -1,
        .paused = true,
    };
    r = kvm_init(&m->kvm, kvm_fd, e);
    if (r < 0) {
        close(kvm_fd);
        return r;
    }
    r = init(m, e);
    if (r < 0)
        machine_done(m);
    return r;
}

int machine_start(struct machine *m, struct error *e)
{
    int r = load(m, e);

    for (unsigned i = 0; r == 0 && i < m->num_vcpus; i++)
        r = vcpu_start(&m->vcpus[i], e);
    /* Until they have parked: a thread's first steps are calls the sandbox refuses. */
    machine_pause(m);
    return r;
}

int machine_run(struct machine *m, struct error *e)
{
    int r;

    m->outcome = e;
    early_start(m);
    machine_resume(m);
    r = loop_run(&m->loop);
    machine_pause(m);
    return r < 0 ? error_set(e, r, "event loop: %s", strerror(-r)) : m->result;
}

void machine_done(struct machine *m)
{
    pthread_mutex_lock(&m->lock);
    m->ending = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < m->num_vcpus; i++)
        vcpu_join(&m->vcpus[i]);
    for (unsigned i = 0; i < m->num_vcpus; i++)
        vcpu_done(&m->vcpus[i]);
    free(TAKE_PTR(m->vcpus));
    if (m->nics)
        nic_set_done(m->nics);
    free(TAKE_PTR(m->nics));
    pci_bus_done(&m->pci);
    closep(&m->serial_irq);
    kvm_done(&m->kvm);
    memory_done(&m->memory);
    loop_done(&m->loop);
    free(TAKE_PTR(m->serial));
    early_done(m);
    closep(&m->signals);
    closep(&m->wake);
}
