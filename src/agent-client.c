/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/agent-client.h"

#include "src/answer.h"
#include "src/bus.h"

#include <errno.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define CONNECT_MS        10000
#define ANSWER_DEPTH      16
#define NOT_RUNNING       "the agent (sriovd) isn't running: systemctl start sriovd"
#define MICROSECONDS      1000000ULL
#define MICROSECONDS_A_MS 1000ULL

/* What the bus itself answers, in the words of an operator. The agent's own errors aren't here:
 * they bring their text with them. */
static const struct {
    const char *name;
    int code;
    const char *text;
} bus_errors[] = {
    {SD_BUS_ERROR_SERVICE_UNKNOWN, -EHOSTDOWN, NOT_RUNNING},
    {SD_BUS_ERROR_NAME_HAS_NO_OWNER, -EHOSTDOWN, NOT_RUNNING},
    {SD_BUS_ERROR_DISCONNECTED, -EHOSTDOWN, NOT_RUNNING},
    {SD_BUS_ERROR_NO_SERVER, -EHOSTDOWN, NOT_RUNNING},
    {SD_BUS_ERROR_ACCESS_DENIED, -EACCES, "the system bus doesn't permit it: run it as root"},
    {SD_BUS_ERROR_AUTH_FAILED, -EACCES, "the system bus doesn't know this user: run it as root"},
    /* sent by the bus in the agent's name when the agent is gone */
    {SD_BUS_ERROR_NO_REPLY, -ECONNRESET,
     "the agent went away before it answered; what was begun is finished when it runs again: "
     "systemctl status sriovd"},
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MICROSECONDS + (uint64_t)t.tv_nsec / 1000;
}

static int bus_failed(const sd_bus_error *error, int r, struct error *e)
{
    const char *name = error && error->name ? error->name : "";
    const char *text = error && error->message ? error->message : strerror(-r);

    if (strncmp(name, "org.sriovctl.Error.", strlen("org.sriovctl.Error.")) == 0)
        return error_set(e, error_from_bus_name(name), "%s", text);
    for (size_t i = 0; i < ELEMENTSOF(bus_errors); i++)
        if (streq(bus_errors[i].name, name))
            return error_set(e, bus_errors[i].code, "%s", bus_errors[i].text);
    if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
        return error_set(e, -EHOSTDOWN, "%s", NOT_RUNNING);
    if (r == -EACCES || r == -EPERM)
        return error_set(e, -EACCES, "the system bus doesn't permit it: run it as root");
    return error_set(e, -EIO, "the agent (sriovd) can't be asked: %s", text);
}

/* Did nobody answer in time? sd-bus has the same errno for NoReply, which is an answer: the bus
 * sends it for an agent that has gone. */
static bool timed_out(const sd_bus_error *error, int r)
{
    return r == -ETIMEDOUT && !sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY);
}

/* sd_bus_call waits for the bus's greeting without a limit of its own; this waits with one. */
static int wait_ready(sd_bus *bus, uint64_t deadline)
{
    for (;;) {
        int r = sd_bus_is_ready(bus);
        uint64_t now;

        if (r != 0)
            return r;
        r = sd_bus_process(bus, NULL);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        now = now_us();
        if (now >= deadline)
            return -ETIMEDOUT;
        r = sd_bus_wait(bus, deadline - now);
        if (r < 0 && r != -EINTR)
            return r;
    }
}

static int find_agent(sd_bus *bus, uint64_t deadline, struct error *e)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const uint64_t now = now_us();
    int r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetNameOwner");

    if (r >= 0)
        r = sd_bus_message_append(m, "s", BUS_NAME);
    if (r >= 0)
        r = sd_bus_call(bus, m, now < deadline ? deadline - now : 1, &error, NULL);
    if (r == -ETIMEDOUT)
        return error_set(e, -EHOSTDOWN, "the system bus doesn't answer: systemctl status dbus");
    return r < 0 ? bus_failed(&error, r, e) : 0;
}

int agent_client_open(unsigned connect_ms, struct sd_bus **ret, struct error *e)
{
    const uint64_t deadline = now_us() + connect_ms * MICROSECONDS_A_MS;
    _cleanup_agent_ sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r == -ENOENT || r == -ECONNREFUSED)
        return error_set(e, -EHOSTDOWN, "%s", NOT_RUNNING);
    if (r >= 0)
        r = wait_ready(bus, deadline);
    if (r == -ETIMEDOUT)
        return error_set(e, -EHOSTDOWN, "the system bus doesn't answer: systemctl status dbus");
    if (r < 0)
        return bus_failed(NULL, r, e);
    r = find_agent(bus, deadline, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(bus);
    return 0;
}

static int append_dict(sd_bus_message *m, const struct dict *d)
{
    int r = sd_bus_message_open_container(m, 'a', "{ss}");

    for (size_t i = 0; r >= 0 && i < d->count; i++)
        r = sd_bus_message_append(m, "{ss}", d->items[i].name, d->items[i].value);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int build_call(sd_bus *bus, const struct agent_call *call, sd_bus_message **ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r =
        sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE, call->method);

    if (r >= 0)
        r = sd_bus_message_set_auto_start(m, false);
    if (r >= 0 && call->object)
        r = sd_bus_message_append(m, "s", call->object);
    if (r >= 0 && call->vm)
        r = sd_bus_message_append(m, "s", call->vm);
    if (r >= 0 && call->count)
        r = sd_bus_message_append(m, "u", *call->count);
    if (r >= 0 && call->policy)
        r = append_dict(m, call->policy);
    if (r >= 0 && call->options)
        r = append_dict(m, call->options);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

static int parse_json(const char *text, struct json_object **ret)
{
    struct json_tokener *tokener = json_tokener_new_ex(ANSWER_DEPTH);
    struct json_object *value;
    int r;

    if (!tokener)
        return -ENOMEM;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* With its NUL, or a number at the top would wait for more digits. */
    value = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    r = json_tokener_get_error(tokener) == json_tokener_success && value ? 0 : -EBADMSG;
    json_tokener_free(tokener);
    if (r < 0)
        json_object_put(value);
    else
        *ret = value;
    return r;
}

static int read_answer(sd_bus_message *reply, struct json_object **ret, struct error *e)
{
    const char *text;
    int r = sd_bus_message_read(reply, "s", &text);

    if (r < 0)
        return error_set(e, -EBADMSG, "the agent's answer is no string: is it of another version?");
    r = parse_json(text, ret);
    return r < 0 ? error_set(e, r, "the agent's answer isn't valid JSON: is it of another version?")
                 : 0;
}

int agent_client_call(struct sd_bus *bus, const struct agent_call *call, struct json_object **ret,
                      struct error *e)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r = build_call(bus, call, &m);

    if (r < 0)
        return error_set(e, r, "can't make the call %s: %s", call->method, strerror(-r));
    r = sd_bus_call(bus, m, call->timeout_s * MICROSECONDS, &error, &reply);
    if (timed_out(&error, r) && call->options)
        return error_set(e, r,
                         "%s: no answer within %u s; the operation goes on in the agent: see "
                         "'sriovctl list', or give it longer with --timeout",
                         call->object, call->timeout_s);
    if (timed_out(&error, r))
        return error_set(e, r, "the agent doesn't answer within %u s: systemctl status sriovd",
                         call->timeout_s);
    if (r < 0)
        return bus_failed(&error, r, e);
    return read_answer(reply, ret, e);
}

int agent_client_ask(const struct agent_call *call, struct json_object **ret, struct error *e)
{
    _cleanup_agent_ sd_bus *bus = NULL;
    int r = agent_client_open(CONNECT_MS, &bus, e);

    return r < 0 ? r : agent_client_call(bus, call, ret, e);
}

struct listening {
    int (*on_event)(void *opaque, struct json_object *event);
    void *opaque;
    int result;
};

static int on_signal(sd_bus_message *m, void *opaque, sd_bus_error *error _unused_)
{
    struct listening *l = opaque;
    _cleanup_answer_ struct json_object *event = NULL;
    const char *text;

    if (l->result == 0 && sd_bus_message_read(m, "s", &text) >= 0 && parse_json(text, &event) == 0)
        l->result = l->on_event(l->opaque, event);
    return 0;
}

int agent_client_listen(struct sd_bus *bus,
                        int (*on_event)(void *opaque, struct json_object *event), void *opaque,
                        struct error *e)
{
    struct listening l = {.on_event = on_event, .opaque = opaque};
    int r =
        sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE, BUS_EVENT, on_signal, &l);

    while (r >= 0 && l.result == 0) {
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, UINT64_MAX);
        if (r == -EINTR)
            r = 0;
    }
    if (l.result < 0)
        return error_set(e, l.result, "cannot write events: %s", strerror(-l.result));
    return error_set(e, -EHOSTDOWN, "the system bus has gone: %s", strerror(-r));
}

void agent_client_close(struct sd_bus **bus)
{
    /* Without a flush: calls have been answered, and flushing waits for a bus that is stuck. */
    *bus = sd_bus_close_unref(*bus);
}
