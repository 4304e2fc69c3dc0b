/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sriov-vmm: one virtual machine.
 *
 * Everything that needs a path or a privilege is opened first, the machine is built from it, and
 * only then, without either, the guest runs (sandbox.h).
 */
#include "basic/log.h"
#include "vfio/handoff.h"
#include "vmm/agent-link.h"
#include "vmm/console.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

struct opened {
    int kvm;
    int kernel;
    int initrd;              /* -1: none */
    struct agent_link agent; /* without a socket: not asked */
    struct console console;
};

static int open_file(const char *what, const char *path, int *ret, struct error *e)
{
    /* Nonblocking: a FIFO is to be refused, not waited for. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return error_set(e, -errno, "cannot open the %s %s: %s", what, path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, -ENOEXEC, "%s: the %s isn't a regular file", path, what);
    *ret = TAKE_FD(fd);
    return 0;
}

static int open_kvm(int *ret, struct error *e)
{
    const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0 && errno == EACCES)
        return error_set(e, -EACCES, "/dev/kvm: not permitted: add this user to the group kvm");
    if (fd < 0)
        return error_set(e, -EOPNOTSUPP,
                         "/dev/kvm: %s: load kvm_intel or kvm_amd, and turn virtualization on in "
                         "the firmware",
                         strerror(errno));
    *ret = fd;
    return 0;
}

static int open_all(const struct options *o, struct opened *ret, struct error *e)
{
    int r = open_file("kernel", o->kernel, &ret->kernel, e);

    if (r == 0 && o->initrd)
        r = open_file("initrd", o->initrd, &ret->initrd, e);
    if (r == 0)
        r = open_kvm(&ret->kvm, e);
    if (r == 0)
        r = console_open(&ret->console, o->console, e);
    if (r == 0 && !o->no_agent) {
        ret->agent.sock = handoff_connect(HANDOFF_SOCKET, e);
        r = ret->agent.sock < 0 ? ret->agent.sock : 0;
    }
    return r;
}

static void close_all(struct opened *f)
{
    console_done(&f->console);
    agent_link_done(&f->agent);
    closep(&f->initrd);
    closep(&f->kernel);
    closep(&f->kvm);
}

static int take_nics(struct machine *m, struct agent_link *agent, struct error *e)
{
    unsigned count = 0;
    int r = agent_link_take(agent, m->nics, &count, e);

    if (r < 0)
        return r;
    log_info("%s: %u NIC%s", m->name, count, count == 1 ? "" : "s");
    return agent_link_watch(agent, e);
}

/* Give up what isn't needed any more, finish the machine, run it. NICs come to an unprivileged
 * process: the kernel's own threads for them (vhost's) are made in its image. The agent has seen
 * who connected. */
static int run_machine(struct machine *m, const struct options *o, struct agent_link *agent,
                       struct error *e)
{
    int r;

    sandbox_raise_limits();
    r = sandbox_drop_privileges(o->user, e);
    if (r == 0 && agent->sock >= 0)
        r = take_nics(m, agent, e);
    if (r == 0)
        r = machine_start(m, e);
    if (r == 0)
        r = sandbox_filter(e);
    return r == 0 ? machine_run(m, e) : r;
}

static int run(const struct options *o, struct error *e)
{
    _cleanup_(close_all) struct opened files = {
        .kvm = -1,
        .kernel = -1,
        .initrd = -1,
        .agent = AGENT_LINK_INIT,
        .console = {.in = -1, .out = -1, .listener = -1, .peer = -1, .timer = -1},
    };
    struct machine_config config = {
        .name = o->name, .memory = o->memory, .cpus = o->cpus, .no_reboot = o->no_reboot};
    struct machine m;
    int r = open_all(o, &files, e);

    if (r < 0)
        return r;
    config.files = (struct boot_files){
        .kernel = files.kernel,
        .kernel_path = o->kernel,
        .initrd = files.initrd,
        .initrd_path = o->initrd,
        .cmdline = o->cmdline,
    };
    r = machine_init(&m, &config, TAKE_FD(files.kvm), &files.console, e);
    if (r < 0)
        return r;
    r = run_machine(&m, o, &files.agent, e);
    machine_done(&m);
    return r;
}

/* An fd of ours at 0, 1 or 2 would get the guest's output or a message. */
static void fill_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Before any thread: what is blocked here is blocked in all, and read by the main loop. */
static void prepare_process(void)
{
    sigset_t set;

    fill_standard_fds();
    log_init("sriov-vmm");
    /* One arena: memory, and a second one would ask /sys for the number of CPUs. */
    mallopt(M_ARENA_MAX, 1);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    _cleanup_(options_done) struct options o = {0};
    struct error e = ERROR_INIT;
    int r;

    prepare_process();
    r = options_parse(&o, argc, argv, OPTIONS_CONFIG_DIR, &e);
    if (r == 0 && o.help) {
        options_print_help(stdout);
        return EXIT_STATUS_DONE;
    }
    if (r == 0 && o.version) {
        printf("sriov-vmm %s\n", PACKAGE_VERSION);
        return EXIT_STATUS_DONE;
    }
    if (r == 0)
        r = run(&o, &e);
    if (r < 0)
        log_error("%s", e.text);
    return (int)error_status(r);
}
