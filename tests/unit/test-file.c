/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static char path[] = "/tmp/test-file.XXXXXX";
static int dir = -1;

static int setup_group(void **state _unused_)
{
    assert_non_null(mkdtemp(path));
    dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir < 0;
}

/* Every test leaves the directory empty: rmdir tells. */
static int teardown_group(void **state _unused_)
{
    closep(&dir);
    return rmdir(path);
}

static void put(const char *name, const char *text)
{
    _cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_read(void **state _unused_)
{
    char buf[8];

    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), -ENOENT);
    put("a", "1234567");
    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), 7);
    assert_string_equal(buf, "1234567");
    put("a", "12345678");
    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), -EFBIG);
    put("a", "up\n\n");
    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), 2);
    assert_string_equal(buf, "up");
    put("a", "\n");
    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");
    assert_int_equal(file_read(dir, ".", buf, sizeof(buf)), -EISDIR);
    assert_int_equal(file_remove(dir, "a"), 0);
}

static void test_read_u64(void **state _unused_)
{
    uint64_t v = 5;

    put("a", "0x8086\n");
    assert_int_equal(file_read_u64(dir, "a", &v), 0);
    assert_int_equal(v, 0x8086);
    put("a", "-1\n");
    assert_int_equal(file_read_u64(dir, "a", &v), -EINVAL);
    put("a", "");
    assert_int_equal(file_read_u64(dir, "a", &v), -EINVAL);
    assert_int_equal(file_read_u64(dir, "none", &v), -ENOENT);
    assert_int_equal(v, 0x8086);
    assert_int_equal(file_remove(dir, "a"), 0);
}

static void test_write(void **state _unused_)
{
    char buf[16];

    assert_int_equal(file_write(dir, "a", "x"), -ENOENT); /* attributes aren't made */
    put("a", "");
    assert_int_equal(file_write(dir, "a", "vfio-pci"), 0);
    assert_int_equal(file_read(dir, "a", buf, sizeof(buf)), 8);
    assert_string_equal(buf, "vfio-pci");
    assert_int_equal(file_remove(dir, "a"), 0);
    assert_int_equal(file_write(AT_FDCWD, "/dev/full", "x"), -ENOSPC);
}

static void test_replace(void **state _unused_)
{
    char name[NAME_MAX + 1], buf[16];

    assert_int_equal(file_replace(dir, "lease", "one", 3), 0);
    assert_int_equal(file_replace(dir, "lease", "two!", 4), 0);
    assert_int_equal(file_read(dir, "lease", buf, sizeof(buf)), 4);
    assert_string_equal(buf, "two!");

    put("lease.new", "half-written before a power cut");
    assert_int_equal(file_replace(dir, "lease", "3", 1), 0);
    assert_int_equal(file_read(dir, "lease", buf, sizeof(buf)), 1);
    assert_int_equal(faccessat(dir, "lease.new", F_OK, 0), -1);

    /* The new text can't be written: the old stands, and nothing is left beside it. */
    assert_int_equal(mkdirat(dir, "lease.new", 0755), 0);
    assert_int_equal(file_replace(dir, "lease", "4", 1), -EISDIR);
    assert_int_equal(unlinkat(dir, "lease.new", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("lease", dir, "lease.new"), 0);
    assert_int_equal(file_replace(dir, "lease", "5", 1), -ELOOP);
    assert_int_equal(file_read(dir, "lease", buf, sizeof(buf)), 1);
    assert_string_equal(buf, "3");
    assert_int_equal(file_remove(dir, "lease"), 0);

    memset(name, 'n', sizeof(name));
    name[NAME_MAX - 3] = '\0';
    assert_int_equal(file_replace(dir, name, "x", 1), -ENAMETOOLONG);
    name[NAME_MAX - 4] = '\0'; /* with ".new" just fits */
    assert_int_equal(file_replace(dir, name, "x", 1), 0);
    assert_int_equal(file_remove(dir, name), 0);
}

static void test_sweep(void **state _unused_)
{
    assert_int_equal(file_sweep(dir), 0);
    put("a.lease", "whole");
    put("a.lease.new", "half");
    put(".new", "not of file_replace's");
    assert_int_equal(file_sweep(dir), 0);
    assert_int_equal(faccessat(dir, "a.lease.new", F_OK, 0), -1);
    assert_int_equal(faccessat(dir, "a.lease", F_OK, 0), 0);
    assert_int_equal(faccessat(dir, ".new", F_OK, 0), 0);
    assert_int_equal(unlinkat(dir, "a.lease", 0), 0);
    assert_int_equal(unlinkat(dir, ".new", 0), 0);
    assert_int_equal(file_sweep(-1), -EBADF);
}

static void test_remove(void **state _unused_)
{
    assert_int_equal(file_remove(dir, "none"), 0);
    assert_int_equal(mkdirat(dir, "d", 0755), 0);
    assert_int_equal(file_remove(dir, "d"), -EISDIR);
    assert_int_equal(unlinkat(dir, "d", AT_REMOVEDIR), 0);
}

static void test_link_name(void **state _unused_)
{
    char buf[9] = "before";

    assert_int_equal(file_link_name(dir, "l", buf, sizeof(buf)), -ENOENT);
    assert_int_equal(symlinkat("../../drivers/vfio-pci", dir, "l"), 0);
    assert_int_equal(file_link_name(dir, "l", buf, sizeof(buf) - 1), -ENAMETOOLONG);
    assert_string_equal(buf, "before");
    assert_int_equal(file_link_name(dir, "l", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "vfio-pci");
    assert_int_equal(file_remove(dir, "l"), 0);
    assert_int_equal(symlinkat("plain", dir, "l"), 0);
    assert_int_equal(file_link_name(dir, "l", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "plain");
    assert_int_equal(file_remove(dir, "l"), 0);
    put("f", "");
    assert_int_equal(file_link_name(dir, "f", buf, sizeof(buf)), -EINVAL);
    assert_int_equal(file_remove(dir, "f"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),      cmocka_unit_test(test_read_u64),
        cmocka_unit_test(test_write),     cmocka_unit_test(test_replace),
        cmocka_unit_test(test_sweep),     cmocka_unit_test(test_remove),
        cmocka_unit_test(test_link_name),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
