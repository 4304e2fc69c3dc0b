/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot.h"

#include "unit.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <sys/mman.h>

#define RSDP       0xE0000ULL
#define SETUP_SIZE 1024 /* setup_sects 1: two sectors */
#define BODY_SIZE  4096
#define KERNEL     0x1000000ULL

static struct memory memory;
static uint8_t image[SETUP_SIZE + BODY_SIZE];
static struct setup_header *const header = (struct setup_header *)(void *)(image + 0x1f1);

static int setup(void **state _unused_)
{
    memset(image, 0, sizeof(image));
    *header = (struct setup_header){
        .setup_sects = 1,
        .syssize = BODY_SIZE / 16,
        .boot_flag = 0xAA55,
        .jump = 0x66eb,
        .header = 0x53726448,
        .version = 0x020f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = 2047,
        .payload_offset = 0x100,
        .payload_length = 0x800,
        .pref_address = KERNEL,
        .init_size = 0x10000,
    };
    image[SETUP_SIZE] = 0xcc;
    image[sizeof(image) - 1] = 0xdd;
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

static int load(size_t size, int initrd, const char *cmdline, struct boot_entry *ret,
                struct error *e)
{
    const struct boot_files files = {
        .kernel = make_file(image, size),
        .kernel_path = "vmlinuz",
        .initrd = initrd,
        .initrd_path = "initrd",
        .cmdline = cmdline,
    };
    const int r = boot_load(&memory, &files, RSDP, ret, e);

    close(files.kernel);
    return r;
}

static void refuse(int code, const char *text)
{
    struct boot_entry entry = {.ip = 42};
    struct error e = ERROR_INIT;

    assert_int_equal(load(sizeof(image), -1, "", &entry, &e), code);
    assert_text_has(e.text, text);
    assert_text_has(e.text, "vmlinuz");
    assert_int_equal(entry.ip, 42);
}

static void test_good(void **state _unused_)
{
    const struct boot_params *zero_page = memory_at(&memory, BOOT_ZERO_PAGE, sizeof(*zero_page));
    struct boot_entry entry;

    assert_int_equal(load(sizeof(image), -1, "console=ttyS0", &entry, NULL), 0);
    assert_true(entry.long_mode);
    assert_int_equal(entry.ip, KERNEL + 0x200);
    assert_int_equal(entry.info, BOOT_ZERO_PAGE);
    assert_memory_equal(memory_at(&memory, KERNEL, BODY_SIZE), image + SETUP_SIZE, BODY_SIZE);
    assert_int_equal(zero_page->hdr.header, 0x53726448);
    assert_int_equal(zero_page->hdr.type_of_loader, 0xff);
    assert_int_equal(zero_page->acpi_rsdp_addr, RSDP);
    assert_int_equal(zero_page->hdr.ramdisk_size, 0);
    assert_string_equal(memory_at(&memory, zero_page->hdr.cmd_line_ptr, 14), "console=ttyS0");
}

static void test_map_of_memory(void **state _unused_)
{
    const struct boot_params *zero_page = memory_at(&memory, BOOT_ZERO_PAGE, sizeof(*zero_page));
    const struct boot_e820_entry *map = zero_page->e820_table;
    struct boot_entry entry;
    uint64_t ram = 0;

    assert_int_equal(load(sizeof(image), -1, "", &entry, NULL), 0);
    assert_int_equal(zero_page->e820_entries, 4);
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0)
            assert_true(map[i].addr >= map[i - 1].addr + map[i - 1].size);
        if (map[i].type == 1)
            ram += map[i].size;
    }
    assert_int_equal(ram, MEMORY_MIN - 0x100000 + 0x9fc00);
}

static void test_page_tables_map_4g_to_itself(void **state _unused_)
{
    struct boot_entry entry;
    const uint64_t *pml4 = memory_at(&memory, BOOT_PAGE_TABLES, 4096);

    assert_int_equal(load(sizeof(image), -1, "", &entry, NULL), 0);
    for (uint64_t address = 0; address < MEMORY_4G; address += 2 << 20) {
        const uint64_t *pdpt = memory_at(&memory, pml4[0] & ~0xfffULL, 4096);
        const uint64_t *pd = memory_at(&memory, pdpt[address >> 30] & ~0xfffULL, 4096);
        const uint64_t entry_2m = pd[address >> 21 & 511];

        assert_int_equal(entry_2m, address | 0x83);
    }
}

static void test_initrd_goes_to_the_top(void **state _unused_)
{
    static const char initrd[] = "\x1f\x8b not really";
    const struct boot_params *zero_page = memory_at(&memory, BOOT_ZERO_PAGE, sizeof(*zero_page));
    const int fd = make_file(initrd, sizeof(initrd));
    struct boot_entry entry;

    assert_int_equal(load(sizeof(image), fd, "", &entry, NULL), 0);
    assert_int_equal(zero_page->hdr.ramdisk_size, sizeof(initrd));
    assert_int_equal(zero_page->hdr.ramdisk_image, MEMORY_MIN - 4096);
    assert_memory_equal(memory_at(&memory, MEMORY_MIN - 4096, 16), initrd, sizeof(initrd));
    header->initrd_addr_max = 0x1ffffff;
    assert_int_equal(load(sizeof(image), fd, "", &entry, NULL), 0);
    assert_int_equal(zero_page->hdr.ramdisk_image, 0x1fff000);
    close(fd);
}

static void test_initrd_without_room(void **state _unused_)
{
    const int fd = make_file("", 0);
    struct boot_entry entry;
    struct error e = ERROR_INIT;

    assert_int_equal(ftruncate(fd, 50 << 20), 0);
    assert_int_equal(load(sizeof(image), fd, "", &entry, &e), -ERANGE);
    assert_text_has(e.text, "more memory");
    close(fd);
}

static void test_loading_again(void **state _unused_)
{
    struct boot_entry entry;

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(load(sizeof(image), -1, "", &entry, NULL), 0);
        assert_memory_equal(memory_at(&memory, KERNEL, BODY_SIZE), image + SETUP_SIZE, BODY_SIZE);
        memset(memory_at(&memory, 0, MEMORY_MIN), 0xff, 32 << 20);
    }
}

static void test_truncated_anywhere(void **state _unused_)
{
    for (size_t size = 0; size < sizeof(image); size += 37) {
        struct boot_entry entry;
        struct error e = ERROR_INIT;

        assert_int_equal(load(size, -1, "", &entry, &e), -ENOEXEC);
        assert_text_has(e.text, "vmlinuz");
    }
}

static void test_not_a_kernel(void **state _unused_)
{
    header->boot_flag = 0;
    refuse(-ENOEXEC, "neither a bzImage nor an ELF kernel");
}

static void test_old_or_32_bit(void **state _unused_)
{
    header->version = 0x020b;
    refuse(-ENOEXEC, "2.11 is too old");
    header->version = 0x020c;
    header->xloadflags = 0;
    refuse(-ENOEXEC, "no 64-bit entry");
}

static void test_hostile_addresses(void **state _unused_)
{
    static const uint64_t addresses[] = {
        0, 0x7000, 0xE0000, 0x1000001, UINT64_MAX, UINT64_MAX - 0x1fffff, MEMORY_4G,
    };

    for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
        struct boot_entry entry;
        const int r =
            (header->pref_address = addresses[i], load(sizeof(image), -1, "", &entry, NULL));

        assert_true(r == -ENOEXEC || r == -ERANGE);
    }
}

static void test_hostile_sizes(void **state _unused_)
{
    header->init_size = UINT32_MAX;
    refuse(-ERANGE, "give the VM more");
    header->init_size = 0;
    refuse(-ENOEXEC, "corrupt");
    header->init_size = 0x10000;
    header->payload_offset = UINT32_MAX;
    refuse(-ENOEXEC, "corrupt");
    header->payload_offset = 0x100;
    header->payload_length = UINT32_MAX;
    refuse(-ENOEXEC, "corrupt");
    header->payload_length = 0x800;
    header->syssize = UINT32_MAX;
    refuse(-ENOEXEC, "truncated");
    header->syssize = BODY_SIZE / 16;
    header->kernel_alignment = 3;
    refuse(-ENOEXEC, "alignment");
}

static void test_cmdline_too_long(void **state _unused_)
{
    struct boot_entry entry;
    struct error e = ERROR_INIT;

    header->cmdline_size = 4;
    assert_int_equal(load(sizeof(image), -1, "quie", &entry, &e), 0);
    assert_int_equal(load(sizeof(image), -1, "quiet", &entry, &e), -ERANGE);
    assert_text_has(e.text, "command line");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_map_of_memory),
        TEST(test_page_tables_map_4g_to_itself),
        TEST(test_initrd_goes_to_the_top),
        TEST(test_initrd_without_room),
        TEST(test_loading_again),
        TEST(test_truncated_anywhere),
        TEST(test_not_a_kernel),
        TEST(test_old_or_32_bit),
        TEST(test_hostile_addresses),
        TEST(test_hostile_sizes),
        TEST(test_cmdline_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
