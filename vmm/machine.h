/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: what a guest runs on, put together.
 *
 * Two kinds of threads. The main thread runs the event loop (console input, signals, the agent's
 * socket); each vCPU thread runs KVM_RUN and dispatches its exits. All of them touch devices
 * under `lock`, and only under it. Memory layout and the set of RAM regions never change once
 * the guest runs.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "vmm/bus.h"
#include "vmm/kvm.h"
#include "vmm/loop.h"
#include "vmm/memory.h"
#include "vmm/pci.h"
#include <pthread.h>

struct serial;
struct vcpu;
struct vfio_container;

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
    struct vfio_container *containers; /* of the VFs; see vfio-container.h */
};

#endif
