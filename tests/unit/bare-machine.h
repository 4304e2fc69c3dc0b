/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine without vCPUs, for tests of devices: real KVM, 64 MiB of memory, an empty PCI bus. */
#ifndef TESTS_UNIT_BARE_MACHINE_H
#define TESTS_UNIT_BARE_MACHINE_H

#include "unit.h"
#include "vmm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#define BARE_MEMORY (64ULL << 20)

/* Skips the test, saying why, where there is no KVM to use. */
static inline void bare_machine_init(struct machine *m)
{
    struct error e = ERROR_INIT;
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    *m = (struct machine){.name = "test", .lock = PTHREAD_MUTEX_INITIALIZER};
    if (fd < 0) {
        print_message("SKIP: /dev/kvm: %s\n", strerror(errno));
        skip();
    }
    if (kvm_init(&m->kvm, fd, &e) < 0) {
        close(fd);
        print_message("SKIP: %s\n", e.text);
        skip();
    }
    assert_int_equal(memory_init(&m->memory, BARE_MEMORY, &e), 0);
    assert_int_equal(pci_bus_init(&m->pci, &m->mmio, MEMORY_4G, 2 * MEMORY_4G, &e), 0);
}

static inline void bare_machine_done(struct machine *m)
{
    pci_bus_done(&m->pci);
    memory_done(&m->memory);
    kvm_done(&m->kvm);
}

#define APIC_SPIV         0xf0 /* Intel SDM 3A, 11.4.1 */
#define APIC_SPIV_ENABLED 0x100
#define APIC_IRR          0x200

/* A vCPU that never runs, whose LAPIC takes interrupts; its fd. */
static inline int bare_vcpu(struct machine *m)
{
    struct kvm_lapic_state lapic;
    int fd = ioctl(m->kvm.vm, KVM_CREATE_VCPU, 0);

    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, KVM_GET_LAPIC, &lapic), 0);
    lapic.regs[APIC_SPIV + 1] |= APIC_SPIV_ENABLED >> 8;
    assert_int_equal(ioctl(fd, KVM_SET_LAPIC, &lapic), 0);
    return fd;
}

/* Has the interrupt reached the LAPIC, or will it within a second? */
static inline bool bare_vcpu_has(int vcpu, uint8_t vector)
{
    struct kvm_lapic_state lapic;

    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(ioctl(vcpu, KVM_GET_LAPIC, &lapic), 0);
        if (lapic.regs[APIC_IRR + vector / 32 * 16 + vector % 32 / 8] & 1 << vector % 8)
            return true;
        usleep(10000);
    }
    return false;
}

/* Forget the interrupts it has. */
static inline void bare_vcpu_clear(int vcpu)
{
    struct kvm_lapic_state lapic;

    assert_int_equal(ioctl(vcpu, KVM_GET_LAPIC, &lapic), 0);
    memset(lapic.regs + APIC_IRR, 0, 8 * 16);
    assert_int_equal(ioctl(vcpu, KVM_SET_LAPIC, &lapic), 0);
}

/* Through ECAM, as a guest does. */
static inline uint64_t config_at(unsigned slot, unsigned offset)
{
    return PCI_ECAM_BASE + slot * 8 * PCI_CONFIG_SIZE + offset;
}

#endif
