/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of vendors and devices, from pci.ids by libpci. */
#ifndef SRIOV_IDS_H
#define SRIOV_IDS_H

#include "basic/macro.h"
#include <stdint.h>

#define IDS_NAME 128

struct ids {
    char vendor[IDS_NAME]; /* "" if unknown */
    char device[IDS_NAME];
};

/**
 * ids_lookup - the names of a device
 *
 * Reading pci.ids costs tens of milliseconds, so what was found is kept for the life of the
 * process. Any thread may call it.
 */
void ids_lookup(uint16_t vendor, uint16_t device, struct ids *ret);

#endif
