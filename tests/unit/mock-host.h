/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host made of files: umockdev's test bed from data/igb.umockdev, with what its text format
 * has no words for (config space, IOMMU groups). Two igb cards behind root ports, the first with
 * three VFs, and a disk controller.
 */
#ifndef TESTS_UNIT_MOCK_HOST_H
#define TESTS_UNIT_MOCK_HOST_H

#include "basic/macro.h"
#include "under-umockdev.h"

#include <umockdev.h>

struct mock_host {
    UMockdevTestbed *bed;
};

void mock_host_make(struct mock_host *host);
void mock_host_free(struct mock_host *host);

#define PF0  "0000:00:01.0/0000:01:00.0"
#define PF1  "0000:00:02.0/0000:02:00.0"
#define NVME "0000:00:03.0"

/* The path of a file of a device (PF0...), in the real file system; to be freed. */
char *mock_host_path(struct mock_host *host, const char *device, const char *file);

/* Give a file of a device another text, or take it away with NULL. */
void mock_host_set(struct mock_host *host, const char *device, const char *file, const char *text);

/* Put a link into a device's directory. */
void mock_host_link(struct mock_host *host, const char *device, const char *name,
                    const char *target);

#endif
