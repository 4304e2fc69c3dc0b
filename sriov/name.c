/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/name.h"

#include "basic/parse.h"
#include "basic/quote.h"

#include <errno.h>
#include <stdarg.h>

#define CANDIDATES_TEXT 512

/* A comma-separated list inside a message, cut where it gets too long. */
struct list {
    char text[CANDIDATES_TEXT];
    size_t used;
    bool full;
};

static void _printf_(2, 3) list_add(struct list *l, const char *fmt, ...)
{
    char item[VF_NAME + PCI_ADDR_TEXT + 8];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(item, sizeof(item), fmt, ap);
    va_end(ap);
    if (l->full || l->used + strlen(item) + sizeof(", , ...") > sizeof(l->text)) {
        if (!l->full)
            strcpy(l->text + l->used, ", ...");
        l->full = true;
        return;
    }
    l->used += (size_t)sprintf(l->text + l->used, "%s%s", l->used ? ", " : "", item);
}

const char *name_of_vf(const struct pf *pf, const struct vf *vf, char buf[static VF_NAME])
{
    snprintf(buf, VF_NAME, "%s/vf%u", pf->name, vf->index);
    return buf;
}

static struct vf *vf_by_index(const struct pf *pf, unsigned index)
{
    for (size_t i = 0; i < pf->num_vfs; i++)
        if (pf->vfs[i].index == index)
            return &pf->vfs[i];
    return NULL;
}

/* "vf12"; leading zeros and hexadecimal are no names. */
static int parse_vf_index(const char *text, unsigned *ret)
{
    const char *digits = text + 2;

    if (strncmp(text, "vf", 2) != 0 || (digits[0] == '0' && digits[1]))
        return -EINVAL;
    return parse_uint(digits, 0, 65535, ret);
}

static struct pf *find_pf(const struct inventory *inv, const char *text)
{
    struct pci_addr addr;

    for (size_t i = 0; i < inv->num_pfs; i++)
        if (streq(inv->pfs[i].name, text))
            return &inv->pfs[i];
    return pci_addr_parse(text, &addr) < 0 ? NULL : inventory_find_pf(inv, &addr);
}

static int unknown_pf(const struct inventory *inv, const char *text, struct error *e)
{
    struct list here = {.used = 0};
    struct pci_addr addr;
    struct pf *pf;

    if (inv->num_pfs == 0)
        return error_set(e, -ENODEV, "no PF %s: this host has no SR-IOV device", QUOTE_STR(text));
    if (pci_addr_parse(text, &addr) == 0) {
        const struct vf *vf = inventory_find_vf(inv, &addr, &pf);

        if (vf)
            return error_set(e, -ENODEV, "%s is a VF (%s), not a PF; its PF is %s", QUOTE_STR(text),
                             VF_NAME_STR(pf, vf), pf->name);
    }
    for (size_t i = 0; i < inv->num_pfs; i++)
        list_add(&here, "%s (%s)", inv->pfs[i].name, PCI_ADDR_STR(&inv->pfs[i].addr));
    return error_set(e, -ENODEV, "no PF %s; PFs here: %s", QUOTE_STR(text), here.text);
}

int name_find_pf(const struct inventory *inv, const char *text, struct pf **ret, struct error *e)
{
    struct pf *pf = find_pf(inv, text);

    if (!pf)
        return unknown_pf(inv, text, e);
    *ret = pf;
    return 0;
}

static int missing_vf(const struct pf *pf, unsigned index, struct error *e)
{
    const size_t n = pf->num_vfs;
    char has[64] = "no VFs";

    if (n > 0)
        snprintf(has, sizeof(has), "%zu VF%s (vf%u..vf%u)", n, n == 1 ? "" : "s", pf->vfs[0].index,
                 pf->vfs[n - 1].index);
    if (index >= pf->total_vfs)
        return error_set(e, -ENODEV, "%s has %s; no vf%u: it offers at most %u", pf->name, has,
                         index, pf->total_vfs);
    return error_set(e, -ENODEV, "%s has %s; no vf%u: enable more with 'sriovctl enable %s %u'",
                     pf->name, has, index, pf->name, index + 1);
}

/* PF/vfN */
static int find_qualified(const struct inventory *inv, const char *text, const char *slash,
                          struct pf **ret_pf, struct vf **ret_vf, struct error *e)
{
    char pf_text[64];
    struct pf *pf;
    struct vf *vf;
    unsigned index;

    snprintf(pf_text, sizeof(pf_text), "%.*s", (int)(slash - text), text);
    if (slash - text >= (ptrdiff_t)sizeof(pf_text))
        return unknown_pf(inv, text, e);
    pf = find_pf(inv, pf_text);
    if (!pf)
        return unknown_pf(inv, pf_text, e);
    if (parse_vf_index(slash + 1, &index) < 0)
        return error_set(e, -ENODEV, "no VF %s: after '%s/' comes vf and a number, e.g. %s/vf0",
                         QUOTE_STR(text), pf->name, pf->name);
    vf = vf_by_index(pf, index);
    if (!vf)
        return missing_vf(pf, index, e);
    *ret_pf = pf;
    *ret_vf = vf;
    return 0;
}

static int unknown_plain_vf(const struct inventory *inv, unsigned index, struct error *e)
{
    struct list here = {.used = 0};

    if (inv->num_pfs == 0)
        return error_set(e, -ENODEV, "no VF vf%u: this host has no SR-IOV device", index);
    if (inv->num_pfs == 1)
        return missing_vf(&inv->pfs[0], index, e);
    for (size_t i = 0; i < inv->num_pfs; i++)
        list_add(&here, "%s (%zu of %u VFs)", inv->pfs[i].name, inv->pfs[i].num_vfs,
                 inv->pfs[i].total_vfs);
    return error_set(e, -ENODEV,
                     "no PF has a vf%u; PFs here: %s; enable more with 'sriovctl enable PF %u'",
                     index, here.text, index + 1);
}

/* vfN, where it names one only */
static int find_plain(const struct inventory *inv, unsigned index, struct pf **ret_pf,
                      struct vf **ret_vf, struct error *e)
{
    struct list candidates = {.used = 0};
    struct pf *pf = NULL;
    struct vf *vf = NULL;
    size_t n = 0;

    for (size_t i = 0; i < inv->num_pfs; i++) {
        struct vf *found = vf_by_index(&inv->pfs[i], index);

        if (!found)
            continue;
        n++;
        pf = &inv->pfs[i];
        vf = found;
        list_add(&candidates, "%s", VF_NAME_STR(pf, vf));
    }
    if (n == 0)
        return unknown_plain_vf(inv, index, e);
    if (n > 1)
        return error_set(e, -EINVAL, "vf%u is ambiguous: %s; name the PF", index, candidates.text);
    *ret_pf = pf;
    *ret_vf = vf;
    return 0;
}

static int find_by_addr(const struct inventory *inv, const char *text, const struct pci_addr *addr,
                        struct pf **ret_pf, struct vf **ret_vf, struct error *e)
{
    struct pf *pf;
    struct vf *vf = inventory_find_vf(inv, addr, &pf);

    if (!vf && inventory_find_pf(inv, addr))
        return error_set(e, -ENODEV, "%s is a PF, not a VF; name one of its VFs, e.g. %s/vf0",
                         QUOTE_STR(text), inventory_find_pf(inv, addr)->name);
    if (!vf)
        return error_set(e, -ENODEV, "no VF has the address %s; 'sriovctl list vf' shows them",
                         PCI_ADDR_STR(addr));
    *ret_pf = pf;
    *ret_vf = vf;
    return 0;
}

int name_find_vf(const struct inventory *inv, const char *text, struct pf **ret_pf,
                 struct vf **ret_vf, struct error *e)
{
    const char *slash = strrchr(text, '/');
    struct pci_addr addr;
    unsigned index;

    if (slash)
        return find_qualified(inv, text, slash, ret_pf, ret_vf, e);
    if (pci_addr_parse(text, &addr) == 0)
        return find_by_addr(inv, text, &addr, ret_pf, ret_vf, e);
    if (parse_vf_index(text, &index) == 0)
        return find_plain(inv, index, ret_pf, ret_vf, e);
    if (find_pf(inv, text))
        return error_set(e, -ENODEV, "%s is a PF, not a VF; name one of its VFs, e.g. %s/vf0",
                         QUOTE_STR(text), find_pf(inv, text)->name);
    return error_set(e, -ENODEV,
                     "no VF %s: a VF is PF/vfN, vfN or a PCI address; 'sriovctl list vf' shows "
                     "them",
                     QUOTE_STR(text));
}
