/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI-X table and pending bits that a guest sees, for emulated and assigned devices alike.
 *
 * A vector's life: untouched, it costs nothing. Unmasked while the function is enabled it gets an
 * eventfd and a GSI, the GSI's route is set, and an irqfd joins the two: from then on the kernel
 * carries each interrupt by itself. Masking takes the irqfd away and nothing else: the device goes
 * on signalling the eventfd, whose readability is the pending bit. Unmasking puts the irqfd back,
 * and KVM delivers at once what was pending.
 *
 * Invariants: a route is set before an irqfd uses it, and the irqfd is gone before the route is;
 * `routed` implies `gsi` and `eventfd`.
 *
 * PCI Local Bus 3.0, 6.8.2.
 */
#ifndef VMM_MSIX_H
#define VMM_MSIX_H

#include "vmm/kvm.h"
#include "vmm/pci.h"

#define MSIX_VECTORS_MAX 2048

struct msix_ops {
    /* Optional. The function is enabled and @vector is unmasked for the first time since: have the
     * device signal @eventfd, which stays msix's. */
    int (*armed)(void *opaque, unsigned vector, int eventfd);
    /* Optional. The guest turned MSI-X on or off. Off: the device forgets all its eventfds. */
    void (*enabled)(void *opaque, bool enabled);
};

struct msix_vector {
    uint32_t entry[4]; /* as the guest reads it: address low, address high, data, control */
    int eventfd;       /* -1 until it is needed */
    int gsi;           /* -1 until it is needed */
    bool armed;        /* the device knows the eventfd */
    bool routed;       /* an irqfd joins eventfd and GSI */
};

struct msix {
    struct kvm *kvm;
    const struct msix_ops *ops;
    void *opaque;
    struct msix_vector *vectors;
    unsigned num_vectors;
    unsigned capability; /* its offset in config space */
    bool enabled;        /* message control's bits */
    bool masked;         /* the whole function */
    bool reported;       /* a failure has been logged; a guest can't fill the log with more */
};

/**
 * msix_init - a table in its state after reset: disabled, every vector masked
 * @num_vectors: 1 .. MSIX_VECTORS_MAX
 * @ops: callbacks, run under the machine's lock
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int msix_init(struct msix *x, struct kvm *kvm, unsigned num_vectors, const struct msix_ops *ops,
              void *opaque) _must_check_;

/* msix_done - take every interrupt off KVM and free all; the device must be silent already. */
void msix_done(struct msix *x);

/* msix_reset - back to the state after msix_init, in config space too; calls enabled(false) if it
 * was enabled. */
void msix_reset(struct msix *x, struct pci_device *d);

/**
 * msix_add_capability - put the capability at the end of the device's list
 * @table_bar, @table: BAR that holds the table, and where in it; and the same of the pending bits
 *
 * Return: 0 or -ENOSPC.
 */
int msix_add_capability(struct msix *x, struct pci_device *d, unsigned table_bar, uint32_t table,
                        unsigned pba_bar, uint32_t pba) _must_check_;

/* msix_config_written - for a device's config_written: takes up a change of message control, if
 * the write touched it. */
void msix_config_written(struct msix *x, const struct pci_device *d, unsigned offset, unsigned len);

/* The size of the table and of the pending bits, in bytes. */
unsigned msix_table_size(const struct msix *x);
unsigned msix_pba_size(const struct msix *x);

/* Accesses to the table: of 4 or 8 bytes, aligned, within it. Others read as ones and write
 * nothing. */
uint64_t msix_table_read(const struct msix *x, uint64_t offset, unsigned len);
void msix_table_write(struct msix *x, uint64_t offset, unsigned len, uint64_t value);

/* msix_pba_read - pending bits; they are read-only. */
uint64_t msix_pba_read(const struct msix *x, uint64_t offset, unsigned len);

/**
 * msix_eventfd - the eventfd of a vector, made if need be
 *
 * For devices that signal a vector whether or not the guest has unmasked it: what they signal
 * before stays pending.
 *
 * Return: fd, which stays msix's until msix_reset or msix_done; -EINVAL if there is no such
 * vector; another negative errno.
 */
int msix_eventfd(struct msix *x, unsigned vector) _must_check_;

#endif
