/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "temp-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>

struct temp_dir {
    char path[32];
    int fd;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "temp-dir: %s: %s\n", what, strerror(errno));
        abort();
    }
}

int temp_dir_make(void **state)
{
    struct temp_dir *t = calloc(1, sizeof(*t));

    must(t, "calloc");
    strcpy(t->path, "/tmp/unit-XXXXXX");
    must(mkdtemp(t->path), t->path);
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(t->fd >= 0, t->path);
    *state = t;
    return t->fd;
}

const char *temp_dir_path(void **state)
{
    return ((struct temp_dir *)*state)->path;
}

static int remove_one(const char *path, const struct stat *st _unused_, int flag _unused_,
                      struct FTW *ftw _unused_)
{
    return remove(path);
}

void temp_dir_remove(void **state)
{
    struct temp_dir *t = *state;

    close(t->fd);
    must(nftw(t->path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, t->path);
    free(t);
    *state = NULL;
}

void temp_dir_write(int dir, const char *name, const char *data, size_t size)
{
    _cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, name);
}

size_t temp_dir_read(int dir, const char *name, char *buf, size_t size)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    must(n >= 0, name);
    buf[n] = '\0';
    return (size_t)n;
}
