/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/handoff.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/test-handoff.XXXXXX";
static char sock_path[sizeof(dir) + 8];

static int setup_group(void **state _unused_)
{
    assert_non_null(mkdtemp(dir));
    snprintf(sock_path, sizeof(sock_path), "%s/sock", dir);
    return 0;
}

static int teardown_group(void **state _unused_)
{
    unlink(sock_path);
    return rmdir(dir);
}

static unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static struct handoff_msg nic_msg(uint32_t kind)
{
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_NIC, 1);
    m.nic.kind = kind;
    m.nic.generation = 42;
    snprintf(m.nic.name, sizeof(m.nic.name), "eth0/vf0");
    if (kind == HANDOFF_KIND_VF)
        snprintf(m.nic.pci, sizeof(m.nic.pci), "0000:01:10.0");
    return m;
}

static struct handoff_msg hello_msg(const char *vm)
{
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_HELLO, 0);
    snprintf(m.vm, sizeof(m.vm), "%s", vm);
    return m;
}

/* The VMM's side, in a process of its own: says hello, takes a NIC, proves that its fds work. */
static int vmm_process(void)
{
    struct handoff_msg m = hello_msg("vm1");
    int sock = handoff_connect(sock_path, NULL);
    int fds[HANDOFF_FDS_MAX];

    if (sock < 0 || handoff_send(sock, &m, NULL, 0) < 0)
        return 1;
    if (handoff_recv(sock, &m, fds) < 0 || m.type != HANDOFF_NIC || m.nic.generation != 42)
        return 2;
    for (int i = 0; i < HANDOFF_FDS_MAX; i++)
        if (fds[i] < 0 || !(fcntl(fds[i], F_GETFD) & FD_CLOEXEC))
            return 3;
    if (write(fds[1], "it works", 8) != 8)
        return 4;
    handoff_msg_init(&m, HANDOFF_TAKEN, m.seq);
    if (handoff_send(sock, &m, NULL, 0) < 0)
        return 5;
    if (handoff_recv(sock, &m, fds) < 0 || m.type != HANDOFF_REFUSED || m.code != -EPERM ||
        strcmp(m.text, "not yours"))
        return 6;
    return handoff_recv(sock, &m, fds) == -ECONNRESET ? 0 : 7;
}

/* The agent's side of the same conversation. */
static void serve(int sock, pid_t vmm)
{
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct handoff_msg m;
    int fds[HANDOFF_FDS_MAX], pipefd[2];
    char text[16] = "";
    uid_t uid = 12345;
    pid_t pid = 0;

    assert_int_equal(handoff_peer(sock, &uid, &pid), 0);
    assert_int_equal(uid, getuid());
    assert_int_equal(pid, vmm);
    assert_int_equal(handoff_recv(sock, &m, fds), 0);
    assert_int_equal(m.type, HANDOFF_HELLO);
    assert_string_equal(m.vm, "vm1");
    assert_int_equal(fds[0], -1);

    assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
    m = nic_msg(HANDOFF_KIND_VF);
    assert_int_equal(handoff_send(sock, &m, (int[]){null, pipefd[1], null}, 3), 0);
    close(pipefd[1]);
    assert_int_equal(handoff_recv(sock, &m, fds), 0);
    assert_int_equal(m.type, HANDOFF_TAKEN);
    assert_int_equal(m.seq, 1);
    assert_int_equal(read(pipefd[0], text, sizeof(text)), 8);
    assert_string_equal(text, "it works");
    close(pipefd[0]);

    handoff_msg_init(&m, HANDOFF_REFUSED, 0);
    m.code = -EPERM;
    snprintf(m.text, sizeof(m.text), "not yours");
    assert_int_equal(handoff_send(sock, &m, NULL, 0), 0);
}

static void test_two_processes(void **state _unused_)
{
    const unsigned before = count_fds();
    int listener = handoff_listen(sock_path, NULL);
    int status, sock;
    struct stat st;
    pid_t child;

    assert_true(listener >= 0);
    assert_int_equal(stat(sock_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(vmm_process());
    sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(sock >= 0);
    serve(sock, child);
    close(sock);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(listener);
    assert_int_equal(count_fds(), before);
}

static void test_listen(void **state _unused_)
{
    struct error e = ERROR_INIT;
    int fd = handoff_listen(sock_path, &e);
    char path[200];

    assert_true(fd >= 0);
    /* A live agent isn't robbed of its socket; a dead one is. */
    assert_int_equal(handoff_listen(sock_path, &e), -EBUSY);
    close(fd);
    assert_int_equal(handoff_connect(sock_path, &e), -EHOSTDOWN);
    assert_text_has(e.text, "systemctl start sriovd");
    fd = handoff_listen(sock_path, &e);
    assert_true(fd >= 0);
    close(fd);
    unlink(sock_path);
    assert_int_equal(handoff_connect(sock_path, &e), -EHOSTDOWN);

    close(open(sock_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(handoff_listen(sock_path, &e), -EEXIST);
    assert_text_has(e.text, sock_path);
    assert_int_equal(access(sock_path, F_OK), 0);
    unlink(sock_path);

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(handoff_listen(path, &e), -ENAMETOOLONG);
    assert_int_equal(handoff_connect(path, &e), -ENAMETOOLONG);
    snprintf(path, sizeof(path), "%s/none/sock", dir);
    assert_int_equal(handoff_listen(path, &e), -ENOENT);
}

static void test_fd_count(void **state _unused_)
{
    assert_int_equal(handoff_fd_count(HANDOFF_KIND_VF), 3);
    assert_int_equal(handoff_fd_count(HANDOFF_KIND_VIRTIO), 2);
    assert_int_equal(handoff_fd_count(0), -EINVAL);
    assert_int_equal(handoff_fd_count(3), -EINVAL);
}

/* Sends @size bytes with @n_fds copies of /dev/null, in as many control messages as asked, as only
 * a hostile peer would. */
static void send_raw(int sock, const void *data, size_t size, unsigned n_fds)
{
    _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

    assert_true(n_fds <= 16);
    if (n_fds > 0) {
        mh.msg_control = &control;
        mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (unsigned i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null, sizeof(int));
    }
    assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL), size);
}

/* What comes out of handoff_recv for these bytes and fds; nothing may stay open or be written. */
static int receive_raw(const void *data, size_t size, unsigned n_fds)
{
    const unsigned before = count_fds();
    struct handoff_msg m, untouched;
    int fds[HANDOFF_FDS_MAX] = {77, 77, 77};
    int pair[2], r;

    memset(&untouched, 0x5a, sizeof(untouched));
    m = untouched;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    send_raw(pair[0], data, size, n_fds);
    r = handoff_recv(pair[1], &m, fds);
    if (r < 0) {
        for (int i = 0; i < HANDOFF_FDS_MAX; i++)
            assert_int_equal(fds[i], -1);
        assert_memory_equal(&m, &untouched, sizeof(m));
    } else {
        for (int i = 0; i < HANDOFF_FDS_MAX; i++)
            closep(&fds[i]);
    }
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(count_fds(), before);
    return r;
}

#define RECEIVE(m, n_fds) receive_raw(&(m), sizeof(m), (n_fds))

static void test_wrong_size(void **state _unused_)
{
    struct handoff_msg twice[2] = {hello_msg("vm1"), hello_msg("vm1")};

    assert_int_equal(RECEIVE(twice[0], 0), 0);
    assert_int_equal(receive_raw(&twice, sizeof(twice[0]) + 1, 0), -EPROTO);
    assert_int_equal(receive_raw(&twice, sizeof(twice), 3), -EPROTO);
    assert_int_equal(receive_raw(&twice, sizeof(twice[0]) - 1, 0), -EPROTO);
    assert_int_equal(receive_raw(&twice, 1, 2), -EPROTO);
    assert_int_equal(receive_raw(&twice, 0, 1), -ECONNRESET);
}

static void test_wrong_fd_count(void **state _unused_)
{
    struct handoff_msg vf = nic_msg(HANDOFF_KIND_VF), virtio = nic_msg(HANDOFF_KIND_VIRTIO),
                       hello = hello_msg("vm1");

    for (unsigned n = 0; n <= 16; n++) {
        assert_int_equal(RECEIVE(vf, n), n == 3 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(virtio, n), n == 2 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(hello, n), n == 0 ? 0 : -EPROTO);
    }
}

static void test_wrong_header(void **state _unused_)
{
    static const uint16_t types[] = {0, HANDOFF_TYPE_COUNT, 0xffff};
    struct handoff_msg m = hello_msg("vm1");

    m.magic++;
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    m = hello_msg("vm1");
    m.version++;
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    for (size_t i = 0; i < ELEMENTSOF(types); i++) {
        m = hello_msg("vm1");
        m.type = types[i];
        assert_int_equal(RECEIVE(m, 0), -EPROTO);
    }
}

static void test_wrong_hello(void **state _unused_)
{
    static const char *const names[] = {"", "../etc", "a/b", ".hidden", "-o", "vm\n1", "vm 1"};
    struct handoff_msg m;

    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        m = hello_msg(names[i]);
        assert_int_equal(RECEIVE(m, 0), -EPROTO);
    }
    m = hello_msg("vm1");
    memset(m.vm, 'v', sizeof(m.vm));
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    m.vm[sizeof(m.vm) - 1] = '\0';
    assert_int_equal(RECEIVE(m, 0), 0);
}

static void test_wrong_nic(void **state _unused_)
{
    struct handoff_msg m = nic_msg(3);

    for (unsigned n = 0; n <= 3; n++)
        assert_int_equal(RECEIVE(m, n), -EPROTO);
    m = nic_msg(HANDOFF_KIND_VF);
    m.seq = 0;
    assert_int_equal(RECEIVE(m, 3), -EPROTO);
    m = nic_msg(HANDOFF_KIND_VIRTIO);
    m.nic.flags = HANDOFF_FLAG_STANDBY << 1;
    assert_int_equal(RECEIVE(m, 2), -EPROTO);
    m.nic.flags = HANDOFF_FLAG_STANDBY;
    assert_int_equal(RECEIVE(m, 2), 0);
    m = nic_msg(HANDOFF_KIND_VF);
    memset(m.nic.name, 'n', sizeof(m.nic.name));
    assert_int_equal(RECEIVE(m, 3), -EPROTO);
    m = nic_msg(HANDOFF_KIND_VF);
    memset(m.nic.pci, '0', sizeof(m.nic.pci));
    assert_int_equal(RECEIVE(m, 3), -EPROTO);
    m = nic_msg(HANDOFF_KIND_VF);
    m.nic.pci[0] = '\0';
    assert_int_equal(RECEIVE(m, 3), -EPROTO);
    m = nic_msg(HANDOFF_KIND_VIRTIO);
    snprintf(m.nic.pci, sizeof(m.nic.pci), "0000:01:10.0");
    assert_int_equal(RECEIVE(m, 2), -EPROTO);
}

static struct handoff_msg change_msg(enum handoff_type type)
{
    struct handoff_msg m;

    handoff_msg_init(&m, type, 0);
    m.change = (struct handoff_change){.generation = 7, .state = HANDOFF_STATE_REVOKED};
    return m;
}

/* What comes and goes while the guest runs: how many fds go with each, and what is out of range. */
static void test_live_messages(void **state _unused_)
{
    struct handoff_msg listener, want, container, resume, remove, change;

    handoff_msg_init(&listener, HANDOFF_LISTENER, 0);
    handoff_msg_init(&want, HANDOFF_WANT_CONTAINER, 0);
    handoff_msg_init(&container, HANDOFF_CONTAINER, 0);
    handoff_msg_init(&resume, HANDOFF_RESUME, 0);
    remove = change_msg(HANDOFF_REMOVE);
    change = change_msg(HANDOFF_STATE);
    for (unsigned n = 0; n <= 3; n++) {
        assert_int_equal(RECEIVE(listener, n), n == 1 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(want, n), n == 0 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(container, n), n == 1 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(resume, n), n == 0 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(remove, n), n == 0 ? 0 : -EPROTO);
        assert_int_equal(RECEIVE(change, n), n == 0 ? 0 : -EPROTO);
    }
    container.code = -ENOENT;
    assert_int_equal(RECEIVE(container, 0), 0);
    assert_int_equal(RECEIVE(container, 1), -EPROTO);
    container.code = -EPERM;
    assert_int_equal(RECEIVE(container, 0), -EPROTO);
}

static void test_wrong_change(void **state _unused_)
{
    static const uint32_t states[] = {0, HANDOFF_STATE_COUNT, UINT32_MAX};
    struct handoff_msg m = change_msg(HANDOFF_REMOVE);

    m.change.generation = 0;
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    m = change_msg(HANDOFF_STATE);
    m.change.generation = 0;
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    for (size_t i = 0; i < ELEMENTSOF(states); i++) {
        m = change_msg(HANDOFF_STATE);
        m.change.state = states[i];
        assert_int_equal(RECEIVE(m, 0), -EPROTO);
    }
    m = change_msg(HANDOFF_STATE);
    m.change.reason = HANDOFF_REASON_COUNT;
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
}

static void test_wrong_refusal(void **state _unused_)
{
    static const int codes[] = {0, 1, -4096, INT32_MIN};
    struct handoff_msg m;

    handoff_msg_init(&m, HANDOFF_REFUSED, 0);
    m.code = -EPERM;
    assert_int_equal(RECEIVE(m, 0), 0);
    for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
        m.code = codes[i];
        assert_int_equal(RECEIVE(m, 0), -EPROTO);
    }
    m.code = -EPERM;
    memset(m.text, 't', sizeof(m.text));
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    handoff_msg_init(&m, HANDOFF_TAKEN, 0);
    assert_int_equal(RECEIVE(m, 0), -EPROTO);
    handoff_msg_init(&m, HANDOFF_READY, 0);
    assert_int_equal(RECEIVE(m, 0), 0);
}

/* Credentials that a peer sends unasked are no fds, and cost nothing. */
static void test_other_control_data(void **state _unused_)
{
    const unsigned before = count_fds();
    struct handoff_msg m = hello_msg("vm1"), got;
    int fds[HANDOFF_FDS_MAX], pair[2], on = 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    send_raw(pair[0], &m, sizeof(m), 3);
    assert_int_equal(handoff_recv(pair[1], &got, fds), -EPROTO);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(count_fds(), before);
}

static void test_peer_gone(void **state _unused_)
{
    struct handoff_msg m = hello_msg("vm1");
    int fds[HANDOFF_FDS_MAX], pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(handoff_recv(pair[1], &m, fds), -EAGAIN);
    assert_int_equal(handoff_send(pair[1], &m, (int[]){0, 0, 0, 0}, 4), -EINVAL);
    close(pair[0]);
    assert_int_equal(handoff_send(pair[1], &m, NULL, 0), -EPIPE);
    assert_int_equal(handoff_recv(pair[1], &m, fds), -ECONNRESET);
    close(pair[1]);
    assert_int_equal(handoff_peer(-1, &(uid_t){0}, &(pid_t){0}), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_processes),  cmocka_unit_test(test_listen),
        cmocka_unit_test(test_fd_count),       cmocka_unit_test(test_live_messages),
        cmocka_unit_test(test_wrong_change),   cmocka_unit_test(test_wrong_size),
        cmocka_unit_test(test_wrong_fd_count), cmocka_unit_test(test_wrong_header),
        cmocka_unit_test(test_wrong_hello),    cmocka_unit_test(test_wrong_nic),
        cmocka_unit_test(test_wrong_refusal),  cmocka_unit_test(test_other_control_data),
        cmocka_unit_test(test_peer_gone),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
