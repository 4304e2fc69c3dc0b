/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options.h"

#include "basic/file.h"
#include "basic/parse.h"
#include "vmm/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#define CONFIG_FILE_MAX 16384

/* A panicked guest that stays dead helps nobody: it restarts. */
#define DEFAULT_CMDLINE "console=ttyS0 panic=-1"
#define DEFAULT_MEMORY  "256M"
#define DEFAULT_CPUS    "1"
#define DEFAULT_CONSOLE "stdio"
#define DEFAULT_USER    "sriov-vmm"

struct option {
    const char *name;     /* of the command line, behind the dashes */
    const char *key;      /* of a file; NULL: command line only */
    const char *argument; /* NULL: a flag, which a file turns on or off */
    const char *value;    /* the default; NULL: none */
    const char *help;     /* NULL: not shown */
    int (*apply)(struct options *o, size_t field, const char *value);
    size_t field;
};

static int apply_text(struct options *o, size_t field, const char *value)
{
    char **to = (char **)((char *)o + field);
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

static int apply_path(struct options *o, size_t field, const char *value)
{
    return *value ? apply_text(o, field, value) : -EINVAL;
}

static int apply_name(struct options *o, size_t field, const char *value)
{
    return vm_name_valid(value) ? apply_text(o, field, value) : -EINVAL;
}

static int apply_memory(struct options *o, size_t field _unused_, const char *value)
{
    uint64_t size;
    int r = parse_size(value, &size);

    if (r < 0)
        return r;
    if (size < MEMORY_MIN || size > MEMORY_MAX || size % 4096 != 0)
        return -ERANGE;
    o->memory = size;
    return 0;
}

static int apply_cpus(struct options *o, size_t field _unused_, const char *value)
{
    return parse_uint(value, 1, MACHINE_CPUS_MAX, &o->cpus);
}

static int apply_flag(struct options *o, size_t field, const char *value)
{
    return parse_on_off(value, (bool *)((char *)o + field));
}

/* For the agent: who else than root may run this VM. */
static int apply_nothing(struct options *o _unused_, size_t field _unused_,
                         const char *value _unused_)
{
    return 0;
}

#define FIELD(f) offsetof(struct options, f)

/* clang-format off */
static const struct option table[] = {
    {"name", "Name", "NAME", NULL, "the VM's name, under which it gets its NICs",
     apply_name, FIELD(name)},
    {"kernel", "Kernel", "FILE", NULL, "a distribution's bzImage, or a vmlinux with a PVH note",
     apply_path, FIELD(kernel)},
    {"initrd", "Initrd", "FILE", NULL, "initial RAM disk",
     apply_path, FIELD(initrd)},
    {"cmdline", "Cmdline", "TEXT", DEFAULT_CMDLINE, "the kernel's command line",
     apply_text, FIELD(cmdline)},
    {"memory", "Memory", "SIZE", DEFAULT_MEMORY, "64M to 1T, a multiple of 4K; with K, M, G or T",
     apply_memory, 0},
    {"cpus", "Cpus", "N", DEFAULT_CPUS, "virtual CPUs, 1 to 64",
     apply_cpus, 0},
    {"console", "Console", "KIND", DEFAULT_CONSOLE,
     "stdio (Ctrl-A x ends the VM), pty, socket:PATH or file:PATH",
     apply_path, FIELD(console)},
    {"user", "User", "NAME", DEFAULT_USER, "whom to become when started as root",
     apply_path, FIELD(user)},
    {"no-agent", "NoAgent", NULL, NULL, "boot without asking sriovd for NICs",
     apply_flag, FIELD(no_agent)},
    {"no-reboot", "NoReboot", NULL, NULL, "end, with status 0, where the guest reboots",
     apply_flag, FIELD(no_reboot)},
    {"config", NULL, "FILE", NULL, "read options from FILE: lines of Key=value",
     apply_path, FIELD(config)},
    {"help", NULL, NULL, NULL, "show this",
     apply_flag, FIELD(help)},
    {"version", NULL, NULL, NULL, "show the version",
     apply_flag, FIELD(version)},
    {NULL, "Owner", "USER", NULL, NULL,
     apply_nothing, 0},
};
/* clang-format on */

/* How a message names where a value came from. */
struct origin {
    const char *path; /* NULL: the command line */
    unsigned line;
};

static int apply(struct options *o, const struct option *row, const char *value,
                 const struct origin *from, struct error *e)
{
    const int r = row->apply(o, row->field, value);

    if (r == 0)
        return 0;
    if (r == -ENOMEM)
        return error_set(e, r, "out of memory");
    if (from->path)
        return error_set(e, -EINVAL, "%s:%u: %s=%s can't be: %s", from->path, from->line, row->key,
                         value, row->argument ? row->help : "give on or off");
    return error_set(e, -EINVAL, "--%s '%s' can't be: %s", row->name, value, row->help);
}

static const struct option *find_name(const char *name, size_t length)
{
    for (size_t i = 0; i < ELEMENTSOF(table); i++)
        if (table[i].name && strlen(table[i].name) == length &&
            memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

static const struct option *find_key(const char *key)
{
    for (size_t i = 0; i < ELEMENTSOF(table); i++)
        if (table[i].key && streq(table[i].key, key))
            return &table[i];
    return NULL;
}

/* One option at @argv[*i], as --name value or --name=value; *i moves past it. */
static int parse_argument(struct options *o, int argc, char **argv, int *i, struct error *e)
{
    static const struct origin command_line = {0};
    const char *text = argv[*i];
    const bool dashed = strncmp(text, "--", 2) == 0;
    const char *name = dashed ? text + 2 : text;
    const char *equals = strchr(name, '=');
    const struct option *row =
        dashed ? find_name(name, equals ? (size_t)(equals - name) : strlen(name)) : NULL;

    if (!row)
        return error_set(e, -EINVAL, "no option is called '%s': see --help", text);
    ++*i;
    if (!row->argument) {
        if (equals)
            return error_set(e, -EINVAL, "--%s takes no value", row->name);
        return apply(o, row, "on", &command_line, e);
    }
    if (!equals && *i == argc)
        return error_set(e, -EINVAL, "--%s needs a value: %s", row->name, row->help);
    return apply(o, row, equals ? equals + 1 : argv[(*i)++], &command_line, e);
}

static int parse_command_line(struct options *o, int argc, char **argv, struct error *e)
{
    int i = 1;

    while (i < argc) {
        const int r = parse_argument(o, argc, argv, &i, e);

        if (r < 0)
            return r;
    }
    return 0;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static int parse_line(struct options *o, char *line, const struct origin *from, struct error *e)
{
    char *text = trim(line), *equals = strchr(text, '=');
    const struct option *row;

    if (*text == '\0' || *text == '#' || *text == ';')
        return 0;
    if (!equals)
        return error_set(e, -EINVAL, "%s:%u: not of the form Key=value", from->path, from->line);
    *equals = '\0';
    row = find_key(trim(text));
    if (!row)
        return error_set(e, -EINVAL, "%s:%u: no key is called '%s'", from->path, from->line,
                         trim(text));
    return apply(o, row, trim(equals + 1), from, e);
}

static int parse_file(struct options *o, const char *path, struct error *e)
{
    char text[CONFIG_FILE_MAX];
    struct origin from = {.path = path};
    char *line, *rest = text;
    const ssize_t n = file_read(AT_FDCWD, path, text, sizeof(text));

    if (n < 0)
        return error_set(e, (int)n, "%s: cannot read: %s", path, strerror((int)-n));
    if (strlen(text) != (size_t)n)
        return error_set(e, -EINVAL, "%s: not a text file", path);
    while ((line = strsep(&rest, "\n"))) {
        int r;

        from.line++;
        r = parse_line(o, line, &from, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The VM's own file, if it has one. */
static int parse_own_file(struct options *o, const char *dir, const char *name, struct error *e)
{
    char path[PATH_MAX];
    int r;

    if (snprintf(path, sizeof(path), "%s/%s.conf", dir, name) >= (int)sizeof(path))
        return error_set(e, -EINVAL, "%s: path too long", dir);
    if (access(path, F_OK) < 0)
        return 0;
    r = parse_file(o, path, e);
    if (r == 0 && !streq(o->name ? o->name : name, name))
        return error_set(e, -EINVAL, "%s: names the VM '%s'", path, o->name);
    return r;
}

static int apply_defaults(struct options *o, struct error *e)
{
    static const struct origin nowhere = {0};

    for (size_t i = 0; i < ELEMENTSOF(table); i++) {
        int r = table[i].value ? apply(o, &table[i], table[i].value, &nowhere, e) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

static int check(const struct options *o, struct error *e)
{
    if (!o->name)
        return error_set(e, -EINVAL, "--name is missing: which VM is this?");
    if (!o->kernel)
        return error_set(e, -EINVAL, "--kernel is missing: give a vmlinuz or a vmlinux");
    return 0;
}

/* Everything once more and in order of precedence, now that the files are known. */
static int parse_all(struct options *o, const struct options *first, int argc, char **argv,
                     const char *config_dir, struct error *e)
{
    int r = apply_defaults(o, e);

    if (r == 0)
        r = parse_own_file(o, config_dir, first->name, e);
    if (r == 0 && first->config)
        r = parse_file(o, first->config, e);
    if (r == 0)
        r = parse_command_line(o, argc, argv, e);
    return r == 0 ? check(o, e) : r;
}

int options_parse(struct options *ret, int argc, char **argv, const char *config_dir,
                  struct error *e)
{
    /* First the command line alone and the file it names, to learn the VM's name. */
    _cleanup_(options_done) struct options first = {0};
    _cleanup_(options_done) struct options all = {0};
    int r = parse_command_line(&first, argc, argv, e);

    if (r < 0)
        return r;
    if (!first.help && !first.version) {
        if (!first.name && first.config)
            r = parse_file(&first, first.config, e);
        if (r == 0 && !first.name)
            r = check(&first, e);
        if (r == 0)
            r = parse_all(&all, &first, argc, argv, config_dir, e);
        if (r < 0)
            return r;
    }
    all.help = first.help;
    all.version = first.version;
    *ret = all;
    all = (struct options){0};
    return 0;
}

void options_done(struct options *o)
{
    char **texts[] = {&o->name,    &o->kernel, &o->initrd, &o->cmdline,
                      &o->console, &o->user,   &o->config};

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        free(TAKE_PTR(*texts[i]));
}

void options_print_help(FILE *to)
{
    fprintf(to, "usage: sriov-vmm --name NAME --kernel FILE [OPTION]...\n\n"
                "Runs one virtual machine, with the NICs that sriovctl has assigned to it.\n\n");
    for (size_t i = 0; i < ELEMENTSOF(table); i++) {
        const struct option *row = &table[i];
        char left[32];

        if (!row->name)
            continue;
        snprintf(left, sizeof(left), "--%s %s", row->name, row->argument ? row->argument : "");
        fprintf(to, "  %-18s %s", left, row->help);
        if (row->value)
            fprintf(to, " (default: %s)", row->value);
        fputc('\n', to);
    }
    fprintf(to,
            "\nA file has the same options as lines of Key=value (Kernel=, Initrd=, ...), flags\n"
            "with on or off. " OPTIONS_CONFIG_DIR "/NAME.conf is read where it exists, then\n"
            "--config's file, then the command line; the last one wins.\n\n"
            "Ends with 0 when the guest powers off, or at SIGTERM.\n");
}
