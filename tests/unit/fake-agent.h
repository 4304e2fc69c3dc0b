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

/* fake_agent_bus_start - a bus without an agent. Ends with the process, or fake_agent_bus_stop. */
void fake_agent_bus_start(void);
void fake_agent_bus_stop(void);

/* fake_agent_start - the agent appears; its log is empty. */
void fake_agent_start(void);

/* fake_agent_stop - the agent is gone from the bus. */
void fake_agent_stop(void);

/* fake_agent_log - what was asked, a line a call: "Assign vf0 vm1 {vlan=5,} {dry_run=on,}". */
const char *fake_agent_log(void);

#endif
