/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address of a PCI function: domain, bus, device, function. */
#ifndef BASIC_PCI_ADDR_H
#define BASIC_PCI_ADDR_H

#include "basic/macro.h"
#include <stdint.h>

struct pci_addr {
    uint32_t domain;
    uint8_t bus;
    uint8_t dev;
    uint8_t fn;
};

#define PCI_ADDR_TEXT 20 /* "0000:01:10.0", with room for a 32-bit domain */

/* Text of an address, for printf's %s: valid until the end of the enclosing full expression's
 * block. */
#define PCI_ADDR_STR(a) (pci_addr_format((a), (char[PCI_ADDR_TEXT]){0}))

/**
 * pci_addr_parse - 0000:01:10.0, 01:10.0 (domain 0) or libvirt's pci_0000_01_10_0
 *
 * The grammar is strict hexadecimal: nothing that could walk a path gets through.
 *
 * Return: 0 or -EINVAL.
 */
int pci_addr_parse(const char *text, struct pci_addr *ret) _must_check_;

/* pci_addr_format - canonical text into @buf of PCI_ADDR_TEXT bytes; returns @buf. */
const char *pci_addr_format(const struct pci_addr *a, char *buf);

bool pci_addr_eq(const struct pci_addr *a, const struct pci_addr *b);

/**
 * pci_addr_open - open the device's directory in sysfs
 *
 * Return: fd (O_PATH directory) owned by the caller, -ENOENT where there is no such function,
 * or another negative errno.
 */
int pci_addr_open(const struct pci_addr *a) _must_check_;

#endif
