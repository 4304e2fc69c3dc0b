/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/loop.h"

#include <errno.h>
#include <sys/epoll.h>

int loop_init(struct loop *l)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        return -errno;
    *l = (struct loop){.epoll = epoll};
    for (unsigned i = 0; i < LOOP_SOURCES_MAX; i++)
        l->sources[i].fd = -1;
    return 0;
}

void loop_done(struct loop *l)
{
    closep(&l->epoll);
}

static struct loop_source *find(struct loop *l, int fd)
{
    for (unsigned i = 0; i < LOOP_SOURCES_MAX; i++)
        if (l->sources[i].fd == fd)
            return &l->sources[i];
    return NULL;
}

int loop_add(struct loop *l, int fd, uint32_t events, void (*ready)(void *opaque, uint32_t events),
             void *opaque)
{
    struct loop_source *s = find(l, -1);
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (!s)
        return -ENOSPC;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    *s = (struct loop_source){.fd = fd, .ready = ready, .opaque = opaque};
    return 0;
}

void loop_remove(struct loop *l, int fd)
{
    struct loop_source *s = fd >= 0 ? find(l, fd) : NULL;

    if (!s)
        return;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
    *s = (struct loop_source){.fd = -1};
}

int loop_run(struct loop *l)
{
    while (!l->quit) {
        /* One event at a time: no event of a batch can be stale when a callback removes another
         * source, and nothing here is frequent. */
        struct epoll_event event;
        const int n = epoll_wait(l->epoll, &event, 1, -1);
        struct loop_source *s;

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        s = find(l, event.data.fd);
        if (s)
            s->ready(s->opaque, event.events);
    }
    return 0;
}

void loop_quit(struct loop *l)
{
    l->quit = true;
}
