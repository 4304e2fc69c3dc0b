/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>

#define LINE_MAX_BYTES 8192 /* a VM's file may hold a kernel's command line */

/* Called for each "Key=value", with its section ("" before the first). */
typedef int (*entry_fn)(void *opaque, const char *section, const char *key, const char *value,
                        struct error *e);

static char *strip(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static int parse_line(char *line, char section[static 64], entry_fn entry, void *opaque,
                      struct error *e)
{
    char *text = strip(line);
    const size_t n = strlen(text);
    char *eq;

    if (n == 0 || *text == '#' || *text == ';')
        return 0;
    if (*text == '[') {
        if (text[n - 1] != ']' || n - 2 >= 64)
            return error_set(e, -EINVAL, "malformed section %.60s", text);
        snprintf(section, 64, "%.*s", (int)(n - 2), text + 1);
        return 0;
    }
    eq = strchr(text, '=');
    if (!eq)
        return error_set(e, -EINVAL, "expected Key=value, found %.60s", text);
    *eq = '\0';
    return entry(opaque, section, strip(text), strip(eq + 1), e);
}

static int parse_file(const char *path, entry_fn entry, void *opaque, struct error *e)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    char line[LINE_MAX_BYTES], section[64] = "";
    unsigned number = 0;

    if (!f)
        return errno == ENOENT ? 0
                               : error_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), f)) {
        int r;

        number++;
        if (strlen(line) == sizeof(line) - 1)
            return error_set(e, -EINVAL, "%s:%u: the line is too long: at most %d bytes", path,
                             number, LINE_MAX_BYTES - 2);
        r = parse_line(line, section, entry, opaque, e);
        if (r < 0)
            return error_prefix(e, "%s:%u", path, number);
    }
    return 0;
}

static int set_bridge(struct config *c, const char *value, struct error *e)
{
    if (strlen(value) >= IFNAMSIZ || strchr(value, '/') || strchr(value, ' '))
        return error_set(e, -EINVAL, "Bridge=%.40s can't be the name of an interface", value);
    snprintf(c->fallback_bridge, sizeof(c->fallback_bridge), "%s", value);
    return 0;
}

static const struct {
    const char *section, *key;
    int (*set)(struct config *c, const char *value, struct error *e);
} config_table[] = {
    {"Fallback", "Bridge", set_bridge},
};

static int config_entry(void *opaque, const char *section, const char *key, const char *value,
                        struct error *e)
{
    for (size_t i = 0; i < ELEMENTSOF(config_table); i++)
        if (streq(config_table[i].section, section) && streq(config_table[i].key, key))
            return config_table[i].set(opaque, value, e);
    return error_set(e, -EINVAL, "there is no %.60s= in section [%s]; see sriovd.conf(5)", key,
                     section);
}

static int is_conf(const struct dirent *d)
{
    const size_t n = strlen(d->d_name);

    return n > 5 && d->d_name[0] != '.' && streq(d->d_name + n - 5, ".conf");
}

int config_load(const char *dir, struct config *ret, struct error *e)
{
    struct config c = {.fallback_bridge = ""};
    struct dirent **names = NULL;
    char path[PATH_MAX];
    int n, r;

    snprintf(path, sizeof(path), "%s/sriovd.conf", dir);
    r = parse_file(path, config_entry, &c, e);
    snprintf(path, sizeof(path), "%s/sriovd.conf.d", dir);
    n = scandir(path, &names, is_conf, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/sriovd.conf.d/%s", dir, names[i]->d_name);
        if (r == 0)
            r = parse_file(path, config_entry, &c, e);
        free(names[i]);
    }
    free(names);
    if (r == 0)
        *ret = c;
    return r;
}

/* The VM's other keys are the VMM's to judge. */
static int owner_entry(void *opaque, const char *section _unused_, const char *key,
                       const char *value, struct error *e _unused_)
{
    char *owner = opaque;

    if (streq(key, "Owner"))
        snprintf(owner, LOGIN_NAME_MAX, "%s", value);
    return 0;
}

int config_vm_owner(const char *dir, const char *vm, uid_t *ret, struct error *e)
{
    char path[PATH_MAX], owner[LOGIN_NAME_MAX] = "";
    struct passwd pw, *found = NULL;
    char buf[4096];
    int r;

    snprintf(path, sizeof(path), "%s/vm/%s.conf", dir, vm);
    r = parse_file(path, owner_entry, owner, e);
    if (r < 0)
        return r;
    if (!owner[0])
        return -ENOENT;
    if (getpwnam_r(owner, &pw, buf, sizeof(buf), &found) != 0 || !found)
        return error_set(e, -EINVAL, "%s: Owner=%s: there is no such user", path, owner);
    *ret = found->pw_uid;
    return 0;
}
