/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/pf-record.h"

#include "basic/file.h"
#include "basic/log.h"
#include "src/state-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define SUFFIX ".pf"
#define NAME   (PCI_ADDR_TEXT + sizeof(SUFFIX))

void pf_record_list_done(struct pf_record_list *l)
{
    free(l->items);
    *l = (struct pf_record_list)PF_RECORD_LIST_INIT;
}

static const char *file_name(const struct pci_addr *pf, char buf[static NAME])
{
    snprintf(buf, NAME, "%s" SUFFIX, PCI_ADDR_STR(pf));
    return buf;
}

int pf_record_load(int state_dir, const struct pci_addr *pf, struct pf_record *ret, struct error *e)
{
    struct pf_record rec = {.pf = *pf};
    struct state_file f;
    const char *count, *autoprobe, *boot, *drained;
    char name[NAME];
    int r = state_file_load(state_dir, file_name(pf, name), "pf", &f, e);

    if (r < 0)
        return r;
    count = state_file_get(&f, "count");
    autoprobe = state_file_get(&f, "autoprobe_before");
    boot = state_file_get(&f, "boot");
    drained = state_file_get(&f, "drained");
    if (!count || parse_uint(count, 0, 65535, &rec.count) < 0 || !autoprobe ||
        parse_on_off(autoprobe, &rec.autoprobe_before) < 0 || !drained ||
        parse_on_off(drained, &rec.drained) < 0 || !boot || strlen(boot) >= BOOT_ID)
        return error_set(e, -EBADMSG, "state file %s is damaged (a field is missing or wrong)",
                         name);
    snprintf(rec.boot_id, sizeof(rec.boot_id), "%s", boot);
    *ret = rec;
    return 0;
}

int pf_record_save(int state_dir, const struct pf_record *rec, struct error *e)
{
    struct state_draft d;
    char name[NAME];

    state_draft_init(&d, "pf");
    state_draft_put(&d, "count", "%u", rec->count);
    state_draft_put(&d, "autoprobe_before", "%s", rec->autoprobe_before ? "on" : "off");
    state_draft_put(&d, "drained", "%s", rec->drained ? "on" : "off");
    state_draft_put(&d, "boot", "%s", rec->boot_id);
    return state_draft_save(&d, state_dir, file_name(&rec->pf, name), e);
}

int pf_record_remove(int state_dir, const struct pci_addr *pf, struct error *e)
{
    char name[NAME];
    int r = file_remove(state_dir, file_name(pf, name));

    if (r < 0)
        return error_set(e, r, "cannot remove state file %s: %s", name, strerror(-r));
    return 0;
}

/* The address in "ADDR.pf", or false for other files. */
static bool addr_of_file(const char *name, struct pci_addr *ret)
{
    const size_t n = strlen(name), suffix = strlen(SUFFIX);
    char text[PCI_ADDR_TEXT];

    if (n <= suffix || n - suffix >= sizeof(text) || !streq(name + n - suffix, SUFFIX))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)(n - suffix), name);
    return pci_addr_parse(text, ret) == 0;
}

static int append(struct pf_record_list *l, const struct pf_record *item)
{
    struct pf_record *items = realloc(l->items, (l->count + 1) * sizeof(*items));

    if (!items)
        return -ENOMEM;
    items[l->count++] = *item;
    l->items = items;
    return 0;
}

int pf_record_load_all(int state_dir, struct pf_record_list *ret, struct error *e)
{
    _cleanup_pf_records_ struct pf_record_list list = PF_RECORD_LIST_INIT;
    _cleanup_dir_ DIR *dir = NULL;
    int listed = file_dir(state_dir, ".", &dir);

    if (listed < 0)
        return error_set(e, listed, "cannot read the state directory: %s", strerror(-listed));
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        struct error why = ERROR_INIT;
        struct pf_record rec;
        struct pci_addr pf;

        if (!addr_of_file(d->d_name, &pf))
            continue;
        if (pf_record_load(state_dir, &pf, &rec, &why) < 0)
            log_warning("%s; ask for the VFs again with 'sriovctl enable %s COUNT'", why.text,
                        PCI_ADDR_STR(&pf));
        else if (append(&list, &rec) < 0)
            return error_set(e, -ENOMEM, "out of memory reading PF records");
    }
    *ret = list;
    list = (struct pf_record_list)PF_RECORD_LIST_INIT;
    return 0;
}
