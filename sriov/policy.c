/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/policy.h"

#include "basic/parse.h"
#include "basic/quote.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <strings.h>

#define VLAN_MAX 4094 /* 4095 is reserved by IEEE 802.1Q */
#define QOS_MAX  7

static const char *const policy_states[] = {
    [IFLA_VF_LINK_STATE_AUTO] = "auto",
    [IFLA_VF_LINK_STATE_ENABLE] = "enable",
    [IFLA_VF_LINK_STATE_DISABLE] = "disable",
};

static const struct {
    const char *name;
    uint16_t proto;
} policy_protos[] = {
    {"802.1Q", ETH_P_8021Q},
    {"802.1ad", ETH_P_8021AD},
};

/* @count pairs of hexadecimal digits with ':' between, the first pair the most significant. */
static int parse_octets(const char *text, unsigned count, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count; i++) {
        const char pair[] = {'0', 'x', text[0], text[0] ? text[1] : '\0', '\0'};
        uint64_t octet;

        if (!isxdigit((unsigned char)pair[2]) || !isxdigit((unsigned char)pair[3]) ||
            parse_u64(pair, 0, 0xff, &octet) < 0)
            return -EINVAL;
        if (text[2] != (i + 1 < count ? ':' : '\0'))
            return -EINVAL;
        value = value << 8 | octet;
        text += 3;
    }
    *ret = value;
    return 0;
}

static void format_octets(uint64_t value, unsigned count, char *text)
{
    while (count-- > 0)
        text += sprintf(text, "%02x%s", (unsigned)(value >> 8 * count) & 0xff, count ? ":" : "");
}

static int parse_mac(const char *text, uint64_t *ret)
{
    return parse_octets(text, 6, ret);
}

static void format_mac(uint64_t value, char text[static POLICY_TEXT])
{
    format_octets(value, 6, text);
}

static const char *refuse_mac(uint64_t value)
{
    if (value == 0)
        return "is the zero address; give a unicast one";
    if (value >> 40 & 1)
        return "is a multicast address; give a unicast one";
    return NULL;
}

static int parse_guid(const char *text, uint64_t *ret)
{
    return parse_octets(text, 8, ret);
}

static void format_guid(uint64_t value, char text[static POLICY_TEXT])
{
    format_octets(value, 8, text);
}

static int parse_vlan(const char *text, uint64_t *ret)
{
    return parse_u64(text, 0, VLAN_MAX, ret);
}

static int parse_qos(const char *text, uint64_t *ret)
{
    return parse_u64(text, 0, QOS_MAX, ret);
}

static int parse_rate(const char *text, uint64_t *ret)
{
    /* Drivers count kbit/s in 32 bits: more Mbit/s than this would wrap. */
    return parse_u64(text, 0, UINT32_MAX / 1000, ret);
}

static void format_number(uint64_t value, char text[static POLICY_TEXT])
{
    snprintf(text, POLICY_TEXT, "%" PRIu64, value);
}

static int parse_proto(const char *text, uint64_t *ret)
{
    for (size_t i = 0; i < ELEMENTSOF(policy_protos); i++)
        if (strcasecmp(text, policy_protos[i].name) == 0) {
            *ret = policy_protos[i].proto;
            return 0;
        }
    return -EINVAL;
}

static void format_proto(uint64_t value, char text[static POLICY_TEXT])
{
    snprintf(text, POLICY_TEXT, "0x%04" PRIx64, value);
    for (size_t i = 0; i < ELEMENTSOF(policy_protos); i++)
        if (policy_protos[i].proto == value)
            snprintf(text, POLICY_TEXT, "%s", policy_protos[i].name);
}

static int parse_switch(const char *text, uint64_t *ret)
{
    bool on;
    int r = parse_on_off(text, &on);

    if (r < 0)
        return r;
    *ret = on;
    return 0;
}

static void format_switch(uint64_t value, char text[static POLICY_TEXT])
{
    snprintf(text, POLICY_TEXT, "%s", value ? "on" : "off");
}

static int parse_state(const char *text, uint64_t *ret)
{
    for (size_t i = 0; i < ELEMENTSOF(policy_states); i++)
        if (streq(text, policy_states[i])) {
            *ret = i;
            return 0;
        }
    return -EINVAL;
}

static void format_state(uint64_t value, char text[static POLICY_TEXT])
{
    if (value < ELEMENTSOF(policy_states))
        snprintf(text, POLICY_TEXT, "%s", policy_states[value]);
    else
        format_number(value, text);
}

const struct policy_row policy_table[POLICY_ATTR_COUNT] = {
    [POLICY_MAC] =
        {
            .name = "mac",
            .json = "mac",
            .argument = "ADDR",
            .help = "unicast address, six hexadecimal pairs, e.g. 52:54:00:12:34:56",
            .kind = POLICY_KIND_TEXT,
            .parse = parse_mac,
            .refuse = refuse_mac,
            .format = format_mac,
        },
    [POLICY_VLAN] =
        {
            .name = "vlan",
            .json = "vlan",
            .argument = "ID",
            .help = "VLAN 0..4094 that the PF tags with; 0 is none",
            .kind = POLICY_KIND_NUMBER,
            .parse = parse_vlan,
            .format = format_number,
        },
    [POLICY_QOS] =
        {
            .name = "qos",
            .json = "qos",
            .argument = "N",
            .help = "priority 0..7 in the VLAN tag",
            .kind = POLICY_KIND_NUMBER,
            .parse = parse_qos,
            .format = format_number,
        },
    [POLICY_PROTO] =
        {
            .name = "proto",
            .json = "proto",
            .argument = "802.1Q|802.1ad",
            .help = "protocol of the VLAN tag, 802.1Q or 802.1ad",
            .kind = POLICY_KIND_TEXT,
            .parse = parse_proto,
            .format = format_proto,
        },
    [POLICY_MAX_TX_RATE] =
        {
            .name = "max_tx_rate",
            .json = "max_tx_rate",
            .argument = "MBIT",
            .help = "transmit limit in Mbit/s, 0..4294967; 0 is none",
            .kind = POLICY_KIND_NUMBER,
            .parse = parse_rate,
            .format = format_number,
        },
    [POLICY_MIN_TX_RATE] =
        {
            .name = "min_tx_rate",
            .json = "min_tx_rate",
            .argument = "MBIT",
            .help = "guaranteed transmit rate in Mbit/s, 0..4294967; 0 is none",
            .kind = POLICY_KIND_NUMBER,
            .parse = parse_rate,
            .format = format_number,
        },
    [POLICY_SPOOFCHK] =
        {
            .name = "spoofchk",
            .json = "spoofchk",
            .argument = "on|off",
            .help = "drop what the VF sends under a foreign address, on or off",
            .kind = POLICY_KIND_BOOL,
            .parse = parse_switch,
            .format = format_switch,
        },
    [POLICY_TRUST] =
        {
            .name = "trust",
            .json = "trust",
            .argument = "on|off",
            .help = "let the VF change its address and see all traffic, on or off",
            .kind = POLICY_KIND_BOOL,
            .parse = parse_switch,
            .format = format_switch,
        },
    [POLICY_STATE] =
        {
            .name = "state",
            .json = "link_state",
            .argument = "auto|enable|disable",
            .help = "link that the VF sees: auto (the PF's), enable or disable",
            .kind = POLICY_KIND_TEXT,
            .parse = parse_state,
            .format = format_state,
        },
    [POLICY_NODE_GUID] =
        {
            .name = "node_guid",
            .json = "node_guid",
            .argument = "GUID",
            .help = "InfiniBand node GUID, eight hexadecimal pairs with ':' between",
            .kind = POLICY_KIND_TEXT,
            .parse = parse_guid,
            .format = format_guid,
        },
    [POLICY_PORT_GUID] =
        {
            .name = "port_guid",
            .json = "port_guid",
            .argument = "GUID",
            .help = "InfiniBand port GUID, eight hexadecimal pairs with ':' between",
            .kind = POLICY_KIND_TEXT,
            .parse = parse_guid,
            .format = format_guid,
        },
};

int policy_attr_find(const char *name)
{
    for (int a = 0; a < POLICY_ATTR_COUNT; a++)
        if (streq(policy_table[a].name, name))
            return a;
    return -ENOENT;
}

static int unknown_attr(const char *name, struct error *e)
{
    char known[256] = "";
    size_t n = 0;

    for (int a = 0; a < POLICY_ATTR_COUNT; a++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", a ? ", " : "",
                              policy_table[a].name);
    return error_set(e, -ENOENT, "no policy attribute '%s'; there are %s", QUOTE_STR(name), known);
}

int policy_parse_recorded(enum policy_attr a, const char *text, uint64_t *ret)
{
    return policy_table[a].parse(text, ret) < 0 ? -EINVAL : 0;
}

int policy_parse_attr(struct policy *p, const char *name, const char *value, struct error *e)
{
    const int a = policy_attr_find(name);
    const char *refusal = NULL;
    uint64_t v;

    if (a < 0)
        return unknown_attr(name, e);
    if (policy_table[a].parse(value, &v) < 0)
        return error_set(e, -EINVAL, "%s '%s' is not valid: give %s (%s)", name, QUOTE_STR(value),
                         policy_table[a].argument, policy_table[a].help);
    if (policy_table[a].refuse)
        refusal = policy_table[a].refuse(v);
    if (refusal)
        return error_set(e, -EINVAL, "%s %s %s", name, QUOTE_STR(value), refusal);
    policy_put(p, (enum policy_attr)a, v);
    return 0;
}

/* An attribute of the VLAN tag, whose value @neutral says nothing where there is no tag. */
static int check_needs_vlan(const struct policy *p, enum policy_attr a, uint64_t neutral,
                            struct error *e)
{
    char text[POLICY_TEXT];

    if (!policy_has(p, a))
        return 0;
    policy_format(p, a, text);
    if (!policy_has(p, POLICY_VLAN))
        return error_set(e, -EINVAL, "%s %s needs a VLAN: give 'vlan ID' with it",
                         policy_table[a].name, text);
    if (p->value[POLICY_VLAN] == 0 && p->value[a] != neutral)
        return error_set(e, -EINVAL, "%s %s needs a VLAN, and vlan 0 is none: give vlan 1..%d",
                         policy_table[a].name, text, VLAN_MAX);
    return 0;
}

int policy_check(const struct policy *p, struct error *e)
{
    const uint64_t min = p->value[POLICY_MIN_TX_RATE], max = p->value[POLICY_MAX_TX_RATE];
    int r = check_needs_vlan(p, POLICY_QOS, 0, e);

    if (r == 0)
        r = check_needs_vlan(p, POLICY_PROTO, ETH_P_8021Q, e);
    if (r < 0)
        return r;
    /* A max_tx_rate of 0 is no limit. */
    if (policy_has(p, POLICY_MIN_TX_RATE) && policy_has(p, POLICY_MAX_TX_RATE) && max != 0 &&
        min > max)
        return error_set(e, -EINVAL,
                         "min_tx_rate %" PRIu64 " exceeds max_tx_rate %" PRIu64
                         ": lower the first or raise the second",
                         min, max);
    return 0;
}

uint32_t policy_diff(const struct policy *wanted, const struct policy *actual)
{
    uint32_t diff = 0;

    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++)
        if (policy_has(wanted, a) &&
            (!policy_has(actual, a) || wanted->value[a] != actual->value[a]))
            diff |= 1U << a;
    return diff;
}

const char *policy_format(const struct policy *p, enum policy_attr a, char text[static POLICY_TEXT])
{
    text[0] = '\0';
    if (policy_has(p, a))
        policy_table[a].format(p->value[a], text);
    return text;
}
