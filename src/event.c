/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/event.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#define WAITING_MAX 1024

struct waiting {
    char *json;
    struct waiting *next;
};

struct event_queue {
    sd_event_source *source;
    int wake; /* eventfd */
    void (*send)(void *opaque, const char *json);
    void *opaque;
    pthread_mutex_t lock;
    struct waiting *first, **last;
    unsigned count;
    uint64_t dropped;
};

static struct waiting *take_all(struct event_queue *q)
{
    struct waiting *list;

    pthread_mutex_lock(&q->lock);
    list = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->count = 0;
    pthread_mutex_unlock(&q->lock);
    return list;
}

static void waiting_free(struct waiting *w)
{
    free(w->json);
    free(w);
}

static int on_wake(sd_event_source *s _unused_, int fd, uint32_t revents _unused_, void *opaque)
{
    struct event_queue *q = opaque;
    struct waiting *list;
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0)
        return 0;
    list = take_all(q);
    while (list) {
        struct waiting *w = list;

        list = w->next;
        q->send(q->opaque, w->json);
        waiting_free(w);
    }
    return 0;
}

int event_queue_new(sd_event *loop, void (*send)(void *opaque, const char *json), void *opaque,
                    struct event_queue **ret)
{
    struct event_queue *q = calloc(1, sizeof(*q));
    int r;

    if (!q)
        return -ENOMEM;
    q->send = send;
    q->opaque = opaque;
    q->last = &q->first;
    pthread_mutex_init(&q->lock, NULL);
    q->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = q->wake < 0 ? -errno : sd_event_add_io(loop, &q->source, q->wake, EPOLLIN, on_wake, q);
    if (r < 0) {
        event_queue_free(q);
        return r;
    }
    *ret = q;
    return 0;
}

void event_queue_free(struct event_queue *q)
{
    struct waiting *list;

    if (!q)
        return;
    sd_event_source_disable_unref(q->source);
    closep(&q->wake);
    list = take_all(q);
    while (list) {
        struct waiting *w = list;

        list = w->next;
        waiting_free(w);
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void put(json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, text[0] ? json_object_new_string(text) : NULL);
}

static char *make_json(const char *event, const char *object, const char *vm, const char *text)
{
    json_object *o = json_object_new_object();
    struct timespec now;
    struct tm tm;
    char when[64], stamp[40], *json;

    if (!o)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(when, sizeof(when), "%s.%03ldZ", stamp, now.tv_nsec / 1000000);
    put(o, "time", when);
    put(o, "event", event);
    put(o, "object", object);
    put(o, "vm", vm);
    if (text[0])
        put(o, "text", text);
    json = strdup(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    return json;
}

void event_post(struct event_queue *q, const char *event, const char *object, const char *vm,
                const char *text)
{
    struct waiting *w;
    const uint64_t one = 1;
    bool dropped = true;

    if (!q)
        return;
    w = calloc(1, sizeof(*w));
    if (w)
        w->json = make_json(event, object, vm, text);
    pthread_mutex_lock(&q->lock);
    if (w && w->json && q->count < WAITING_MAX) {
        *q->last = w;
        q->last = &w->next;
        q->count++;
        dropped = false;
    } else {
        q->dropped++;
    }
    pthread_mutex_unlock(&q->lock);
    if (dropped && w)
        waiting_free(w);
    /* A full counter is awake already. */
    if (write(q->wake, &one, sizeof(one)) < 0)
        return;
}
