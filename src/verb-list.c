/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/verb-list.h"

#include "basic/log.h"
#include "src/agent-client.h"
#include "src/answer.h"
#include "src/terminal.h"

#include <errno.h>

#define LIST_TIMEOUT_S 60

/* PFs stand in the same table as their VFs, one line above them, so that one grep or one awk does
 * for a host with hundreds; what they have instead of a VM is a count of VFs. */
static const char *const vf_columns[] = {"NAME", "PCI", "DRIVER", "GROUP", "MAC",
                                         "VLAN", "VM",  "STATE",  NULL};
static const char *const pf_columns[] = {"NAME", "PCI", "DRIVER", "NUMA", "VFS", "FREE", NULL};
static const char *const vm_columns[] = {"VM",  "RUNNING", "NIC",   "KIND",
                                         "PCI", "MAC",     "STATE", NULL};

unsigned verb_list_table_flags(const struct verb_line *line)
{
    return (verb_line_has(line, VERB_OPTION_NO_LEGEND) ? 0 : TABLE_LEGEND) |
           (terminal_has_colour(stdout) ? TABLE_COLOUR : 0);
}

int verb_list_add_vfs(struct table *t, struct json_object *vfs)
{
    int r = 0;

    if (t->n_columns == 0)
        table_columns(t, vf_columns);
    for (size_t i = 0; r == 0 && i < answer_length(vfs); i++) {
        struct json_object *vf = json_object_array_get_idx(vfs, i);
        const char *vlan = answer_text(vf, "vlan");

        r = table_add(
            t, (const char *const[]){answer_text(vf, "name"), answer_text(vf, "pci"),
                                     answer_text(vf, "driver"), answer_text(vf, "iommu_group"),
                                     answer_text(vf, "mac"), vlan && streq(vlan, "0") ? NULL : vlan,
                                     answer_text(vf, "vm"), answer_text(vf, "state")});
    }
    return r;
}

static int add_pf_and_vfs(struct table *t, struct json_object *pf, bool with_pf)
{
    const char *num = answer_text(pf, "num_vfs"), *total = answer_text(pf, "total_vfs");
    char vfs[64];
    int r = 0;

    if (t->n_columns == 0)
        table_columns(t, vf_columns);
    snprintf(vfs, sizeof(vfs), "%s/%s VFs", num ? num : "?", total ? total : "?");
    if (with_pf)
        r = table_add(t, (const char *const[]){answer_text(pf, "name"), answer_text(pf, "pci"),
                                               answer_text(pf, "driver"), NULL, NULL, NULL, NULL,
                                               vfs});
    return r < 0 ? r : verb_list_add_vfs(t, answer_array(pf, "vfs"));
}

static int add_all(struct table *t, struct json_object *pf)
{
    return add_pf_and_vfs(t, pf, true);
}

static int add_vfs(struct table *t, struct json_object *pf)
{
    return add_pf_and_vfs(t, pf, false);
}

static int add_pf(struct table *t, struct json_object *pf)
{
    const char *num = answer_text(pf, "num_vfs"), *total = answer_text(pf, "total_vfs");
    struct json_object *vfs = answer_array(pf, "vfs");
    char count[64], n_free[24];
    size_t unused = 0;

    for (size_t i = 0; i < answer_length(vfs); i++) {
        const char *state = answer_text(json_object_array_get_idx(vfs, i), "state");

        unused += state && streq(state, "free");
    }
    snprintf(count, sizeof(count), "%s/%s", num ? num : "?", total ? total : "?");
    snprintf(n_free, sizeof(n_free), "%zu", unused);
    if (t->n_columns == 0)
        table_columns(t, pf_columns);
    return table_add(t, (const char *const[]){answer_text(pf, "name"), answer_text(pf, "pci"),
                                              answer_text(pf, "driver"),
                                              answer_text(pf, "numa_node"), count, n_free});
}

static int add_vm(struct table *t, struct json_object *vm)
{
    const char *name = answer_text(vm, "name"),
               *running = answer_flag(vm, "running") ? "yes" : "no";
    struct json_object *nics = answer_array(vm, "nics");
    int r = 0;

    if (t->n_columns == 0)
        table_columns(t, vm_columns);
    if (answer_length(nics) == 0)
        return table_add(t, (const char *const[]){name, running, NULL, NULL, NULL, NULL, NULL});
    for (size_t i = 0; r == 0 && i < answer_length(nics); i++) {
        struct json_object *nic = json_object_array_get_idx(nics, i);

        r = table_add(t, (const char *const[]){name, running, answer_text(nic, "name"),
                                               answer_text(nic, "kind"), answer_text(nic, "pci"),
                                               answer_text(nic, "mac"), answer_text(nic, "state")});
    }
    return r;
}

/* An array of all VFs, each with "pf". The VFs are shared with @pfs, not copied. */
static int flatten_vfs(struct json_object *pfs, struct json_object **ret)
{
    _cleanup_answer_ struct json_object *all = json_object_new_array();

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < answer_length(pfs); i++) {
        struct json_object *pf = json_object_array_get_idx(pfs, i);
        struct json_object *vfs = answer_array(pf, "vfs");
        const char *name = answer_text(pf, "name");

        for (size_t v = 0; v < answer_length(vfs); v++) {
            struct json_object *vf = json_object_array_get_idx(vfs, v);

            if (!json_object_is_type(vf, json_type_object))
                return -EBADMSG;
            if (json_object_object_add(vf, "pf", json_object_new_string(name ? name : "")) < 0 ||
                json_object_array_add(all, json_object_get(vf)) < 0)
                return -ENOMEM;
        }
    }
    *ret = TAKE_PTR(all);
    return 0;
}

/* What can be listed: one row a word, the first without a word. */
static const struct {
    const char *word;
    const char *method;
    int (*add)(struct table *t, struct json_object *item);
    bool flat; /* JSON is the VFs alone */
    const char *none;
} list_kinds[] = {
    {"", "List", add_all, false, "no device of this host offers SR-IOV"},
    {"pf", "List", add_pf, false, "no device of this host offers SR-IOV"},
    {"vf", "List", add_vfs, true, "no VF: create some with 'sriovctl enable PF COUNT'"},
    {"vm", "ListVms", add_vm, false, "no VM runs or has a NIC"},
};

static int print_json(struct json_object *items, bool flat)
{
    _cleanup_answer_ struct json_object *vfs = NULL;
    int r = flat ? flatten_vfs(items, &vfs) : 0;

    return r < 0 ? r : terminal_print_json(stdout, flat ? vfs : items);
}

static int print_table(const struct verb_line *line, struct json_object *items,
                       int (*add)(struct table *, struct json_object *), const char *none)
{
    const unsigned flags = verb_list_table_flags(line);
    _cleanup_table_ struct table t = TABLE_INIT;
    int r = 0;

    for (size_t i = 0; r == 0 && i < answer_length(items); i++)
        r = add(&t, json_object_array_get_idx(items, i));
    if (r == 0 && table_rows(&t) > 0)
        table_print(&t, stdout, flags, 0);
    else if (r == 0 && flags & TABLE_LEGEND)
        log_info("%s", none);
    return r;
}

int verb_list(const struct verb_line *line, struct error *e)
{
    const char *word = line->n_args > 0 ? line->args[0] : "";
    const unsigned timeout_s = line->timeout_s ? line->timeout_s : LIST_TIMEOUT_S;
    _cleanup_answer_ struct json_object *items = NULL;
    size_t k = 0;
    int r;

    while (!streq(list_kinds[k].word, word)) /* verb_parse lets no other word through */
        k++;
    r = agent_client_ask(
        &(struct agent_call){.method = list_kinds[k].method, .timeout_s = timeout_s}, &items, e);
    if (r < 0)
        return r;
    if (verb_line_has(line, VERB_OPTION_JSON))
        r = print_json(items, list_kinds[k].flat);
    else
        r = print_table(line, items, list_kinds[k].add, list_kinds[k].none);
    return r < 0 ? error_set(e, r, "can't show the list: %s", strerror(-r)) : 0;
}
