/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A NIC is a set of fds that the agent hands over; this makes a PCI device of it. */
#ifndef VMM_NIC_H
#define VMM_NIC_H

#include "vfio/handoff.h"
#include "vmm/machine.h"

/**
 * nic_take_all - ask the agent for the NICs leased to @m->name and plug them in
 * @sock: connected to the agent (handoff_connect); stays the caller's
 * @ret_count: how many there were
 *
 * Blocks until the agent says READY or refuses. Slots follow the order of the leases, so that a
 * NIC keeps its place in the guest.
 *
 * Return: 0; what the agent refused with; -EPROTO if it doesn't speak the protocol.
 */
int nic_take_all(struct machine *m, int sock, unsigned *ret_count, struct error *e) _must_check_;

#endif
