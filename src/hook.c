/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt runs the hook while it holds the domain's lock, and waits. So libvirt is never called
 * from here (it would deadlock), nothing is written to standard output (on some operations it
 * would become the domain's XML), and of all operations two do anything:
 *
 *   prepare begin   each host device is assigned to "libvirt:NAME". Those that are no VFs (the
 *                   agent knows none of that address) are left alone. A failure gives back what
 *                   this call has changed and vetoes the start.
 *   release end     each host device is released, if it is still leased to "libvirt:NAME".
 *                   Failures are logged: the domain is gone already.
 *
 * All others exit 0 before anything is read: a hook that fails on "reconnect" kills the guest.
 */
#include "src/hook.h"

#include "basic/log.h"
#include "basic/parse.h"
#include "basic/quote.h"
#include "src/agent-client.h"
#include "src/answer.h"
#include "src/domain-xml.h"

#include <errno.h>

#define CONNECT_MS 1000
#define CALL_S     120
#define VM_KIND    "libvirt:"
#define HOOK_VM    (sizeof(VM_KIND) + VM_NAME_MAX)

struct hook {
    struct sd_bus *bus;
    char vm[HOOK_VM];
    struct domain_xml domain;
};

static ssize_t read_xml(int fd, char *buf, size_t size, struct error *e)
{
    size_t n = 0;

    while (n < size) {
        const ssize_t got = read(fd, buf + n, size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(e, -errno, "can't read the domain XML: %s", strerror(errno));
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

/* Read and parse; more than fits is refused by the parser's own limit. */
static int read_domain(int fd, struct domain_xml *ret, struct error *e)
{
    const size_t size = DOMAIN_XML_SIZE_MAX + 1;
    _cleanup_free_ char *text = malloc(size);
    ssize_t n;

    if (!text)
        return error_set(e, -ENOMEM, "out of memory");
    n = read_xml(fd, text, size, e);
    return n < 0 ? (int)n : domain_xml_parse(text, (size_t)n, ret, e);
}

static int set_vm(struct hook *hook, const char *name, struct error *e)
{
    if (!vm_name_valid(name))
        return error_set(e, -EINVAL,
                         "domain '%s' can't be given VFs: rename it to letters, digits and "
                         "._-+@, at most %d",
                         QUOTE_STR(name), VM_NAME_MAX - 1);
    snprintf(hook->vm, sizeof(hook->vm), VM_KIND "%s", name);
    return 0;
}

/* Return: 1 if the VF was changed, 0 if it was so already or is no VF, or negative errno. */
static int assign(struct hook *hook, const struct domain_xml_nic *nic, struct error *e)
{
    char texts[POLICY_ATTR_COUNT][POLICY_TEXT];
    struct dict policy = {.count = 0}, options = {.count = 0};
    _cleanup_answer_ struct json_object *report = NULL;
    int r = 0;

    for (unsigned a = 0; r == 0 && a < POLICY_ATTR_COUNT; a++)
        if (policy_has(&nic->policy, a))
            r = dict_put(&policy, policy_table[a].name, policy_format(&nic->policy, a, texts[a]));
    if (r < 0)
        return error_set(e, r, "too many policy attributes");
    r = agent_client_call(hook->bus,
                          &(struct agent_call){.method = "Assign",
                                               .object = PCI_ADDR_STR(&nic->addr),
                                               .vm = hook->vm,
                                               .policy = &policy,
                                               .options = &options,
                                               .timeout_s = CALL_S},
                          &report, e);
    if (r < 0)
        return error_status(r) == EXIT_STATUS_NOT_FOUND ? 0 : r;
    return answer_flag(report, "changed");
}

static int release(struct hook *hook, const struct domain_xml_nic *nic, struct error *e)
{
    struct dict options = {.items = {{"vm", hook->vm}}, .count = 1};
    _cleanup_answer_ struct json_object *report = NULL;
    int r = agent_client_call(hook->bus,
                              &(struct agent_call){.method = "Release",
                                                   .object = PCI_ADDR_STR(&nic->addr),
                                                   .options = &options,
                                                   .timeout_s = CALL_S},
                              &report, e);

    return r < 0 && error_status(r) == EXIT_STATUS_NOT_FOUND ? 0 : r;
}

/* Of the devices before @end, give back those that this call has changed. */
static void give_back(struct hook *hook, const bool *changed, size_t end)
{
    while (end-- > 0) {
        struct error e = ERROR_INIT;

        if (changed[end] && release(hook, &hook->domain.nics[end], &e) < 0)
            log_warning("%s: %s", PCI_ADDR_STR(&hook->domain.nics[end].addr), e.text);
    }
}

static int assign_all(struct hook *hook, struct error *e)
{
    bool changed[DOMAIN_XML_NICS_MAX] = {false};

    for (size_t i = 0; i < hook->domain.count; i++) {
        int r = assign(hook, &hook->domain.nics[i], e);

        if (r < 0) {
            error_prefix(e, "%s can't start with %s", hook->vm,
                         PCI_ADDR_STR(&hook->domain.nics[i].addr));
            /* An assignment that wasn't waited for to its end still comes to one. */
            changed[i] = r == -ETIMEDOUT;
            give_back(hook, changed, i + 1);
            return r;
        }
        changed[i] = r > 0;
    }
    return 0;
}

static int prepare(const char *name, int xml_fd, struct error *e)
{
    struct hook hook = {.bus = NULL};
    int r = read_domain(xml_fd, &hook.domain, e);

    if (r < 0 || hook.domain.count == 0)
        return r;
    r = set_vm(&hook, name, e);
    if (r == 0)
        r = agent_client_open(CONNECT_MS, &hook.bus, e);
    if (r == 0)
        r = assign_all(&hook, e);
    agent_client_close(&hook.bus);
    return r;
}

/* Nobody waits for the outcome but the journal. */
static int release_all(const char *name, int xml_fd, struct error *e _unused_)
{
    struct hook hook = {.bus = NULL};
    struct error why = ERROR_INIT;

    if (!vm_name_valid(name))
        return 0; /* prepare gave it nothing */
    if (read_domain(xml_fd, &hook.domain, &why) < 0 || hook.domain.count == 0 ||
        set_vm(&hook, name, &why) < 0 || agent_client_open(CONNECT_MS, &hook.bus, &why) < 0) {
        if (why.code < 0)
            log_error("%s: its VFs aren't released: %s", name, why.text);
        return 0;
    }
    for (size_t i = 0; i < hook.domain.count; i++)
        if (release(&hook, &hook.domain.nics[i], &why) < 0)
            log_error("%s: %s isn't released: %s", name, PCI_ADDR_STR(&hook.domain.nics[i].addr),
                      why.text);
    agent_client_close(&hook.bus);
    return 0;
}

static const struct {
    const char *op, *subop;
    int (*run)(const char *name, int xml_fd, struct error *e);
} hook_ops[] = {
    {"prepare", "begin", prepare},
    {"release", "end", release_all},
};

int hook_qemu(const char *name, const char *op, const char *subop, int xml_fd, struct error *e)
{
    for (size_t i = 0; i < ELEMENTSOF(hook_ops); i++)
        if (streq(hook_ops[i].op, op) && streq(hook_ops[i].subop, subop))
            return hook_ops[i].run(name, xml_fd, e);
    return 0;
}

int hook_run(const struct verb_line *line, struct error *e)
{
    return hook_qemu(line->args[1], line->args[2], line->args[3], STDIN_FILENO, e) < 0 ? -EIO : 0;
}
