/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy: what the PF enforces on a VF, in ip-link's own words.
 *
 * A policy is a set of attributes, each with a number as its value. policy_table has one row an
 * attribute; parsing, printing, JSON, lease files and D-Bus all read that table, so that a new
 * attribute is one row here and one in vfattr.c, which gives its bytes in rtnetlink.
 */
#ifndef SRIOV_POLICY_H
#define SRIOV_POLICY_H

#include "basic/error.h"
#include <stdint.h>

enum policy_attr {
    POLICY_MAC, /* six bytes, the first in bits 47..40 */
    POLICY_VLAN,
    POLICY_QOS,
    POLICY_PROTO, /* ETH_P_8021Q or ETH_P_8021AD, host order */
    POLICY_MAX_TX_RATE,
    POLICY_MIN_TX_RATE, /* Mbit/s, 0 is none */
    POLICY_SPOOFCHK,
    POLICY_TRUST,
    POLICY_STATE, /* IFLA_VF_LINK_STATE_* */
    POLICY_NODE_GUID,
    POLICY_PORT_GUID,
    POLICY_ATTR_COUNT
};

struct policy {
    uint32_t set; /* bit per attribute: which values are given (or were readable) */
    uint64_t value[POLICY_ATTR_COUNT];
};

/* What a value is in JSON. */
enum policy_kind { POLICY_KIND_NUMBER, POLICY_KIND_TEXT, POLICY_KIND_BOOL };

#define POLICY_TEXT 32 /* longest value as text */

struct policy_row {
    const char *name;     /* on the command line, e.g. "max_tx_rate" */
    const char *json;     /* key in list --json, e.g. "link_state" for "state" */
    const char *argument; /* in help, e.g. "MBIT" */
    const char *help;     /* in help, one line; says what a bad value should have been */
    enum policy_kind kind;
    int (*parse)(const char *text, uint64_t *ret);
    const char *(*refuse)(uint64_t value); /* why nobody may ask for it, else NULL; may be NULL */
    void (*format)(uint64_t value, char text[static POLICY_TEXT]);
};

extern const struct policy_row policy_table[POLICY_ATTR_COUNT];

static inline bool policy_has(const struct policy *p, enum policy_attr a)
{
    return p->set & (1U << a);
}

static inline void policy_put(struct policy *p, enum policy_attr a, uint64_t value)
{
    p->set |= 1U << a;
    p->value[a] = value;
}

/* policy_attr_find - the attribute of that command-line name, or -ENOENT. */
int policy_attr_find(const char *name);

/**
 * policy_parse_attr - parse one "name value" pair into @p
 *
 * Return: 0; -ENOENT if there is no such attribute; -EINVAL with the value quoted and the
 * grammar named. @p is untouched on failure.
 */
int policy_parse_attr(struct policy *p, const char *name, const char *value,
                      struct error *e) _must_check_;

/**
 * policy_parse_recorded - parse a value as policy_format wrote it
 *
 * What a VF had before may be what nobody may ask for: igb reports an all-zero MAC for a VF that
 * nobody gave one. So this takes zero and multicast addresses; everything else is as strict.
 *
 * Return: 0, or -EINVAL with @ret untouched.
 */
int policy_parse_recorded(enum policy_attr a, const char *text, uint64_t *ret) _must_check_;

/**
 * policy_check - do the attributes go together?
 *
 * qos and proto need vlan, and with vlan 0 only their defaults (0, 802.1Q) go; min_tx_rate may
 * not exceed max_tx_rate.
 *
 * Return: 0, or -EINVAL with the cure.
 */
int policy_check(const struct policy *p, struct error *e) _must_check_;

/* policy_diff - bit mask of the attributes given in @wanted whose value in @actual differs or
 * isn't known. */
uint32_t policy_diff(const struct policy *wanted, const struct policy *actual);

/* policy_format - text of one attribute's value, for people and for lease files; "" if it isn't
 * set. */
const char *policy_format(const struct policy *p, enum policy_attr a,
                          char text[static POLICY_TEXT]);

#endif
