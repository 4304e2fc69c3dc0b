/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/file.h"

#include "basic/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define UNFINISHED ".new" /* after the name of a file that is being replaced */

ssize_t file_read(int dirfd, const char *path, char *buf, size_t size)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;

    if (fd < 0)
        return -errno;
    while (used < size) {
        ssize_t n = read(fd, buf + used, size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    if (used == size)
        return -EFBIG;
    while (used > 0 && buf[used - 1] == '\n')
        used--;
    buf[used] = '\0';
    return (ssize_t)used;
}

int file_read_u64(int dirfd, const char *path, uint64_t *ret)
{
    char text[32];
    ssize_t n = file_read(dirfd, path, text, sizeof(text));

    if (n < 0)
        return (int)n;
    return parse_u64(text, 0, UINT64_MAX, ret);
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int file_write(int dirfd, const char *path, const char *text)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = write(fd, text, strlen(text));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == strlen(text) ? 0 : -EIO;
}

static int sync_dir(int dirfd)
{
    /* dirfd may have been opened O_PATH, which can't be fsynced. */
    _cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

static int write_synced(int dirfd, const char *name, const void *data, size_t size)
{
    _cleanup_close_ int fd =
        openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    int r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, data, size);
    if (r < 0)
        return r;
    return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t size)
{
    char fresh[NAME_MAX + 1];
    int r;

    if (snprintf(fresh, sizeof(fresh), "%s" UNFINISHED, name) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    r = write_synced(dirfd, fresh, data, size);
    if (r == 0 && renameat(dirfd, fresh, dirfd, name) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dirfd, fresh, 0);
        return r;
    }
    return sync_dir(dirfd);
}

static bool is_unfinished(const char *name)
{
    const size_t n = strlen(name), suffix = strlen(UNFINISHED);

    return n > suffix && streq(name + n - suffix, UNFINISHED);
}

int file_dir(int dirfd, const char *path, DIR **ret)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        return -errno;
    TAKE_FD(fd);
    *ret = dir;
    return 0;
}

int file_sweep(int dirfd)
{
    _cleanup_dir_ DIR *dir = NULL;
    const struct dirent *entry;
    int r = file_dir(dirfd, ".", &dir);

    if (r < 0)
        return r;
    while ((entry = readdir(dir)))
        if (is_unfinished(entry->d_name) && unlinkat(dirfd, entry->d_name, 0) < 0)
            return -errno;
    return 0;
}

int file_remove(int dirfd, const char *name)
{
    if (unlinkat(dirfd, name, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    return sync_dir(dirfd);
}

int file_link_name(int dirfd, const char *path, char *buf, size_t size)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dirfd, path, target, sizeof(target) - 1);
    const char *base;

    if (n < 0)
        return -errno;
    target[n] = '\0';
    base = strrchr(target, '/');
    base = base ? base + 1 : target;
    if (strlen(base) >= size)
        return -ENAMETOOLONG;
    memcpy(buf, base, strlen(base) + 1);
    return 0;
}
