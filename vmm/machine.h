/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: what a guest runs on, put together.
 *
 * Two kinds of threads. The main thread runs the event loop (console input, signals, the agent's
 * socket); each vCPU thread runs KVM_RUN and dispatches its exits. All of them touch devices
 * under `lock`, and only under it. Memory layout and the set of RAM regions never change once
 * the guest runs.
 *
 *   machine_init ─► devices plugged ─► machine_start ─► sandbox ─► machine_run ─► machine_done
 *
 * A vCPU thread can't stop the others, nor itself be reset while it runs. So what ends a run is a
 * request: machine_request notes it, pauses the machine and wakes the main thread, which waits
 * until every vCPU has parked, and then resets the machine and lets them go on, or ends.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/cmos.h"
#include "vmm/early.h"
#include "vmm/kvm.h"
#include "vmm/loop.h"
#include "vmm/memory.h"
#include "vmm/pci.h"
#include <pthread.h>
#include <stdatomic.h>

#define MACHINE_CPUS_MAX 64

struct console;
struct nic_set;
struct serial;
struct vcpu;
struct vfio_container;

enum machine_request {
    MACHINE_NOTHING,
    MACHINE_POWER_OFF,
    MACHINE_RESET,
    MACHINE_TRIPLE_FAULT, /* a reset, as on hardware, unless it is all the guest ever does */
    MACHINE_CRASH,
};

struct machine_config {
    const char *name;
    uint64_t memory;
    unsigned cpus;
    bool no_reboot; /* a reset ends the machine like a power-off */
    struct boot_files files;
};

struct machine {
    const char *name;
    struct kvm kvm;
    struct memory memory;
    struct bus pio, mmio;
    struct pci_bus pci;
    struct loop loop;
    pthread_mutex_t lock;
    struct vcpu *vcpus;
    unsigned num_vcpus;
    struct serial *serial;
    struct nic_set *nics;
    struct vfio_container *containers; /* of the VFs; see vfio-container.h */

    struct cmos cmos;
    struct console *console; /* the caller's */
    int serial_irq;          /* eventfd that raises the console's interrupt; -1 */
    struct machine_config config;

    atomic_int request; /* enum machine_request: the first since the last reset */
    char reason[160];   /* of the request; written by who made it */
    int wake;           /* eventfd: there is a request; -1 */
    int signals;        /* signalfd of what ends the machine; -1 */

    atomic_bool paused;     /* vCPUs park instead of entering the guest */
    bool ending;            /* and then end; under lock, as are: */
    unsigned num_parked;    /* vCPUs that have parked */
    pthread_cond_t changed; /* one of these three changed */

    struct early early; /* whether this guest can boot at all */

    struct error *outcome; /* of the run; set with machine_run */
    int result;
};

/**
 * machine_init - make the machine: KVM, RAM, buses, console port, vCPUs; nothing loaded
 * @config: copied; what it points to stays the caller's and outlives the machine
 * @kvm_fd: open /dev/kvm; the machine's from here, also on failure
 * @console: open console, outlives the machine
 */
int machine_init(struct machine *m, const struct machine_config *config, int kvm_fd,
                 struct console *console, struct error *e) _must_check_;

/* machine_start - load the kernel and make the vCPU threads, parked: all that a sandbox would
 * refuse. */
int machine_start(struct machine *m, struct error *e) _must_check_;

/**
 * machine_run - run the guest until it ends
 *
 * Return: 0 when the guest powered off, or was ended by SIGTERM, SIGINT or SIGHUP (which must be
 * blocked), or rebooted while it may not; -EIO when it crashed, with the reason.
 */
int machine_run(struct machine *m, struct error *e) _must_check_;

/* machine_done - end the vCPU threads, destroy the devices, free all. */
void machine_done(struct machine *m);

/* machine_request - from any thread: end this run, why is for people. The first one counts. */
void machine_request(struct machine *m, enum machine_request request, const char *fmt, ...)
    _printf_(3, 4);

/* --- for the main thread --- */

/* machine_pause - every vCPU out of the guest, its last exit completed. */
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);

/* --- for vCPU threads --- */

static inline bool machine_paused(struct machine *m)
{
    return atomic_load(&m->paused);
}

/* machine_park - wait while the machine is paused; false when the thread shall end. */
bool machine_park(struct machine *m);

#endif
