/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main thread's event loop: epoll and a callback a file descriptor. */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include "basic/error.h"
#include <stdint.h>

#define LOOP_SOURCES_MAX 128 /* each VF has two */

struct loop_source {
    int fd; /* -1 for a free entry */
    void (*ready)(void *opaque, uint32_t events);
    void *opaque;
};

struct loop {
    int epoll;
    struct loop_source sources[LOOP_SOURCES_MAX];
    bool quit;
};

int loop_init(struct loop *l) _must_check_;
void loop_done(struct loop *l);
/* The fd stays the caller's, who removes it before closing it. @ready runs in the main thread
 * without the machine's lock, and takes it where it touches a device. -EPERM where epoll can't
 * watch such a file (a regular one). */
int loop_add(struct loop *l, int fd, uint32_t events, void (*ready)(void *opaque, uint32_t events),
             void *opaque) _must_check_;
void loop_remove(struct loop *l, int fd);
/* loop_run - dispatch until loop_quit. */
int loop_run(struct loop *l) _must_check_;
void loop_quit(struct loop *l);

#endif
