/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/agent.h"

#include "basic/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_SECONDS 1

int agent_init(struct agent *a, const char *state_path, const char *config_dir,
               const char *runtime_dir, struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r;

    *a = (struct agent){.state_dir = -1, .config_dir = config_dir, .runtime_dir = runtime_dir};
    r = config_load(config_dir, &a->config, e);
    if (r < 0)
        return r;
    if (mkdir(state_path, 0700) < 0 && errno != EEXIST)
        return error_set(e, -errno, "cannot make %s: %s", state_path, strerror(errno));
    fd = open(state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, -errno, "cannot open %s: %s", state_path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(e, -EBUSY, "another sriovd runs on %s: stop it first", state_path);
    r = file_sweep(fd);
    if (r < 0)
        return error_set(e, r, "cannot clean up %s: %s", state_path, strerror(-r));
    r = lease_boot_id(a->boot_id, e);
    if (r < 0)
        return r;
    r = live_new(&a->live);
    if (r < 0)
        return error_set(e, r, "out of memory");
    pthread_mutex_init(&a->claim, NULL);
    a->state_dir = TAKE_FD(fd);
    return 0;
}

void agent_done(struct agent *a)
{
    while (a->gates) {
        struct gate *g = a->gates;

        a->gates = g->next;
        pthread_mutex_destroy(&g->lock);
        free(g);
    }
    live_free(a->live);
    a->live = NULL;
    closep(&a->state_dir);
}

struct gate *agent_gate(struct agent *a, const struct pci_addr *pf)
{
    struct gate *g;

    for (g = a->gates; g; g = g->next)
        if (pci_addr_eq(&g->pf, pf))
            return g;
    g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    g->pf = *pf;
    pthread_mutex_init(&g->lock, NULL);
    g->next = a->gates;
    a->gates = g;
    return g;
}

int agent_present(struct agent *a, struct present *ret, struct error *e)
{
    *ret = (struct present){
        .state_dir = a->state_dir,
        .boot_id = a->boot_id,
        .fallback_bridge = a->config.fallback_bridge,
        .live = a->live,
        .events = a->events,
        .deadline_ms = AGENT_DEADLINE_MS,
    };
    return present_read(ret, e);
}

static struct gate *gate_locked(struct agent *a, const struct pci_addr *pf,
                                const struct timespec *deadline)
{
    struct gate *g;

    pthread_mutex_lock(&a->claim);
    g = agent_gate(a, pf);
    pthread_mutex_unlock(&a->claim);
    return g && pthread_mutex_timedlock(&g->lock, deadline) == 0 ? g : NULL;
}

void agent_look_held(struct agent *a, struct present *now)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += LOOK_SECONDS;
    for (size_t i = 0; i < now->leases.count; i++) {
        struct lease *l = &now->leases.items[i];
        struct gate *g;

        if (l->phase != LEASE_ASSIGNED)
            continue;
        g = gate_locked(a, &l->pf, &deadline);
        if (!g)
            continue;
        planner_look_held(l, inventory_find_vf(&now->inv, &l->vf, NULL));
        pthread_mutex_unlock(&g->lock);
    }
}
