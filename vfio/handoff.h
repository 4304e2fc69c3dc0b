/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handoff: how a NIC goes from the agent to a VMM, as one message and its fds.
 *
 * A SOCK_SEQPACKET unix socket; every message is one struct handoff_msg of fixed size, so there
 * is no framing to get wrong, and a message of another size or version ends the conversation.
 * Fds travel by SCM_RIGHTS; how many is fixed by the kind of NIC (handoff_fd_count). The agent
 * learns who is there by SO_PEERCRED, from the kernel, never from the message.
 *
 *   VMM                                agent
 *    HELLO name            ──►          peer may run that name? which leases has it?
 *                          ◄──  NIC     once a lease, with its fds; the agent closes its copies
 *    TAKEN seq             ──►          after each NIC
 *                          ◄──  READY   that was all there is now; or
 *                          ◄──  REFUSED errno and text, then the socket closes
 *
 * The socket then stays open for NICs that come and go while the guest runs:
 *
 *                          ◄──  WANT_CONTAINER    before a VF is opened for a running VM
 *    CONTAINER             ──►          the one its VFs share, so that memory is mapped once; none
 *                          ◄──  NIC     as above; the VMM plugs it in
 *    TAKEN seq             ──►          or
 *    REFUSED seq           ──►          errno and text: it can't; the conversation goes on
 *                          ◄──  REMOVE generation, deadline
 *    STATE generation      ──►          each state the NIC goes through (enum handoff_state); also
 *                                       unasked, when the kernel or an error takes the NIC
 *
 * An agent that dies leaves the VMM a LISTENER: a socket whose path only root reaches. The next
 * agent connects to it and begins with RESUME; the VMM answers with a STATE for each NIC it holds,
 * and HELLO. From then on that is the socket.
 *
 * Either side treats the other's
 * messages as hostile: strings are checked for their terminator, numbers for their range, and
 * fds that weren't announced are closed.
 */
#ifndef VFIO_HANDOFF_H
#define VFIO_HANDOFF_H

#include "basic/error.h"
#include "basic/parse.h"
#include "basic/pci-addr.h"
#include <stdint.h>
#include <sys/types.h>

#define HANDOFF_SOCKET  "/run/sriovctl/handoff"
#define HANDOFF_MAGIC   0x564f4952U /* "RIOV" */
#define HANDOFF_VERSION 1
#define HANDOFF_FDS_MAX 3

enum handoff_type {
    HANDOFF_HELLO = 1,
    HANDOFF_NIC,
    HANDOFF_TAKEN,
    HANDOFF_READY,
    HANDOFF_REFUSED,
    HANDOFF_LISTENER,
    HANDOFF_WANT_CONTAINER,
    HANDOFF_CONTAINER,
    HANDOFF_REMOVE,
    HANDOFF_STATE,
    HANDOFF_RESUME,
    HANDOFF_TYPE_COUNT
};

enum handoff_kind {
    HANDOFF_KIND_VF = 1, /* fds: container, group, device */
    HANDOFF_KIND_VIRTIO, /* fds: tap, vhost-net */
};

#define HANDOFF_FLAG_STANDBY 1U /* virtio: it backs the VF of the same MAC in the guest */

/* Where a NIC stands with its guest; a NIC goes through them downwards, and may skip some. */
enum handoff_state {
    HANDOFF_STATE_OFFERED = 1,  /* plugged in; the guest has been told */
    HANDOFF_STATE_ACTIVE,       /* the guest's driver has turned it on */
    HANDOFF_STATE_REQUESTED,    /* the guest has been asked to give it back */
    HANDOFF_STATE_ACKNOWLEDGED, /* and has seen that */
    HANDOFF_STATE_EJECTED,      /* given back by the guest; the VMM has closed its fds */
    HANDOFF_STATE_REVOKED,      /* taken by force; the VMM has closed its fds */
    HANDOFF_STATE_COUNT
};

/* Why a NIC leaves. */
enum handoff_reason {
    HANDOFF_REASON_ASKED,  /* by REMOVE */
    HANDOFF_REASON_KERNEL, /* VFIO's request event: its driver is to let go of the function */
    HANDOFF_REASON_ERROR,  /* VFIO's error event: the function had an uncorrectable error */
    HANDOFF_REASON_COUNT
};

struct handoff_change {
    uint64_t generation;  /* of the NIC's lease */
    uint32_t deadline_ms; /* REMOVE: take it by force then; 0 at once */
    uint32_t state;       /* STATE: enum handoff_state */
    uint32_t reason;      /* STATE: enum handoff_reason */
};

struct handoff_nic {
    uint32_t kind;       /* enum handoff_kind */
    uint32_t container;  /* VFs with the same number share one container */
    uint64_t generation; /* of the lease */
    uint8_t mac[6];
    uint16_t flags;          /* HANDOFF_FLAG_* */
    char name[VM_NAME_MAX];  /* "eth0/vf0", for messages only */
    char pci[PCI_ADDR_TEXT]; /* host address of a VF, for messages only; "" for virtio */
    uint8_t reserved2[4];
};

struct handoff_msg {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum handoff_type */
    uint32_t seq;  /* NIC: numbered from 1; TAKEN, or REFUSED by the VMM: which one */
    int32_t code;  /* REFUSED: negative errno; CONTAINER: 0, or -ENOENT and no fd */
    union {
        char vm[VM_NAME_MAX];         /* HELLO */
        struct handoff_nic nic;       /* NIC */
        struct handoff_change change; /* REMOVE, STATE */
        char text[480];               /* REFUSED */
    };
};
_Static_assert(sizeof(struct handoff_msg) == 496, "the message has one size for ever");

/* handoff_fd_count - fds that go with a NIC of this kind; -EINVAL if there is no such kind. */
int handoff_fd_count(uint32_t kind);

/**
 * handoff_listen - bind and listen at @path, where anyone may connect
 *
 * A socket that a dead agent left there is replaced, nothing else is.
 *
 * Return: close-on-exec fd; -EBUSY if an agent listens there already; -EEXIST if @path is no
 * socket; another negative errno.
 */
int handoff_listen(const char *path, struct error *e) _must_check_;

/**
 * handoff_peer - who is at the other end, as the kernel knows it (SO_PEERCRED)
 *
 * The process that connected, with the user it was then; it may have passed the socket on or
 * ended since, and its number been reused: decide by @ret_uid, show @ret_pid.
 *
 * Return: 0 or negative errno.
 */
int handoff_peer(int sock, uid_t *ret_uid, pid_t *ret_pid) _must_check_;

/* handoff_connect - connect to the agent; fd, or -EHOSTDOWN with the cure. */
int handoff_connect(const char *path, struct error *e) _must_check_;

/* handoff_msg_init - zeroed message with magic, version, type and seq. */
void handoff_msg_init(struct handoff_msg *m, enum handoff_type type, uint32_t seq);

/**
 * handoff_send - send one message with @n_fds fds
 *
 * The fds stay the caller's. Return: 0 or negative errno (-EPIPE, without a signal, if the peer
 * is gone).
 */
int handoff_send(int sock, const struct handoff_msg *m, const int *fds, size_t n_fds) _must_check_;

/**
 * handoff_recv - receive and validate one message
 * @fds: HANDOFF_FDS_MAX slots; all -1 on failure; on success those that came, close-on-exec and
 *       owned by the caller: exactly as many as the message's kind calls for
 *
 * Return: 0; -ECONNRESET at the end of the conversation; -EPROTO for anything that isn't a valid
 * message (every fd that came with it has been closed); -EAGAIN on a nonblocking socket.
 */
int handoff_recv(int sock, struct handoff_msg *ret, int fds[static HANDOFF_FDS_MAX]) _must_check_;

#endif
