/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpci that neither prints nor exits.
 *
 * Its error callback may not return, and the one it brings ends the program. Ours jumps back to
 * where the library was entered:
 *
 *     if (setjmp(libpci_trap) != 0)
 *         return ...;      // the access is unusable now
 *     pci_read_word(...);
 *
 * Variables that live across the jump and change must be volatile; better keep them outside.
 */
#ifndef SRIOV_LIBPCI_H
#define SRIOV_LIBPCI_H

#include <setjmp.h>
#include <stdint.h>
#include <pci/pci.h>

extern _Thread_local jmp_buf libpci_trap;

/* libpci_open - access by sysfs alone; NULL where that fails. Released with pci_cleanup. */
struct pci_access *libpci_open(void);

#endif
