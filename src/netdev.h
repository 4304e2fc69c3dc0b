/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host interfaces: bringing a PF up, and the host's end of a virtio fallback NIC.
 *
 * A fallback NIC has one of two backs:
 *   on a bridge   a tap, made when a VMM takes the NIC and gone with its last fd: nothing to leak
 *   on a PF       a macvtap, which lives as long as its lease: made by assign, removed by release;
 *                 its name (NETDEV_MACVTAP_PREFIX and the lease's id) says whose it is, so that one
 *                 without a lease can be recognised and removed
 */
#ifndef SRC_NETDEV_H
#define SRC_NETDEV_H

#include "basic/error.h"
#include <net/if.h>
#include <stdint.h>

#define NETDEV_TAP_PREFIX     "svt-"
#define NETDEV_MACVTAP_PREFIX "svm-"

/* netdev_tap_name - the tap or macvtap of the lease with that id; returns @buf. */
const char *netdev_tap_name(const char *id, char buf[static IFNAMSIZ]);
const char *netdev_macvtap_name(const char *id, char buf[static IFNAMSIZ]);

/* netdev_set_up - bring an interface administratively up (up already is success). */
int netdev_set_up(int ifindex, struct error *e) _must_check_;

/* netdev_is_up - 1 up, 0 down, -errno. */
int netdev_is_up(const char *name) _must_check_;

/* netdev_has_carrier - 1 if the link is there, 0 if not (or the interface is down), -errno. */
int netdev_has_carrier(const char *name) _must_check_;

/* netdev_is_bridge - is there such an interface, and is it a bridge? */
bool netdev_is_bridge(const char *name);

/* netdev_exists - is there an interface of that name? */
bool netdev_exists(const char *name);

/**
 * netdev_tap_open - make a tap, put it on a bridge and bring it up
 *
 * Return: fd of the tap (owned by the caller; the interface goes when it is closed), or -errno.
 */
int netdev_tap_open(const char *name, const char *bridge, struct error *e) _must_check_;

/* netdev_macvtap_create - macvtap @name with @mac on @parent, in bridge mode, up. */
int netdev_macvtap_create(const char *name, const char *parent, uint64_t mac,
                          struct error *e) _must_check_;

/* netdev_macvtap_open - its character device, ready for vhost (vnet header on). fd or -errno. */
int netdev_macvtap_open(const char *name, struct error *e) _must_check_;

/**
 * netdev_macvtap_held - does a process have the macvtap's character device open?
 *
 * netdev_macvtap_open locks what it opens (flock), and the lock lives as long as any copy of that
 * fd: /proc/locks shows it without opening the device, which would take part of its traffic.
 *
 * Return: 1, 0, or negative errno.
 */
int netdev_macvtap_held(const char *name) _must_check_;

/* netdev_delete - remove an interface; one that isn't there is success. */
int netdev_delete(const char *name, struct error *e) _must_check_;

#endif
