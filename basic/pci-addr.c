/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/pci-addr.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

/* Read up to @max hexadecimal digits (at least @min) and step past them. */
static int take_hex(const char **text, int min, int max, uint32_t *ret)
{
    uint32_t value = 0;
    int n = 0;

    for (; n < max && isxdigit((unsigned char)**text); n++, (*text)++) {
        const int c = tolower((unsigned char)**text);

        value = value << 4 | (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    if (n < min)
        return -EINVAL;
    *ret = value;
    return 0;
}

static int take_char(const char **text, char c)
{
    if (**text != c)
        return -EINVAL;
    (*text)++;
    return 0;
}

static int parse_with(const char *text, char sep, char dot, bool domain, struct pci_addr *ret)
{
    uint32_t dom = 0, bus, dev, fn;

    if (domain && (take_hex(&text, 4, 8, &dom) < 0 || take_char(&text, sep) < 0))
        return -EINVAL;
    if (take_hex(&text, 2, 2, &bus) < 0 || take_char(&text, sep) < 0 ||
        take_hex(&text, 2, 2, &dev) < 0 || take_char(&text, dot) < 0 ||
        take_hex(&text, 1, 1, &fn) < 0 || *text)
        return -EINVAL;
    if (dev > 31 || fn > 7)
        return -EINVAL;
    *ret = (struct pci_addr){
        .domain = dom, .bus = (uint8_t)bus, .dev = (uint8_t)dev, .fn = (uint8_t)fn};
    return 0;
}

int pci_addr_parse(const char *text, struct pci_addr *ret)
{
    if (strncmp(text, "pci_", 4) == 0)
        return parse_with(text + 4, '_', '_', true, ret);
    if (parse_with(text, ':', '.', true, ret) == 0)
        return 0;
    return parse_with(text, ':', '.', false, ret);
}

const char *pci_addr_format(const struct pci_addr *a, char *buf)
{
    snprintf(buf, PCI_ADDR_TEXT, "%04x:%02x:%02x.%x", (unsigned)a->domain, a->bus & 0xffU,
             a->dev & 0x1fU, a->fn & 7U);
    return buf;
}

bool pci_addr_eq(const struct pci_addr *a, const struct pci_addr *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->dev == b->dev && a->fn == b->fn;
}

int pci_addr_open(const struct pci_addr *a)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", PCI_ADDR_STR(a));
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
