/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/initrd.h"

#include "unit.h"

#include <errno.h>

struct bytes {
    uint8_t data[4096];
    uint64_t size;
};

static void add(struct bytes *b, const void *data, size_t size)
{
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void pad(struct bytes *b)
{
    while (b->size % 4 != 0)
        b->data[b->size++] = 0;
}

static void add_cpio_file(struct bytes *b, const char *name, const char *text)
{
    char header[111];

    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             1, 0100644, 0, 0, 1, 0, (unsigned)strlen(text), 0, 0, 0, 0, (unsigned)strlen(name) + 1,
             0);
    add(b, header, 110);
    add(b, name, strlen(name) + 1);
    pad(b);
    add(b, text, strlen(text));
    pad(b);
}

static void add_cpio(struct bytes *b)
{
    add_cpio_file(b, "init", "#!/bin/sh\necho hello\n");
    add_cpio_file(b, "TRAILER!!!", "");
}

/* A frame of one raw block, one RLE block and a checksum. */
static void add_zstd(struct bytes *b)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, /* magic */
                                    0x64,                   /* single segment, 2-byte size, sum */
                                    0x05, 0x00,             /* content size */
                                    0x18, 0x00, 0x00, 'a',  'b', 'c', /* raw, 3 bytes */
                                    0x1b, 0x00, 0x00, 'd',            /* last, RLE, 3 times */
                                    1,    2,    3,    4};             /* checksum */

    add(b, frame, sizeof(frame));
}

/* `printf hello | xz -9 | od -tx1` */
static void add_xz(struct bytes *b)
{
    static const uint8_t stream[] = {
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02,
        0x00, 0x21, 0x01, 0x1c, 0x00, 0x00, 0x00, 0x10, 0xcf, 0x58, 0xcc, 0x01, 0x00,
        0x04, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00, 0x00, 0xb1, 0x37, 0xb9,
        0xdb, 0xe5, 0xda, 0x1e, 0x9b, 0x00, 0x01, 0x1d, 0x05, 0xb8, 0x2d, 0x80, 0xaf,
        0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    };

    add(b, stream, sizeof(stream));
}

static int check(const struct bytes *b, uint64_t size)
{
    return initrd_check(b->data, size, "test", NULL);
}

static void (*const kinds[])(struct bytes *b) = {add_cpio, add_zstd, add_xz};

static void test_whole(void **state _unused_)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
        struct bytes b = {0};

        kinds[i](&b);
        assert_int_equal(check(&b, b.size), 0);
        assert_int_equal(check(&b, b.size + 512), 0); /* zeros behind it */
    }
}

static void test_cut_anywhere(void **state _unused_)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
        struct bytes b = {0};
        uint64_t end;

        kinds[i](&b);
        /* The padding behind cpio's last name isn't missed. */
        end = i == 0 ? b.size - 3 : b.size;
        for (uint64_t size = 0; size < end; size++)
            assert_int_equal(check(&b, size), -ENOEXEC);
    }
}

static void test_concatenated(void **state _unused_)
{
    struct bytes b = {0};

    add_cpio(&b);
    b.size += 512; /* zeros: how early microcode is padded */
    b.size &= ~3ULL;
    add_xz(&b);
    add_zstd(&b);
    pad(&b);
    add_cpio(&b);
    assert_int_equal(check(&b, b.size), 0);
    assert_int_equal(check(&b, b.size - 100), -ENOEXEC);
}

static void test_a_false_end_of_xz(void **state _unused_)
{
    struct bytes b = {0};

    add_xz(&b);
    b.data[b.size - 12] ^= 1; /* the footer's checksum */
    assert_int_equal(check(&b, b.size), -ENOEXEC);
}

static void test_gzip_is_taken_as_it_is(void **state _unused_)
{
    struct bytes b = {0};

    add_cpio(&b);
    add(&b, "\x1f\x8b\x08 and whatever follows", 20);
    assert_int_equal(check(&b, b.size), 0);
}

static void test_not_an_initrd(void **state _unused_)
{
    struct bytes b = {0};
    struct error e = ERROR_INIT;

    add(&b, "<html>404", 9);
    assert_int_equal(initrd_check(b.data, b.size, "file", &e), -ENOEXEC);
    assert_text_has(e.text, "file: what is at 0x0");
    assert_int_equal(initrd_check(b.data, 0, "file", &e), -ENOEXEC);
    assert_text_has(e.text, "empty");
}

static void test_hostile_sizes(void **state _unused_)
{
    struct bytes b = {0};

    add_cpio(&b);
    memcpy(b.data + 54, "FFFFFFFF", 8); /* file size */
    assert_int_equal(check(&b, b.size), -ENOEXEC);
    memcpy(b.data + 54, "-0000001", 8);
    assert_int_equal(check(&b, b.size), -ENOEXEC);
    memcpy(b.data + 54, "00000000FFFFFFFF", 8);
    memcpy(b.data + 94, "00000000", 8); /* name size */
    assert_int_equal(check(&b, b.size), -ENOEXEC);
    memcpy(b.data + 94, "FFFFFFFF", 8);
    assert_int_equal(check(&b, b.size), -ENOEXEC);
    b.size = 0;
    add_zstd(&b);
    b.data[7] = 0x1e; /* the reserved kind of block */
    assert_int_equal(check(&b, b.size), -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_concatenated),
        cmocka_unit_test(test_a_false_end_of_xz),
        cmocka_unit_test(test_gzip_is_taken_as_it_is),
        cmocka_unit_test(test_not_an_initrd),
        cmocka_unit_test(test_hostile_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
