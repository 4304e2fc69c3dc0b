/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NICs of a machine, from the handoff to the end. A NIC is a set of fds that the agent hands
 * over; here it becomes a PCI device, and leaves again, while the guest runs.
 *
 *   (added) ─► OFFERED ─► ACTIVE ─► REQUESTED ─► ACKNOWLEDGED ─► EJECTED
 *                                       └──────────────┴── deadline ─► REVOKED
 *
 *   OFFERED       on the bus; the guest has been told, or will find it as it boots
 *   ACTIVE        its driver has turned it on
 *   REQUESTED     asked back: of the agent's own will, or because the kernel wants the VF back
 *   ACKNOWLEDGED  the guest has read that
 *   EJECTED       the guest gave it back (also unasked), or rebooted meanwhile, or had not yet
 *                 been told of it. Everything of it is closed before anyone hears of this state.
 *   REVOKED       taken by force: at the deadline, or at once after an error. The guest reads all
 *                 ones and goes on. Until it has ejected what it believes is there, its slot takes
 *                 no other NIC: a late ejection would hit that one.
 *
 * States are skipped, never gone back. vCPU threads only note how far the guest has come (`guest`)
 * and take an ejected device off the bus; all else is the main thread's, because closing a VF
 * takes the time of a reset.
 */
#ifndef VMM_NIC_H
#define VMM_NIC_H

#include "vfio/handoff.h"
#include "vmm/hotplug.h"
#include "vmm/machine.h"

#define NIC_EVENTS 2

struct nic;

/* Something the kernel tells of a VF. */
struct nic_event {
    struct nic *nic;
    int fd; /* eventfd; -1: this NIC has none */
};

struct nic {
    struct nic_set *set;
    struct nic *next;
    uint64_t generation; /* of the lease */
    uint32_t kind;       /* enum handoff_kind */
    char name[VM_NAME_MAX];
    struct pci_device *device;
    unsigned slot;
    enum handoff_state state;
    enum handoff_state guest; /* how far the guest has come; under the machine's lock */
    bool asked;               /* it is to leave, */
    enum handoff_reason reason;
    uint64_t deadline; /* and is taken by force at this time: ns of CLOCK_MONOTONIC */
    struct nic_event events[NIC_EVENTS];
};

struct nic_set {
    struct machine *machine;
    struct nic *first; /* changed by the main thread, under the machine's lock */
    struct hotplug hotplug;
    int wake;  /* eventfd: a `guest` has changed; -1 */
    int timer; /* timerfd of the first deadline; -1 */
    /* Optional. A NIC has come into a state beyond OFFERED; in the main thread. After EJECTED and
     * REVOKED it is freed. */
    void (*changed)(void *opaque, const struct nic *n);
    void *opaque;
};

/* nic_set_init - no NICs yet; puts the hotplug registers on the machine's ports and the rest in its
 * loop. */
int nic_set_init(struct nic_set *s, struct machine *m, struct error *e) _must_check_;

/* nic_set_done - free all; devices that are on the bus stay the bus's. */
void nic_set_done(struct nic_set *s);

/* nic_set_reset - the guest reboots: who was asked to leave has left, who stays is there as it
 * boots. The vCPUs are parked. */
void nic_set_reset(struct nic_set *s);

/**
 * nic_add - make a NIC's device and plug it in
 * @fds: as in the handoff; closed or taken over in any case, each becomes -1
 * @live: the guest runs: tell it
 *
 * The first free slot: NICs added before the guest runs keep their places as long as the order of
 * the leases is the same.
 *
 * Return: 0; -EEXIST if there is a NIC of that generation; -ENOSPC if there is no slot or room for
 * its BARs; -EPROTO for an unknown kind; what the device's making failed with.
 */
int nic_add(struct nic_set *s, const struct handoff_nic *what, int fds[static HANDOFF_FDS_MAX],
            bool live, struct error *e) _must_check_;

/* nic_find - the NIC of a lease, or NULL. */
struct nic *nic_find(const struct nic_set *s, uint64_t generation);

/**
 * nic_remove - have a NIC leave
 * @n: freed, if it leaves at once
 * @deadline_ms: take it by force then; 0: at once
 *
 * Asked again, the earlier deadline counts, and the state is reported once more.
 */
void nic_remove(struct nic *n, uint32_t deadline_ms, enum handoff_reason reason);

#endif
