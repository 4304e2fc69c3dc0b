/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM as KVM knows it: memory slots, interrupt routes, irqfds and ioeventfds. */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include "basic/error.h"
#include <linux/kvm.h>
#include <stdint.h>

#define KVM_SLOTS_MAX 512
/* GSIs 0..23 are the IOAPIC's pins; MSIs take routes from here up. */
#define KVM_GSI_MSI_FIRST 24
#define KVM_ROUTES_MAX    4096

struct kvm {
    int fd; /* /dev/kvm */
    int vm;
    size_t run_size; /* of a vCPU's kvm_run mapping */
    unsigned long slots[KVM_SLOTS_MAX / (8 * sizeof(long))];
    struct kvm_irq_routing_entry *routes; /* the IOAPIC's pins first, then one an MSI */
    unsigned num_routes;
    unsigned long gsis[KVM_ROUTES_MAX / (8 * sizeof(long))];
    struct kvm_irqchip ioapic; /* as KVM made it, to reset to */
    int vfio_dev;              /* KVM_DEV_TYPE_VFIO, made on first use; -1 */
};

/**
 * kvm_init - make the VM with in-kernel LAPIC and IOAPIC
 * @kvm_fd: open /dev/kvm; becomes the VM's on success
 */
int kvm_init(struct kvm *k, int kvm_fd, struct error *e) _must_check_;
void kvm_done(struct kvm *k);

/* kvm_reset_ioapic - back to the state after power-on. */
int kvm_reset_ioapic(struct kvm *k) _must_check_;

/* kvm_slot_add - map [gpa, gpa+size) to @hva; slot number or -errno. @flags: KVM_MEM_*. */
int kvm_slot_add(struct kvm *k, uint64_t gpa, uint64_t size, void *hva,
                 uint32_t flags) _must_check_;
void kvm_slot_remove(struct kvm *k, int slot);

/* kvm_msi_alloc - a GSI for one MSI message; GSI, or -ENOSPC when all routes are taken. */
int kvm_msi_alloc(struct kvm *k) _must_check_;
/* kvm_msi_route - where the GSI's message goes. The route is set before an irqfd uses it. */
int kvm_msi_route(struct kvm *k, int gsi, uint64_t address, uint32_t data) _must_check_;
/* kvm_msi_free - drop route and GSI; its irqfd must be gone already. */
void kvm_msi_free(struct kvm *k, int gsi);

/* kvm_irqfd - have the kernel raise @gsi when @eventfd is signalled (a signal that is pending
 * already is delivered at once), or no longer. */
int kvm_irqfd(struct kvm *k, int eventfd, int gsi, bool assign) _must_check_;

/* kvm_irq_line - set the level of an IOAPIC pin. */
int kvm_irq_line(struct kvm *k, int gsi, bool high) _must_check_;

/* kvm_ioeventfd_mmio - have the kernel signal @eventfd on a guest write of any length at @gpa. */
int kvm_ioeventfd_mmio(struct kvm *k, int eventfd, uint64_t gpa, bool assign) _must_check_;

/* kvm_vfio_add_group - tell KVM of a VFIO group (cache coherency, posted interrupts). */
int kvm_vfio_add_group(struct kvm *k, int group_fd, bool add) _must_check_;

#endif
