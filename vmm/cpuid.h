/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a vCPU says of itself: all that KVM supports on this host, with the topology of this VM
 * (one socket, a core each, APIC ids 0..n-1).
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include "basic/error.h"
#include <linux/kvm.h>
#include <stdint.h>

#define CPUID_ENTRIES_MAX 256

/* cpuid_supported - KVM's table, with room for CPUID_ENTRIES_MAX; the caller frees it. */
int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct error *e) _must_check_;

/* cpuid_fit - make KVM's table that of CPU @cpu of @num_cpus. May be done again for the next. */
void cpuid_fit(struct kvm_cpuid2 *c, unsigned cpu, unsigned num_cpus);

/* cpuid_phys_bits - width of the guest's physical addresses. */
unsigned cpuid_phys_bits(const struct kvm_cpuid2 *c);

#endif
