/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: what all requests and sessions share, and who may touch it when.
 *
 *   claim   held while a request reads what there is and decides whose a NIC becomes (up to
 *           the lease on disk). Short: no step of a plan but the lease runs under it.
 *   gate    one a PF, held while steps run on that PF or its VFs' fds are opened. PFs don't wait
 *           for each other.
 *
 * Order: a gate may be held when claim is taken, never the other way round. `sessions` belongs to
 * the main thread; the rest is fixed once the agent runs.
 */
#ifndef SRC_AGENT_H
#define SRC_AGENT_H

#include "src/config.h"
#include "src/planner.h"
#include "src/worker.h"

struct gate {
    struct pci_addr pf;
    pthread_mutex_t lock;
    bool resizing; /* under claim: VFs are about to go, so none may be leased */
    struct gate *next;
};

struct session;

/* How long a guest has to give a NIC back, unless the request says. */
#define AGENT_DEADLINE_MS 30000

struct agent {
    int state_dir;
    char boot_id[BOOT_ID];
    const char *config_dir;
    const char *runtime_dir; /* of the sockets */
    struct config config;
    struct worker *worker;
    pthread_mutex_t claim;
    struct gate *gates; /* under claim; never shrinks */
    struct session *sessions;
    struct live *live;
    struct event_queue *events; /* NULL until somebody can be told */
    unsigned reads;             /* main thread: requests under way that only read */
};

/* agent_init - open the state directory (locked: one agent a host) and load the configuration. */
int agent_init(struct agent *a, const char *state_path, const char *config_dir,
               const char *runtime_dir, struct error *e) _must_check_;
void agent_done(struct agent *a);

/* agent_gate - the gate of a PF; call under claim. NULL without memory. */
struct gate *agent_gate(struct agent *a, const struct pci_addr *pf);

/* agent_present - read what there is now. */
int agent_present(struct agent *a, struct present *ret, struct error *e) _must_check_;

/* agent_look_held - see which leased NICs a process holds: also those of VMs whose VMM isn't
 * connected (it outlived an agent, or is libvirt's). Takes claim and gates; a PF that is busy for a
 * second is left out. */
void agent_look_held(struct agent *a, struct present *now);

/**
 * agent_recover - finish what an earlier agent left half done
 *
 * Leases and records of another boot are dropped: the VFs they speak of went with it. Then each
 * PF's record and each lease is planned again from where it stands, and macvtaps without a lease
 * are removed. What can't be finished is quarantined and logged; the agent starts all the same.
 */
int agent_recover(struct agent *a, struct error *e) _must_check_;

#endif
