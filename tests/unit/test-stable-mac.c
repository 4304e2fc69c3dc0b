/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/stable-mac.h"

#include "basic/file.h"
#include "unit.h"

#include <errno.h>

#define EXPECTED 0x02d9dd912584

/* What /etc/machine-id says; NULL: it isn't there. */
static const char *machine_id;

ssize_t __wrap_file_read(int dirfd, const char *path, char *buf, size_t size);

ssize_t __wrap_file_read(int dirfd _unused_, const char *path, char *buf, size_t size)
{
    assert_string_equal(path, "/etc/machine-id");
    return machine_id ? snprintf(buf, size, "%s", machine_id) : -ENOENT;
}

/* On a machine whose identity is known, so that a change of the hash, which would give every NIC
 * another address, is seen. */
static void test_stays_the_same(void **state _unused_)
{
    machine_id = "0123456789abcdef0123456789abcdef";
    assert_int_equal(stable_mac("vm1", "0000:01:10.0"), EXPECTED);
    assert_int_equal(stable_mac("vm1", "0000:01:10.0"), EXPECTED);
}

static void test_differs(void **state _unused_)
{
    static const struct {
        const char *vm, *nic;
    } cases[] = {
        {"vm1", "0000:01:10.0"}, {"vm2", "0000:01:10.0"}, {"vm1", "0000:01:10.2"},
        {"vm1", "virtio0"},      {"vm1v", "irtio0"},      {"", "vm1virtio0"},
    };
    uint64_t macs[ELEMENTSOF(cases)];

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        macs[i] = stable_mac(cases[i].vm, cases[i].nic);
        /* Local and unicast, six bytes. */
        assert_int_equal(macs[i] >> 40, 0x02);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(macs[i], macs[k]);
    }
}

static void test_another_machine(void **state _unused_)
{
    machine_id = "1123456789abcdef0123456789abcdef";
    assert_int_not_equal(stable_mac("vm1", "0000:01:10.0"), EXPECTED);
    machine_id = NULL;
    assert_int_equal(stable_mac("vm1", "0000:01:10.0"), 0x022156919801);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stays_the_same),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_another_machine),
    };

    return cmocka_run_group_tests_name("stable-mac", tests, NULL, NULL);
}
