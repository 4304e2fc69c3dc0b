/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif

/* System calls that may be made with any argument. Those that can reach a file take an fd that
 * was open before. */
static const struct {
    int number;
    const char *why;
} calls[] = {
    {SCMP_SYS(accept4), "clients of a console socket, and the next agent"},
    {SCMP_SYS(brk), "malloc"},
    {SCMP_SYS(clock_gettime), "the clock, where the vDSO can't read it"},
    {SCMP_SYS(clock_nanosleep), "waiting for a device to come back from a reset"},
    {SCMP_SYS(close), "devices that leave"},
    {SCMP_SYS(epoll_ctl), "the event loop"},
    {SCMP_SYS(epoll_pwait), "the event loop, as some libcs call it"},
    {SCMP_SYS(epoll_wait), "the event loop"},
    {SCMP_SYS(eventfd2), "an MSI-X vector on its first use"},
    {SCMP_SYS(exit), "the end of a vCPU thread"},
    {SCMP_SYS(exit_group), "the end"},
    {SCMP_SYS(futex), "locks"},
    {SCMP_SYS(getpid), "pthread_kill"},
    {SCMP_SYS(gettid), "pthread_kill"},
    {SCMP_SYS(gettimeofday), "the CMOS clock, where the vDSO can't read it"},
    {SCMP_SYS(lseek), "the size of the kernel file, at a reboot"},
    {SCMP_SYS(madvise), "malloc, and the stacks of threads that end"},
    {SCMP_SYS(munmap), "malloc, and BARs of devices that leave"},
    {SCMP_SYS(poll), "a console that blocks, and pending MSI-X vectors"},
    {SCMP_SYS(ppoll), "poll, as some libcs call it"},
    {SCMP_SYS(pread64), "a VF's config space and trapped BARs; the kernel file at a reboot"},
    {SCMP_SYS(pwrite64), "a VF's config space and trapped BARs"},
    {SCMP_SYS(read), "console input, timers, eventfds"},
    {SCMP_SYS(recvmsg), "the agent"},
    {SCMP_SYS(restart_syscall), "the kernel's own, after a stop"},
    {SCMP_SYS(rt_sigprocmask), "pthread_kill and threads that end"},
    {SCMP_SYS(rt_sigreturn), "the handler of the vCPU kick"},
    {SCMP_SYS(sendmsg), "the agent"},
    {SCMP_SYS(time), "the CMOS clock, where the vDSO can't read it"},
    {SCMP_SYS(timerfd_settime), "console output, and guests that can't boot"},
    {SCMP_SYS(write), "console output, eventfds, messages"},
    {SCMP_SYS(writev), "messages"},
#ifdef __SANITIZE_ADDRESS__
    {SCMP_SYS(sigaltstack), "ASan, whenever a thread ends (its leak check stays refused)"},
#endif
};

static const struct {
    unsigned long request;
    const char *why;
} ioctls[] = {
    {KVM_RUN, "the guest"},
    {KVM_IRQFD, "an interrupt's way into the guest"},
    {KVM_IOEVENTFD, "a queue's doorbell"},
    {KVM_SET_GSI_ROUTING, "MSI messages"},
    {KVM_IRQ_LINE, "hotplug's interrupt"},
    {KVM_SET_USER_MEMORY_REGION, "BARs that the guest moves"},
    {KVM_CREATE_DEVICE, "the first VFIO group, if it comes while the guest runs"},
    {KVM_SET_DEVICE_ATTR, "VFIO groups that come and leave"},
    {KVM_GET_MP_STATE, "whether a guest that says nothing is dead"},
    {KVM_GET_REGS, "whether a guest that says nothing is dead"},
    {KVM_SET_IRQCHIP, "reset"},
    {KVM_SET_REGS, "reset"},
    {KVM_SET_SREGS, "reset"},
    {KVM_SET_XCRS, "reset"},
    {KVM_SET_XSAVE, "reset"},
    {KVM_SET_DEBUGREGS, "reset"},
    {KVM_SET_LAPIC, "reset"},
    {KVM_SET_VCPU_EVENTS, "reset"},
    {KVM_SET_MP_STATE, "reset"},
    {KVM_SET_MSRS, "reset"},
    {VFIO_DEVICE_GET_INFO, "a VF that comes while the guest runs, as are:"},
    {VFIO_DEVICE_GET_REGION_INFO, "its BARs"},
    {VFIO_DEVICE_GET_IRQ_INFO, "its interrupts"},
    {VFIO_IOMMU_GET_INFO, "what its IOMMU can reach"},
    {VFIO_IOMMU_MAP_DMA, "guest memory"},
    {VFIO_DEVICE_SET_IRQS, "MSI-X of a VF"},
    {VFIO_DEVICE_RESET, "reset of a VF"},
    {VFIO_IOMMU_UNMAP_DMA, "a VF that leaves"},
    {TUNGETIFF, "a virtio NIC that comes while the guest runs, as are:"},
    {VHOST_SET_OWNER, "its vhost"},
    {VHOST_GET_FEATURES, "its vhost"},
    {VHOST_SET_FEATURES, "a virtio NIC that its driver starts or resets, as are:"},
    {VHOST_SET_MEM_TABLE, "guest memory"},
    {VHOST_SET_VRING_NUM, "queues"},
    {VHOST_SET_VRING_ADDR, "queues"},
    {VHOST_SET_VRING_BASE, "queues"},
    {VHOST_GET_VRING_BASE, "queues"},
    {VHOST_SET_VRING_KICK, "doorbells"},
    {VHOST_SET_VRING_CALL, "interrupts"},
    {VHOST_SET_VRING_ERR, "errors"},
    {VHOST_NET_SET_BACKEND, "its tap"},
    {TUNSETOFFLOAD, "offloads that the guest's driver negotiates"},
    {TUNSETVNETHDRSZ, "the header of the guest's driver"},
    {TCGETS, "the terminal, which libc looks at before"},
    {TCSETS, "it is put back at the end"},
};

void sandbox_raise_limits(void)
{
    struct rlimit files;
    /* Each container of VFs pins and charges all of RAM, and how many there will be only the
     * agent knows. Nothing else here locks memory: the filter has no mlock. */
    const struct rlimit pinned = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

    if (geteuid() == 0)
        (void)setrlimit(RLIMIT_MEMLOCK, &pinned);
    /* An eventfd a vector: a few NICs with many queues pass the customary 1,024. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int become(const char *user, struct error *e)
{
    const struct passwd *p;

    errno = 0;
    p = getpwnam(user);
    if (!p)
        return error_set(e, -ENODEV,
                         "there is no user '%s' to become: run systemd-sysusers, or "
                         "name another by --user",
                         user);
    if (p->pw_uid == 0)
        return error_set(e, -EPERM, "--user %s: a VM doesn't run as root", user);
    if (setgroups(0, NULL) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0)
        return error_set(e, -errno, "cannot become user '%s': %s", user, strerror(errno));
    return 0;
}

/* Needs CAP_SETPCAP: who lacks it has nothing an exec could give either, after no_new_privs. */
static void empty_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
        ;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int sandbox_drop_privileges(const char *user, struct error *e)
{
    int r;

    empty_bounding_set();
    if (geteuid() == 0) {
        r = become(user, e);
        if (r < 0)
            return r;
    }
    r = drop_capabilities();
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r < 0)
        return error_set(e, r, "cannot drop privileges: %s", strerror(-r));
    /* Another process of the same user must not read guest memory through ptrace or /proc. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return 0;
}

/* A refused call is a bug in the table or an attack; either way someone wants to know which call
 * it was. Only async-signal-safe functions here. */
static void on_refused(int signal _unused_, siginfo_t *info, void *context _unused_)
{
    char text[] = "sriov-vmm: sandbox: refused system call 0000, which nothing here makes\n";
    char *digit = strstr(text, "0000") + 3;
    unsigned n = (unsigned)info->si_syscall;

    for (unsigned i = 0; i < 4; i++, n /= 10)
        *digit-- = (char)('0' + n % 10);
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_STATUS_FAILED);
}

static int add_rules(scmp_filter_ctx filter)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(calls); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i].number, 0);
    for (size_t i = 0; r == 0 && i < ELEMENTSOF(ioctls); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i].request));
    /* Memory, but never code. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Who is at the other end, of the next agent. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
                             SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2(SCMP_CMP_EQ, SO_PEERCRED));
    /* Our own limits, to name the one that keeps a NIC out: read, not set. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                             SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    /* Signals to ourselves: the vCPU kick. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    return r;
}

static int load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int r;

    if (!filter)
        return -ENOMEM;
    r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = add_rules(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int sandbox_filter(struct error *e)
{
    const struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
    int r;

    if (sigaction(SIGSYS, &action, NULL) < 0)
        return error_set(e, -errno, "sandbox: %s", strerror(errno));
    r = load_filter();
    return r < 0 ? error_set(e, r,
                             "sandbox: cannot filter system calls: %s (is the kernel built "
                             "with CONFIG_SECCOMP_FILTER?)",
                             strerror(-r))
                 : 0;
}
