/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calling the agent (sriovd) over the system bus. */
#ifndef SRC_AGENT_CLIENT_H
#define SRC_AGENT_CLIENT_H

#include "basic/error.h"
#include "src/dict.h"

struct json_object;
struct sd_bus;

/* One method call. Arguments are sent in this order, those that are NULL not at all. */
struct agent_call {
    const char *method;
    const char *object; /* PF, VF or VM */
    const char *vm;
    const unsigned *count;
    const struct dict *policy;
    const struct dict *options;
    unsigned timeout_s;
};

/**
 * agent_client_open - connect to the bus and see that the agent is there
 * @connect_ms: how long both may take together
 * @ret: owned by the caller (agent_client_close)
 *
 * The agent isn't started by asking for it: one that an administrator stopped stays stopped.
 *
 * Return: 0; -EHOSTDOWN if the bus or the agent can't be reached, with the cure; -EACCES if the
 * bus won't have us.
 */
int agent_client_open(unsigned connect_ms, struct sd_bus **ret, struct error *e) _must_check_;

/**
 * agent_client_call - call and wait for the answer
 * @ret: the answer, owned by the caller (json_object_put)
 *
 * Return: 0; the errno that the agent's error stands for, with its text; -EHOSTDOWN if it isn't
 * running; -EACCES where the bus forbids the call; -ETIMEDOUT after @call->timeout_s;
 * -ECONNRESET if the agent went away meanwhile; -EBADMSG if the answer isn't JSON.
 */
int agent_client_call(struct sd_bus *bus, const struct agent_call *call, struct json_object **ret,
                      struct error *e) _must_check_;

/* agent_client_ask - open, call and close. */
int agent_client_ask(const struct agent_call *call, struct json_object **ret,
                     struct error *e) _must_check_;

/**
 * agent_client_listen - hand each event of the agent to @on_event, for ever
 *
 * Goes on while the agent restarts. An event that isn't JSON is left out.
 *
 * Return: what @on_event failed with; -EHOSTDOWN if the bus goes.
 */
int agent_client_listen(struct sd_bus *bus,
                        int (*on_event)(void *opaque, struct json_object *event), void *opaque,
                        struct error *e) _must_check_;

void agent_client_close(struct sd_bus **bus);
#define _cleanup_agent_ _cleanup_(agent_client_close)

#endif
