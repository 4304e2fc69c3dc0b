/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VF policy in the kernel: rtnetlink on the PF's interface (IFLA_VFINFO_LIST).
 *
 * Setting isn't atomic in the kernel: it applies attributes in a fixed order and stops at the
 * first error. So each message carries one attribute (VLAN with its QoS and protocol, and the
 * two rates, are one each), and vflink_set reads it back and compares: a driver that says yes
 * and does nothing fails.
 */
#ifndef SRIOV_VFLINK_H
#define SRIOV_VFLINK_H

#include "sriov/policy.h"

/* What travels in one message. vflink_messages has a row each. */
struct vflink_message {
    const char *name; /* "mac", "vlan", "spoofchk", "trust", "rate", "state", ... */
    uint32_t attrs;   /* mask of the policy attributes it carries */
    bool resets_vf;   /* drivers reset the VF for it: a guest that holds it notices */
};
extern const struct vflink_message vflink_messages[];
extern const size_t vflink_message_count;

/**
 * vflink_get - read the policy of every VF of a PF
 * @ifindex: the PF's interface
 * @policies: one a VF, by VF index; VFs the kernel doesn't report are left with set == 0
 *
 * Return: 0, -ENODEV if the interface is gone, or another negative errno.
 */
int vflink_get(int ifindex, struct policy *policies, size_t count, struct error *e) _must_check_;

/**
 * vflink_set - send one message, read it back and compare
 * @pf_driver: named in errors: "not supported by igb"
 * @wanted: values; the message sends those in its attrs (of VLAN's and the rates' companions
 *          that aren't given, the present value)
 *
 * Return: 0; -EOPNOTSUPP if the driver refuses or ignores it, with its name; another negative
 * errno otherwise.
 */
int vflink_set(int ifindex, const char *pf_driver, unsigned vf, const struct vflink_message *m,
               const struct policy *wanted, struct error *e) _must_check_;

#endif
