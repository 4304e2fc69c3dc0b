/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which part of the machine a process runs in. */
#ifndef SRC_NUMA_H
#define SRC_NUMA_H

#include <sys/types.h>

/**
 * numa_node_of - NUMA node of the CPU that a process last ran on
 *
 * Return: node, or -1 where it can't be told (no such process, a kernel without NUMA).
 */
int numa_node_of(pid_t pid);

#endif
