/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/verb-monitor.h"

#include "src/agent-client.h"
#include "src/answer.h"
#include "src/terminal.h"

#include <errno.h>

#define CONNECT_MS 10000

/* An event as people read it: time, what, which object, whose. */
static void print_line(struct json_object *event)
{
    const char *text = answer_text(event, "text"), *vm = answer_text(event, "vm");
    const char *time = answer_text(event, "time"), *what = answer_text(event, "event");
    const char *object = answer_text(event, "object");
    char line[1024];

    snprintf(line, sizeof(line), "%s %-12s %s%s%s%s%s", time ? time : "-", what ? what : "-",
             object ? object : "-", vm ? " " : "", vm ? vm : "", text ? ": " : "",
             text ? text : "");
    puts(terminal_clean(line));
}

static int on_event(void *opaque, struct json_object *event)
{
    const struct verb_line *line = opaque;
    int r = 0;

    if (verb_line_has(line, VERB_OPTION_JSON))
        r = terminal_print_json(stdout, event);
    else
        print_line(event);
    /* Whoever reads along wants it now; who has gone ends us. */
    return r == 0 && fflush(stdout) != 0 ? -EPIPE : r;
}

int verb_monitor(const struct verb_line *line, struct error *e)
{
    _cleanup_agent_ struct sd_bus *bus = NULL;
    int r = agent_client_open(CONNECT_MS, &bus, e);

    return r < 0 ? r : agent_client_listen(bus, on_event, (void *)line, e);
}
