/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/lease.h"

#include "basic/file.h"
#include "src/state-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#define SUFFIX          ".lease"
#define GENERATION_FILE "generation"

/* One agent has the state directory; this is for its threads. Some file systems (btrfs, tmpfs) show
 * a reader neither the old nor the new entry of a file that is replaced meanwhile. */
static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

static const char *const phase_names[] = {
    [LEASE_ASSIGNING] = "assigning", [LEASE_ASSIGNED] = "assigned",
    [LEASE_RELEASING] = "releasing", [LEASE_DRAINING] = "draining",
    [LEASE_DRAINED] = "drained",     [LEASE_QUARANTINED] = "quarantined",
};

static const char *const kind_names[] = {
    [LEASE_KIND_VF] = "vf",
    [LEASE_KIND_VIRTIO] = "virtio",
};

const char *lease_phase_name(enum lease_phase phase)
{
    return phase_names[phase];
}

void lease_list_done(struct lease_list *l)
{
    free(l->items);
    *l = (struct lease_list)LEASE_LIST_INIT;
}

/* One line of printable text, cut to fit: it goes into the file and into messages. */
static void set_reason(struct lease *l, const char *text)
{
    size_t n = 0;

    for (; text[n] && n < sizeof(l->reason) - 1; n++)
        l->reason[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : ' ';
    l->reason[n] = '\0';
}

static int find_name(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; text && i < count; i++)
        if (streq(names[i], text))
            return (int)i;
    return -EBADMSG;
}

static void put_policy(struct state_draft *d, const char *prefix, const struct policy *p)
{
    char key[64], value[POLICY_TEXT];

    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++) {
        if (!policy_has(p, a))
            continue;
        snprintf(key, sizeof(key), "%s.%s", prefix, policy_table[a].name);
        state_draft_put(d, key, "%s", policy_format(p, a, value));
    }
}

static int get_policy(const struct state_file *f, const char *prefix, struct policy *ret)
{
    *ret = (struct policy){.set = 0};
    for (unsigned a = 0; a < POLICY_ATTR_COUNT; a++) {
        char key[64];
        const char *text;
        uint64_t value;

        snprintf(key, sizeof(key), "%s.%s", prefix, policy_table[a].name);
        text = state_file_get(f, key);
        if (!text)
            continue;
        if (policy_parse_recorded(a, text, &value) < 0)
            return -EBADMSG;
        policy_put(ret, a, value);
    }
    return 0;
}

static void file_name(const char *id, char buf[static LEASE_ID + sizeof(SUFFIX)])
{
    snprintf(buf, LEASE_ID + sizeof(SUFFIX), "%s" SUFFIX, id);
}

int lease_save(int state_dir, const struct lease *l, struct error *e)
{
    char name[LEASE_ID + sizeof(SUFFIX)];
    struct state_draft d;
    int r;

    state_draft_init(&d, "lease");
    state_draft_put(&d, "kind", "%s", kind_names[l->kind]);
    state_draft_put(&d, "phase", "%s", phase_names[l->phase]);
    state_draft_put(&d, "generation", "%llu", (unsigned long long)l->generation);
    state_draft_put(&d, "boot", "%s", l->boot_id);
    state_draft_put(&d, "vm", "%s", l->vm);
    if (l->kind == LEASE_KIND_VF) {
        state_draft_put(&d, "pf", "%s", PCI_ADDR_STR(&l->pf));
        state_draft_put(&d, "vf", "%s", PCI_ADDR_STR(&l->vf));
        state_draft_put(&d, "index", "%u", l->index);
        state_draft_put(&d, "before_driver", "%s", l->before_driver);
        put_policy(&d, "before", &l->before);
    } else {
        state_draft_put(&d, "parent", "%s", l->parent);
        state_draft_put(&d, "parent_is_bridge", "%s", l->parent_is_bridge ? "on" : "off");
        state_draft_put(&d, "standby", "%s", l->standby ? "on" : "off");
        state_draft_put(&d, "pf", "%s", PCI_ADDR_STR(&l->pf));
    }
    put_policy(&d, "wanted", &l->wanted);
    if (l->reason[0])
        state_draft_put(&d, "reason", "%s", l->reason);
    file_name(l->id, name);
    pthread_mutex_lock(&files);
    r = state_draft_save(&d, state_dir, name, e);
    pthread_mutex_unlock(&files);
    return r;
}

int lease_quarantine(int state_dir, struct lease *l, const char *reason, struct error *e)
{
    l->phase = LEASE_QUARANTINED;
    set_reason(l, reason);
    return lease_save(state_dir, l, e);
}

int lease_remove(int state_dir, const struct lease *l, struct error *e)
{
    char name[LEASE_ID + sizeof(SUFFIX)];
    int r;

    file_name(l->id, name);
    pthread_mutex_lock(&files);
    r = file_remove(state_dir, name);
    pthread_mutex_unlock(&files);
    if (r < 0)
        return error_set(e, r, "cannot remove lease %s: %s", name, strerror(-r));
    return 0;
}

/* Copy a text field that must be there and fit. */
static int get_text(const struct state_file *f, const char *key, char *buf, size_t size)
{
    const char *text = state_file_get(f, key);

    if (!text || strlen(text) >= size)
        return -EBADMSG;
    memcpy(buf, text, strlen(text) + 1);
    return 0;
}

static int get_addr(const struct state_file *f, const char *key, struct pci_addr *ret)
{
    const char *text = state_file_get(f, key);

    return text && pci_addr_parse(text, ret) == 0 ? 0 : -EBADMSG;
}

static int decode_vf(const struct state_file *f, struct lease *l)
{
    const char *index = state_file_get(f, "index");

    if (get_addr(f, "pf", &l->pf) < 0 || get_addr(f, "vf", &l->vf) < 0 || !index ||
        parse_uint(index, 0, 65535, &l->index) < 0 ||
        get_text(f, "before_driver", l->before_driver, sizeof(l->before_driver)) < 0 ||
        get_policy(f, "before", &l->before) < 0)
        return -EBADMSG;
    /* The file is named after its VF: one that says otherwise was copied or tampered with. */
    return streq(PCI_ADDR_STR(&l->vf), l->id) ? 0 : -EBADMSG;
}

static int decode_virtio(const struct state_file *f, struct lease *l)
{
    const char *bridge = state_file_get(f, "parent_is_bridge");
    const char *standby = state_file_get(f, "standby");

    if (!bridge || parse_on_off(bridge, &l->parent_is_bridge) < 0 || !standby ||
        parse_on_off(standby, &l->standby) < 0 || get_addr(f, "pf", &l->pf) < 0)
        return -EBADMSG;
    return get_text(f, "parent", l->parent, sizeof(l->parent));
}

/* It goes into messages and file names. Empty: of a damaged lease, which is being released. */
static int get_vm(const struct state_file *f, char vm[static LEASE_VM])
{
    static const char libvirt[] = "libvirt:";

    if (get_text(f, "vm", vm, LEASE_VM) < 0)
        return -EBADMSG;
    if (strncmp(vm, libvirt, strlen(libvirt)) == 0)
        vm += strlen(libvirt);
    return vm[0] == '\0' || vm_name_valid(vm) ? 0 : -EBADMSG;
}

static int decode(const struct state_file *f, struct lease *l)
{
    const int kind = find_name(kind_names, ELEMENTSOF(kind_names), state_file_get(f, "kind"));
    const int phase = find_name(phase_names, ELEMENTSOF(phase_names), state_file_get(f, "phase"));
    const char *generation = state_file_get(f, "generation");
    const char *reason = state_file_get(f, "reason");

    if (kind < 0 || phase < 0 || !generation ||
        parse_u64(generation, 0, UINT64_MAX, &l->generation) < 0 ||
        get_text(f, "boot", l->boot_id, sizeof(l->boot_id)) < 0 || get_vm(f, l->vm) < 0 ||
        get_policy(f, "wanted", &l->wanted) < 0)
        return -EBADMSG;
    l->kind = (enum lease_kind)kind;
    l->phase = (enum lease_phase)phase;
    set_reason(l, reason ? reason : "");
    return l->kind == LEASE_KIND_VF ? decode_vf(f, l) : decode_virtio(f, l);
}

static int load_one(int state_dir, const char *id, struct lease *ret, struct error *e)
{
    char name[LEASE_ID + sizeof(SUFFIX)];
    struct state_file f;
    struct lease l = {.phase = LEASE_QUARANTINED};
    int r;

    file_name(id, name);
    snprintf(l.id, sizeof(l.id), "%s", id);
    r = state_file_load(state_dir, name, "lease", &f, e);
    if (r < 0)
        return r;
    if (decode(&f, &l) < 0)
        return error_set(e, -EBADMSG, "state file %s is damaged (a field is missing or wrong)",
                         name);
    *ret = l;
    return 0;
}

/* What is left of a lease whose file can't be believed: its VF, from the file's name. */
static void quarantined_lease(const char *id, const char *reason, struct lease *ret)
{
    *ret = (struct lease){.phase = LEASE_QUARANTINED};
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    set_reason(ret, reason);
    ret->kind = pci_addr_parse(id, &ret->vf) == 0 ? LEASE_KIND_VF : LEASE_KIND_VIRTIO;
}

/* The id in "ID.lease", or false for other files. */
static bool id_of_file(const char *name, char id[static LEASE_ID])
{
    const size_t n = strlen(name), suffix = strlen(SUFFIX);

    if (n <= suffix || n - suffix >= LEASE_ID || !streq(name + n - suffix, SUFFIX))
        return false;
    snprintf(id, LEASE_ID, "%.*s", (int)(n - suffix), name);
    return true;
}

static int append(struct lease_list *l, const struct lease *item)
{
    struct lease *items = realloc(l->items, (l->count + 1) * sizeof(*items));

    if (!items)
        return -ENOMEM;
    items[l->count] = *item;
    l->items = items;
    l->count++;
    return 0;
}

static int load_all(int state_dir, struct lease_list *ret, struct error *e)
{
    _cleanup_dir_ DIR *dir = NULL;
    _cleanup_leases_ struct lease_list list = LEASE_LIST_INIT;
    int listed = file_dir(state_dir, ".", &dir);

    if (listed < 0)
        return error_set(e, listed, "cannot read the state directory: %s", strerror(-listed));
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        struct error why = ERROR_INIT;
        char id[LEASE_ID];
        struct lease l;
        int r;

        if (!id_of_file(d->d_name, id))
            continue;
        r = load_one(state_dir, id, &l, &why);
        if (r == -ENOENT) /* released while we were reading */
            continue;
        if (r < 0)
            quarantined_lease(id, why.text, &l);
        if (append(&list, &l) < 0)
            return error_set(e, -ENOMEM, "out of memory reading leases");
    }
    *ret = list;
    list = (struct lease_list)LEASE_LIST_INIT;
    return 0;
}

int lease_load_all(int state_dir, struct lease_list *ret, struct error *e)
{
    int r;

    pthread_mutex_lock(&files);
    r = load_all(state_dir, ret, e);
    pthread_mutex_unlock(&files);
    return r;
}

int lease_stored_phase(int state_dir, const struct lease *l)
{
    struct lease stored;
    int r;

    pthread_mutex_lock(&files);
    r = load_one(state_dir, l->id, &stored, NULL);
    pthread_mutex_unlock(&files);
    if (r < 0)
        return r;
    return stored.generation == l->generation ? (int)stored.phase : -ENOENT;
}

/* Microseconds since 1970 are the floor: should the file be lost or damaged, generations still
 * go up. Where the clock went back, the file's number goes on. */
int lease_next_generation(int state_dir, uint64_t *ret, struct error *e)
{
    struct state_file f;
    struct state_draft d;
    struct timespec now;
    uint64_t last = 0, next;
    const char *text = NULL;
    int r;

    if (state_file_load(state_dir, GENERATION_FILE, "generation", &f, NULL) == 0)
        text = state_file_get(&f, "last");
    if (text && parse_u64(text, 0, UINT64_MAX - 1, &last) < 0)
        last = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    next = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    next = next > last ? next : last + 1;
    state_draft_init(&d, "generation");
    state_draft_put(&d, "last", "%llu", (unsigned long long)next);
    r = state_draft_save(&d, state_dir, GENERATION_FILE, e);
    if (r < 0)
        return r;
    *ret = next;
    return 0;
}

struct lease *lease_find(const struct lease_list *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++)
        if (streq(l->items[i].id, id))
            return &l->items[i];
    return NULL;
}

struct lease *lease_find_vf(const struct lease_list *l, const struct pci_addr *vf)
{
    return lease_find(l, PCI_ADDR_STR(vf));
}

struct lease *lease_find_mac(const struct lease_list *l, uint64_t mac, const char *except_id)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct lease *x = &l->items[i];

        if (policy_has(&x->wanted, POLICY_MAC) && x->wanted.value[POLICY_MAC] == mac &&
            !streq(x->id, except_id))
            return &l->items[i];
    }
    return NULL;
}

int lease_boot_id(char ret[static BOOT_ID], struct error *e)
{
    ssize_t n = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", ret, BOOT_ID);

    if (n < 0)
        return error_set(e, (int)n, "cannot read the boot id: %s", strerror((int)-n));
    return 0;
}
