/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/bus.h"

#include "basic/log.h"
#include "basic/quote.h"
#include "src/request.h"
#include "src/session.h"

#include <errno.h>

/* Everybody may read, so that somebody who asks without end must leave workers for those who change
 * the host. */
#define READS_MAX (WORKER_JOBS_MAX / 2)

/* Room for the rows of request_table. */
#define VTABLE_MAX 32

static const struct request_row *find_row(const char *member)
{
    for (size_t i = 0; i < request_table_count; i++)
        if (streq(request_table[i].member, member))
            return &request_table[i];
    return NULL;
}

static int reply_error(sd_bus_message *m, int code, const char *text)
{
    return sd_bus_reply_method_errorf(m, error_bus_name(code), "%s", text);
}

/* Who may: everybody reads, root changes. The bus daemon tells who it is, not the caller. */
static int check_caller(sd_bus_message *m, const struct request_row *row, struct error *e)
{
    sd_bus_creds *creds = NULL;
    uid_t uid = (uid_t)-1;
    int r;

    if (!row->changes)
        return 0;
    r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds);
    if (r >= 0)
        r = sd_bus_creds_get_euid(creds, &uid);
    sd_bus_creds_unref(creds);
    if (r < 0)
        return error_set(e, -EPERM, "the caller can't be identified: %s", strerror(-r));
    if (uid != 0)
        return error_set(e, -EPERM, "user %u may not %s: only root may change the host",
                         (unsigned)uid, row->member);
    return 0;
}

/* The reply to --no-wait: the plan is made and claimed, its steps still run. */
static void on_told(struct job *j)
{
    struct request *q = (struct request *)j;

    q->replied = true;
    sd_bus_reply_method_return(q->message, "s", q->reply);
}

static void on_done(struct job *j)
{
    struct request *q = (struct request *)j;

    if (q->error.code < 0 && q->row->changes)
        log_error("%s %s: %s", q->row->member, QUOTE_STR(q->name), q->error.text);
    if (!q->row->changes)
        q->agent->reads--;
    if (!q->replied && q->error.code < 0)
        reply_error(q->message, q->error.code, q->error.text);
    else if (!q->replied)
        sd_bus_reply_method_return(q->message, "s", q->reply);
    request_free(q);
}

static void do_work(struct job *j)
{
    struct request *q = (struct request *)j;
    int r = q->row->work(q, &q->error);

    /* The code decides; a text that a lower layer left behind on success doesn't. */
    q->error.code = r;
}

static int start(struct request *q, sd_bus_message *m, struct error *e)
{
    int r = request_parse(q, m, e);

    if (r == 0 && !q->row->changes && q->agent->reads >= READS_MAX)
        r = error_set(e, -EBUSY, "the agent is busy with %d questions: try again", READS_MAX);
    if (r == 0)
        r = live_running(q->agent->live, &q->running, e);
    if (r < 0)
        return r;
    q->message = sd_bus_message_ref(m);
    r = worker_start(q->agent->worker, &q->job);
    if (r < 0)
        return error_set(e, r, "the agent is busy with %d requests: try again", WORKER_JOBS_MAX);
    if (!q->row->changes)
        q->agent->reads++;
    return 0;
}

static int on_method(sd_bus_message *m, void *opaque, sd_bus_error *ret_error _unused_)
{
    const struct request_row *row = find_row(sd_bus_message_get_member(m));
    struct error e = ERROR_INIT;
    struct request *q;
    int r;

    if (!row)
        return reply_error(m, -EINVAL, "no such method");
    r = check_caller(m, row, &e);
    if (r < 0)
        return reply_error(m, r, e.text);
    q = calloc(1, sizeof(*q));
    if (!q)
        return reply_error(m, -ENOMEM, "out of memory");
    q->row = row;
    q->agent = opaque;
    q->job = (struct job){.work = do_work, .done = on_done, .told = on_told};
    r = start(q, m, &e);
    if (r < 0) {
        request_free(q);
        return reply_error(m, r, e.text);
    }
    return 1;
}

/* One row a method, from request_table, between a start, the signal and an end. */
static sd_bus_vtable vtable[VTABLE_MAX];

static const sd_bus_vtable *make_vtable(void)
{
    sd_bus_vtable *row = vtable;

    *row++ = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    for (size_t i = 0; i < request_table_count; i++)
        *row++ = (sd_bus_vtable)SD_BUS_METHOD(request_table[i].member, request_table[i].signature,
                                              "s", on_method, SD_BUS_VTABLE_UNPRIVILEGED);
    *row++ = (sd_bus_vtable)SD_BUS_SIGNAL(BUS_EVENT, "s", 0);
    *row = (sd_bus_vtable)SD_BUS_VTABLE_END;
    return vtable;
}

static void send_event(void *opaque, const char *json)
{
    int r = sd_bus_emit_signal(opaque, BUS_PATH, BUS_INTERFACE, BUS_EVENT, "s", json);

    if (r < 0)
        log_warning("cannot tell of an event: %s", strerror(-r));
}

void bus_detach(struct agent *a, sd_bus *bus)
{
    live_set_events(a->live, NULL);
    event_queue_free(a->events);
    a->events = NULL;
    sd_bus_flush_close_unref(bus);
}

int bus_attach(struct agent *a, sd_event *event, sd_bus **ret, struct error *e)
{
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r < 0)
        return error_set(e, r, "cannot reach the system bus: %s (is dbus running?)", strerror(-r));
    r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
    /* Without the bus nobody can ask for anything: the service manager starts a new agent. */
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(bus, true);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE, make_vtable(), a);
    if (r >= 0)
        r = event_queue_new(event, send_event, bus, &a->events);
    if (r >= 0)
        r = sd_bus_request_name(bus, BUS_NAME, 0);
    if (r < 0) {
        bus_detach(a, bus);
        return error_set(e, r,
                         "cannot own " BUS_NAME " on the system bus: %s (is its policy file "
                         "installed, and no other sriovd running?)",
                         strerror(-r));
    }
    live_set_events(a->live, a->events);
    *ret = bus;
    return 0;
}
