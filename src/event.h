/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: what happens to NICs, told to whoever listens (the D-Bus signal Event, sriovctl
 * monitor).
 *
 * Any thread may post one; the main thread sends it. An event that nobody can be told of any more
 * (no memory, too many waiting) is dropped and counted: telling must never hold up doing.
 */
#ifndef SRC_EVENT_H
#define SRC_EVENT_H

#include "basic/error.h"
#include <json-c/json.h>
#include <systemd/sd-event.h>

struct event_queue;

/* event_queue_new - @send is called in the main thread, once an event, with its JSON text. */
int event_queue_new(sd_event *loop, void (*send)(void *opaque, const char *json), void *opaque,
                    struct event_queue **ret) _must_check_;
void event_queue_free(struct event_queue *q);

/**
 * event_post - something happened
 * @q: NULL drops it
 * @event: what, one word, e.g. "requested"
 * @object: to what, e.g. "eth0/vf0" or a lease's id
 * @vm: whose, "" nobody's
 * @text: more for people, "" nothing
 */
void event_post(struct event_queue *q, const char *event, const char *object, const char *vm,
                const char *text);

#endif
