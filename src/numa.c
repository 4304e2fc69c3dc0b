/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/numa.h"

#include "basic/file.h"
#include "basic/parse.h"

#include <fcntl.h>

/* proc(5), /proc/PID/stat: "processor" is the 39th field, the 37th after the name, which is in
 * parentheses and may hold anything. */
#define PROCESSOR_FIELD 37
#define NODES_MAX       1024

static int cpu_of(pid_t pid)
{
    char path[64], text[1024], *at, *save = NULL;
    unsigned cpu, n = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(AT_FDCWD, path, text, sizeof(text)) < 0)
        return -1;
    at = strrchr(text, ')');
    for (at = at ? strtok_r(at + 1, " ", &save) : NULL; at; at = strtok_r(NULL, " ", &save))
        if (++n == PROCESSOR_FIELD)
            return parse_uint(at, 0, 65535, &cpu) < 0 ? -1 : (int)cpu;
    return -1;
}

int numa_node_of(pid_t pid)
{
    const int cpu = cpu_of(pid);
    char path[96];

    for (int node = 0; cpu >= 0 && node < NODES_MAX; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%d", node, cpu);
        if (access(path, F_OK) == 0)
            return node;
    }
    return -1;
}
