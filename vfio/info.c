/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/info.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

/* The answer may grow between two questions (a group joins the container), but not for ever. */
#define INFO_ROUNDS   4
#define INFO_SIZE_MAX (1U << 20)

int vfio_info_get(int fd, unsigned long request, const void *ask, size_t base, void **ret,
                  size_t *ret_size)
{
    size_t size = base;

    for (int round = 0; round < INFO_ROUNDS; round++) {
        _cleanup_free_ uint32_t *answer = calloc(1, size);

        if (!answer)
            return -ENOMEM;
        memcpy(answer, ask, base);
        answer[0] = (uint32_t)size;
        if (ioctl(fd, request, answer) < 0)
            return -errno;
        if (answer[0] <= size) {
            *ret = TAKE_PTR(answer);
            *ret_size = size;
            return 0;
        }
        if (answer[0] > INFO_SIZE_MAX)
            return -EPROTO;
        size = answer[0];
    }
    return -EPROTO;
}

int vfio_info_cap(const void *info, size_t size, uint32_t offset, uint16_t id, size_t min,
                  const void **ret, size_t *ret_room)
{
    struct vfio_info_cap_header header;

    /* A chain without a loop has no more links than headers fit. */
    for (size_t left = size / sizeof(header); offset != 0; left--) {
        if (left == 0 || offset % sizeof(uint32_t) || size < sizeof(header) ||
            offset > size - sizeof(header))
            return -EPROTO;
        memcpy(&header, (const char *)info + offset, sizeof(header));
        if (header.id == id) {
            if (size - offset < min)
                return -EPROTO;
            *ret = (const char *)info + offset;
            *ret_room = size - offset;
            return 1;
        }
        offset = header.next;
    }
    return 0;
}
