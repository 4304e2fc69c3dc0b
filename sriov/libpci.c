/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/libpci.h"

#include "basic/macro.h"

_Thread_local jmp_buf libpci_trap;

static void __attribute__((noreturn, format(printf, 1, 2))) trap_error(char *fmt _unused_, ...)
{
    longjmp(libpci_trap, 1);
}

static void __attribute__((format(printf, 1, 2))) ignore_message(char *fmt _unused_, ...)
{
}

struct pci_access *libpci_open(void)
{
    struct pci_access *access = pci_alloc();

    if (!access)
        return NULL;
    access->method = PCI_ACCESS_SYS_BUS_PCI;
    access->error = trap_error;
    access->warning = ignore_message;
    access->debug = ignore_message;
    if (setjmp(libpci_trap) != 0)
        return NULL; /* half-open, and not to be touched again */
    pci_init(access);
    return access;
}
