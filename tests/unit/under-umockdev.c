/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "under-umockdev.h"

#include "basic/macro.h"

#include <errno.h>

void under_umockdev(char **argv)
{
    const char *preload = getenv("LD_PRELOAD");

    if (preload && strstr(preload, "umockdev"))
        return;
    /* ASan would be the first library; umockdev calls through to it all the same. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
    execlp("umockdev-wrapper", "umockdev-wrapper", argv[0], NULL);
    fprintf(stderr, "umockdev-wrapper can't be run: %s: apt install umockdev\n", strerror(errno));
    exit(EXIT_FAILURE);
}
