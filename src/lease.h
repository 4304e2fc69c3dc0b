/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases: what the kernel can't tell. Which NIC belongs to which VM, under which policy, and what
 * the VF looked like before.
 *
 * One file a lease, in the state directory, written before the first step that it leads to. Its
 * phase says which way to go on after a crash:
 *
 *   ASSIGNING ──► ASSIGNED ──► RELEASING ──► (no file)
 *       └──────────────┴───────────┴──► QUARANTINED ──► RELEASING (release tries again)
 *
 *   ASSIGNING    the steps of an assignment run; after a crash they run again
 *   ASSIGNED     the VM owns the NIC
 *   RELEASING    the steps of a release run; after a crash they run again
 *   DRAINING     the VF is being taken from its VM, which keeps its network by the standby
 *   DRAINED      it is with nobody, and comes back to the same VM: ASSIGNED ─► DRAINING ─► DRAINED
 *                ─► ASSIGNING (undrain)
 *   QUARANTINED  it could not be brought to a known state (no reset, damaged file); nobody gets it
 *
 * The generation is new with each lease: a release that names an older one is refused.
 *
 * Threads may call these at the same time: a lock makes each save, removal and look at the
 * directory one act. Without it, a lease that is just being replaced could be missed by who reads
 * the directory.
 */
#ifndef SRC_LEASE_H
#define SRC_LEASE_H

#include "basic/parse.h"
#include "sriov/inventory.h"

#define LEASE_ID PCI_ADDR_TEXT
#define LEASE_VM (VM_NAME_MAX + 8) /* with "libvirt:" before it */
#define BOOT_ID  40

enum lease_kind { LEASE_KIND_VF, LEASE_KIND_VIRTIO };

enum lease_phase {
    LEASE_ASSIGNING,
    LEASE_ASSIGNED,
    LEASE_RELEASING,
    LEASE_DRAINING,
    LEASE_DRAINED,
    LEASE_QUARANTINED,
};

struct lease {
    char id[LEASE_ID]; /* PCI address of the VF, or "virtioN" */
    enum lease_kind kind;
    enum lease_phase phase;
    uint64_t generation;
    char boot_id[BOOT_ID];
    char vm[LEASE_VM]; /* "" only where a damaged file doesn't tell */
    struct pci_addr pf, vf;
    unsigned index;                  /* of the VF on its PF */
    struct policy wanted;            /* all that is enforced, the MAC always */
    struct policy before;            /* what the VF had */
    char before_driver[DRIVER_NAME]; /* "" unbound */
    char parent[IFNAMSIZ];           /* virtio: the bridge, or the PF under a macvtap */
    bool parent_is_bridge;
    bool standby; /* virtio: it backs the VF of the same VM and MAC, in the guest (net_failover) */
    char reason[256]; /* why it is quarantined */
    bool held;        /* not stored: some process has it open (planner_look_held) */
};

struct lease_list {
    struct lease *items;
    size_t count;
};

#define LEASE_LIST_INIT                                                                            \
    {                                                                                              \
        .items = NULL, .count = 0                                                                  \
    }
void lease_list_done(struct lease_list *l);
#define _cleanup_leases_ _cleanup_(lease_list_done)

/* lease_phase_name - "assigning", "assigned", "releasing", "quarantined". */
const char *lease_phase_name(enum lease_phase phase);

/**
 * lease_load_all - read every lease in the state directory
 *
 * A file that can't be believed becomes a QUARANTINED lease of the VF its name tells, with the
 * damage as its reason: it blocks that VF and nothing else.
 */
int lease_load_all(int state_dir, struct lease_list *ret, struct error *e) _must_check_;

/* lease_save - write it down, durably. */
int lease_save(int state_dir, const struct lease *l, struct error *e) _must_check_;

/* lease_quarantine - make @l QUARANTINED for @reason, and save it. */
int lease_quarantine(int state_dir, struct lease *l, const char *reason,
                     struct error *e) _must_check_;

/* lease_remove - forget it, durably; one that isn't there is success. */
int lease_remove(int state_dir, const struct lease *l, struct error *e) _must_check_;

/* lease_stored_phase - phase in the file of this lease and generation; -ENOENT if there is none
 * (also where another has taken its place), -EBADMSG if it is damaged. */
int lease_stored_phase(int state_dir, const struct lease *l);

/* lease_next_generation - a number greater than any before, kept across restarts. */
int lease_next_generation(int state_dir, uint64_t *ret, struct error *e) _must_check_;

/* Look-ups; NULL if there is none. */
struct lease *lease_find(const struct lease_list *l, const char *id);
struct lease *lease_find_vf(const struct lease_list *l, const struct pci_addr *vf);
struct lease *lease_find_mac(const struct lease_list *l, uint64_t mac, const char *except_id);

/* lease_boot_id - this boot's identity, as in /proc/sys/kernel/random/boot_id. */
int lease_boot_id(char ret[static BOOT_ID], struct error *e) _must_check_;

#endif
