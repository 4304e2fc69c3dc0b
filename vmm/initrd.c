/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/initrd.h"

#include <errno.h>

/* A walker looks at one archive at the start of @data: where it ends, 0 if it is cut short, or
 * UINT64_MAX where the end can't be told. */
#define END_UNKNOWN UINT64_MAX

#define CPIO_HEADER   110U
#define CPIO_FILESIZE 54U
#define CPIO_NAMESIZE 94U
#define CPIO_TRAILER  "TRAILER!!!"

#define XZ_HEADER 12U
#define XZ_FOOTER 12U

struct archive {
    const char *name;
    const char *magic;
    unsigned magic_size;
    uint64_t (*walk)(const uint8_t *data, uint64_t size);
};

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Eight hexadecimal digits, or -1. */
static int64_t hex8(const uint8_t *p)
{
    int64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        const char c = (char)p[i];
        int digit;

        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~3ULL;
}

/* Sizes are 32-bit numbers, so no sum of them wraps in 64 bits. */
static uint64_t walk_cpio(const uint8_t *data, uint64_t size)
{
    uint64_t at = 0;

    while (size - at >= CPIO_HEADER) {
        const uint8_t *h = data + at;
        const int64_t file = hex8(h + CPIO_FILESIZE), name = hex8(h + CPIO_NAMESIZE);
        uint64_t end;

        if (memcmp(h, "07070", 5) != 0 || file < 0 || name <= 0)
            return 0;
        end = at + CPIO_HEADER + (uint64_t)name;
        if (end > size)
            return 0;
        if ((uint64_t)name == sizeof(CPIO_TRAILER) &&
            memcmp(h + CPIO_HEADER, CPIO_TRAILER, sizeof(CPIO_TRAILER)) == 0)
            return end; /* the padding that follows is zeros, if there is any */
        end = align4(end);
        end = align4(end + (uint64_t)file);
        if (end > size)
            return 0;
        at = end;
    }
    return 0;
}

/* RFC 8878 section 3.1.1.1: the optional fields that follow the descriptor byte. */
static uint64_t zstd_header_size(uint8_t descriptor)
{
    static const unsigned dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
    const bool single = descriptor & 0x20;
    const unsigned flag = descriptor >> 6;

    return 4U + 1U + !single + dictionary[descriptor & 3] + (flag == 0 ? single : content[flag]);
}

static uint64_t walk_zstd(const uint8_t *data, uint64_t size)
{
    uint64_t at;
    bool last = false;

    if (size < 5)
        return 0;
    at = zstd_header_size(data[4]);
    while (!last) {
        uint32_t header, type;

        if (size < at + 3)
            return 0;
        header = data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16;
        type = header >> 1 & 3;
        last = header & 1;
        if (type == 3)
            return 0;                            /* reserved */
        at += 3 + (type == 1 ? 1 : header >> 3); /* type 1 repeats one byte */
        if (at > size)
            return 0;
    }
    at += data[4] & 4 ? 4 : 0; /* checksum */
    return at <= size ? at : 0;
}

static uint32_t crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0U;

    while (size-- > 0) {
        crc ^= *data++;
        for (unsigned i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
    }
    return ~crc;
}

/* A stream's blocks needn't tell their sizes, but the stream is a multiple of four bytes and ends
 * in a footer: checksum, size of the index, the header's flags again, "YZ". */
static uint64_t walk_xz(const uint8_t *data, uint64_t size)
{
    for (uint64_t at = XZ_HEADER; at + XZ_FOOTER <= size; at += 4) {
        const uint8_t *f = data + at;

        if (f[10] == 'Y' && f[11] == 'Z' && memcmp(f + 8, data + 6, 2) == 0 &&
            get32(f) == crc32(f + 4, 6))
            return at + XZ_FOOTER;
    }
    return 0;
}

static uint64_t walk_unknown(const uint8_t *data _unused_, uint64_t size _unused_)
{
    return END_UNKNOWN;
}

static const struct archive archives[] = {
    {"cpio", "070701", 6, walk_cpio},
    {"cpio", "070702", 6, walk_cpio},
    {"zstd", "\x28\xb5\x2f\xfd", 4, walk_zstd},
    {"xz",
     "\xfd"
     "7zXZ",
     6, walk_xz},
    {"gzip", "\x1f\x8b", 2, walk_unknown},
    {"bzip2", "BZh", 3, walk_unknown},
    {"lzma", "\x5d\x00\x00", 3, walk_unknown},
    {"lzo", "\x89LZO", 4, walk_unknown},
    {"lz4", "\x02\x21\x4c\x18", 4, walk_unknown},
};

static const struct archive *find_archive(const uint8_t *data, uint64_t size)
{
    for (size_t i = 0; i < ELEMENTSOF(archives); i++)
        if (size >= archives[i].magic_size &&
            memcmp(data, archives[i].magic, archives[i].magic_size) == 0)
            return &archives[i];
    return NULL;
}

int initrd_check(const uint8_t *data, uint64_t size, const char *path, struct error *e)
{
    uint64_t at = 0;

    if (size == 0)
        return error_set(e, -ENOEXEC, "%s: the initrd is empty", path);
    while (at < size) {
        const struct archive *a;
        uint64_t end;

        if (data[at] == 0) {
            at++;
            continue;
        }
        a = find_archive(data + at, size - at);
        if (!a)
            return error_set(e, -ENOEXEC,
                             "%s: what is at 0x%llx of the initrd is neither cpio nor compressed "
                             "as the kernel knows",
                             path, (unsigned long long)at);
        end = a->walk(data + at, size - at);
        if (end == 0)
            return error_set(e, -ENOEXEC,
                             "%s: truncated: the %s archive at 0x%llx of the initrd doesn't reach "
                             "its end within the file's %llu bytes",
                             path, a->name, (unsigned long long)at, (unsigned long long)size);
        if (end == END_UNKNOWN)
            return 0;
        at += end;
    }
    return 0;
}
