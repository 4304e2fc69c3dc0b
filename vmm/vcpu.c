/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vcpu.h"

#include "vmm/machine.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MSR_TSC        0x10U
#define MSR_TSC_ADJUST 0x3bU
#define MSR_MTRR_TYPE  0x2ffU
/* MTRRs on, everything write-back: with a VFIO device that isn't coherent KVM honours them, and
 * uncached RAM would make the guest twenty times slower. */
#define MTRR_ON_WRITE_BACK 0x806U

#define CR0_PE     (1U << 0)
#define CR0_ET     (1U << 4)
#define CR0_PG     (1U << 31)
#define CR4_PAE    (1U << 5)
#define EFER_LME   (1U << 8)
#define EFER_LMA   (1U << 10)
#define RFLAGS_SET 0x2U
#define RFLAGS_IF  0x200U

#define SEGMENT_CODE 0xb
#define SEGMENT_DATA 0x3
#define SEGMENT_TSS  0xb

#define MSRS_MAX 512
#define STACK    (128UL << 10)

/* struct kvm_msrs with room for one entry, and for as many as there are. */
struct vcpu_msr {
    uint32_t num;
    uint32_t pad;
    struct kvm_msr_entry entry;
};

struct vcpu_msrs {
    unsigned num;
    struct kvm_msr_entry entries[];
};

/* In the order it is put back: the LAPIC's mode is part of sregs. */
struct vcpu_state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    _Alignas(8) uint8_t xsave[sizeof(struct kvm_xsave)];
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debugregs;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp_state;
    struct vcpu_msrs *msrs;
};

static const struct {
    const char *name;
    unsigned long get, set;
    size_t offset;
} parts[] = {
    {"registers", KVM_GET_REGS, KVM_SET_REGS, offsetof(struct vcpu_state, regs)},
    {"system registers", KVM_GET_SREGS, KVM_SET_SREGS, offsetof(struct vcpu_state, sregs)},
    {"extended control registers", KVM_GET_XCRS, KVM_SET_XCRS, offsetof(struct vcpu_state, xcrs)},
    {"FPU", KVM_GET_XSAVE, KVM_SET_XSAVE, offsetof(struct vcpu_state, xsave)},
    {"debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
     offsetof(struct vcpu_state, debugregs)},
    {"LAPIC", KVM_GET_LAPIC, KVM_SET_LAPIC, offsetof(struct vcpu_state, lapic)},
    {"events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, offsetof(struct vcpu_state, events)},
    {"run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, offsetof(struct vcpu_state, mp_state)},
};

static _Thread_local struct kvm_run *kicked_run;

static void on_kick(int signal _unused_)
{
    if (kicked_run)
        kicked_run->immediate_exit = 1;
}

/* A reset leaves the clock running: the guest's timekeeping tolerates no step back while other
 * CPUs still hold the old value. */
static bool survives_reset(uint32_t msr)
{
    return msr == MSR_TSC || msr == MSR_TSC_ADJUST;
}

static int list_msrs(int kvm_fd, struct kvm_msr_list **ret)
{
    struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));

    if (!list)
        return -ENOMEM;
    list->nmsrs = MSRS_MAX;
    if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
        const int r = -errno;

        free(list);
        return r;
    }
    *ret = list;
    return 0;
}

/* Read every MSR that KVM keeps for a guest. The list tells of some that this vCPU lacks: reading
 * stops at such a one, which is left out. */
static int get_msrs(struct vcpu *v, struct vcpu_msrs **ret)
{
    _cleanup_free_ struct kvm_msr_list *list = NULL;
    struct vcpu_msrs *msrs;
    struct vcpu_msr one = {.num = 1};
    int r = list_msrs(v->machine->kvm.fd, &list);

    if (r < 0)
        return r;
    msrs = calloc(1, sizeof(*msrs) + list->nmsrs * sizeof(msrs->entries[0]));
    if (!msrs)
        return -ENOMEM;
    for (unsigned i = 0; i < list->nmsrs; i++) {
        one.entry = (struct kvm_msr_entry){.index = list->indices[i]};
        if (!survives_reset(one.entry.index) && ioctl(v->fd, KVM_GET_MSRS, &one) == 1)
            msrs->entries[msrs->num++] = one.entry;
    }
    *ret = msrs;
    return 0;
}

/* One by one: KVM stops at the first it refuses, such as one that is read-only. */
static void set_msrs(struct vcpu *v, const struct vcpu_msrs *msrs)
{
    for (unsigned i = 0; i < msrs->num; i++) {
        struct vcpu_msr one = {.num = 1, .entry = msrs->entries[i]};

        (void)ioctl(v->fd, KVM_SET_MSRS, &one);
    }
}

static int save_power_on(struct vcpu *v, struct error *e)
{
    struct vcpu_state *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return error_set(e, -ENOMEM, "out of memory for vCPU %u", v->index);
    v->power_on = s;
    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        if (ioctl(v->fd, parts[i].get, (char *)s + parts[i].offset) < 0)
            return error_set(e, -errno, "vCPU %u: cannot read its %s: %s", v->index, parts[i].name,
                             strerror(errno));
    r = get_msrs(v, &s->msrs);
    return r < 0 ? error_set(e, r, "vCPU %u: cannot read its MSRs: %s", v->index, strerror(-r)) : 0;
}

static int set_up(struct vcpu *v, const struct kvm_cpuid2 *cpuid, struct error *e)
{
    struct vcpu_msr mtrr = {.num = 1,
                            .entry = {.index = MSR_MTRR_TYPE, .data = MTRR_ON_WRITE_BACK}};

    v->fd = ioctl(v->machine->kvm.vm, KVM_CREATE_VCPU, (unsigned long)v->index);
    if (v->fd < 0)
        return error_set(e, -errno, "/dev/kvm: cannot create vCPU %u: %s", v->index,
                         strerror(errno));
    v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (v->run == MAP_FAILED) {
        v->run = NULL;
        return error_set(e, -errno, "/dev/kvm: cannot map vCPU %u: %s", v->index, strerror(errno));
    }
    if (ioctl(v->fd, KVM_SET_CPUID2, cpuid) < 0)
        return error_set(e, -errno, "/dev/kvm: cannot set the CPUID of vCPU %u: %s", v->index,
                         strerror(errno));
    if (ioctl(v->fd, KVM_SET_MSRS, &mtrr) != 1)
        return error_set(e, -EIO, "/dev/kvm: cannot set the memory type of vCPU %u", v->index);
    return save_power_on(v, e);
}

int vcpu_init(struct vcpu *v, struct machine *m, unsigned index, const struct kvm_cpuid2 *cpuid,
              struct error *e)
{
    int r;

    *v = (struct vcpu){.machine = m, .index = index, .fd = -1, .run_size = m->kvm.run_size};
    r = set_up(v, cpuid, e);
    if (r < 0)
        vcpu_done(v);
    return r;
}

void vcpu_done(struct vcpu *v)
{
    if (v->power_on)
        free(v->power_on->msrs);
    free(TAKE_PTR(v->power_on));
    if (v->run)
        munmap(v->run, v->run_size);
    v->run = NULL;
    closep(&v->fd);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_system)
{
    return (struct kvm_segment){.limit = is_system ? 0x67 : UINT32_MAX,
                                .selector = selector,
                                .type = type,
                                .present = 1,
                                .db = !is_system,
                                .s = !is_system,
                                .g = !is_system};
}

/* The state both boot protocols ask for, but for their mode: flat segments, interrupts off. */
static void enter(struct vcpu_state *s, const struct boot_entry *entry)
{
    const struct kvm_segment data = segment(BOOT_DS, SEGMENT_DATA, false);
    struct kvm_sregs *sregs = &s->sregs;

    sregs->cs = segment(BOOT_CS, SEGMENT_CODE, false);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->tr = segment(BOOT_TR, SEGMENT_TSS, true);
    sregs->gdt = (struct kvm_dtable){.base = BOOT_GDT, .limit = BOOT_TR + 7};
    sregs->idt = (struct kvm_dtable){0};
    sregs->cr0 = CR0_PE | CR0_ET;
    s->regs = (struct kvm_regs){.rip = entry->ip, .rflags = RFLAGS_SET};
    if (!entry->long_mode) {
        s->regs.rbx = entry->info;
        return;
    }
    s->regs.rsi = entry->info;
    sregs->cs.l = 1;
    sregs->cs.db = 0;
    sregs->cr0 |= CR0_PG;
    sregs->cr3 = BOOT_PAGE_TABLES;
    sregs->cr4 = CR4_PAE;
    sregs->efer = EFER_LME | EFER_LMA;
}

int vcpu_reset(struct vcpu *v, const struct boot_entry *entry, struct error *e)
{
    struct vcpu_state state = *v->power_on;

    if (entry)
        enter(&state, entry);
    /* MSRs first: among them is kvmclock's, which would go on writing to its page. */
    set_msrs(v, state.msrs);
    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        if (ioctl(v->fd, parts[i].set, (char *)&state + parts[i].offset) < 0)
            return error_set(e, -errno, "vCPU %u: cannot set its %s: %s", v->index, parts[i].name,
                             strerror(errno));
    return 0;
}

static void handle_io(struct vcpu *v)
{
    struct machine *m = v->machine;
    const struct kvm_run *run = v->run;
    uint8_t *data = (uint8_t *)v->run + run->io.data_offset;

    pthread_mutex_lock(&m->lock);
    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint64_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, run->io.size);
            bus_write(&m->pio, run->io.port, run->io.size, value);
        } else {
            value = bus_read(&m->pio, run->io.port, run->io.size);
            memcpy(data, &value, run->io.size);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

static void handle_mmio(struct vcpu *v)
{
    struct machine *m = v->machine;
    struct kvm_run *run = v->run;
    uint64_t value = 0;

    pthread_mutex_lock(&m->lock);
    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, run->mmio.len);
        bus_write(&m->mmio, run->mmio.phys_addr, run->mmio.len, value);
    } else {
        value = bus_read(&m->mmio, run->mmio.phys_addr, run->mmio.len);
        memcpy(run->mmio.data, &value, run->mmio.len);
    }
    pthread_mutex_unlock(&m->lock);
}

static void handle_exit(struct vcpu *v)
{
    struct machine *m = v->machine;
    const struct kvm_run *run = v->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        handle_io(v);
        break;
    case KVM_EXIT_MMIO:
        handle_mmio(v);
        break;
    case KVM_EXIT_INTR:
        break;
    case KVM_EXIT_SHUTDOWN:
        machine_request(m, MACHINE_TRIPLE_FAULT, "vCPU %u: triple fault", v->index);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        machine_request(m,
                        run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? MACHINE_POWER_OFF
                        : run->system_event.type == KVM_SYSTEM_EVENT_RESET  ? MACHINE_RESET
                                                                            : MACHINE_CRASH,
                        "vCPU %u: system event %u", v->index, run->system_event.type);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        machine_request(m, MACHINE_CRASH, "vCPU %u: the CPU refused to enter the guest (0x%llx)",
                        v->index, run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        machine_request(m, MACHINE_CRASH, "vCPU %u: KVM cannot go on: internal error %u%s",
                        v->index, run->internal.suberror,
                        run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                            ? ", an instruction it can't emulate"
                            : "");
        break;
    default:
        machine_request(m, MACHINE_CRASH, "vCPU %u: exit %u, which nothing here can cause",
                        v->index, run->exit_reason);
        break;
    }
}

/* Enter the guest once. 0: an exit has been handled; -EINTR: kicked. */
static int run_once(struct vcpu *v)
{
    if (ioctl(v->fd, KVM_RUN, 0) < 0) {
        const int r = -errno;

        if (r == -EINTR || r == -EAGAIN)
            return -EINTR;
        machine_request(v->machine, MACHINE_CRASH, "vCPU %u: KVM_RUN: %s", v->index, strerror(-r));
        return -EINTR;
    }
    handle_exit(v);
    return 0;
}

/* An exit's instruction completes on the next KVM_RUN. Before the vCPU's state may be replaced
 * that has to happen, without running the guest any further: that is what immediate_exit with
 * no signal does. */
static void settle(struct vcpu *v)
{
    do
        v->run->immediate_exit = 1;
    while (run_once(v) == 0);
}

static void *run_thread(void *opaque)
{
    struct vcpu *v = opaque;
    char name[16];

    snprintf(name, sizeof(name), "vcpu%u", v->index);
    pthread_setname_np(pthread_self(), name);
    kicked_run = v->run;
    for (;;) {
        v->run->immediate_exit = 0;
        if (machine_paused(v->machine)) {
            settle(v);
            if (!machine_park(v->machine))
                return NULL;
            continue;
        }
        (void)run_once(v);
    }
}

int vcpu_start(struct vcpu *v, struct error *e)
{
    const struct sigaction action = {.sa_handler = on_kick};
    pthread_attr_t attr;
    int r;

    sigaction(VCPU_KICK_SIGNAL, &action, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    r = -pthread_create(&v->thread, &attr, run_thread, v);
    pthread_attr_destroy(&attr);
    if (r < 0)
        return error_set(e, r, "vCPU %u: cannot start its thread: %s", v->index, strerror(-r));
    v->has_thread = true;
    return 0;
}

void vcpu_kick(struct vcpu *v)
{
    if (v->has_thread)
        pthread_kill(v->thread, VCPU_KICK_SIGNAL);
}

bool vcpu_is_dead(const struct vcpu *v)
{
    struct kvm_mp_state state;
    struct kvm_regs regs;

    if (ioctl(v->fd, KVM_GET_MP_STATE, &state) < 0 || ioctl(v->fd, KVM_GET_REGS, &regs) < 0)
        return false;
    if (state.mp_state == KVM_MP_STATE_HALTED)
        return !(regs.rflags & RFLAGS_IF);
    return state.mp_state == KVM_MP_STATE_UNINITIALIZED ||
           state.mp_state == KVM_MP_STATE_INIT_RECEIVED;
}

void vcpu_join(struct vcpu *v)
{
    if (v->has_thread)
        pthread_join(v->thread, NULL);
    v->has_thread = false;
}
