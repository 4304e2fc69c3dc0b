/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/handoff.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTEN_BACKLOG 64
#define ERRNO_MAX      4095 /* the kernel's own bound on error codes */

int handoff_fd_count(uint32_t kind)
{
    switch (kind) {
    case HANDOFF_KIND_VF:
        return 3;
    case HANDOFF_KIND_VIRTIO:
        return 2;
    default:
        return -EINVAL;
    }
}

static int socket_at(const char *path, struct sockaddr_un *ret_addr)
{
    int fd;

    *ret_addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret_addr->sun_path))
        return -ENAMETOOLONG;
    memcpy(ret_addr->sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* Does a process still accept connections there? Its file alone doesn't tell. */
static bool someone_listens(const struct sockaddr_un *addr)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return true;
    return connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
           (errno != ECONNREFUSED && errno != ENOENT);
}

static int remove_stale(const struct sockaddr_un *addr, struct error *e)
{
    const char *path = addr->sun_path;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT
                   ? 0
                   : error_set(e, -errno, "handoff socket %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return error_set(e, -EEXIST, "handoff socket %s: something else is there: remove it", path);
    if (someone_listens(addr))
        return error_set(e, -EBUSY, "handoff socket %s: another agent listens there: stop it first",
                         path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set(e, -errno, "handoff socket %s can't be replaced: %s", path,
                         strerror(errno));
    return 0;
}

int handoff_listen(const char *path, struct error *e)
{
    struct sockaddr_un addr;
    _cleanup_close_ int fd = socket_at(path, &addr);
    int r;

    if (fd < 0)
        return error_set(e, fd, "handoff socket %s: %s", path, strerror(-fd));
    r = remove_stale(&addr, e);
    if (r < 0)
        return r;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return error_set(e, -errno, "handoff socket %s can't be made: %s%s", path, strerror(errno),
                         errno == ENOENT ? ": make its directory" : "");
    /* Anyone may knock: who may have what is decided by handoff_peer. */
    if (chmod(path, 0666) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        return error_set(e, -errno, "handoff socket %s can't be listened at: %s", path,
                         strerror(errno));
    return TAKE_FD(fd);
}

int handoff_peer(int sock, uid_t *ret_uid, pid_t *ret_pid)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -errno;
    *ret_uid = cred.uid;
    *ret_pid = cred.pid;
    return 0;
}

int handoff_connect(const char *path, struct error *e)
{
    struct sockaddr_un addr;
    _cleanup_close_ int fd = socket_at(path, &addr);
    int r;

    if (fd < 0)
        return error_set(e, fd, "handoff socket %s: %s", path, strerror(-fd));
    do
        r = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return TAKE_FD(fd);
    if (errno == ENOENT || errno == ECONNREFUSED)
        return error_set(e, -EHOSTDOWN,
                         "sriovd can't be reached (nobody listens at %s): start it with "
                         "systemctl start sriovd",
                         path);
    return error_set(e, -errno, "sriovd can't be reached at %s: %s", path, strerror(errno));
}

void handoff_msg_init(struct handoff_msg *m, enum handoff_type type, uint32_t seq)
{
    memset(m, 0, sizeof(*m));
    m->magic = HANDOFF_MAGIC;
    m->version = HANDOFF_VERSION;
    m->type = (uint16_t)type;
    m->seq = seq;
}

int handoff_send(int sock, const struct handoff_msg *m, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(HANDOFF_FDS_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)m, .iov_len = sizeof(*m)};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (n_fds > HANDOFF_FDS_MAX)
        return -EINVAL;
    if (n_fds > 0) {
        mh.msg_control = &control;
        mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
    }
    do
        n = sendmsg(sock, &mh, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == (ssize_t)sizeof(*m) ? 0 : -EIO;
}

static bool terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static int check_hello(const struct handoff_msg *m)
{
    return terminated(m->vm, sizeof(m->vm)) && vm_name_valid(m->vm) ? 0 : -EPROTO;
}

static int check_nic(const struct handoff_msg *m)
{
    const struct handoff_nic *nic = &m->nic;
    const int n_fds = handoff_fd_count(nic->kind);
    struct pci_addr addr;

    if (n_fds < 0 || m->seq == 0 || nic->flags & ~HANDOFF_FLAG_STANDBY ||
        !terminated(nic->name, sizeof(nic->name)) || !terminated(nic->pci, sizeof(nic->pci)))
        return -EPROTO;
    if (nic->kind == HANDOFF_KIND_VF ? pci_addr_parse(nic->pci, &addr) < 0 : nic->pci[0] != '\0')
        return -EPROTO;
    return n_fds;
}

static int check_taken(const struct handoff_msg *m)
{
    return m->seq > 0 ? 0 : -EPROTO;
}

static int check_bare(const struct handoff_msg *m _unused_)
{
    return 0;
}

static int check_listener(const struct handoff_msg *m _unused_)
{
    return 1;
}

static int check_container(const struct handoff_msg *m)
{
    if (m->code != 0 && m->code != -ENOENT)
        return -EPROTO;
    return m->code == 0;
}

static int check_remove(const struct handoff_msg *m)
{
    return m->change.generation > 0 ? 0 : -EPROTO;
}

static int check_state(const struct handoff_msg *m)
{
    const struct handoff_change *c = &m->change;

    return c->generation > 0 && c->state >= HANDOFF_STATE_OFFERED &&
                   c->state < HANDOFF_STATE_COUNT && c->reason < HANDOFF_REASON_COUNT
               ? 0
               : -EPROTO;
}

static int check_refused(const struct handoff_msg *m)
{
    return m->code < 0 && m->code >= -ERRNO_MAX && terminated(m->text, sizeof(m->text)) ? 0
                                                                                        : -EPROTO;
}

/* What makes a message of each type valid: how many fds go with it, or -EPROTO. */
static int (*const type_checks[HANDOFF_TYPE_COUNT])(const struct handoff_msg *m) = {
    [HANDOFF_HELLO] = check_hello,         [HANDOFF_NIC] = check_nic,
    [HANDOFF_TAKEN] = check_taken,         [HANDOFF_READY] = check_bare,
    [HANDOFF_REFUSED] = check_refused,     [HANDOFF_LISTENER] = check_listener,
    [HANDOFF_WANT_CONTAINER] = check_bare, [HANDOFF_CONTAINER] = check_container,
    [HANDOFF_REMOVE] = check_remove,       [HANDOFF_STATE] = check_state,
    [HANDOFF_RESUME] = check_bare,
};

static int check_msg(const struct handoff_msg *m, size_t n_fds)
{
    int expected;

    if (m->magic != HANDOFF_MAGIC || m->version != HANDOFF_VERSION ||
        m->type >= ELEMENTSOF(type_checks) || !type_checks[m->type])
        return -EPROTO;
    expected = type_checks[m->type](m);
    if (expected < 0)
        return expected;
    return n_fds == (size_t)expected ? 0 : -EPROTO;
}

/* Takes every fd in the control data, so that none leaks: the first into @fds, those beyond are
 * closed. Returns how many came, or -EPROTO if there was something else. */
static int collect_fds(struct msghdr *mh, int fds[static HANDOFF_FDS_MAX])
{
    bool strange = false;
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            strange = true;
            continue;
        }
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
            if (n < HANDOFF_FDS_MAX)
                fds[n] = fd;
            else
                close(fd);
            n++;
        }
    }
    return strange ? -EPROTO : (int)n;
}

static int receive(int sock, struct handoff_msg *m, int fds[static HANDOFF_FDS_MAX])
{
    /* CMSG_SPACE rounds up: the kernel may fit one fd more than were asked for. */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(HANDOFF_FDS_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control)};
    ssize_t n;
    int n_fds;

    do
        n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    n_fds = collect_fds(&mh, fds);
    if (n == 0)
        return -ECONNRESET;
    if (n != (ssize_t)sizeof(*m) || mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || n_fds < 0)
        return -EPROTO;
    return check_msg(m, (size_t)n_fds);
}

int handoff_recv(int sock, struct handoff_msg *ret, int fds[static HANDOFF_FDS_MAX])
{
    struct handoff_msg m;
    int r;

    for (size_t i = 0; i < HANDOFF_FDS_MAX; i++)
        fds[i] = -1;
    r = receive(sock, &m, fds);
    if (r < 0) {
        for (size_t i = 0; i < HANDOFF_FDS_MAX; i++)
            closep(&fds[i]);
        return r;
    }
    *ret = m;
    return 0;
}
