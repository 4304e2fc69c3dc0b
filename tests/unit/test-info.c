/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/info.h"

#include "unit.h"

#include <errno.h>
#include <linux/vfio.h>

/* Answers that grow: what the fake ioctl says it needs, round by round. */
static uint32_t needs[8];
static unsigned asked;

int __wrap_ioctl(int fd, unsigned long request, uint32_t *argument);

int __wrap_ioctl(int fd, unsigned long request _unused_, uint32_t *argument)
{
    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    if (argument[0] >= needs[asked])
        memset((char *)argument + 16, 0xab, needs[asked] - 16);
    else
        argument[0] = needs[asked];
    asked++;
    return 0;
}

static int ask(const uint32_t *sizes, size_t n, void **ret, size_t *ret_size)
{
    const uint32_t question[4] = {0, 0, 5, 0};

    memcpy(needs, sizes, n * sizeof(*sizes));
    asked = 0;
    return vfio_info_get(1, 0, question, sizeof(question), ret, ret_size);
}

static void test_asks_again(void **state _unused_)
{
    _cleanup_free_ void *answer = NULL;
    size_t size = 0;

    assert_int_equal(ask((uint32_t[]){64, 96, 96}, 3, &answer, &size), 0);
    assert_int_equal(asked, 3);
    assert_int_equal(size, 96);
    assert_int_equal(((uint32_t *)answer)[2], 5);
    assert_int_equal(((uint8_t *)answer)[95], 0xab);
}

static void test_small_answer(void **state _unused_)
{
    _cleanup_free_ void *answer = NULL;
    size_t size = 0;

    assert_int_equal(ask((uint32_t[]){16}, 1, &answer, &size), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(size, 16);
}

static void test_never_enough(void **state _unused_)
{
    void *answer = NULL;
    size_t size;

    assert_int_equal(ask((uint32_t[]){32, 64, 96, 128, 160}, 5, &answer, &size), -EPROTO);
    assert_int_equal(ask((uint32_t[]){0xfffffff0}, 1, &answer, &size), -EPROTO);
    assert_int_equal(vfio_info_get(-1, 0, needs, 16, &answer, &size), -EBADF);
    assert_null(answer);
}

/* Canned answers: 128 bytes, the chain of capabilities from 32 up. */
static union {
    uint64_t align;
    uint8_t bytes[128];
} info;

static void put_cap(size_t offset, uint16_t id, uint32_t next)
{
    const struct vfio_info_cap_header h = {.id = id, .version = 1, .next = next};

    memcpy(info.bytes + offset, &h, sizeof(h));
}

static int find(size_t size, uint32_t first, uint16_t id, size_t min, size_t *ret_at)
{
    const void *cap = NULL;
    size_t room = 0;
    int r = vfio_info_cap(&info, size, first, id, min, &cap, &room);

    if (r > 0) {
        *ret_at = (size_t)((const uint8_t *)cap - info.bytes);
        assert_int_equal(room, size - *ret_at);
    } else {
        assert_null(cap);
    }
    return r;
}

static void test_chain(void **state _unused_)
{
    size_t at = 0;

    memset(&info, 0, sizeof(info));
    put_cap(32, 1, 64);
    put_cap(64, 2, 52); /* order in memory doesn't matter */
    put_cap(52, 3, 0);
    assert_int_equal(find(128, 32, 1, 8, &at), 1);
    assert_int_equal(at, 32);
    assert_int_equal(find(128, 32, 3, 76, &at), 1);
    assert_int_equal(at, 52);
    assert_int_equal(find(128, 32, 4, 8, &at), 0);
    assert_int_equal(find(128, 0, 1, 8, &at), 0);
}

static void test_hostile_chains(void **state _unused_)
{
    size_t at;

    memset(&info, 0, sizeof(info));
    put_cap(32, 1, 32);
    assert_int_equal(find(128, 32, 2, 8, &at), -EPROTO); /* itself */
    put_cap(32, 1, 64);
    put_cap(64, 3, 32);
    assert_int_equal(find(128, 32, 2, 8, &at), -EPROTO); /* in a circle */
    put_cap(32, 1, 120);
    assert_int_equal(find(128, 32, 2, 8, &at), 0); /* the last header that fits */
    assert_int_equal(find(127, 32, 2, 8, &at), -EPROTO);
    assert_int_equal(find(128, 32, 0, 9, &at), -EPROTO); /* cut short */
    put_cap(32, 1, 128);
    assert_int_equal(find(128, 32, 2, 8, &at), -EPROTO);
    put_cap(32, 1, 0xfffffff8);
    assert_int_equal(find(128, 32, 2, 8, &at), -EPROTO);
    put_cap(32, 1, 70);
    assert_int_equal(find(128, 32, 2, 8, &at), -EPROTO); /* misaligned */
    assert_int_equal(find(4, 8, 1, 8, &at), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks_again),     cmocka_unit_test(test_small_answer),
        cmocka_unit_test(test_never_enough),   cmocka_unit_test(test_chain),
        cmocka_unit_test(test_hostile_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
