/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/verb.h"

#include "basic/parse.h"
#include "basic/quote.h"
#include "sriov/policy.h"
#include "src/hook.h"
#include "src/verb-change.h"
#include "src/verb-help.h"
#include "src/verb-list.h"
#include "src/verb-monitor.h"
#include "src/verb-show.h"

#include <errno.h>

#define TIMEOUT_MAX_S 86400

const struct verb_option_row verb_options[VERB_OPTION_COUNT] = {
    [VERB_OPTION_JSON] = {"json", 'j', NULL, "print JSON"},
    [VERB_OPTION_DRY_RUN] = {"dry-run", 0, NULL, "print the steps and change nothing"},
    [VERB_OPTION_NO_WAIT] = {"no-wait", 0, NULL, "return once the agent has taken the job"},
    [VERB_OPTION_TIMEOUT] = {"timeout", 0, "SECONDS", "how long to wait for the agent"},
    [VERB_OPTION_NO_LEGEND] = {"no-legend", 0, NULL, "tables without their first line"},
    [VERB_OPTION_HELP] = {"help", 'h', NULL, "this text, or that of a verb"},
    [VERB_OPTION_VERSION] = {"version", 0, NULL, "the version"},
};

const struct verb_word verb_words[] = {
    {"fallback", {"virtio", "none"}, "a virtio NIC where no VF can be had, or none (the default)"},
    {"standby", {"on", "off"}, "back the VF with a virtio NIC that takes over when it goes"},
};
const size_t verb_word_count = ELEMENTSOF(verb_words);

static bool valid_name(const char *text)
{
    if (!*text)
        return false;
    /* It becomes a D-Bus string, which must be UTF-8, and no name of ours needs more. */
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool valid_vm(const char *text)
{
    static const char *const kinds[] = {"libvirt:", "vmm:"};

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
            return vm_name_valid(text + strlen(kinds[i]));
    return vm_name_valid(text);
}

static bool valid_count(const char *text)
{
    unsigned count;

    return parse_uint(text, 0, UINT32_MAX, &count) == 0;
}

static bool valid_kind(const char *text)
{
    return streq(text, "pf") || streq(text, "vf") || streq(text, "vm");
}

static bool valid_qemu(const char *text)
{
    return streq(text, "qemu");
}

static bool valid_verb(const char *text)
{
    return verb_find(text) != NULL;
}

static bool valid_anything(const char *text _unused_)
{
    return true;
}

#define EXPECT_NAME "a name without spaces, as 'sriovctl list' shows it"

static const struct verb_arg arg_kind = {"pf|vf|vm", valid_kind, "pf, vf or vm"};
static const struct verb_arg arg_object = {"PF|VF|VM", valid_name, EXPECT_NAME};
static const struct verb_arg arg_pf = {"PF", valid_name, EXPECT_NAME};
static const struct verb_arg arg_vf = {"VF", valid_name, EXPECT_NAME};
static const struct verb_arg arg_vf_any = {"VF|any", valid_name, EXPECT_NAME};
static const struct verb_arg arg_vm = {
    "VM", valid_vm,
    "letters, digits and ._-+@, at most 63, not starting with '.' or '-'; libvirt: or vmm: may "
    "stand before it"};
static const struct verb_arg arg_count = {"COUNT", valid_count, "a number of VFs, 0 or more"};
static const struct verb_arg arg_verb = {"VERB", valid_verb, "a verb that 'sriovctl help' lists"};
static const struct verb_arg arg_qemu = {"qemu", valid_qemu, "qemu"};
static const struct verb_arg arg_domain = {"NAME", valid_anything, ""};
static const struct verb_arg arg_op = {"OP", valid_anything, ""};
static const struct verb_arg arg_subop = {"SUBOP", valid_anything, ""};
static const struct verb_arg arg_extra = {"EXTRA", valid_anything, ""};

#define TAKES(o)      (1U << VERB_OPTION_##o)
#define TAKES_LOOKING (TAKES(JSON) | TAKES(TIMEOUT) | TAKES(NO_LEGEND))
#define TAKES_CHANGE  (TAKES_LOOKING | TAKES(DRY_RUN) | TAKES(NO_WAIT))

const struct verb verb_table[] = {
    {
        .name = "list",
        .help = "PFs, VFs and who has them",
        .args = {&arg_kind},
        .needed = 0,
        .options = TAKES_LOOKING,
        .run = verb_list,
    },
    {
        .name = "show",
        .help = "everything about one",
        .args = {&arg_object},
        .needed = 1,
        .options = TAKES_LOOKING,
        .run = verb_show,
    },
    {
        .name = "enable",
        .help = "create VFs; 0 removes them",
        .args = {&arg_pf, &arg_count},
        .needed = 2,
        .options = TAKES_CHANGE,
        .run = verb_enable,
    },
    {
        .name = "assign",
        .help = "give a VF to a VM; any picks a free one near the VM",
        .args = {&arg_vf_any, &arg_vm},
        .needed = 2,
        .grammar = VERB_GRAMMAR_NIC,
        .options = TAKES_CHANGE,
        .run = verb_assign,
    },
    {
        .name = "release",
        .help = "take a VF back and put it as it was",
        .args = {&arg_vf},
        .needed = 1,
        .options = TAKES_CHANGE,
        .run = verb_release,
    },
    {
        .name = "set",
        .help = "change the policy of a VF",
        .args = {&arg_vf},
        .needed = 1,
        .grammar = VERB_GRAMMAR_POLICY,
        .options = TAKES_CHANGE,
        .run = verb_set,
    },
    {
        .name = "drain",
        .help = "move the VMs of a PF to their standbys",
        .args = {&arg_pf},
        .needed = 1,
        .options = TAKES_LOOKING | TAKES(DRY_RUN),
        .run = verb_drain,
    },
    {
        .name = "undrain",
        .help = "bring them back",
        .args = {&arg_pf},
        .needed = 1,
        .options = TAKES_LOOKING | TAKES(DRY_RUN),
        .run = verb_undrain,
    },
    {
        .name = "monitor",
        .help = "events, one line (or JSON object) each",
        .options = TAKES(JSON),
        .run = verb_monitor,
    },
    {
        .name = "hook",
        .help = "libvirt's hook, domain XML on standard input",
        .args = {&arg_qemu, &arg_domain, &arg_op, &arg_subop, &arg_extra},
        .needed = 5,
        .grammar = VERB_GRAMMAR_VERBATIM,
        .run = hook_run,
    },
    {
        .name = "help",
        .help = "help, or that of a verb",
        .args = {&arg_verb},
        .needed = 0,
        .run = verb_help,
    },
};
const size_t verb_count = ELEMENTSOF(verb_table);

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < verb_count; i++)
        if (streq(verb_table[i].name, name))
            return &verb_table[i];
    return NULL;
}

static size_t args_max(const struct verb *verb)
{
    size_t n = 0;

    while (n < VERB_ARGS_MAX && verb->args[n])
        n++;
    return n;
}

static bool takes_policy(const struct verb *verb)
{
    return verb->grammar == VERB_GRAMMAR_NIC || verb->grammar == VERB_GRAMMAR_POLICY;
}

static const struct verb_word *find_word(const struct verb *verb, const char *name)
{
    if (verb->grammar != VERB_GRAMMAR_NIC)
        return NULL;
    for (size_t i = 0; i < verb_word_count; i++)
        if (streq(verb_words[i].name, name))
            return &verb_words[i];
    return NULL;
}

struct parser {
    struct verb_line *line;
    struct error *e;
    const char *name;       /* a word that still wants its value, or NULL */
    enum verb_option wants; /* an option that still wants its value, or ..._COUNT */
    bool only_words;        /* after "--" */
};

static int set_option(struct parser *p, enum verb_option o, const char *value)
{
    const struct verb_option_row *row = &verb_options[o];
    unsigned seconds;

    p->line->options |= 1U << o;
    if (!row->argument && value)
        return error_set(p->e, -EINVAL, "--%s takes no value", row->name);
    if (!row->argument)
        return 0;
    if (!value) {
        p->wants = o;
        return 0;
    }
    p->wants = VERB_OPTION_COUNT;
    if (parse_uint(value, 1, TIMEOUT_MAX_S, &seconds) < 0)
        return error_set(p->e, -EINVAL, "--%s '%s' is not valid: give %s, 1 to %d", row->name,
                         QUOTE_STR(value), row->argument, TIMEOUT_MAX_S);
    p->line->timeout_s = seconds;
    return 0;
}

static int parse_option(struct parser *p, const char *text)
{
    const bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    const size_t n = strcspn(name, "=");

    for (int o = 0; o < VERB_OPTION_COUNT; o++) {
        const struct verb_option_row *row = &verb_options[o];

        if (is_long ? strlen(row->name) == n && strncmp(row->name, name, n) == 0
                    : row->letter == name[0] && name[1] == '\0')
            return set_option(p, (enum verb_option)o, is_long && name[n] ? name + n + 1 : NULL);
    }
    return error_set(p->e, -EINVAL, "no option %s", QUOTE_STR(text));
}

static int set_arg(struct parser *p, const char *text)
{
    struct verb_line *line = p->line;
    const struct verb_arg *arg = line->verb->args[line->n_args];

    if (!arg->valid(text))
        return error_set(p->e, -EINVAL, "%s: %s '%s' is not valid: give %s", line->verb->name,
                         arg->name, QUOTE_STR(text), arg->expected);
    line->args[line->n_args++] = text;
    if (line->verb->grammar == VERB_GRAMMAR_VERBATIM)
        p->only_words = true;
    return 0;
}

/* The first half of a pair: "vlan". */
static int set_name(struct parser *p, const char *text)
{
    const struct verb_line *line = p->line;

    if (!find_word(line->verb, text) && policy_attr_find(text) < 0)
        return error_set(p->e, -EINVAL, "%s: '%s' is not a word it takes", line->verb->name,
                         QUOTE_STR(text));
    if (dict_get(&line->policy, text) || dict_get(&line->words, text))
        return error_set(p->e, -EINVAL, "%s: %s is given twice", line->verb->name, text);
    p->name = text;
    return 0;
}

/* The second half: "100". */
static int set_value(struct parser *p, const char *text)
{
    struct verb_line *line = p->line;
    const struct verb_word *word = find_word(line->verb, p->name);
    struct policy unused = {.set = 0};
    int r;

    if (!word) {
        r = policy_parse_attr(&unused, p->name, text, p->e);
        if (r < 0)
            return -EINVAL;
        r = dict_put(&line->policy, p->name, text);
    } else if (streq(text, word->values[0]) || streq(text, word->values[1])) {
        r = dict_put(&line->words, p->name, text);
    } else {
        return error_set(p->e, -EINVAL, "%s '%s' is not valid: give %s or %s", word->name,
                         QUOTE_STR(text), word->values[0], word->values[1]);
    }
    p->name = NULL;
    return r < 0 ? error_set(p->e, -EINVAL, "%s: too many words", line->verb->name) : 0;
}

static int parse_word(struct parser *p, const char *text)
{
    struct verb_line *line = p->line;

    if (!line->verb) {
        line->verb = verb_find(text);
        if (!line->verb)
            return error_set(p->e, -EINVAL, "no verb '%s'; 'sriovctl help' lists them",
                             QUOTE_STR(text));
        return 0;
    }
    if (p->name)
        return set_value(p, text);
    if (line->n_args < args_max(line->verb))
        return set_arg(p, text);
    if (takes_policy(line->verb))
        return set_name(p, text);
    if (line->verb->grammar == VERB_GRAMMAR_VERBATIM)
        return 0;
    return error_set(p->e, -EINVAL, "%s: '%s' is too much", line->verb->name, QUOTE_STR(text));
}

static int check_options(const struct verb_line *line, struct error *e)
{
    const uint32_t taken = (line->verb ? line->verb->options : 0) | TAKES(HELP) | TAKES(VERSION);

    for (int o = 0; o < VERB_OPTION_COUNT; o++)
        if (line->options & ~taken & (1U << o))
            return error_set(e, -EINVAL, "%s doesn't take --%s", line->verb->name,
                             verb_options[o].name);
    return 0;
}

static int check_complete(const struct parser *p)
{
    const struct verb_line *line = p->line;

    if (p->wants != VERB_OPTION_COUNT)
        return error_set(p->e, -EINVAL, "--%s needs a value: %s", verb_options[p->wants].name,
                         verb_options[p->wants].argument);
    if (verb_line_has(line, VERB_OPTION_HELP) || verb_line_has(line, VERB_OPTION_VERSION))
        return 0;
    if (!line->verb)
        return error_set(p->e, -EINVAL, "a verb is missing; 'sriovctl help' lists them");
    if (line->n_args < line->verb->needed)
        return error_set(p->e, -EINVAL, "%s: %s is missing", line->verb->name,
                         line->verb->args[line->n_args]->name);
    if (p->name)
        return error_set(p->e, -EINVAL, "%s: %s needs a value", line->verb->name, p->name);
    if (line->verb->grammar == VERB_GRAMMAR_POLICY && line->policy.count == 0)
        return error_set(p->e, -EINVAL, "%s: POLICY is missing, e.g. vlan 100", line->verb->name);
    return check_options(line, p->e);
}

int verb_parse(int argc, char *const argv[], struct verb_line *ret, struct error *e)
{
    struct parser p = {.line = ret, .e = e, .wants = VERB_OPTION_COUNT};
    int r = 0;

    *ret = (struct verb_line){.verb = NULL};
    for (int i = 0; r == 0 && i < argc; i++)
        if (p.wants != VERB_OPTION_COUNT)
            r = set_option(&p, p.wants, argv[i]);
        else if (!p.only_words && streq(argv[i], "--"))
            p.only_words = true;
        else if (!p.only_words && argv[i][0] == '-' && argv[i][1])
            r = parse_option(&p, argv[i]);
        else
            r = parse_word(&p, argv[i]);
    return r < 0 ? r : check_complete(&p);
}

const char *verb_synopsis(const struct verb *verb, char buf[static VERB_SYNOPSIS])
{
    size_t n = (size_t)snprintf(buf, VERB_SYNOPSIS, "%s", verb->name);

    for (size_t i = 0; i < args_max(verb); i++)
        n += (size_t)snprintf(buf + n, VERB_SYNOPSIS - n, i < verb->needed ? " %s" : " [%s]",
                              verb->args[i]->name);
    if (takes_policy(verb))
        n += (size_t)snprintf(buf + n, VERB_SYNOPSIS - n, "%s",
                              verb->grammar == VERB_GRAMMAR_NIC ? " [POLICY]" : " POLICY");
    for (size_t i = 0; verb->grammar == VERB_GRAMMAR_NIC && i < verb_word_count; i++)
        n += (size_t)snprintf(buf + n, VERB_SYNOPSIS - n, " [%s %s|%s]", verb_words[i].name,
                              verb_words[i].values[0], verb_words[i].values[1]);
    return buf;
}
