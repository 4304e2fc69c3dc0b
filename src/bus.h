/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on D-Bus: org.sriovctl.Manager1, a method a row of request_table. */
#ifndef SRC_BUS_H
#define SRC_BUS_H

#include "src/agent.h"
#include <systemd/sd-bus.h>

#define BUS_NAME      "org.sriovctl.Manager1"
#define BUS_PATH      "/org/sriovctl/Manager1"
#define BUS_INTERFACE "org.sriovctl.Manager1"
#define BUS_EVENT     "Event" /* signal, with the event as JSON */

/**
 * bus_attach - put the agent on the system bus and take its name
 * @ret: the connection, owned by the caller
 *
 * Return: 0, or negative errno with the cure (no bus, name taken, not permitted).
 */
int bus_attach(struct agent *a, sd_event *event, sd_bus **ret, struct error *e) _must_check_;

/* bus_detach - leave the bus; @bus may be NULL. */
void bus_detach(struct agent *a, sd_bus *bus);

#endif
