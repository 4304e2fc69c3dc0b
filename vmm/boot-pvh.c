/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot-pvh.h"

#include <elf.h>
#include <errno.h>

#define NOTE_NAME         "Xen"
#define NOTE_PHYS32_ENTRY 18
#define SEGMENTS_MAX      32
#define NOTES_MAX         65536U /* bytes of one note segment; a kernel's takes a few hundred */

/* Everything in one page: start info, one module, the map. */
struct start_page {
    struct boot_pvh_start_info info;
    struct boot_pvh_module module;
    struct boot_pvh_range map[BOOT_RANGES_MAX];
};
_Static_assert(sizeof(struct start_page) <= 4096, "the start info keeps to its page");

struct segments {
    unsigned num;
    Elf64_Phdr table[SEGMENTS_MAX];
};

static bool probe(const struct boot_image *image)
{
    return memcmp(image->head, ELFMAG, SELFMAG) == 0;
}

static int check_header(const Elf64_Ehdr *h, const char *path, struct error *e)
{
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_machine != EM_X86_64)
        return error_set(e, -ENOEXEC, "%s: not an ELF file for x86-64", path);
    /* A relocatable kernel is ET_DYN; its note and addresses are physical all the same. */
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return error_set(e, -ENOEXEC, "%s: an ELF file of type %u is no kernel", path, h->e_type);
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX)
        return error_set(e, -ENOEXEC, "%s: corrupt: %u program headers of %u bytes", path,
                         h->e_phnum, h->e_phentsize);
    return 0;
}

static int read_segments(const struct boot_image *image, struct segments *ret, struct error *e)
{
    Elf64_Ehdr h;
    int r;

    memcpy(&h, image->head, sizeof(h));
    r = check_header(&h, image->files->kernel_path, e);
    if (r < 0)
        return r;
    ret->num = h.e_phnum;
    return boot_read(image, h.e_phoff, ret->table, h.e_phnum * sizeof(Elf64_Phdr), e);
}

/* Size of a note's name or descriptor, padded. */
static uint64_t note_padded(uint32_t size)
{
    return ((uint64_t)size + 3) & ~3ULL;
}

/* Entry address in the notes at @notes; 0 where there is none. */
static uint64_t find_entry(const uint8_t *notes, uint64_t size)
{
    while (size >= sizeof(Elf64_Nhdr)) {
        const uint8_t *name = notes + sizeof(Elf64_Nhdr);
        const uint64_t room = size - sizeof(Elf64_Nhdr);
        Elf64_Nhdr n;
        uint64_t entry = 0;

        memcpy(&n, notes, sizeof(n));
        if (note_padded(n.n_namesz) > room || n.n_descsz > room - note_padded(n.n_namesz))
            return 0;
        if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == sizeof(NOTE_NAME) &&
            memcmp(name, NOTE_NAME, sizeof(NOTE_NAME)) == 0 &&
            (n.n_descsz == 4 || n.n_descsz == 8)) {
            memcpy(&entry, name + note_padded(n.n_namesz), n.n_descsz);
            return entry;
        }
        entry = note_padded(n.n_namesz) + note_padded(n.n_descsz);
        if (entry > room)
            return 0;
        notes = name + entry;
        size = room - entry;
    }
    return 0;
}

static int read_entry(const struct boot_image *image, const struct segments *s, uint64_t *ret,
                      struct error *e)
{
    const char *path = image->files->kernel_path;

    for (unsigned i = 0; i < s->num; i++) {
        const Elf64_Phdr *p = &s->table[i];
        _cleanup_free_ uint8_t *notes = NULL;
        uint64_t entry;
        int r;

        if (p->p_type != PT_NOTE)
            continue;
        if (p->p_filesz > NOTES_MAX)
            return error_set(e, -ENOEXEC, "%s: corrupt: notes of %llu bytes", path,
                             (unsigned long long)p->p_filesz);
        notes = malloc(p->p_filesz + 1);
        if (!notes)
            return error_set(e, -ENOMEM, "%s: out of memory", path);
        r = boot_read(image, p->p_offset, notes, p->p_filesz, e);
        if (r < 0)
            return r;
        entry = find_entry(notes, p->p_filesz);
        if (entry != 0) {
            *ret = entry;
            return 0;
        }
    }
    return error_set(e, -ENOEXEC,
                     "%s: has no PVH entry note: give a kernel with CONFIG_PVH, or its bzImage",
                     path);
}

static int load_segment(const struct memory *m, const struct boot_image *image, const Elf64_Phdr *p,
                        struct error *e)
{
    const char *path = image->files->kernel_path;
    uint8_t *to = boot_kernel_at(m, p->p_paddr, p->p_memsz);

    if (p->p_filesz > p->p_memsz)
        return error_set(e, -ENOEXEC,
                         "%s: corrupt: a segment has more bytes in the file than in "
                         "memory",
                         path);
    if (p->p_paddr < BOOT_KERNEL_START)
        return error_set(e, -ENOEXEC,
                         "%s: a segment at 0x%llx is below 1 MiB, where the machine's "
                         "own tables are",
                         path, (unsigned long long)p->p_paddr);
    if (!to)
        return error_set(e, -ERANGE,
                         "%s: needs memory from 0x%llx, 0x%llx bytes of it, that the VM doesn't "
                         "have: give it more",
                         path, (unsigned long long)p->p_paddr, (unsigned long long)p->p_memsz);
    /* After a reboot RAM holds what the last kernel left. */
    memset(to + p->p_filesz, 0, p->p_memsz - p->p_filesz);
    return boot_read(image, p->p_offset, to, p->p_filesz, e);
}

static int load_segments(const struct memory *m, const struct boot_image *image,
                         const struct segments *s, uint64_t *ret_end, struct error *e)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < s->num; i++) {
        const Elf64_Phdr *p = &s->table[i];
        int r;

        if (p->p_type != PT_LOAD || p->p_memsz == 0)
            continue;
        r = load_segment(m, image, p, e);
        if (r < 0)
            return r;
        if (p->p_paddr + p->p_memsz > end)
            end = p->p_paddr + p->p_memsz;
    }
    if (end == 0)
        return error_set(e, -ENOEXEC, "%s: corrupt: nothing in it to load",
                         image->files->kernel_path);
    *ret_end = end;
    return 0;
}

static int put_start_info(const struct memory *m, const struct boot_image *image,
                          uint64_t kernel_end, struct error *e)
{
    struct start_page *page = memory_at(m, BOOT_START_INFO, sizeof(*page));
    struct boot_range ranges[BOOT_RANGES_MAX];
    uint64_t initrd = 0, initrd_size = 0;
    unsigned n;
    int r = boot_put_initrd(m, image, kernel_end, MEMORY_HOLE_START, &initrd, &initrd_size, e);

    if (r == 0)
        r = boot_put_cmdline(m, image, BOOT_CMDLINE_MAX - 1, e);
    if (r < 0)
        return r;
    n = boot_map(m, ranges);
    *page = (struct start_page){
        .info = {.magic = BOOT_PVH_MAGIC,
                 .version = BOOT_PVH_VERSION,
                 .num_modules = initrd_size > 0,
                 .modules = BOOT_START_INFO + offsetof(struct start_page, module),
                 .cmdline = BOOT_CMDLINE,
                 .rsdp = image->rsdp,
                 .map = BOOT_START_INFO + offsetof(struct start_page, map),
                 .num_map = n},
        .module = {.start = initrd, .size = initrd_size},
    };
    for (unsigned i = 0; i < n; i++)
        page->map[i] = (struct boot_pvh_range){
            .start = ranges[i].start, .size = ranges[i].size, .type = ranges[i].type};
    return 0;
}

static int load(const struct memory *m, const struct boot_image *image, struct boot_entry *ret,
                struct error *e)
{
    struct segments segments = {0};
    uint64_t entry = 0, end = 0;
    int r = read_segments(image, &segments, e);

    if (r == 0)
        r = read_entry(image, &segments, &entry, e);
    if (r == 0)
        r = load_segments(m, image, &segments, &end, e);
    if (r < 0)
        return r;
    if (!boot_kernel_at(m, entry, 1) || entry >= end)
        return error_set(e, -ENOEXEC, "%s: corrupt: its entry 0x%llx is outside the kernel",
                         image->files->kernel_path, (unsigned long long)entry);
    r = put_start_info(m, image, end, e);
    if (r < 0)
        return r;
    *ret = (struct boot_entry){.ip = entry, .info = BOOT_START_INFO};
    return 0;
}

const struct boot_kind boot_pvh = {
    .name = "PVH",
    .probe = probe,
    .load = load,
};
