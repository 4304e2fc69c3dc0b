/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request: one D-Bus method call, from its frozen arguments to its reply.
 *
 *   main thread    the caller's right is checked, the arguments are copied and parsed (bus.c)
 *   worker thread  request->row->work fills in reply or error
 *   main thread    the reply is sent
 *
 * request_table has a row a method. Nothing the caller does after the call can change what it
 * asked for.
 */
#ifndef SRC_REQUEST_H
#define SRC_REQUEST_H

#include "src/agent.h"
#include "src/describe.h"
#include <systemd/sd-bus.h>

struct request;

struct request_row {
    const char *member;    /* D-Bus method */
    const char *signature; /* "ssa{ss}a{ss}": name, VM, policy, options */
    const char *past; /* the event that tells of it, e.g. "assigned"; NULL of those that read */
    bool changes;     /* only for those who may change the host */
    int (*work)(struct request *q, struct error *e);
};

extern const struct request_row request_table[];
extern const size_t request_table_count;

struct request {
    struct job job; /* first: a job is its request */
    const struct request_row *row;
    struct agent *agent;
    sd_bus_message *message; /* main thread only */
    bool replied;            /* main thread only */

    char name[128]; /* PF, VF or VM as the caller wrote it; "any" */
    char vm[LEASE_VM];
    unsigned count;
    struct policy policy;
    bool dry_run, no_wait, fallback_virtio, standby;
    bool has_deadline;
    unsigned deadline_s;         /* Release: how long the guest has to give the NIC back */
    char only_vm[LEASE_VM];      /* Release: only if it is this VM's; "" any */
    struct running_list running; /* as it was when the request came */

    struct error error;
    char *reply; /* JSON */
};

/* request_parse - read the arguments of @m into @q, by @q->row->signature. */
int request_parse(struct request *q, sd_bus_message *m, struct error *e) _must_check_;

/* request_set_reply - @o becomes the reply's text; takes the reference. */
int request_set_reply(struct request *q, json_object *o, struct error *e) _must_check_;

void request_free(struct request *q);

/* The work of each method; request-read.c, request-change.c and request-drain.c. */
int request_list(struct request *q, struct error *e);
int request_list_vms(struct request *q, struct error *e);
int request_show(struct request *q, struct error *e);
int request_enable(struct request *q, struct error *e);
int request_assign(struct request *q, struct error *e);
int request_release(struct request *q, struct error *e);
int request_set(struct request *q, struct error *e);
int request_drain(struct request *q, struct error *e);
int request_undrain(struct request *q, struct error *e);

#endif
