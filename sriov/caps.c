/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/caps.h"

#include "sriov/libpci.h"

#include <limits.h>

#define ACS_NEEDED                                                                                 \
    (PCI_ACS_CTRL_VALID | PCI_ACS_CTRL_REQ_RED | PCI_ACS_CTRL_CMPLT_RED | PCI_ACS_CTRL_FORWARD)

struct caps {
    struct pci_access *access;
};

struct caps *caps_open(void)
{
    struct caps *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->access = libpci_open();
    if (!c->access)
        return caps_free(c);
    return c;
}

struct caps *caps_free(struct caps *c)
{
    if (c && c->access)
        pci_cleanup(c->access);
    free(c);
    return NULL;
}

/* Does this port keep its peers apart? True of ports that have no peers to keep. */
static bool port_isolates(struct pci_dev *port)
{
    const struct pci_cap *express = pci_find_cap(port, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
    const struct pci_cap *acs;
    unsigned type;

    if (!express)
        return false; /* a conventional bridge: everything below it is one group */
    type = (pci_read_word(port, (int)express->addr + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4;
    if (type == PCI_EXP_TYPE_UPSTREAM)
        return true; /* a switch routes between its downstream ports, not here */
    acs = pci_find_cap(port, PCI_EXT_CAP_ID_ACS, PCI_CAP_EXTENDED);
    return acs && (pci_read_word(port, (int)acs->addr + PCI_ACS_CTRL) & ACS_NEEDED) == ACS_NEEDED;
}

/* The ports above a function are the directories above it in /sys/devices. */
static bool path_isolates(struct pci_access *access, const struct pci_addr *addr)
{
    char link[64], path[PATH_MAX], *next = path, *name;
    struct pci_addr port;
    ssize_t n;

    snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", PCI_ADDR_STR(addr));
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    while ((name = strsep(&next, "/"))) {
        struct pci_dev *dev;
        bool isolates;

        if (pci_addr_parse(name, &port) < 0 || pci_addr_eq(&port, addr))
            continue;
        dev = pci_get_dev(access, (int)port.domain, port.bus, port.dev, port.fn);
        isolates = port_isolates(dev);
        pci_free_dev(dev);
        if (!isolates)
            return false;
    }
    return true;
}

static void read_function(struct pci_dev *dev, struct pci_caps *ret)
{
    const struct pci_cap *sriov = pci_find_cap(dev, PCI_EXT_CAP_ID_SRIOV, PCI_CAP_EXTENDED);
    const struct pci_cap *msix = pci_find_cap(dev, PCI_CAP_ID_MSIX, PCI_CAP_NORMAL);

    ret->ari = pci_find_cap(dev, PCI_EXT_CAP_ID_ARI, PCI_CAP_EXTENDED) != NULL;
    if (msix) /* the table's size is coded as N - 1 */
        ret->msix_vectors =
            (pci_read_word(dev, (int)msix->addr + PCI_CAP_FLAGS) & PCI_MSIX_TABSIZE) + 1U;
    if (!sriov)
        return;
    ret->sriov = true;
    ret->vf_total = pci_read_word(dev, (int)sriov->addr + PCI_IOV_TOTALVF);
    ret->vf_device = pci_read_word(dev, (int)sriov->addr + PCI_IOV_DID);
}

void caps_read(struct caps *c, const struct pci_addr *addr, struct pci_caps *ret)
{
    struct pci_dev *dev;

    *ret = (struct pci_caps){.sriov = false};
    if (!c->access)
        return;
    if (setjmp(libpci_trap) != 0) {
        c->access = NULL; /* what libpci gave up in the middle of isn't touched again */
        return;
    }
    dev = pci_get_dev(c->access, (int)addr->domain, addr->bus, addr->dev, addr->fn);
    read_function(dev, ret);
    pci_free_dev(dev);
    ret->acs = path_isolates(c->access, addr);
}
