/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual CPU: its KVM state and the thread that runs it.
 *
 * The thread asks machine_may_run before each KVM_RUN and parks there while the machine is
 * paused. The kick that makes it come is a signal whose handler sets immediate_exit, so a kick
 * that arrives between the question and KVM_RUN isn't lost.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "basic/error.h"
#include "vmm/boot.h"
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

#define VCPU_KICK_SIGNAL SIGUSR1

struct machine;
struct vcpu_state;

struct vcpu {
    struct machine *machine;
    unsigned index;
    int fd;
    struct kvm_run *run;
    size_t run_size;
    struct vcpu_state *power_on; /* what KVM made it as, to reset to */
    pthread_t thread;
    bool has_thread;
};

/* vcpu_init - make CPU @index of @m, with @cpuid fitted to it (cpuid_fit). */
int vcpu_init(struct vcpu *v, struct machine *m, unsigned index, const struct kvm_cpuid2 *cpuid,
              struct error *e) _must_check_;
/* vcpu_done - its thread has ended or was never started. */
void vcpu_done(struct vcpu *v);

/**
 * vcpu_reset - to the state after power-on
 * @entry: where it starts; NULL: it waits for another CPU to start it
 */
int vcpu_reset(struct vcpu *v, const struct boot_entry *entry, struct error *e) _must_check_;

/* vcpu_start - make its thread; it parks until the machine runs. */
int vcpu_start(struct vcpu *v, struct error *e) _must_check_;
/* vcpu_kick - make it leave the guest soon. */
void vcpu_kick(struct vcpu *v);
/* vcpu_is_dead - nothing will wake it: halted with interrupts off, or never started. While the
 * machine is paused. */
bool vcpu_is_dead(const struct vcpu *v);
/* vcpu_join - wait for its thread to end. */
void vcpu_join(struct vcpu *v);

#endif
