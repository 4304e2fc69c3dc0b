/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/state-file.h"

#include "basic/file.h"
#include "basic/parse.h"

#include <errno.h>
#include <stdarg.h>

#define STATE_VERSION 1

static uint32_t crc32_of(const char *data, size_t size)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < size; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void draft_append(struct state_draft *d, const char *text)
{
    const size_t n = strlen(text);

    if (n >= sizeof(d->text) - d->used) {
        d->overflow = true;
        return;
    }
    memcpy(d->text + d->used, text, n + 1);
    d->used += n;
}

void state_draft_init(struct state_draft *d, const char *type)
{
    char header[64];

    *d = (struct state_draft){.used = 0};
    snprintf(header, sizeof(header), "sriovctl %s %d\n", type, STATE_VERSION);
    draft_append(d, header);
}

void state_draft_put(struct state_draft *d, const char *key, const char *fmt, ...)
{
    char value[1024], line[1200];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value) || strchr(value, '\n')) {
        d->overflow = true;
        return;
    }
    snprintf(line, sizeof(line), "%s=%s\n", key, value);
    draft_append(d, line);
}

int state_draft_save(struct state_draft *d, int dirfd, const char *name, struct error *e)
{
    char seal[32];
    int r;

    snprintf(seal, sizeof(seal), "end=%08x\n", (unsigned)crc32_of(d->text, d->used));
    draft_append(d, seal);
    if (d->overflow)
        return error_set(e, -EMSGSIZE, "state file %s: a value is too long to keep", name);
    r = file_replace(dirfd, name, d->text, d->used);
    if (r < 0)
        return error_set(e, r, "cannot write state file %s: %s; nothing was changed", name,
                         strerror(-r));
    return 0;
}

static int bad_file(struct error *e, const char *name, const char *what)
{
    return error_set(e, -EBADMSG, "state file %s is damaged (%s)", name, what);
}

/* Verify and cut off the "end=" line. The text must hold it as its last line. */
static int check_seal(char *text, const char *name, struct error *e)
{
    char *seal = strstr(text, "\nend=");
    char want[16];

    if (!seal)
        return bad_file(e, name, "it has no end: half-written?");
    seal++;
    snprintf(want, sizeof(want), "end=%08x", (unsigned)crc32_of(text, (size_t)(seal - text)));
    if (!streq(seal, want))
        return bad_file(e, name, "the checksum doesn't match");
    *seal = '\0';
    return 0;
}

static int split_fields(struct state_file *f, char *lines, const char *name, struct error *e)
{
    char *save = NULL;

    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '=');

        if (!eq || f->num_fields == STATE_FIELDS_MAX)
            return bad_file(e, name, "malformed line");
        *eq = '\0';
        if (state_file_get(f, line))
            return bad_file(e, name, "a field is there twice");
        f->fields[f->num_fields++] = (struct state_field){.key = line, .value = eq + 1};
    }
    return 0;
}

int state_file_load(int dirfd, const char *name, const char *type, struct state_file *ret,
                    struct error *e)
{
    char header[64];
    ssize_t n = file_read(dirfd, name, ret->text, sizeof(ret->text));
    int r;

    ret->num_fields = 0;
    if (n < 0)
        return error_set(e, (int)n, "cannot read state file %s: %s", name, strerror((int)-n));
    if (strlen(ret->text) != (size_t)n)
        return bad_file(e, name, "it holds a NUL byte");
    r = check_seal(ret->text, name, e);
    if (r < 0)
        return r;
    snprintf(header, sizeof(header), "sriovctl %s %d\n", type, STATE_VERSION);
    if (strncmp(ret->text, header, strlen(header)) != 0)
        return bad_file(e, name, "another type or version");
    return split_fields(ret, ret->text + strlen(header), name, e);
}

const char *state_file_get(const struct state_file *f, const char *key)
{
    for (size_t i = 0; i < f->num_fields; i++)
        if (streq(f->fields[i].key, key))
            return f->fields[i].value;
    return NULL;
}
