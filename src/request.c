/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/request.h"

#include "basic/quote.h"

#include <errno.h>

#define DEADLINE_MAX_S 3600

const struct request_row request_table[] = {
    {"List", "", NULL, false, request_list},
    {"ListVms", "", NULL, false, request_list_vms},
    {"Show", "s", NULL, false, request_show},
    {"Enable", "sua{ss}", "enabled", true, request_enable},
    {"Assign", "ssa{ss}a{ss}", "assigned", true, request_assign},
    {"Release", "sa{ss}", "returned", true, request_release},
    {"Set", "sa{ss}a{ss}", "set", true, request_set},
    {"Drain", "sa{ss}", "drained", true, request_drain},
    {"Undrain", "sa{ss}", "assigned", true, request_undrain},
};
const size_t request_table_count = ELEMENTSOF(request_table);

void request_free(struct request *q)
{
    if (!q)
        return;
    sd_bus_message_unref(q->message);
    free(q->running.items);
    free(q->reply);
    free(q);
}

int request_set_reply(struct request *q, json_object *o, struct error *e)
{
    _cleanup_json_ json_object *owned = o;
    const char *text = o ? json_object_to_json_string_ext(owned, JSON_C_TO_STRING_PLAIN |
                                                                     JSON_C_TO_STRING_NOSLASHESCAPE)
                         : NULL;

    q->reply = text ? strdup(text) : NULL;
    return q->reply ? 0 : error_set(e, -ENOMEM, "out of memory for the reply");
}

/* A VM by its name, or vmm:NAME (the same) or libvirt:NAME. */
static int parse_vm(const char *text, char ret[static LEASE_VM], struct error *e)
{
    const bool vmm = strncmp(text, "vmm:", 4) == 0, libvirt = strncmp(text, "libvirt:", 8) == 0;
    const char *name = vmm ? text + 4 : libvirt ? text + 8 : text;

    if (!vm_name_valid(name))
        return error_set(e, -EINVAL,
                         "'%s' can't be the name of a VM: use letters, digits and . _ - + @, "
                         "at most %d of them",
                         QUOTE_STR(text), VM_NAME_MAX - 1);
    snprintf(ret, LEASE_VM, "%s%s", libvirt ? "libvirt:" : "", name);
    return 0;
}

static int option_on_off(const char *key, const char *value, bool *ret, struct error *e)
{
    if (parse_on_off(value, ret) < 0)
        return error_set(e, -EINVAL, "%s takes on or off, not '%s'", key, QUOTE_STR(value));
    return 0;
}

static int option_fallback(struct request *q, const char *value, struct error *e)
{
    if (!streq(value, "virtio") && !streq(value, "none"))
        return error_set(e, -EINVAL, "fallback takes virtio or none, not '%s'", QUOTE_STR(value));
    q->fallback_virtio = streq(value, "virtio");
    return 0;
}

static int option_deadline(struct request *q, const char *value, struct error *e)
{
    if (parse_uint(value, 0, DEADLINE_MAX_S, &q->deadline_s) < 0)
        return error_set(e, -EINVAL, "deadline takes seconds up to %d, not '%s'", DEADLINE_MAX_S,
                         QUOTE_STR(value));
    q->has_deadline = true;
    return 0;
}

static int option_entry(struct request *q, const char *key, const char *value, struct error *e)
{
    if (streq(key, "dry_run"))
        return option_on_off(key, value, &q->dry_run, e);
    if (streq(key, "no_wait"))
        return option_on_off(key, value, &q->no_wait, e);
    if (streq(key, "standby"))
        return option_on_off(key, value, &q->standby, e);
    if (streq(key, "fallback"))
        return option_fallback(q, value, e);
    if (streq(key, "vm"))
        return parse_vm(value, q->only_vm, e);
    if (streq(key, "deadline"))
        return option_deadline(q, value, e);
    return error_set(e, -EINVAL, "there is no option '%s'", QUOTE_STR(key));
}

static int policy_entry(struct request *q, const char *key, const char *value, struct error *e)
{
    int attr = policy_attr_find(key);

    if (attr >= 0 && policy_has(&q->policy, (enum policy_attr)attr))
        return error_set(e, -EINVAL, "%s is given twice", key);
    /* Unknown attributes are the caller's mistake, not a missing object. */
    return attr < 0 ? error_set(e, -EINVAL, "there is no policy attribute '%s'", QUOTE_STR(key))
                    : policy_parse_attr(&q->policy, key, value, e);
}

static int parse_dict(struct request *q, sd_bus_message *m,
                      int (*entry)(struct request *q, const char *key, const char *value,
                                   struct error *e),
                      struct error *e)
{
    int r = sd_bus_message_enter_container(m, 'a', "{ss}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "ss")) > 0) {
        const char *key, *value;

        r = sd_bus_message_read(m, "ss", &key, &value);
        if (r < 0)
            break;
        r = entry(q, key, value, e);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(m);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    return r < 0 ? error_set(e, -EINVAL, "malformed arguments: %s", strerror(-r)) : 0;
}

static int parse_name(struct request *q, sd_bus_message *m, struct error *e)
{
    const char *text;
    int r = sd_bus_message_read(m, "s", &text);

    if (r < 0 || strlen(text) >= sizeof(q->name))
        return error_set(e, -EINVAL, "a name is missing or too long");
    snprintf(q->name, sizeof(q->name), "%s", text);
    return 0;
}

static int parse_vm_arg(struct request *q, sd_bus_message *m, struct error *e)
{
    const char *text;

    if (sd_bus_message_read(m, "s", &text) < 0)
        return error_set(e, -EINVAL, "the VM's name is missing");
    return parse_vm(text, q->vm, e);
}

int request_parse(struct request *q, sd_bus_message *m, struct error *e)
{
    const char *sig = q->row->signature;
    int r = 0;

    if (sig[0] == 's')
        r = parse_name(q, m, e);
    if (r == 0 && sig[0] && sig[1] == 'u' && sd_bus_message_read(m, "u", &q->count) < 0)
        r = error_set(e, -EINVAL, "the count is missing");
    if (r == 0 && sig[0] && sig[1] == 's')
        r = parse_vm_arg(q, m, e);
    /* Where there are two dictionaries, the first is the policy. */
    if (r == 0 && strstr(sig, "a{ss}a{ss}"))
        r = parse_dict(q, m, policy_entry, e);
    if (r == 0 && strstr(sig, "a{ss}"))
        r = parse_dict(q, m, option_entry, e);
    return r;
}
