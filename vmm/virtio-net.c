/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who does what: this file offers features and keeps the configuration, virtio-pci.c speaks with
 * the driver, and from DRIVER_OK to reset the kernel has the rings: vhost reads them, the tap
 * segments and checksums, an irqfd interrupts. So nothing here runs while packets flow.
 */
#include "vmm/virtio-net.h"

#include "vmm/vhost.h"
#include "vmm/virtio-pci.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <sys/ioctl.h>

#define QUEUES     2 /* 0 receives, 1 transmits: virtio 1.2, 5.1.2 */
#define QUEUE_SIZE 256
#define PCI_CLASS  0x0200 /* Ethernet controller */
#define HEADER     12     /* bytes of struct virtio_net_hdr_v1, which the tap puts before packets */

#define BIT(n) (1ULL << (n))

/* Where a feature comes from. */
enum source {
    SOURCE_CONFIG, /* a field of the configuration, kept here */
    SOURCE_AGENT,  /* the agent asks for it */
    SOURCE_TX,     /* any tap with packet headers does it for what the guest sends */
    SOURCE_RX,     /* the tap does it for what the guest receives, if told to (offload) */
    SOURCE_VHOST,  /* how rings are used: vhost knows */
};

static const struct {
    unsigned bit;
    enum source source;
    unsigned offload; /* TUN_F_* */
    uint64_t needs;   /* it makes sense with one of these: virtio 1.2, 5.1.3.1 */
} features[] = {
    {VIRTIO_NET_F_MAC, SOURCE_CONFIG, 0, 0},
    {VIRTIO_NET_F_STATUS, SOURCE_CONFIG, 0, 0},
    {VIRTIO_NET_F_STANDBY, SOURCE_AGENT, 0, 0},
    {VIRTIO_NET_F_CSUM, SOURCE_TX, 0, 0},
    {VIRTIO_NET_F_HOST_TSO4, SOURCE_TX, 0, BIT(VIRTIO_NET_F_CSUM)},
    {VIRTIO_NET_F_HOST_TSO6, SOURCE_TX, 0, BIT(VIRTIO_NET_F_CSUM)},
    {VIRTIO_NET_F_HOST_ECN, SOURCE_TX, 0,
     BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6)},
    {VIRTIO_NET_F_GUEST_CSUM, SOURCE_RX, TUN_F_CSUM, 0},
    {VIRTIO_NET_F_GUEST_TSO4, SOURCE_RX, TUN_F_TSO4, BIT(VIRTIO_NET_F_GUEST_CSUM)},
    {VIRTIO_NET_F_GUEST_TSO6, SOURCE_RX, TUN_F_TSO6, BIT(VIRTIO_NET_F_GUEST_CSUM)},
    {VIRTIO_NET_F_GUEST_ECN, SOURCE_RX, TUN_F_TSO_ECN,
     BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6)},
    {VIRTIO_NET_F_MRG_RXBUF, SOURCE_VHOST, 0, 0},
    {VIRTIO_RING_F_INDIRECT_DESC, SOURCE_VHOST, 0, 0},
    {VIRTIO_RING_F_EVENT_IDX, SOURCE_VHOST, 0, 0},
    {VIRTIO_F_VERSION_1, SOURCE_VHOST, 0, 0},
};

struct virtio_net {
    struct virtio_pci virtio;
    int tap;
    int vhost;
};

static struct virtio_net *net_of(struct virtio_pci *v)
{
    return CONTAINER_OF(v, struct virtio_net, virtio);
}

static uint64_t features_of(enum source source)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < ELEMENTSOF(features); i++)
        if (features[i].source == source)
            mask |= BIT(features[i].bit);
    return mask;
}

static bool features_ok(uint64_t accepted)
{
    for (size_t i = 0; i < ELEMENTSOF(features); i++)
        if (accepted & BIT(features[i].bit) && features[i].needs && !(accepted & features[i].needs))
            return false;
    return true;
}

static int set_offload(int tap, uint64_t accepted)
{
    unsigned offload = 0;

    for (size_t i = 0; i < ELEMENTSOF(features); i++)
        if (accepted & BIT(features[i].bit))
            offload |= features[i].offload;
    return ioctl(tap, TUNSETOFFLOAD, (unsigned long)offload) < 0 ? -errno : 0;
}

static int start_ring(struct virtio_net *n, unsigned queue)
{
    const struct virtio_queue *q = &n->virtio.queues[queue];
    struct vhost_ring ring = {
        .size = q->size,
        .kick = q->kick,
        .call = virtio_pci_call(&n->virtio, queue),
    };

    if (!q->enabled)
        return 0;
    virtio_pci_ring(&n->virtio, queue, &ring.desc, &ring.avail, &ring.used);
    return vhost_ring_start(n->vhost, queue, &ring, n->tap);
}

static void stop(struct virtio_pci *v)
{
    /* Taking a ring back waits for the kernel's thread, and fails for no ring that exists. */
    for (unsigned i = 0; i < QUEUES; i++)
        if (vhost_ring_stop(net_of(v)->vhost, i) < 0)
            continue;
}

static int start(struct virtio_pci *v)
{
    struct virtio_net *n = net_of(v);
    int r = set_offload(n->tap, v->accepted);

    if (r < 0)
        return r;
    r = vhost_set_features(n->vhost, v->accepted & features_of(SOURCE_VHOST));
    for (unsigned i = 0; r == 0 && i < QUEUES; i++)
        r = start_ring(n, i);
    if (r < 0)
        stop(v);
    return r;
}

static int set_call(struct virtio_pci *v, unsigned queue, int eventfd)
{
    return vhost_ring_set_call(net_of(v)->vhost, queue, eventfd);
}

static void destroy(struct virtio_pci *v)
{
    struct virtio_net *n = net_of(v);

    virtio_pci_done(v);
    closep(&n->vhost);
    closep(&n->tap);
    free(n);
}

static const struct virtio_ops ops = {
    .name = "virtio-net",
    .type = VIRTIO_ID_NET,
    .pci_class = PCI_CLASS,
    .num_queues = QUEUES,
    .queue_size = QUEUE_SIZE,
    .features_ok = features_ok,
    .start = start,
    .stop = stop,
    .set_call = set_call,
    .destroy = destroy,
};

/* Settle with the tap what precedes each packet, and see what it can do for received ones. */
static int prepare_tap(int tap, uint64_t *ret_rx_features, struct error *e)
{
    struct ifreq ifr = {0};
    int header = HEADER;

    if (ioctl(tap, TUNGETIFF, &ifr) < 0)
        return error_set(e, -errno, "the fd handed over as a tap isn't one: %s", strerror(errno));
    if (!(ifr.ifr_flags & IFF_VNET_HDR))
        return error_set(e, -EOPNOTSUPP, "tap %.*s was opened without IFF_VNET_HDR", IFNAMSIZ,
                         ifr.ifr_name);
    if (ioctl(tap, TUNSETVNETHDRSZ, &header) < 0)
        return error_set(e, -errno, "tap %.*s: cannot have packet headers of %d bytes: %s",
                         IFNAMSIZ, ifr.ifr_name, HEADER, strerror(errno));
    *ret_rx_features = features_of(SOURCE_RX);
    if (set_offload(tap, *ret_rx_features) < 0)
        *ret_rx_features = 0;
    return 0;
}

int virtio_net_new(struct machine *m, const uint8_t mac[static 6], bool standby, int tap, int vhost,
                   struct pci_device **ret, struct error *e)
{
    struct virtio_net_config config = {.status = VIRTIO_NET_S_LINK_UP};
    _cleanup_free_ struct virtio_net *n = calloc(1, sizeof(*n));
    uint64_t vhost_features = 0, rx_features = 0;
    int r;

    if (!n)
        return error_set(e, -ENOMEM, "virtio-net: out of memory");
    r = prepare_tap(tap, &rx_features, e);
    if (r < 0)
        return r;
    r = vhost_init(vhost, &m->memory, &vhost_features, e);
    if (r < 0)
        return r;
    if (!(vhost_features & BIT(VIRTIO_F_VERSION_1)))
        return error_set(e, -EOPNOTSUPP, "vhost-net doesn't know virtio 1: use a newer kernel");
    memcpy(config.mac, mac, sizeof(config.mac));
    r = virtio_pci_init(&n->virtio, m, &ops,
                        features_of(SOURCE_CONFIG) | features_of(SOURCE_TX) | rx_features |
                            (standby ? features_of(SOURCE_AGENT) : 0) |
                            (features_of(SOURCE_VHOST) & vhost_features),
                        &config, offsetof(struct virtio_net_config, max_virtqueue_pairs));
    if (r < 0)
        return error_set(e, r, "virtio-net: cannot make the device: %s", strerror(-r));
    n->tap = tap;
    n->vhost = vhost;
    *ret = &TAKE_PTR(n)->virtio.pci;
    return 0;
}
