/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is an initrd whole? A guest whose initrd was cut short panics late, with a message about
 * something else; so it is looked through before the guest starts.
 *
 * An initrd is a row of archives with zeros between them (the kernel's initramfs buffer format):
 * plain newc cpio, walked to its TRAILER!!!; zstd, walked block by block; xz, whose stream ends in
 * a footer with a checksum. What else the kernel unpacks (gzip, bzip2, lzma, lzo, lz4) shows its
 * end only to who unpacks it, and is taken as it is.
 */
#ifndef VMM_INITRD_H
#define VMM_INITRD_H

#include "basic/error.h"
#include <stdint.h>

/* initrd_check - 0, or -ENOEXEC with what is wrong and where; @path is for the message. */
int initrd_check(const uint8_t *data, uint64_t size, const char *path,
                 struct error *e) _must_check_;

#endif
