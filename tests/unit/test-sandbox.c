/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each case in a child of its own, which ends as the filter wills. */
#include "vmm/sandbox.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#define ALLOWED 42

static void call_harmless(void)
{
    char byte;

    free(malloc(1 << 20));
    (void)!pread(STDIN_FILENO, &byte, 0, 0);
}

static struct termios settings;
static int terminal; /* opened before */

/* What puts a terminal back at the end. */
static void call_tcsetattr(void)
{
    if (tcsetattr(terminal, TCSANOW, &settings) < 0)
        _exit(1);
}

static void call_open(void)
{
    (void)open("/dev/null", O_RDONLY);
}

static void call_socket(void)
{
    (void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void call_exec(void)
{
    char *const argv[] = {NULL};

    execv("/bin/true", argv);
}

/* The call itself: glibc's fork blocks all signals first, and a refusal that can't be reported
 * kills instead. */
static void call_fork(void)
{
    if (syscall(SYS_fork) == 0)
        _exit(0);
}

static void call_mmap_exec(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void call_mmap(void)
{
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        _exit(1);
}

static void call_tty_ioctl(void)
{
    char c = 'x';

    (void)ioctl(0, TIOCSTI, &c);
}

static void call_kill_parent(void)
{
    kill(getppid(), 0);
}

/* Of any fd: the filter doesn't know which is the agent's. */
static void call_peer(void)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    (void)getsockopt(STDIN_FILENO, SOL_SOCKET, SO_PEERCRED, &peer, &len);
}

static void call_getsockopt(void)
{
    int type;
    socklen_t len = sizeof(type);

    (void)getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len);
}

static void call_getrlimit(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
}

static void call_setrlimit(void)
{
    const struct rlimit limit = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &limit);
}

static const struct {
    const char *name;
    void (*call)(void);
    int status;
} rows[] = {
    {"harmless ones", call_harmless, ALLOWED},
    {"mmap", call_mmap, ALLOWED},
    {"tcsetattr", call_tcsetattr, ALLOWED},
    {"a peer's credentials", call_peer, ALLOWED},
    {"getsockopt of another", call_getsockopt, EXIT_STATUS_FAILED},
    {"getrlimit", call_getrlimit, ALLOWED},
    {"setrlimit", call_setrlimit, EXIT_STATUS_FAILED},
    {"open", call_open, EXIT_STATUS_FAILED},
    {"socket", call_socket, EXIT_STATUS_FAILED},
    {"execve", call_exec, EXIT_STATUS_FAILED},
    {"fork", call_fork, EXIT_STATUS_FAILED},
    {"mmap of code", call_mmap_exec, EXIT_STATUS_FAILED},
    {"TIOCSTI", call_tty_ioctl, EXIT_STATUS_FAILED},
    {"kill", call_kill_parent, EXIT_STATUS_FAILED},
};

static void test_filter(void **state _unused_)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        int status;
        const pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            /* Its message is of no interest here. */
            (void)!dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter(NULL) < 0)
                _exit(99);
            rows[i].call();
            _exit(ALLOWED);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != rows[i].status)
            fail_msg("%s: status 0x%x", rows[i].name, status);
    }
}

static void test_privileges(void **state _unused_)
{
    int status;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int r = sandbox_drop_privileges("nobody", NULL);

        r |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
        r |= prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 4;
        r |= geteuid() != 0 && setuid(0) < 0 ? 0 : 8;
        _exit(r == 0 ? ALLOWED : r);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ALLOWED);
}

static void test_users_that_cannot_be(void **state _unused_)
{
    struct error e = ERROR_INIT;

    if (geteuid() != 0)
        skip(); /* nobody's option: who isn't root stays who he is */
    assert_int_equal(sandbox_drop_privileges("no-such-user", &e), -ENODEV);
    assert_text_has(e.text, "systemd-sysusers");
    assert_int_equal(sandbox_drop_privileges("root", &e), -EPERM);
}

static int open_terminal(void **state _unused_)
{
    terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    return terminal < 0 || tcgetattr(terminal, &settings) < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_users_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, open_terminal, NULL);
}
