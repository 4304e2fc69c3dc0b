/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files: kernel attributes, links, and state files that must survive a power cut. */
#ifndef BASIC_FILE_H
#define BASIC_FILE_H

#include "basic/macro.h"
#include <dirent.h>
#include <stdint.h>

/**
 * file_read - read a small text file, such as a sysfs attribute
 * @dirfd: directory the path is relative to, or AT_FDCWD
 * @buf: receives the text, NUL-terminated, without trailing newlines
 *
 * Return: length of the text, -EFBIG if it doesn't fit, or another negative errno.
 */
ssize_t file_read(int dirfd, const char *path, char *buf, size_t size) _must_check_;

/* file_read_u64 - read a sysfs attribute that holds one number (decimal or 0x...). */
int file_read_u64(int dirfd, const char *path, uint64_t *ret) _must_check_;

/**
 * file_write - write a kernel attribute with one write call
 *
 * EINTR is retried. A short write is -EIO: an attribute takes its text whole or not at all.
 *
 * Return: 0 or negative errno.
 */
int file_write(int dirfd, const char *path, const char *text) _must_check_;

/**
 * file_replace - give a file new contents, atomically and durably
 * @dirfd: directory of the file
 * @name: its name, without a slash
 *
 * Writes NAME.new, fsyncs it, renames it over NAME and fsyncs the directory: after a crash or
 * power cut the file holds either the old contents or the new.
 *
 * Return: 0 or negative errno; on failure the old contents stand.
 */
int file_replace(int dirfd, const char *name, const void *data, size_t size) _must_check_;

/**
 * file_sweep - remove the NAME.new that a process left behind which died in file_replace
 * @dirfd: a directory in which nobody else is replacing files now
 *
 * Return: 0 or negative errno.
 */
int file_sweep(int dirfd) _must_check_;

/* file_remove - unlink and fsync the directory; a file that isn't there is success. */
int file_remove(int dirfd, const char *name) _must_check_;

/**
 * file_link_name - last component of what a symbolic link points to
 *
 * The kernel's way of saying which driver, group or function something belongs to.
 *
 * Return: 0, -ENOENT where there is no such link, or another negative errno.
 */
int file_link_name(int dirfd, const char *path, char *buf, size_t size) _must_check_;

/**
 * file_dir - the entries of a directory
 * @ret: owned by the caller (_cleanup_dir_)
 *
 * Return: 0 or negative errno.
 */
int file_dir(int dirfd, const char *path, DIR **ret) _must_check_;

static inline void file_dir_closep(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
#define _cleanup_dir_ _cleanup_(file_dir_closep)

#endif
