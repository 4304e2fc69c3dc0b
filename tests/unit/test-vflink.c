/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vflink against a PF's driver made here: the linker sends vflink's nl_send and nl_recv to it
 * (--wrap), so that it can refuse, ignore, be late, or answer nonsense.
 */
#include "sriov/vflink.h"

#include "sriov/vfattr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define GONE_IFINDEX 0x7ffffff0 /* no interface has it: errors say "interface N" */
#define VFS          3

static struct {
    struct policy vfs[VFS], coming[VFS];
    int get_error, set_error;
    unsigned busy;         /* so many sets are answered EBUSY first */
    unsigned late;         /* so many reads still show the old values */
    uint32_t ignores;      /* attributes that are accepted and dropped */
    bool no_trust;         /* the driver can't tell */
    unsigned gets, sets;   /* messages seen */
    uint32_t sender;       /* not 0: port that answers first, and forges an error */
    unsigned char *answer; /* what is received next */
    size_t size;
} driver;

static void answer_message(const struct nlmsghdr *hdr)
{
    free(driver.answer);
    driver.size = hdr->nlmsg_len;
    driver.answer = malloc(driver.size);
    memcpy(driver.answer, hdr, driver.size);
}

static void answer_code(int code)
{
    struct {
        struct nlmsghdr hdr;
        struct nlmsgerr err;
    } m = {.hdr = {.nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR}, .err = {.error = code}};

    answer_message(&m.hdr);
}

static void put_vf(struct nl_msg *msg, unsigned vf)
{
    const uint64_t *value = driver.vfs[vf].value;
    const uint64_t mac = htobe64(value[POLICY_MAC] << 16);
    struct ifla_vf_mac vf_mac = {.vf = vf};
    const struct ifla_vf_vlan_info vlan = {vf, (uint32_t)value[POLICY_VLAN],
                                           (uint32_t)value[POLICY_QOS],
                                           htons((uint16_t)value[POLICY_PROTO])};
    const struct ifla_vf_rate rate = {vf, (uint32_t)value[POLICY_MIN_TX_RATE],
                                      (uint32_t)value[POLICY_MAX_TX_RATE]};
    const uint32_t trust[] = {vf, driver.no_trust ? UINT32_MAX : (uint32_t)value[POLICY_TRUST]};
    const uint32_t state[] = {vf, (uint32_t)value[POLICY_STATE]};
    struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO);
    struct nlattr *list;

    memcpy(vf_mac.mac, &mac, 6);
    nla_put(msg, IFLA_VF_MAC, sizeof(vf_mac), &vf_mac);
    nla_put(msg, IFLA_VF_RATE, sizeof(rate), &rate);
    nla_put(msg, IFLA_VF_TRUST, sizeof(trust), trust);
    nla_put(msg, IFLA_VF_LINK_STATE, sizeof(state), state);
    list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
    nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(vlan), &vlan);
    nla_nest_end(msg, list);
    nla_nest_end(msg, info);
}

static void serve_get(void)
{
    struct ifinfomsg link = {.ifi_index = 2};
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, 0);
    struct nlattr *list;

    driver.gets++;
    if (driver.get_error) {
        answer_code(driver.get_error);
    } else {
        if (driver.late == 0)
            memcpy(driver.vfs, driver.coming, sizeof(driver.vfs));
        else
            driver.late--;
        nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO);
        list = nla_nest_start(msg, IFLA_VFINFO_LIST);
        for (unsigned i = 0; i < VFS; i++)
            put_vf(msg, i);
        nla_nest_end(msg, list);
        answer_message(nlmsg_hdr(msg));
    }
    nlmsg_free(msg);
}

static void serve_set(struct nlmsghdr *hdr)
{
    struct policy asked[VFS];

    driver.sets++;
    hdr->nlmsg_type = RTM_NEWLINK;
    assert_int_equal(vfattr_read(hdr, hdr->nlmsg_len, asked, VFS), 0);
    if (driver.busy > 0) {
        driver.busy--;
        answer_code(-EBUSY);
        return;
    }
    for (unsigned i = 0; i < VFS && !driver.set_error; i++)
        for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++)
            if (policy_has(&asked[i], (enum policy_attr)a) && !(driver.ignores & (1U << a)))
                driver.coming[i].value[a] = asked[i].value[a];
    answer_code(driver.set_error);
}

int __wrap_nl_connect(struct nl_sock *sock, int protocol);
int __wrap_nl_send(struct nl_sock *sock, struct nl_msg *msg);
int __wrap_nl_recv(struct nl_sock *sock, struct sockaddr_nl *from, unsigned char **buf,
                   struct ucred **creds);

int __wrap_nl_connect(struct nl_sock *sock _unused_, int protocol)
{
    assert_int_equal(protocol, NETLINK_ROUTE);
    return 0;
}

int __wrap_nl_send(struct nl_sock *sock _unused_, struct nl_msg *msg)
{
    struct nlmsghdr *hdr = nlmsg_hdr(msg);

    assert_int_equal(((struct ifinfomsg *)nlmsg_data(hdr))->ifi_index, GONE_IFINDEX);
    assert_true(hdr->nlmsg_flags & NLM_F_REQUEST);
    if (hdr->nlmsg_type == RTM_GETLINK) {
        struct nlattr *mask = nlmsg_find_attr(hdr, sizeof(struct ifinfomsg), IFLA_EXT_MASK);

        assert_non_null(mask);
        assert_int_equal(nla_get_u32(mask), RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
        serve_get();
    } else {
        assert_int_equal(hdr->nlmsg_type, RTM_SETLINK);
        assert_true(hdr->nlmsg_flags & NLM_F_ACK);
        serve_set(hdr);
    }
    return 0;
}

int __wrap_nl_recv(struct nl_sock *sock _unused_, struct sockaddr_nl *from, unsigned char **buf,
                   struct ucred **creds _unused_)
{
    const struct {
        struct nlmsghdr hdr;
        struct nlmsgerr err;
    } forged = {.hdr = {.nlmsg_len = sizeof(forged), .nlmsg_type = NLMSG_ERROR},
                .err = {.error = -EPERM}};
    const void *answer = driver.sender ? (const void *)&forged : driver.answer;
    const size_t size = driver.sender ? sizeof(forged) : driver.size;

    *from = (struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = driver.sender};
    *buf = malloc(size);
    memcpy(*buf, answer, size);
    driver.sender = 0; /* after a stranger, the kernel */
    return (int)size;
}

static int reset_driver(void **state _unused_)
{
    free(driver.answer);
    memset(&driver, 0, sizeof(driver));
    for (unsigned i = 0; i < VFS; i++)
        driver.coming[i].value[POLICY_PROTO] = ETH_P_8021Q;
    return 0;
}

static const struct vflink_message *message(const char *name)
{
    for (size_t i = 0; i < vflink_message_count; i++)
        if (streq(vflink_messages[i].name, name))
            return &vflink_messages[i];
    fail_msg("no message %s", name);
    return NULL;
}

static int set_vf1(const char *name, const struct policy *wanted, struct error *e)
{
    return vflink_set(GONE_IFINDEX, "igb", 1, message(name), wanted, e);
}

static struct policy one(enum policy_attr a, uint64_t value)
{
    struct policy p = {.set = 0};

    policy_put(&p, a, value);
    return p;
}

/* Every attribute of policy_table travels in exactly one message. */
static void test_messages_cover_the_policy(void **state _unused_)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < vflink_message_count; i++) {
        assert_non_null(vflink_messages[i].name);
        assert_int_equal(seen & vflink_messages[i].attrs, 0);
        seen |= vflink_messages[i].attrs;
    }
    assert_int_equal(seen, (1U << POLICY_ATTR_COUNT) - 1);
}

static void test_get(void **state _unused_)
{
    struct policy policies[VFS + 1] = {[VFS] = {.set = 1}};

    driver.coming[2].value[POLICY_MAC] = 0x525400aabbcc;
    driver.no_trust = true;
    assert_int_equal(vflink_get(GONE_IFINDEX, policies, VFS + 1, NULL), 0);
    assert_true(policies[2].value[POLICY_MAC] == 0x525400aabbcc);
    assert_true(policies[0].value[POLICY_PROTO] == ETH_P_8021Q);
    assert_true(policy_has(&policies[0], POLICY_STATE));
    assert_false(policy_has(&policies[0], POLICY_TRUST));
    assert_int_equal(policies[VFS].set, 0);
}

static void test_get_fails(void **state _unused_)
{
    static const struct {
        int code;
        const char *says;
    } rows[] = {
        {-ENODEV, "interface 2147483632 is gone"},
        {-EMSGSIZE, "more VFs than the kernel can describe in one message"},
        {-EPERM, "can't read the policy of interface 2147483632's VFs: Operation not permitted"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct policy p = {.set = 1};
        struct error e = ERROR_INIT;

        driver.get_error = rows[i].code;
        assert_int_equal(vflink_get(GONE_IFINDEX, &p, 1, &e), rows[i].code);
        assert_non_null(strstr(e.text, rows[i].says));
        assert_int_equal(p.set, 1);
    }
}

static void test_answers_of_strangers_are_dropped(void **state _unused_)
{
    struct policy p;

    driver.sender = 4711;
    assert_int_equal(vflink_get(GONE_IFINDEX, &p, 1, NULL), 0);
    assert_true(policy_has(&p, POLICY_MAC));
}

static void test_set(void **state _unused_)
{
    const struct policy mac = one(POLICY_MAC, 0x525400aabbcc);

    assert_int_equal(set_vf1("mac", &mac, NULL), 0);
    assert_int_equal(driver.sets, 1);
    assert_true(driver.vfs[1].value[POLICY_MAC] == 0x525400aabbcc);
    assert_true(driver.vfs[0].value[POLICY_MAC] == 0);
}

/* A companion that isn't given keeps its value; without a VLAN there is no tag to keep it. */
static void test_companions(void **state _unused_)
{
    struct policy wanted = one(POLICY_VLAN, 100);

    policy_put(&wanted, POLICY_QOS, 3);
    policy_put(&wanted, POLICY_PROTO, ETH_P_8021AD);
    assert_int_equal(set_vf1("vlan", &wanted, NULL), 0);
    wanted = one(POLICY_VLAN, 101);
    assert_int_equal(set_vf1("vlan", &wanted, NULL), 0);
    assert_true(driver.vfs[1].value[POLICY_VLAN] == 101);
    assert_true(driver.vfs[1].value[POLICY_QOS] == 3);
    assert_true(driver.vfs[1].value[POLICY_PROTO] == ETH_P_8021AD);
    wanted = one(POLICY_VLAN, 0);
    assert_int_equal(set_vf1("vlan", &wanted, NULL), 0);
    assert_true(driver.vfs[1].value[POLICY_QOS] == 0);
    assert_true(driver.vfs[1].value[POLICY_PROTO] == ETH_P_8021Q);
    driver.coming[1].value[POLICY_MIN_TX_RATE] = 5;
    wanted = one(POLICY_MAX_TX_RATE, 50);
    assert_int_equal(set_vf1("rate", &wanted, NULL), 0);
    assert_true(driver.vfs[1].value[POLICY_MIN_TX_RATE] == 5);
}

static void test_refusals_in_words(void **state _unused_)
{
    static const struct {
        int kernel, code;
        const char *says;
    } rows[] = {
        {-EOPNOTSUPP, -EOPNOTSUPP,
         "max_tx_rate 100 of interface 2147483632 vf 1: not supported by igb"},
        {-EPROTONOSUPPORT, -EOPNOTSUPP, "not supported by igb"},
        {-EINVAL, -EOPNOTSUPP, "refused by igb: drivers refuse a rate above the link's speed"},
        {-ENODEV, -ENODEV, "the interface is gone"},
        {-EPERM, -EPERM, "needs CAP_NET_ADMIN"},
        {-EIO, -EIO, "igb says Input/output error"},
    };
    const struct policy rate = one(POLICY_MAX_TX_RATE, 100);

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct error e = ERROR_INIT;

        driver.set_error = rows[i].kernel;
        assert_int_equal(set_vf1("rate", &rate, &e), rows[i].code);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s", e.text);
    }
}

static void test_a_driver_that_says_yes_and_does_nothing(void **state _unused_)
{
    const struct policy trust = one(POLICY_TRUST, 1);
    struct error e = ERROR_INIT;

    driver.ignores = 1U << POLICY_TRUST;
    assert_int_equal(set_vf1("trust", &trust, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "trust on of interface 2147483632 vf 1: not supported by igb, "
                                   "which accepted it and shows trust off"));
    driver.no_trust = true;
    assert_int_equal(set_vf1("trust", &trust, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "shows nothing"));
}

static void test_a_driver_that_is_late(void **state _unused_)
{
    const struct policy mac = one(POLICY_MAC, 0x525400aabbcc);

    driver.late = 2; /* the read before and the first after */
    assert_int_equal(set_vf1("mac", &mac, NULL), 0);
    assert_int_equal(driver.gets, 3);
}

static void test_a_vf_in_reset(void **state _unused_)
{
    const struct policy mac = one(POLICY_MAC, 0x525400aabbcc);
    const struct policy other = one(POLICY_MAC, 0x525400aabbdd);
    struct error e = ERROR_INIT;

    driver.busy = 2;
    assert_int_equal(set_vf1("mac", &mac, NULL), 0);
    assert_int_equal(driver.sets, 3);
    driver.busy = 1000;
    assert_int_equal(set_vf1("mac", &other, &e), -EBUSY);
    assert_true(driver.busy > 900);
}

/* A driver that refuses an attribute altogether need not take its present value either. */
static void test_what_is_so_is_not_sent(void **state _unused_)
{
    const struct policy automatic = one(POLICY_STATE, IFLA_VF_LINK_STATE_AUTO);

    driver.set_error = -EOPNOTSUPP;
    assert_int_equal(set_vf1("state", &automatic, NULL), 0);
    assert_int_equal(driver.sets, 0);
}

static void test_no_such_vf(void **state _unused_)
{
    const struct policy mac = one(POLICY_MAC, 0x525400aabbcc);
    struct error e = ERROR_INIT;

    assert_int_equal(vflink_set(GONE_IFINDEX, "igb", VFS, message("mac"), &mac, &e), -ENODEV);
    assert_non_null(strstr(e.text, "has no VF 3"));
    assert_int_equal(driver.sets, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset_driver, reset_driver)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_messages_cover_the_policy),
        TEST(test_get),
        TEST(test_get_fails),
        TEST(test_answers_of_strangers_are_dropped),
        TEST(test_set),
        TEST(test_companions),
        TEST(test_refusals_in_words),
        TEST(test_a_driver_that_says_yes_and_does_nothing),
        TEST(test_a_driver_that_is_late),
        TEST(test_a_vf_in_reset),
        TEST(test_what_is_so_is_not_sent),
        TEST(test_no_such_vf),
    };

    return cmocka_run_group_tests_name("vflink", tests, NULL, NULL);
}
