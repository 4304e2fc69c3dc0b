/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/worker.h"

#include <errno.h>
#include <sys/eventfd.h>

struct worker {
    sd_event_source *source;
    int wake; /* eventfd: something is in `finished` or `telling` */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned running;
    struct job *finished;
    struct job *telling;
};

static void wake_main(struct worker *w)
{
    const uint64_t one = 1;

    /* A full counter is awake already. */
    if (write(w->wake, &one, sizeof(one)) < 0)
        return;
}

static void push(struct job **list, struct job *j)
{
    j->next = *list;
    *list = j;
}

static void *job_thread(void *opaque)
{
    struct job *j = opaque;
    struct worker *w = j->worker;

    j->work(j);
    pthread_mutex_lock(&w->lock);
    push(&w->finished, j);
    pthread_mutex_unlock(&w->lock);
    wake_main(w);
    return NULL;
}

void worker_tell(struct job *j)
{
    struct worker *w = j->worker;

    pthread_mutex_lock(&w->lock);
    push(&w->telling, j);
    wake_main(w);
    for (bool waiting = true; waiting;) {
        waiting = false;
        for (const struct job *x = w->telling; x; x = x->next)
            waiting = waiting || x == j;
        if (waiting)
            pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Call told() of those that wait; they go on once they are off the list. */
static void tell_all(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    for (struct job *j = w->telling; j; j = j->next)
        j->told(j);
    w->telling = NULL;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void finish_all(struct worker *w)
{
    struct job *list;

    pthread_mutex_lock(&w->lock);
    list = w->finished;
    w->finished = NULL;
    for (const struct job *j = list; j; j = j->next)
        w->running--;
    pthread_mutex_unlock(&w->lock);
    while (list) {
        struct job *j = list;

        list = j->next;
        j->done(j);
    }
}

static int on_wake(sd_event_source *s _unused_, int fd, uint32_t revents _unused_, void *opaque)
{
    struct worker *w = opaque;
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0)
        return 0;
    tell_all(w);
    finish_all(w);
    return 0;
}

int worker_new(sd_event *event, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = w->wake < 0 ? -errno : sd_event_add_io(event, &w->source, w->wake, EPOLLIN, on_wake, w);
    if (r < 0) {
        worker_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        const unsigned running = w->running;
        pthread_mutex_unlock(&w->lock);
        if (running == 0)
            break;
        tell_all(w);
        finish_all(w);
        usleep(1000);
    }
    sd_event_source_unref(w->source);
    closep(&w->wake);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int worker_start(struct worker *w, struct job *j)
{
    pthread_t thread;
    int r;

    j->worker = w;
    pthread_mutex_lock(&w->lock);
    r = w->running >= WORKER_JOBS_MAX ? -EBUSY : 0;
    if (r == 0)
        r = -pthread_create(&thread, NULL, job_thread, j);
    if (r == 0) {
        w->running++;
        pthread_detach(thread);
    }
    pthread_mutex_unlock(&w->lock);
    return r;
}
