/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bus of our own and an agent on it that answers by a table: for tests of those who call it.
 *
 * The bus is a dbus-daemon that DBUS_SYSTEM_BUS_ADDRESS points to; the agent is a thread. What is
 * asked about decides the answer (fake-agent.c): "busy" is refused as busy, "slow" never answered,
 * and so on; everything else is done.
 */
#ifndef TESTS_UNIT_FAKE_AGENT_H
#define TESTS_UNIT_FAKE_AGENT_H

/* For cmocka's groups: a bus without an agent. It ends with the process at the latest. */
int fake_agent_bus_start(void **state);
int fake_agent_bus_stop(void **state);

/* For cmocka's tests: the agent is on the bus, and its log is empty. */
int fake_agent_start(void **state);
int fake_agent_stop(void **state);

/* fake_agent_log - what was asked, a line a call: "Assign vf0 vm1 {vlan=5,} {dry_run=on,}". */
const char *fake_agent_log(void);

#endif
