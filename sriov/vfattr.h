/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VF attributes as bytes of rtnetlink: IFLA_VFINFO_LIST > IFLA_VF_INFO > IFLA_VF_*, each a
 * structure that begins with the VF's index (linux/if_link.h, do_setvfinfo and rtnl_fill_vfinfo
 * in net/core/rtnetlink.c). Bytes in, policy out, and back; no socket here.
 */
#ifndef SRIOV_VFATTR_H
#define SRIOV_VFATTR_H

#include "sriov/policy.h"
#include <netlink/msg.h>

/**
 * vfattr_put - append to an RTM_SETLINK message what it shall set
 * @attrs: mask of the policy attributes that travel together; one of vflink_messages' masks
 * @values: has a value for each of them
 *
 * Return: 0; -EOPNOTSUPP if rtnetlink has no attribute that carries exactly @attrs; -ENOMEM.
 */
int vfattr_put(struct nl_msg *msg, unsigned vf, uint32_t attrs,
               const struct policy *values) _must_check_;

/**
 * vfattr_read - the policies in an RTM_NEWLINK message
 * @hdr: the message, of which @size bytes were received
 * @policies: one a VF, by VF index; those that the message doesn't have are cleared
 *
 * What is truncated, of an unknown value, or of a VF at or above @count is left out, and so is
 * what the driver can't tell (the kernel fills it with ones).
 *
 * Return: 0; -EBADMSG if it isn't such a message, with @policies untouched.
 */
int vfattr_read(struct nlmsghdr *hdr, size_t size, struct policy *policies,
                size_t count) _must_check_;

#endif
