/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/stable-mac.h"

#include "basic/file.h"

#include <fcntl.h>

/* FNV-1a: spread, not secrecy, is what is wanted here. */
static uint64_t hash(uint64_t h, const char *text)
{
    /* The terminator counts, so that "ab" + "c" isn't "a" + "bc". */
    for (size_t i = 0; i <= strlen(text); i++)
        h = (h ^ (uint8_t)text[i]) * 0x100000001b3ULL;
    return h;
}

uint64_t stable_mac(const char *vm, const char *nic)
{
    char machine[64] = "";
    uint64_t h;

    if (file_read(AT_FDCWD, "/etc/machine-id", machine, sizeof(machine)) < 0)
        machine[0] = '\0';
    h = hash(hash(hash(0xcbf29ce484222325ULL, machine), vm), nic);
    h ^= h >> 48; /* the low bits of FNV are its weak ones */
    return 0x020000000000ULL | (h & 0x00ffffffffffULL);
}
