/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/numa.h"

#include "basic/macro.h"
#include "unit.h"

#include <sched.h>
#include <unistd.h>

/* The kernel says of this process what the file says of any. */
static void test_self(void **state _unused_)
{
    unsigned cpu, node;
    cpu_set_t one;

    assert_int_equal(getcpu(&cpu, &node), 0);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(getcpu(&cpu, &node), 0);
    if (access("/sys/devices/system/node/node0", F_OK) < 0)
        skip();
    assert_int_equal(numa_node_of(getpid()), (int)node);
}

static void test_nobody(void **state _unused_)
{
    assert_int_equal(numa_node_of(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_self), cmocka_unit_test(test_nobody)};

    return cmocka_run_group_tests_name("numa", tests, NULL, NULL);
}
