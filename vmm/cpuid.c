/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/cpuid.h"

#include <errno.h>
#include <sys/ioctl.h>

#define LEAF_BASIC      0x00000000U
#define LEAF_FEATURES   0x00000001U
#define LEAF_CACHES     0x00000004U /* Intel */
#define LEAF_TOPOLOGY   0x0000000BU
#define LEAF_TOPOLOGY2  0x0000001FU
#define LEAF_ADDRESSES  0x80000008U
#define LEAF_CACHES_AMD 0x8000001DU
#define LEAF_NODE_AMD   0x8000001EU

#define FEATURE_ECX_X2APIC       (1U << 21)
#define FEATURE_ECX_TSC_DEADLINE (1U << 24) /* the kernel's LAPIC has it, whatever the host has */
#define FEATURE_ECX_HYPERVISOR   (1U << 31)
#define FEATURE_EDX_HTT          (1U << 28) /* more than one logical CPU in the package */

#define TOPOLOGY_THREAD 1U
#define TOPOLOGY_CORE   2U

#define PHYS_BITS_DEFAULT 36U /* of a CPU that doesn't say */

int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct error *e)
{
    struct kvm_cpuid2 *c =
        calloc(1, sizeof(*c) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));

    if (!c)
        return error_set(e, -ENOMEM, "out of memory for CPUID");
    c->nent = CPUID_ENTRIES_MAX;
    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) < 0) {
        const int r = -errno;

        free(c);
        return error_set(e, r, "/dev/kvm: cannot read the supported CPUID: %s", strerror(-r));
    }
    *ret = c;
    return 0;
}

/* Bits that hold the numbers 0..n-1. */
static unsigned width(unsigned n)
{
    unsigned bits = 0;

    while ((1U << bits) < n)
        bits++;
    return bits;
}

static void fit_features(struct kvm_cpuid_entry2 *entry, unsigned cpu, unsigned num_cpus)
{
    entry->ebx = (entry->ebx & 0xffff) | (1U << width(num_cpus)) << 16 | cpu << 24;
    entry->ecx |= FEATURE_ECX_X2APIC | FEATURE_ECX_TSC_DEADLINE | FEATURE_ECX_HYPERVISOR;
    if (num_cpus > 1)
        entry->edx |= FEATURE_EDX_HTT;
    else
        entry->edx &= ~FEATURE_EDX_HTT;
}

/* How many CPUs share a cache: bits 25..14 of EAX, less one. The first two levels are a core's
 * own, the third is everyone's. Intel counts the package's cores in bits 31..26 as well. */
static void fit_cache(struct kvm_cpuid_entry2 *entry, unsigned num_cpus)
{
    const unsigned level = entry->eax >> 5 & 7;
    const unsigned all = (1U << width(num_cpus)) - 1;

    entry->eax &= entry->function == LEAF_CACHES ? 0x00003fffU : 0xfc003fffU;
    if (level > 2)
        entry->eax |= all << 14;
    if (entry->function == LEAF_CACHES && (entry->eax & 0x1f) != 0)
        entry->eax |= (all < 63 ? all : 63) << 26;
}

static void fit_entry(struct kvm_cpuid_entry2 *entry, unsigned cpu, unsigned num_cpus)
{
    switch (entry->function) {
    case LEAF_FEATURES:
        fit_features(entry, cpu, num_cpus);
        break;
    case LEAF_CACHES:
    case LEAF_CACHES_AMD:
        fit_cache(entry, num_cpus);
        break;
    case LEAF_ADDRESSES:
        /* AMD: cores less one, and the bits of the APIC id that tell them apart. Intel: 0. */
        if (entry->ecx != 0)
            entry->ecx = width(num_cpus) << 12 | (num_cpus - 1);
        break;
    case LEAF_NODE_AMD:
        entry->eax = cpu;
        entry->ebx = cpu; /* core id; one thread a core */
        entry->ecx = 0;   /* one node */
        break;
    }
}

static void remove_leaf(struct kvm_cpuid2 *c, uint32_t function)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function != function)
            c->entries[kept++] = c->entries[i];
    c->nent = kept;
}

static void add_topology(struct kvm_cpuid2 *c, uint32_t function, unsigned cpu, unsigned num_cpus)
{
    /* Per level: the shift that yields the next level's id, how many CPUs it has, its type. */
    const unsigned levels[][3] = {
        {0, 1, TOPOLOGY_THREAD},
        {width(num_cpus), num_cpus, TOPOLOGY_CORE},
        {0, 0, 0},
    };

    for (unsigned i = 0; i < ELEMENTSOF(levels) && c->nent < CPUID_ENTRIES_MAX; i++)
        c->entries[c->nent++] = (struct kvm_cpuid_entry2){
            .function = function,
            .index = i,
            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .eax = levels[i][0],
            .ebx = levels[i][1],
            .ecx = levels[i][2] << 8 | i,
            .edx = cpu,
        };
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *c, uint32_t function)
{
    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function == function)
            return &c->entries[i];
    return NULL;
}

void cpuid_fit(struct kvm_cpuid2 *c, unsigned cpu, unsigned num_cpus)
{
    static const uint32_t topology[] = {LEAF_TOPOLOGY, LEAF_TOPOLOGY2};
    const struct kvm_cpuid_entry2 *basic = find(c, LEAF_BASIC);
    const uint32_t last = basic ? basic->eax : 0;

    for (unsigned i = 0; i < c->nent; i++)
        fit_entry(&c->entries[i], cpu, num_cpus);
    for (size_t i = 0; i < ELEMENTSOF(topology); i++) {
        remove_leaf(c, topology[i]);
        if (topology[i] <= last)
            add_topology(c, topology[i], cpu, num_cpus);
    }
}

unsigned cpuid_phys_bits(const struct kvm_cpuid2 *c)
{
    const struct kvm_cpuid_entry2 *entry = find(c, LEAF_ADDRESSES);
    /* Bits 23..16: what a guest can use where that is less than what the CPU has. */
    const unsigned host = entry ? entry->eax & 0xff : 0,
                   guest = entry ? entry->eax >> 16 & 0xff : 0;

    if (guest != 0)
        return guest;
    return host != 0 ? host : PHYS_BITS_DEFAULT;
}
