/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network interface of a PCI function, from sysfs. */
#ifndef SRIOV_INTERFACE_H
#define SRIOV_INTERFACE_H

#include "basic/pci-addr.h"
#include <net/if.h>

struct interface {
    char name[IFNAMSIZ];
    int ifindex;
    bool up; /* administratively: IFF_UP */
};

/**
 * interface_read - the interface of a function
 * @devfd: its directory in sysfs
 *
 * Of several (a card with many ports on one function, or with representors) the oldest that is
 * port 0: the lowest ifindex.
 *
 * Return: 0, or -ENOENT where it has none.
 */
int interface_read(int devfd, struct interface *ret) _must_check_;

#define INTERFACE_TITLE (IFNAMSIZ > PCI_ADDR_TEXT ? IFNAMSIZ : PCI_ADDR_TEXT)

/* interface_title - what a function is called: its interface, else its address; returns @buf. */
const char *interface_title(const struct pci_addr *addr, char buf[static INTERFACE_TITLE]);
#define INTERFACE_TITLE_STR(addr) (interface_title((addr), (char[INTERFACE_TITLE]){0}))

#endif
