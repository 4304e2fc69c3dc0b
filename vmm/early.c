/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/early.h"

#include "vmm/console.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define FAULTS_MAX    3
#define FAULT_SECONDS 10

/* After 1, 2, 4, ... seconds. A look costs each vCPU an exit. */
#define LOOKS_MAX 8

static bool is_silent(const struct machine *m)
{
    return m->console->total == m->early.output_at_start;
}

static void set_timer(const struct machine *m)
{
    const struct itimerspec when = {.it_value.tv_sec = 1L << m->early.looks};

    (void)timerfd_settime(m->early.timer, 0, &when, NULL);
}

static bool is_dead(const struct machine *m)
{
    bool dead = true;

    for (unsigned i = 0; dead && i < m->num_vcpus; i++)
        dead = vcpu_is_dead(&m->vcpus[i]);
    return dead;
}

static void on_timer(void *opaque, uint32_t events _unused_)
{
    struct machine *m = opaque;
    uint64_t ticks;

    if (read(m->early.timer, &ticks, sizeof(ticks)) < 0)
        return; /* set anew meanwhile */
    machine_pause(m);
    if (atomic_load(&m->request) != MACHINE_NOTHING)
        return; /* its own end is on its way, and goes on from the pause */
    if (is_silent(m) && is_dead(m)) {
        machine_request(m, MACHINE_CRASH,
                        "the guest halted for ever, without a word on its console: is the kernel "
                        "file corrupt?");
        return;
    }
    if (is_silent(m) && ++m->early.looks < LOOKS_MAX)
        set_timer(m);
    machine_resume(m);
}

int early_init(struct machine *m)
{
    m->early.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m->early.timer < 0)
        return -errno;
    return loop_add(&m->loop, m->early.timer, EPOLLIN, on_timer, m);
}

void early_done(struct machine *m)
{
    closep(&m->early.timer);
}

void early_start(struct machine *m)
{
    clock_gettime(CLOCK_MONOTONIC, &m->early.started);
    m->early.output_at_start = m->console->total;
    m->early.looks = 0;
    set_timer(m);
}

bool early_fault(struct machine *m)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (is_silent(m) && now.tv_sec - m->early.started.tv_sec < FAULT_SECONDS)
        m->early.faults++;
    else
        m->early.faults = 0;
    return m->early.faults == FAULTS_MAX;
}
