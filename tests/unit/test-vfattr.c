/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/vfattr.h"
#include "sriov/vflink.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define VLAN_ATTRS (1U << POLICY_VLAN | 1U << POLICY_QOS | 1U << POLICY_PROTO)

static struct nl_msg *link_message(int type)
{
    struct ifinfomsg link = {.ifi_index = 2};
    struct nl_msg *msg = nlmsg_alloc_simple(type, 0);

    assert_non_null(msg);
    assert_int_equal(nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO), 0);
    return msg;
}

static int read_message(struct nl_msg *msg, struct policy *policies, size_t count)
{
    return vfattr_read(nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, policies, count);
}

/* The very bytes, of a little-endian machine: three nests, and the kernel's structure. */
static void test_vlan_bytes(void **state _unused_)
{
    static const struct ifla_vf_vlan_info info = {.vf = 5, .vlan = 100, .qos = 3};
    struct nl_msg *msg = link_message(RTM_SETLINK);
    const unsigned char *bytes =
        (const unsigned char *)nlmsg_attrdata(nlmsg_hdr(msg), sizeof(struct ifinfomsg));
    struct policy p = {.set = 0};

    policy_put(&p, POLICY_VLAN, 100);
    policy_put(&p, POLICY_QOS, 3);
    policy_put(&p, POLICY_PROTO, ETH_P_8021AD);
    assert_int_equal(vfattr_put(msg, 5, VLAN_ATTRS, &p), 0);
    assert_int_equal(bytes[0], 4 + 4 + 4 + 4 + sizeof(info));
    assert_int_equal(bytes[2], IFLA_VFINFO_LIST);
    assert_int_equal(bytes[6], IFLA_VF_INFO);
    assert_int_equal(bytes[10], IFLA_VF_VLAN_LIST);
    assert_int_equal(bytes[12], 4 + sizeof(info));
    assert_int_equal(bytes[14], IFLA_VF_VLAN_INFO);
    assert_memory_equal(bytes + 16, &info, offsetof(struct ifla_vf_vlan_info, vlan_proto));
    assert_memory_equal(bytes + 28, "\x88\xa8\0\0", 4); /* big-endian; padding is zero */
    nlmsg_free(msg);
}

static void test_mac_bytes(void **state _unused_)
{
    struct nl_msg *msg = link_message(RTM_SETLINK);
    const unsigned char *bytes =
        (const unsigned char *)nlmsg_attrdata(nlmsg_hdr(msg), sizeof(struct ifinfomsg));
    struct policy p = {.set = 0};

    policy_put(&p, POLICY_MAC, 0x525400aabbcc);
    assert_int_equal(vfattr_put(msg, 2, 1U << POLICY_MAC, &p), 0);
    assert_memory_equal(bytes + 8, "\x28\0\x01\0\x02\0\0\0\x52\x54\0\xaa\xbb\xcc\0\0", 16);
    nlmsg_free(msg);
}

/* Each message of vflink_messages has bytes, and what is put is read; nothing else is. */
static void test_every_message_travels_both_ways(void **state _unused_)
{
    for (size_t i = 0; i < vflink_message_count; i++) {
        struct nl_msg *msg = link_message(RTM_NEWLINK);
        struct policy sent = {.set = 0}, got[3];

        for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++)
            if (vflink_messages[i].attrs & (1U << a))
                policy_put(&sent, (enum policy_attr)a, 1);
        assert_int_equal(vfattr_put(msg, 1, vflink_messages[i].attrs, &sent), 0);
        assert_int_equal(read_message(msg, got, ELEMENTSOF(got)), 0);
        assert_int_equal(got[0].set, 0);
        assert_int_equal(got[1].set, vflink_messages[i].attrs);
        assert_int_equal(policy_diff(&sent, &got[1]), 0);
        assert_int_equal(got[2].set, 0);
        nlmsg_free(msg);
    }
}

static void test_no_attribute_carries_a_mixture(void **state _unused_)
{
    struct nl_msg *msg = link_message(RTM_SETLINK);
    const struct policy p = {.set = 0};
    const uint32_t before = nlmsg_hdr(msg)->nlmsg_len;

    assert_int_equal(vfattr_put(msg, 0, 1U << POLICY_MAC | 1U << POLICY_TRUST, &p), -EOPNOTSUPP);
    assert_int_equal(vfattr_put(msg, 0, 0, &p), -EOPNOTSUPP);
    assert_int_equal(nlmsg_hdr(msg)->nlmsg_len, before);
    nlmsg_free(msg);
}

/* One IFLA_VF_INFO with one attribute of any bytes. */
static struct nl_msg *hostile(int type, const void *data, size_t size)
{
    struct nl_msg *msg = link_message(RTM_NEWLINK);
    struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO);

    assert_int_equal(nla_put(msg, type, (int)size, data), 0);
    nla_nest_end(msg, info);
    nla_nest_end(msg, list);
    return msg;
}

static void test_what_the_driver_cannot_tell(void **state _unused_)
{
    static const struct {
        int type;
        uint32_t data[2];
        uint32_t set;
    } rows[] = {
        {IFLA_VF_TRUST, {0, UINT32_MAX}, 0},
        {IFLA_VF_TRUST, {0, 2}, 0},
        {IFLA_VF_TRUST, {0, 0}, 1U << POLICY_TRUST},
        {IFLA_VF_SPOOFCHK, {0, UINT32_MAX}, 0},
        {IFLA_VF_SPOOFCHK, {0, 1}, 1U << POLICY_SPOOFCHK},
        {IFLA_VF_LINK_STATE, {0, 3}, 0},
        {IFLA_VF_LINK_STATE, {0, 2}, 1U << POLICY_STATE},
        {IFLA_VF_TX_RATE, {0, 5}, 0}, /* the old form, beside IFLA_VF_RATE */
        {200, {0, 1}, 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct nl_msg *msg = hostile(rows[i].type, rows[i].data, sizeof(rows[i].data));
        struct policy p;

        assert_int_equal(read_message(msg, &p, 1), 0);
        assert_int_equal(p.set, rows[i].set);
        nlmsg_free(msg);
    }
}

static void test_index_beyond_the_array(void **state _unused_)
{
    static const uint32_t indexes[] = {1, 2, 0x7fffffff, UINT32_MAX};

    for (size_t i = 0; i < ELEMENTSOF(indexes); i++) {
        const uint32_t data[2] = {indexes[i], 1};
        struct nl_msg *msg = hostile(IFLA_VF_TRUST, data, sizeof(data));
        struct policy p;

        assert_int_equal(read_message(msg, &p, 1), 0);
        assert_int_equal(p.set, 0);
        nlmsg_free(msg);
    }
}

static void test_short_attributes(void **state _unused_)
{
    static const unsigned char zeros[64];
    static const int types[] = {IFLA_VF_MAC,   IFLA_VF_VLAN_LIST,  IFLA_VF_RATE,
                                IFLA_VF_TRUST, IFLA_VF_LINK_STATE, IFLA_VF_IB_NODE_GUID};

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        for (size_t size = 0; size < 8; size++) {
            struct nl_msg *msg = hostile(types[i], zeros, size);
            struct policy p;

            assert_int_equal(read_message(msg, &p, 1), 0);
            assert_int_equal(p.set, 0);
            nlmsg_free(msg);
        }
}

static void test_not_a_link(void **state _unused_)
{
    struct nl_msg *msg = link_message(RTM_DELLINK);
    struct policy p = {.set = 1};

    assert_int_equal(read_message(msg, &p, 1), -EBADMSG);
    nlmsg_hdr(msg)->nlmsg_type = RTM_NEWLINK;
    nlmsg_hdr(msg)->nlmsg_len = NLMSG_HDRLEN + 4; /* less than an ifinfomsg */
    assert_int_equal(read_message(msg, &p, 1), -EBADMSG);
    assert_int_equal(p.set, 1);
    nlmsg_free(msg);
}

/*
 * Every truncation of a good message, and every value of every byte in turn: nothing outside the
 * bytes is touched. They lie at the end of an allocation of their size, for ASan to see.
 */
static void test_truncated_and_flipped(void **state _unused_)
{
    struct nl_msg *msg = link_message(RTM_NEWLINK);
    struct policy p = {.set = 0}, got[2];
    size_t size;

    policy_put(&p, POLICY_VLAN, 100);
    assert_int_equal(vfattr_put(msg, 1, VLAN_ATTRS, &p), 0);
    size = nlmsg_hdr(msg)->nlmsg_len;
    for (size_t cut = 0; cut <= size; cut++) {
        unsigned char *copy = malloc(cut ? cut : 1);

        memcpy(copy, nlmsg_hdr(msg), cut);
        assert_int_equal(vfattr_read((struct nlmsghdr *)copy, cut, got, 2),
                         cut < size ? -EBADMSG : 0);
        free(copy);
    }
    for (size_t at = 0; at < size; at++)
        for (unsigned value = 0; value < 256; value++) {
            unsigned char *copy = malloc(size);

            memcpy(copy, nlmsg_hdr(msg), size);
            copy[at] = (unsigned char)value;
            if (vfattr_read((struct nlmsghdr *)copy, size, got, 2) == 0)
                assert_true(got[0].set == 0 || got[0].set == VLAN_ATTRS);
            free(copy);
        }
    nlmsg_free(msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vlan_bytes),
        cmocka_unit_test(test_mac_bytes),
        cmocka_unit_test(test_every_message_travels_both_ways),
        cmocka_unit_test(test_no_attribute_carries_a_mixture),
        cmocka_unit_test(test_what_the_driver_cannot_tell),
        cmocka_unit_test(test_index_beyond_the_array),
        cmocka_unit_test(test_short_attributes),
        cmocka_unit_test(test_not_a_link),
        cmocka_unit_test(test_truncated_and_flipped),
    };

    return cmocka_run_group_tests_name("vfattr", tests, NULL, NULL);
}
