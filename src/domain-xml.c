/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entities are where XML becomes dangerous (files read, memory multiplied), and entities are
 * declared in a DTD. So the parser is stopped at "<!DOCTYPE", before it reads a declaration, and
 * what remains is bounded by the size of the text: libxml2 limits depth (256) by itself.
 */
#include "src/domain-xml.h"

#include "basic/parse.h"
#include "basic/quote.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

static void free_parser(xmlParserCtxtPtr *parser)
{
    if (*parser)
        xmlFreeParserCtxt(*parser);
}

static void free_document(xmlDocPtr *doc)
{
    if (*doc)
        xmlFreeDoc(*doc);
}

static void free_text(xmlChar **text)
{
    if (*text)
        xmlFree(*text);
}
#define _cleanup_text_ _cleanup_(free_text)

static void refuse_dtd(void *context, const xmlChar *name _unused_, const xmlChar *id _unused_,
                       const xmlChar *uri _unused_)
{
    xmlParserCtxtPtr parser = context;
    bool *found = parser->_private;

    *found = true;
    xmlStopParser(parser);
}

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && !node->ns && streq((const char *)node->name, name);
}

/* The first child of that name, after @after if it isn't NULL. */
static xmlNode *find_child(const xmlNode *parent, const char *name, const xmlNode *after)
{
    xmlNode *node = after ? after->next : parent->children;

    while (node && !is_element(node, name))
        node = node->next;
    return node;
}

/* Is the attribute there, with that value? */
static bool attr_is(xmlNode *node, const char *name, const char *value)
{
    _cleanup_text_ xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)name);

    return text && streq((const char *)text, value);
}

/* One number of an address. libvirt writes hexadecimal with 0x; a decimal one with a leading zero
 * would be octal to libvirt, so it is refused here rather than read otherwise. */
static int read_number(xmlNode *address, const char *name, bool needed, uint64_t max, uint64_t *ret,
                       struct error *e)
{
    _cleanup_text_ xmlChar *prop = xmlGetNoNsProp(address, (const xmlChar *)name);
    const char *text = (const char *)prop;

    if (!text && !needed) {
        *ret = 0;
        return 0;
    }
    if (!text)
        return error_set(e, -EINVAL, "domain XML, line %ld: <address> without %s",
                         xmlGetLineNo(address), name);
    if ((text[0] == '0' && text[1] && text[1] != 'x' && text[1] != 'X') ||
        parse_u64(text, 0, max, ret) < 0)
        return error_set(e, -EINVAL, "domain XML, line %ld: %s='%s' is not valid: 0x0 to 0x%x",
                         xmlGetLineNo(address), name, QUOTE_STR(text), (unsigned)max);
    return 0;
}

static int read_address(xmlNode *address, struct pci_addr *ret, struct error *e)
{
    uint64_t domain, bus, slot, function;
    int r = read_number(address, "domain", false, UINT32_MAX, &domain, e);

    if (r == 0)
        r = read_number(address, "bus", true, 0xff, &bus, e);
    if (r == 0)
        r = read_number(address, "slot", true, 0x1f, &slot, e);
    if (r == 0)
        r = read_number(address, "function", true, 7, &function, e);
    if (r < 0)
        return r;
    *ret = (struct pci_addr){.domain = (uint32_t)domain,
                             .bus = (uint8_t)bus,
                             .dev = (uint8_t)slot,
                             .fn = (uint8_t)function};
    return 0;
}

/* <mac address='..'/> and <vlan><tag id='..'/></vlan> become policy attributes. */
static int read_attr(xmlNode *node, const char *attribute, const char *word, struct policy *policy,
                     struct error *e)
{
    _cleanup_text_ xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)attribute);
    int r;

    if (!text)
        return error_set(e, -EINVAL, "domain XML, line %ld: <%s> without %s", xmlGetLineNo(node),
                         node->name, attribute);
    r = policy_parse_attr(policy, word, (const char *)text, e);
    if (r < 0)
        error_prefix(e, "domain XML, line %ld", xmlGetLineNo(node));
    return r;
}

static int read_policy(const xmlNode *interface, struct policy *ret, struct error *e)
{
    xmlNode *mac = find_child(interface, "mac", NULL);
    xmlNode *vlan = find_child(interface, "vlan", NULL);
    xmlNode *tag = vlan ? find_child(vlan, "tag", NULL) : NULL;
    int r = mac ? read_attr(mac, "address", "mac", ret, e) : 0;

    if (r < 0 || !tag)
        return r;
    if (find_child(vlan, "tag", tag) || attr_is(vlan, "trunk", "yes"))
        return error_set(e, -EINVAL,
                         "domain XML, line %ld: a VF has one VLAN, not several: leave one <tag>",
                         xmlGetLineNo(vlan));
    return read_attr(tag, "id", "vlan", ret, e);
}

/* Does this element want a PCI device of the host? libvirt's default for mode is subsystem. */
static bool wants_pci(xmlNode *node)
{
    _cleanup_text_ xmlChar *mode = xmlGetNoNsProp(node, (const xmlChar *)"mode");

    if (is_element(node, "interface"))
        return attr_is(node, "type", "hostdev");
    return is_element(node, "hostdev") && attr_is(node, "type", "pci") &&
           (!mode || streq((const char *)mode, "subsystem"));
}

/* The host's address is the one in <source>; the one beside it is the guest's. */
static int read_device(xmlNode *node, struct domain_xml *domain, struct error *e)
{
    xmlNode *source = find_child(node, "source", NULL);
    xmlNode *address = source ? find_child(source, "address", NULL) : NULL;
    struct domain_xml_nic nic = {.policy = {.set = 0}};
    int r;

    if (!wants_pci(node))
        return 0;
    if (!address)
        return error_set(e, -EINVAL, "domain XML, line %ld: <%s> without <source><address>",
                         xmlGetLineNo(node), node->name);
    if (domain->count == DOMAIN_XML_NICS_MAX)
        return error_set(e, -E2BIG, "domain XML: more than %d host devices", DOMAIN_XML_NICS_MAX);
    r = read_address(address, &nic.addr, e);
    if (r == 0 && is_element(node, "interface"))
        r = read_policy(node, &nic.policy, e);
    if (r == 0)
        domain->nics[domain->count++] = nic;
    return r;
}

static int read_domain(xmlDocPtr doc, struct domain_xml *domain, struct error *e)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    int r = 0;

    if (!root || !is_element(root, "domain"))
        return error_set(e, -EBADMSG, "domain XML: its first element isn't <domain>");
    for (xmlNode *devices = find_child(root, "devices", NULL); r == 0 && devices;
         devices = find_child(root, "devices", devices))
        for (xmlNode *node = devices->children; r == 0 && node; node = node->next)
            r = read_device(node, domain, e);
    return r;
}

int domain_xml_parse(const char *text, size_t size, struct domain_xml *ret, struct error *e)
{
    _cleanup_(free_parser) xmlParserCtxtPtr parser = NULL;
    _cleanup_(free_document) xmlDocPtr doc = NULL;
    struct domain_xml domain = {.count = 0};
    bool dtd = false;
    int r;

    if (size > DOMAIN_XML_SIZE_MAX)
        return error_set(e, -EFBIG, "domain XML: more than %d bytes", DOMAIN_XML_SIZE_MAX);
    parser = xmlNewParserCtxt();
    if (!parser)
        return error_set(e, -ENOMEM, "out of memory");
    parser->_private = &dtd;
    parser->sax->internalSubset = refuse_dtd;
    doc = xmlCtxtReadMemory(parser, text, (int)size, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (dtd)
        return error_set(e, -EBADMSG, "domain XML: a document type declaration is refused");
    if (!doc) {
        const xmlError *error = xmlCtxtGetLastError(parser);

        return error_set(e, -EBADMSG, "domain XML: not well-formed, line %d",
                         error ? error->line : 0);
    }
    r = read_domain(doc, &domain, e);
    if (r == 0)
        *ret = domain;
    return r;
}
