/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI devices that a libvirt domain's XML asks for (https://libvirt.org/formatdomain.html). */
#ifndef SRC_DOMAIN_XML_H
#define SRC_DOMAIN_XML_H

#include "basic/error.h"
#include "basic/pci-addr.h"
#include "sriov/policy.h"

#define DOMAIN_XML_SIZE_MAX (1024 * 1024)
#define DOMAIN_XML_NICS_MAX 64

/* A host device, and what the domain says about it: from <interface>, its MAC and VLAN. */
struct domain_xml_nic {
    struct pci_addr addr;
    struct policy policy;
};

struct domain_xml {
    struct domain_xml_nic nics[DOMAIN_XML_NICS_MAX];
    size_t count;
};

/**
 * domain_xml_parse - find <hostdev type='pci'> and <interface type='hostdev'>
 * @text: @size bytes, UTF-8; hostile as far as this function is concerned
 *
 * Reads nothing but @text: no external entity, no DTD (a document that has one is refused), no
 * network. A domain without such devices is success with none.
 *
 * Return: 0; -EFBIG above DOMAIN_XML_SIZE_MAX bytes; -E2BIG above DOMAIN_XML_NICS_MAX devices;
 * -EBADMSG if it isn't well-formed or isn't a domain; -EINVAL if an address, MAC or VLAN is
 * wrong, naming it. @ret is untouched on failure.
 */
int domain_xml_parse(const char *text, size_t size, struct domain_xml *ret,
                     struct error *e) _must_check_;

#endif
