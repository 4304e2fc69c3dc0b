/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO's answers of variable size: a fixed structure that starts with argsz and flags, then, if
 * argsz leaves room, a chain of capabilities linked by offsets from the structure's start.
 *
 * Kernel interface: linux/vfio.h, "struct vfio_info_cap_header".
 */
#ifndef VFIO_INFO_H
#define VFIO_INFO_H

#include "basic/macro.h"
#include <stdint.h>

/**
 * vfio_info_get - ask, and ask again with as much room as the kernel says it needs
 * @request: an ioctl whose argument starts with argsz and flags
 * @ask: the fixed structure with its input fields set, @base bytes long
 * @ret: receives the answer, zero-padded, to be freed by the caller
 * @ret_size: receives its size, at least @base
 *
 * Return: 0; -EPROTO if the kernel never has enough; another negative errno.
 */
int vfio_info_get(int fd, unsigned long request, const void *ask, size_t base, void **ret,
                  size_t *ret_size) _must_check_;

/**
 * vfio_info_cap - find the first capability of a kind in an answer
 * @info: the answer, @size bytes long
 * @offset: where its chain starts (its cap_offset); 0: there is none
 * @min: bytes that this kind has at least, header included
 * @ret: receives a pointer into @info, aligned to four bytes only: kernels before 6.6 put
 *       structures with 64-bit members behind ones of odd size, so copy out what is there
 * @ret_room: receives how many bytes are valid there, at least @min
 *
 * Return: 1 found, 0 not there, -EPROTO for a chain that loops, leaves the answer, is misaligned
 * or ends in a capability that is cut short.
 */
int vfio_info_cap(const void *info, size_t size, uint32_t offset, uint16_t id, size_t min,
                  const void **ret, size_t *ret_room) _must_check_;

#endif
