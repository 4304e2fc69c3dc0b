/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/vfattr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#define BIT(a)    (1U << (a))
#define MAC_BYTES 6

/* The kernel's structures, whichever travels. All begin with the VF's index. */
union vfattr_data {
    uint32_t vf;
    struct ifla_vf_mac mac;
    struct ifla_vf_vlan_info vlan;
    struct ifla_vf_rate rate;
    struct ifla_vf_spoofchk spoofchk;
    struct ifla_vf_trust trust;
    struct ifla_vf_link_state state;
    struct ifla_vf_guid guid;
};

struct vfattr_row {
    uint16_t type;  /* IFLA_VF_* */
    uint16_t inner; /* the attribute inside it that holds the structure, 0 if it does itself */
    size_t size;    /* of the structure */
    uint32_t attrs; /* policy attributes in it */
    void (*encode)(const struct policy *p, union vfattr_data *d);
    void (*decode)(const union vfattr_data *d, struct policy *p);
};

static void encode_mac(const struct policy *p, union vfattr_data *d)
{
    for (unsigned i = 0; i < MAC_BYTES; i++)
        d->mac.mac[i] = (uint8_t)(p->value[POLICY_MAC] >> 8 * (MAC_BYTES - 1 - i));
}

static void decode_mac(const union vfattr_data *d, struct policy *p)
{
    uint64_t mac = 0;

    for (unsigned i = 0; i < MAC_BYTES; i++)
        mac = mac << 8 | d->mac.mac[i];
    policy_put(p, POLICY_MAC, mac);
}

static void encode_vlan(const struct policy *p, union vfattr_data *d)
{
    d->vlan.vlan = (uint32_t)p->value[POLICY_VLAN];
    d->vlan.qos = (uint32_t)p->value[POLICY_QOS];
    d->vlan.vlan_proto = htons((uint16_t)p->value[POLICY_PROTO]);
}

static void decode_vlan(const union vfattr_data *d, struct policy *p)
{
    policy_put(p, POLICY_VLAN, d->vlan.vlan);
    policy_put(p, POLICY_QOS, d->vlan.qos);
    policy_put(p, POLICY_PROTO, ntohs(d->vlan.vlan_proto));
}

static void encode_rate(const struct policy *p, union vfattr_data *d)
{
    d->rate.min_tx_rate = (uint32_t)p->value[POLICY_MIN_TX_RATE];
    d->rate.max_tx_rate = (uint32_t)p->value[POLICY_MAX_TX_RATE];
}

static void decode_rate(const union vfattr_data *d, struct policy *p)
{
    policy_put(p, POLICY_MIN_TX_RATE, d->rate.min_tx_rate);
    policy_put(p, POLICY_MAX_TX_RATE, d->rate.max_tx_rate);
}

/* A driver that doesn't know a switch leaves the kernel's -1 in it. */
static void decode_switch(uint32_t setting, enum policy_attr a, struct policy *p)
{
    if (setting <= 1)
        policy_put(p, a, setting);
}

static void encode_spoofchk(const struct policy *p, union vfattr_data *d)
{
    d->spoofchk.setting = (uint32_t)p->value[POLICY_SPOOFCHK];
}

static void decode_spoofchk(const union vfattr_data *d, struct policy *p)
{
    decode_switch(d->spoofchk.setting, POLICY_SPOOFCHK, p);
}

static void encode_trust(const struct policy *p, union vfattr_data *d)
{
    d->trust.setting = (uint32_t)p->value[POLICY_TRUST];
}

static void decode_trust(const union vfattr_data *d, struct policy *p)
{
    decode_switch(d->trust.setting, POLICY_TRUST, p);
}

static void encode_state(const struct policy *p, union vfattr_data *d)
{
    d->state.link_state = (uint32_t)p->value[POLICY_STATE];
}

static void decode_state(const union vfattr_data *d, struct policy *p)
{
    if (d->state.link_state <= IFLA_VF_LINK_STATE_DISABLE)
        policy_put(p, POLICY_STATE, d->state.link_state);
}

/* GUIDs travel as a number of the host, its first pair the most significant byte. */
static void encode_node_guid(const struct policy *p, union vfattr_data *d)
{
    d->guid.guid = p->value[POLICY_NODE_GUID];
}

static void decode_node_guid(const union vfattr_data *d, struct policy *p)
{
    policy_put(p, POLICY_NODE_GUID, d->guid.guid);
}

static void encode_port_guid(const struct policy *p, union vfattr_data *d)
{
    d->guid.guid = p->value[POLICY_PORT_GUID];
}

static void decode_port_guid(const union vfattr_data *d, struct policy *p)
{
    policy_put(p, POLICY_PORT_GUID, d->guid.guid);
}

static const struct vfattr_row vfattr_table[] = {
    {
        .type = IFLA_VF_MAC,
        .size = sizeof(struct ifla_vf_mac),
        .attrs = BIT(POLICY_MAC),
        .encode = encode_mac,
        .decode = decode_mac,
    },
    /* Every kernel since 4.9 takes the list, of one entry. IFLA_VF_VLAN is the same call into the
     * driver without a protocol. */
    {
        .type = IFLA_VF_VLAN_LIST,
        .inner = IFLA_VF_VLAN_INFO,
        .size = sizeof(struct ifla_vf_vlan_info),
        .attrs = BIT(POLICY_VLAN) | BIT(POLICY_QOS) | BIT(POLICY_PROTO),
        .encode = encode_vlan,
        .decode = decode_vlan,
    },
    {
        .type = IFLA_VF_RATE,
        .size = sizeof(struct ifla_vf_rate),
        .attrs = BIT(POLICY_MIN_TX_RATE) | BIT(POLICY_MAX_TX_RATE),
        .encode = encode_rate,
        .decode = decode_rate,
    },
    {
        .type = IFLA_VF_SPOOFCHK,
        .size = sizeof(struct ifla_vf_spoofchk),
        .attrs = BIT(POLICY_SPOOFCHK),
        .encode = encode_spoofchk,
        .decode = decode_spoofchk,
    },
    {
        .type = IFLA_VF_TRUST,
        .size = sizeof(struct ifla_vf_trust),
        .attrs = BIT(POLICY_TRUST),
        .encode = encode_trust,
        .decode = decode_trust,
    },
    {
        .type = IFLA_VF_LINK_STATE,
        .size = sizeof(struct ifla_vf_link_state),
        .attrs = BIT(POLICY_STATE),
        .encode = encode_state,
        .decode = decode_state,
    },
    {
        .type = IFLA_VF_IB_NODE_GUID,
        .size = sizeof(struct ifla_vf_guid),
        .attrs = BIT(POLICY_NODE_GUID),
        .encode = encode_node_guid,
        .decode = decode_node_guid,
    },
    {
        .type = IFLA_VF_IB_PORT_GUID,
        .size = sizeof(struct ifla_vf_guid),
        .attrs = BIT(POLICY_PORT_GUID),
        .encode = encode_port_guid,
        .decode = decode_port_guid,
    },
};

static const struct vfattr_row *row_by_attrs(uint32_t attrs)
{
    for (size_t i = 0; i < ELEMENTSOF(vfattr_table); i++)
        if (vfattr_table[i].attrs == attrs)
            return &vfattr_table[i];
    return NULL;
}

static const struct vfattr_row *row_by_type(int type)
{
    for (size_t i = 0; i < ELEMENTSOF(vfattr_table); i++)
        if (vfattr_table[i].type == type)
            return &vfattr_table[i];
    return NULL;
}

static int put_value(struct nl_msg *msg, const struct vfattr_row *row, const union vfattr_data *d)
{
    struct nlattr *nest;

    if (!row->inner)
        return nla_put(msg, row->type, (int)row->size, d);
    nest = nla_nest_start(msg, row->type);
    if (!nest || nla_put(msg, row->inner, (int)row->size, d) < 0)
        return -ENOMEM;
    return nla_nest_end(msg, nest);
}

int vfattr_put(struct nl_msg *msg, unsigned vf, uint32_t attrs, const struct policy *values)
{
    const struct vfattr_row *row = row_by_attrs(attrs);
    union vfattr_data data;
    struct nlattr *list, *info;

    if (!row)
        return -EOPNOTSUPP;
    memset(&data, 0, sizeof(data)); /* padding travels too */
    data.vf = vf;
    row->encode(values, &data);
    list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    info = list ? nla_nest_start(msg, IFLA_VF_INFO) : NULL;
    if (!info || put_value(msg, row, &data) < 0)
        return -ENOMEM;
    nla_nest_end(msg, info);
    nla_nest_end(msg, list);
    return 0;
}

static void read_value(const struct nlattr *attr, struct policy *policies, size_t count)
{
    const struct vfattr_row *row = row_by_type(nla_type(attr));
    union vfattr_data data;

    if (!row)
        return;
    if (row->inner) {
        attr = nla_find(nla_data(attr), nla_len(attr), row->inner);
        if (!attr)
            return;
    }
    if ((size_t)nla_len(attr) < row->size)
        return;
    memcpy(&data, nla_data(attr), row->size);
    if (data.vf < count)
        row->decode(&data, &policies[data.vf]);
}

static void read_list(const struct nlattr *list, struct policy *policies, size_t count)
{
    struct nlattr *info, *attr;
    int info_left, left;

    nla_for_each_nested(info, list, info_left)
    {
        if (nla_type(info) != IFLA_VF_INFO)
            continue;
        nla_for_each_nested(attr, info, left) read_value(attr, policies, count);
    }
}

int vfattr_read(struct nlmsghdr *hdr, size_t size, struct policy *policies, size_t count)
{
    const struct nlattr *list;

    if (size > INT32_MAX || !nlmsg_ok(hdr, (int)size) || hdr->nlmsg_type != RTM_NEWLINK ||
        !nlmsg_valid_hdr(hdr, sizeof(struct ifinfomsg)))
        return -EBADMSG;
    for (size_t i = 0; i < count; i++)
        policies[i] = (struct policy){.set = 0};
    list = nlmsg_find_attr(hdr, sizeof(struct ifinfomsg), IFLA_VFINFO_LIST);
    if (list)
        read_list(list, policies, count);
    return 0;
}
