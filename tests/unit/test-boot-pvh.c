/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot-pvh.h"

#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>

#define RSDP   0xE0000ULL
#define KERNEL 0x1000000ULL

/* A kernel of one loaded segment and one of notes. */
static struct {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    struct {
        Elf64_Nhdr other;
        char other_name[4];
        Elf64_Nhdr entry;
        char entry_name[4];
        uint64_t address;
    } notes;
    uint8_t code[256];
} image;

static struct memory memory;

static int setup(void **state _unused_)
{
    memset(&image, 0, sizeof(image));
    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    image.header.e_type = ET_EXEC;
    image.header.e_machine = EM_X86_64;
    image.header.e_phoff = offsetof(__typeof__(image), segments);
    image.header.e_phentsize = sizeof(Elf64_Phdr);
    image.header.e_phnum = 2;
    image.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_offset = offsetof(__typeof__(image), code),
                                     .p_paddr = KERNEL,
                                     .p_filesz = sizeof(image.code),
                                     .p_memsz = 0x2000};
    image.segments[1] = (Elf64_Phdr){.p_type = PT_NOTE,
                                     .p_offset = offsetof(__typeof__(image), notes),
                                     .p_filesz = sizeof(image.notes)};
    image.notes.other = (Elf64_Nhdr){.n_namesz = 4, .n_type = 18};
    memcpy(image.notes.other_name, "GNU", 4);
    image.notes.entry = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 8, .n_type = 18};
    memcpy(image.notes.entry_name, "Xen", 4);
    image.notes.address = KERNEL + 0x10;
    memset(image.code, 0xcc, sizeof(image.code));
    return memory_init(&memory, MEMORY_MIN, NULL);
}

static int teardown(void **state _unused_)
{
    memory_done(&memory);
    return 0;
}

static int make_file(const void *data, size_t size)
{
    const int fd = memfd_create("kernel", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    return fd;
}

static int load(size_t size, int initrd, struct boot_entry *ret, struct error *e)
{
    const struct boot_files files = {
        .kernel = make_file(&image, size),
        .kernel_path = "vmlinux",
        .initrd = initrd,
        .initrd_path = "initrd",
        .cmdline = "quiet",
    };
    const int r = boot_load(&memory, &files, RSDP, ret, e);

    close(files.kernel);
    return r;
}

static void refuse(int code, const char *text)
{
    struct boot_entry entry = {.ip = 42};
    struct error e = ERROR_INIT;

    assert_int_equal(load(sizeof(image), -1, &entry, &e), code);
    assert_text_has(e.text, text);
    assert_text_has(e.text, "vmlinux");
    assert_int_equal(entry.ip, 42);
}

static void test_good(void **state _unused_)
{
    const struct boot_pvh_start_info *info = memory_at(&memory, BOOT_START_INFO, sizeof(*info));
    uint8_t *kernel = memory_at(&memory, KERNEL, 0x2000);
    struct boot_entry entry;

    memset(kernel, 0xff, 0x2000); /* as a reboot finds it */
    assert_int_equal(load(sizeof(image), -1, &entry, NULL), 0);
    assert_false(entry.long_mode);
    assert_int_equal(entry.ip, KERNEL + 0x10);
    assert_int_equal(entry.info, BOOT_START_INFO);
    assert_int_equal(kernel[0], 0xcc);
    assert_int_equal(kernel[sizeof(image.code)], 0);
    assert_int_equal(kernel[0x1fff], 0);
    assert_int_equal(info->magic, 0x336ec578);
    assert_int_equal(info->version, 1);
    assert_int_equal(info->rsdp, RSDP);
    assert_int_equal(info->num_modules, 0);
    assert_string_equal(memory_at(&memory, info->cmdline, 6), "quiet");
}

static void test_initrd_and_map(void **state _unused_)
{
    static const char initrd[] = "\x1f\x8b not really";
    const struct boot_pvh_start_info *info = memory_at(&memory, BOOT_START_INFO, sizeof(*info));
    const struct boot_pvh_module *module;
    const struct boot_pvh_range *map;
    const int fd = make_file(initrd, sizeof(initrd));
    struct boot_entry entry;

    assert_int_equal(load(sizeof(image), fd, &entry, NULL), 0);
    close(fd);
    assert_int_equal(info->num_modules, 1);
    module = memory_at(&memory, info->modules, sizeof(*module));
    assert_int_equal(module->size, sizeof(initrd));
    assert_memory_equal(memory_at(&memory, module->start, module->size), initrd, sizeof(initrd));
    assert_int_equal(info->num_map, 4);
    map = memory_at(&memory, info->map, 4 * sizeof(*map));
    assert_int_equal(map[0].type, 1);
    assert_int_equal(map[1].start, 0xE0000);
    assert_int_equal(map[1].type, 2);
    assert_int_equal(map[2].start + map[2].size, MEMORY_MIN);
}

static void test_entry_of_four_bytes(void **state _unused_)
{
    struct boot_entry entry;

    image.notes.entry.n_descsz = 4;
    assert_int_equal(load(sizeof(image), -1, &entry, NULL), 0);
    assert_int_equal(entry.ip, KERNEL + 0x10);
}

static void test_truncated_anywhere(void **state _unused_)
{
    for (size_t size = 0; size < sizeof(image); size += 5) {
        struct boot_entry entry;

        assert_int_equal(load(size, -1, &entry, NULL), -ENOEXEC);
    }
}

static void test_other_elf(void **state _unused_)
{
    image.header.e_machine = EM_AARCH64;
    refuse(-ENOEXEC, "not an ELF file for x86-64");
    image.header.e_machine = EM_X86_64;
    image.header.e_type = ET_REL;
    refuse(-ENOEXEC, "no kernel");
}

static void test_no_note(void **state _unused_)
{
    image.notes.entry.n_type = 17;
    refuse(-ENOEXEC, "no PVH entry note");
    image.notes.entry.n_type = 18;
    image.segments[1].p_type = PT_NULL;
    refuse(-ENOEXEC, "no PVH entry note");
}

static void test_hostile_notes(void **state _unused_)
{
    image.notes.other.n_namesz = UINT32_MAX;
    refuse(-ENOEXEC, "no PVH entry note");
    image.notes.other.n_namesz = 4;
    image.notes.other.n_descsz = UINT32_MAX;
    refuse(-ENOEXEC, "no PVH entry note");
    image.notes.other.n_descsz = 0;
    image.notes.entry.n_descsz = 16;
    refuse(-ENOEXEC, "no PVH entry note");
    image.segments[1].p_filesz = UINT64_MAX;
    refuse(-ENOEXEC, "notes of");
}

static void test_hostile_headers(void **state _unused_)
{
    image.header.e_phnum = UINT16_MAX;
    refuse(-ENOEXEC, "program headers");
    image.header.e_phnum = 2;
    image.header.e_phentsize = 1;
    refuse(-ENOEXEC, "program headers");
    image.header.e_phentsize = sizeof(Elf64_Phdr);
    image.header.e_phoff = UINT64_MAX - 8;
    refuse(-ENOEXEC, "truncated");
}

static void test_hostile_segments(void **state _unused_)
{
    static const struct {
        uint64_t paddr, memsz, filesz, offset;
        int code;
    } rows[] = {
        {0x7000, 0x2000, 16, 0, -ENOEXEC},              /* our tables */
        {0xE0000, 0x2000, 16, 0, -ENOEXEC},             /* ACPI's */
        {KERNEL, UINT64_MAX, 16, 0, -ERANGE},           /* wraps */
        {KERNEL, 1ULL << 40, 16, 0, -ERANGE},           /* more than there is */
        {UINT64_MAX - 0x1000, 0x2000, 16, 0, -ERANGE},  /* wraps */
        {MEMORY_HOLE_START, 0x2000, 16, 0, -ERANGE},    /* no RAM there */
        {KERNEL, 16, 17, 0, -ENOEXEC},                  /* file larger than memory */
        {KERNEL, 0x2000, 16, UINT64_MAX - 4, -ENOEXEC}, /* beyond the file, wrapping */
        {KERNEL, 0x2000, 0x2000, 0, -ENOEXEC},          /* beyond the file */
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        image.segments[0].p_paddr = rows[i].paddr;
        image.segments[0].p_memsz = rows[i].memsz;
        image.segments[0].p_filesz = rows[i].filesz;
        image.segments[0].p_offset = rows[i].offset;
        refuse(rows[i].code, "vmlinux");
    }
}

static void test_nothing_to_load(void **state _unused_)
{
    image.segments[0].p_type = PT_NULL;
    refuse(-ENOEXEC, "nothing in it to load");
}

static void test_entry_outside(void **state _unused_)
{
    static const uint64_t entries[] = {0xFFFF0, KERNEL + 0x2000, UINT64_MAX, MEMORY_4G};

    for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
        image.notes.address = entries[i];
        refuse(-ENOEXEC, "outside the kernel");
    }
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_initrd_and_map),
        TEST(test_entry_of_four_bytes),
        TEST(test_truncated_anywhere),
        TEST(test_other_elf),
        TEST(test_no_note),
        TEST(test_hostile_notes),
        TEST(test_hostile_headers),
        TEST(test_hostile_segments),
        TEST(test_nothing_to_load),
        TEST(test_entry_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
