/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/vflink.h"

#include "sriov/vfattr.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <time.h>

#define BIT(a)       (1U << (a))
#define MOMENT_MS    50 /* for drivers that apply a value after they answered */
#define BUSY_MOMENTS 20 /* a VF that was just unbound may be in reset: drivers say EBUSY for it */

const struct vflink_message vflink_messages[] = {
    {.name = "mac", .attrs = BIT(POLICY_MAC), .resets_vf = true},
    {
        .name = "vlan",
        .attrs = BIT(POLICY_VLAN) | BIT(POLICY_QOS) | BIT(POLICY_PROTO),
        .resets_vf = true,
    },
    {.name = "spoofchk", .attrs = BIT(POLICY_SPOOFCHK)},
    {.name = "trust", .attrs = BIT(POLICY_TRUST), .resets_vf = true},
    {.name = "rate", .attrs = BIT(POLICY_MAX_TX_RATE) | BIT(POLICY_MIN_TX_RATE)},
    {.name = "state", .attrs = BIT(POLICY_STATE)},
    {.name = "node_guid", .attrs = BIT(POLICY_NODE_GUID), .resets_vf = true},
    {.name = "port_guid", .attrs = BIT(POLICY_PORT_GUID), .resets_vf = true},
};
const size_t vflink_message_count = ELEMENTSOF(vflink_messages);

/* Which VF of which interface, and under which words it appears in errors. */
struct vflink_target {
    int ifindex;
    char ifname[IF_NAMESIZE + 12]; /* or "interface N" once it is gone */
    const char *driver;
    unsigned vf;
};

static struct vflink_target make_target(int ifindex, const char *driver, unsigned vf)
{
    struct vflink_target t = {.ifindex = ifindex, .driver = driver, .vf = vf};

    if (!if_indextoname((unsigned)ifindex, t.ifname))
        snprintf(t.ifname, sizeof(t.ifname), "interface %d", ifindex);
    return t;
}

static void nl_socket_freep(struct nl_sock **sock)
{
    nl_socket_free(*sock);
}

static void nlmsg_freep(struct nl_msg **msg)
{
    nlmsg_free(*msg);
}

/* libnl keeps errno only in part: where its own code says nothing better, this is an I/O error. */
static int errno_of_libnl(int code)
{
    switch (-code) {
    case NLE_NOMEM:
        return -ENOMEM;
    case NLE_PERM:
        return -EPERM;
    case NLE_NOACCESS:
        return -EACCES;
    case NLE_AGAIN:
        return -EAGAIN;
    default:
        return -EIO;
    }
}

static struct nl_msg *make_message(int ifindex, int type)
{
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST);

    if (!msg || nlmsg_append(msg, (void *)&link, sizeof(link), NLMSG_ALIGNTO) < 0)
        return NULL;
    return TAKE_PTR(msg);
}

/*
 * The kernel's one answer to the message just sent: an error code, or the message in @ret_reply.
 * nl_recv is used bare because libnl's error codes fold several errnos into one.
 */
static int receive(struct nl_sock *sock, unsigned char **ret_reply, size_t *ret_size)
{
    _cleanup_free_ unsigned char *reply = NULL;
    struct sockaddr_nl from;
    const struct nlmsghdr *hdr;
    int n;

    do {
        free(TAKE_PTR(reply));
        n = nl_recv(sock, &from, &reply, NULL);
        if (n < 0)
            return errno_of_libnl(n);
        /* Nobody but the kernel (port 0) may answer. */
    } while (n == 0 || from.nl_pid != 0);
    hdr = (const struct nlmsghdr *)reply;
    if (!nlmsg_ok(hdr, n))
        return -EBADMSG;
    if (hdr->nlmsg_type == NLMSG_ERROR) {
        if (!nlmsg_valid_hdr(hdr, sizeof(struct nlmsgerr)))
            return -EBADMSG;
        return ((const struct nlmsgerr *)nlmsg_data(hdr))->error;
    }
    if (!ret_reply)
        return -EBADMSG;
    *ret_reply = TAKE_PTR(reply);
    *ret_size = (size_t)n;
    return 0;
}

/* One request on a socket of its own, so that no late answer of another can be taken for it. */
static int talk(struct nl_msg *msg, unsigned char **ret_reply, size_t *ret_size)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = nl_socket_alloc();
    int r;

    if (!sock)
        return -ENOMEM;
    r = nl_connect(sock, NETLINK_ROUTE);
    if (r < 0)
        return errno_of_libnl(r);
    nl_socket_enable_msg_peek(sock); /* replies with many VFs outgrow any fixed buffer */
    if (ret_reply)                   /* its reply is the acknowledgement */
        nl_socket_disable_auto_ack(sock);
    nl_complete_msg(sock, msg);
    r = nl_send(sock, msg);
    if (r < 0)
        return errno_of_libnl(r);
    return receive(sock, ret_reply, ret_size);
}

static int get_policies(int ifindex, struct policy *policies, size_t count)
{
    _cleanup_(nlmsg_freep) struct nl_msg *msg = make_message(ifindex, RTM_GETLINK);
    _cleanup_free_ unsigned char *reply = NULL;
    size_t size = 0;
    int r;

    if (!msg || nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS) < 0)
        return -ENOMEM;
    r = talk(msg, &reply, &size);
    if (r < 0)
        return r;
    if (!reply)
        return -EBADMSG;
    return vfattr_read((struct nlmsghdr *)reply, size, policies, count);
}

int vflink_get(int ifindex, struct policy *policies, size_t count, struct error *e)
{
    const struct vflink_target t = make_target(ifindex, "", 0);
    int r = get_policies(ifindex, policies, count);

    switch (r) {
    case 0:
        return 0;
    case -ENODEV:
        return error_set(e, r, "%s is gone: its VFs' policy can't be read", t.ifname);
    case -EMSGSIZE:
        return error_set(e, r,
                         "%s has more VFs than the kernel can describe in one message (about "
                         "220): enable fewer to have their policy read",
                         t.ifname);
    default:
        return error_set(e, r, "can't read the policy of %s's VFs: %s", t.ifname, strerror(-r));
    }
}

/* Values of everything the message carries: the wanted ones, else what is so now. */
static struct policy complete(const struct vflink_message *m, const struct policy *wanted,
                              const struct policy *present)
{
    struct policy p = {.set = 0};

    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++) {
        const bool given = policy_has(wanted, a);

        if ((m->attrs & BIT(a)) && (given || policy_has(present, a)))
            policy_put(&p, a, given ? wanted->value[a] : present->value[a]);
    }
    if (!(m->attrs & BIT(POLICY_VLAN)))
        return p;
    /* Without a VLAN there is no tag to hold the old priority or protocol: a priority alone
     * would make drivers send priority tags. */
    if (p.value[POLICY_VLAN] == 0 && !policy_has(wanted, POLICY_QOS))
        policy_put(&p, POLICY_QOS, 0);
    if (!policy_has(&p, POLICY_PROTO) ||
        (p.value[POLICY_VLAN] == 0 && !policy_has(wanted, POLICY_PROTO)))
        policy_put(&p, POLICY_PROTO, ETH_P_8021Q);
    return p;
}

static void wait_moment(void)
{
    const struct timespec moment = {.tv_nsec = MOMENT_MS * 1000000L};

    nanosleep(&moment, NULL);
}

static int send_once(const struct vflink_target *t, const struct vflink_message *m,
                     const struct policy *values)
{
    _cleanup_(nlmsg_freep) struct nl_msg *msg = make_message(t->ifindex, RTM_SETLINK);
    int r;

    if (!msg)
        return -ENOMEM;
    r = vfattr_put(msg, t->vf, m->attrs, values);
    return r < 0 ? r : talk(msg, NULL, NULL);
}

static int send_message(const struct vflink_target *t, const struct vflink_message *m,
                        const struct policy *values)
{
    int r = send_once(t, m, values);

    for (unsigned i = 0; (r == -EBUSY || r == -EAGAIN) && i < BUSY_MOMENTS; i++) {
        wait_moment();
        r = send_once(t, m, values);
    }
    return r;
}

/* "vlan 100 qos 3": the values the caller asked for. */
static void describe(const struct policy *wanted, uint32_t attrs, char *text, size_t size)
{
    char value[POLICY_TEXT];
    size_t n = 0;

    text[0] = '\0';
    for (unsigned a = 0; a < POLICY_ATTR_COUNT && n < size; a++)
        if ((attrs & BIT(a)) && policy_has(wanted, a))
            n += (size_t)snprintf(text + n, size - n, "%s%s %s", n ? " " : "", policy_table[a].name,
                                  policy_format(wanted, a, value));
}

/* What drivers mean by EINVAL, where it is known. */
static const char *why_invalid(const struct vflink_message *m)
{
    if (m->attrs & BIT(POLICY_MAX_TX_RATE))
        return ": drivers refuse a rate above the link's speed or before the link is up, and "
               "most a min_tx_rate; bring the PF's link up or give a lower rate";
    if (m->attrs & BIT(POLICY_VLAN))
        return ": the driver takes no such VLAN, priority or protocol";
    if (m->attrs & BIT(POLICY_MAC))
        return ": the driver takes no such address";
    return ": the driver takes no such value";
}

static int explain_refusal(const struct vflink_target *t, const struct vflink_message *m,
                           const struct policy *wanted, int code, struct error *e)
{
    char what[256];

    describe(wanted, m->attrs, what, sizeof(what));
    switch (code) {
    case -EOPNOTSUPP:
    case -EPROTONOSUPPORT:
        return error_set(e, -EOPNOTSUPP, "%s of %s vf %u: not supported by %s", what, t->ifname,
                         t->vf, t->driver);
    case -EINVAL:
        return error_set(e, -EOPNOTSUPP, "%s of %s vf %u: refused by %s%s", what, t->ifname, t->vf,
                         t->driver, why_invalid(m));
    case -ENODEV:
        return error_set(e, code, "%s of %s vf %u: the interface is gone", what, t->ifname, t->vf);
    case -EPERM:
        return error_set(e, code, "%s of %s vf %u: needs CAP_NET_ADMIN", what, t->ifname, t->vf);
    default:
        return error_set(e, code, "%s of %s vf %u: %s says %s", what, t->ifname, t->vf, t->driver,
                         strerror(-code));
    }
}

/* The present policy of one VF. */
static int read_present(const struct vflink_target *t, struct policy *ret, struct error *e)
{
    _cleanup_free_ struct policy *all = calloc(t->vf + 1UL, sizeof(*all));
    int r;

    if (!all)
        return error_set(e, -ENOMEM, "out of memory");
    r = vflink_get(t->ifindex, all, t->vf + 1UL, e);
    if (r < 0)
        return r;
    if (all[t->vf].set == 0)
        return error_set(e, -ENODEV, "%s has no VF %u", t->ifname, t->vf);
    *ret = all[t->vf];
    return 0;
}

static int explain_ignored(const struct vflink_target *t, const struct policy *wanted,
                           const struct policy *actual, uint32_t diff, struct error *e)
{
    char asked[256], shown[256];

    describe(wanted, diff, asked, sizeof(asked));
    describe(actual, diff, shown, sizeof(shown));
    return error_set(e, -EOPNOTSUPP,
                     "%s of %s vf %u: not supported by %s, which accepted it and shows %s", asked,
                     t->ifname, t->vf, t->driver, *shown ? shown : "nothing");
}

/* Read back until what was sent is there; a driver may take a moment, but not more. */
static int verify(const struct vflink_target *t, const struct vflink_message *m,
                  const struct policy *wanted, struct error *e)
{
    struct policy actual;
    uint32_t diff = 0;

    for (unsigned attempt = 0; attempt < 2; attempt++) {
        int r;

        if (attempt > 0)
            wait_moment();
        r = read_present(t, &actual, e);
        if (r < 0)
            return r;
        diff = policy_diff(wanted, &actual) & m->attrs;
        if (diff == 0)
            return 0;
    }
    return explain_ignored(t, wanted, &actual, diff, e);
}

int vflink_set(int ifindex, const char *pf_driver, unsigned vf, const struct vflink_message *m,
               const struct policy *wanted, struct error *e)
{
    const struct vflink_target t = make_target(ifindex, pf_driver, vf);
    struct policy present, values;
    int r = read_present(&t, &present, e);

    if (r < 0)
        return r;
    values = complete(m, wanted, &present);
    /* Taking back a message that was refused: what is so already would be refused just the same. */
    if (!(policy_diff(&values, &present) & m->attrs))
        return 0;
    r = send_message(&t, m, &values);
    if (r < 0)
        return explain_refusal(&t, m, wanted, r, e);
    /* Companions that were filled in are compared too: a message may not undo them. */
    return verify(&t, m, &values, e);
}
