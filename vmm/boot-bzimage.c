/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot-bzimage.h"

#include <asm/bootparam.h>
#include <errno.h>

#define SECTOR            512U
#define HEADER_OFFSET     0x1f1U
#define HEADER_MAGIC      0x53726448U /* "HdrS" */
#define BOOT_FLAG         0xAA55U
#define VERSION_MIN       0x020cU /* 2.12, Linux 3.8: the first with the 64-bit entry's flags */
#define LOADER_UNASSIGNED 0xFFU
#define ENTRY64_OFFSET    0x200U
#define PAGE_TABLE        4096U
#define PAGES_2M_PER_PD   512U
#define PAGE_PRESENT_RW   0x03ULL
#define PAGE_LARGE        0x80ULL

/* The header in the file; every field is the file's word, checked before use. */
static struct setup_header header_of(const struct boot_image *image)
{
    struct setup_header h;

    memcpy(&h, image->head + HEADER_OFFSET, sizeof(h));
    return h;
}

static bool probe(const struct boot_image *image)
{
    const struct setup_header h = header_of(image);

    return h.boot_flag == BOOT_FLAG && h.header == HEADER_MAGIC;
}

static uint64_t setup_size(const struct setup_header *h)
{
    /* 0 means 4, for the sake of loaders of the last century. */
    return (uint64_t)((h->setup_sects ? h->setup_sects : 4) + 1) * SECTOR;
}

static int check_protocol(const struct setup_header *h, const char *path, struct error *e)
{
    if (h->version < VERSION_MIN)
        return error_set(e, -ENOEXEC,
                         "%s: boot protocol %u.%u is too old: Linux 3.8 or newer is needed", path,
                         h->version >> 8, h->version & 0xff);
    if (!(h->loadflags & LOADED_HIGH) || !(h->xloadflags & XLF_KERNEL_64))
        return error_set(e, -ENOEXEC, "%s: has no 64-bit entry: give a kernel built for amd64",
                         path);
    if (h->kernel_alignment == 0 || (h->kernel_alignment & (h->kernel_alignment - 1)) != 0)
        return error_set(e, -ENOEXEC, "%s: corrupt: wants an alignment of 0x%x", path,
                         h->kernel_alignment);
    return 0;
}

/* The sizes the header tells, against the file's own. */
static int check_sizes(const struct boot_image *image, const struct setup_header *h,
                       struct error *e)
{
    const char *path = image->files->kernel_path;
    const uint64_t told = setup_size(h) + (uint64_t)h->syssize * 16;
    const uint64_t payload_end = (uint64_t)h->payload_offset + h->payload_length;

    if (h->syssize == 0 || image->size < told)
        return error_set(e, -ENOEXEC,
                         "%s: truncated: its header tells of %llu bytes, the file has %llu", path,
                         (unsigned long long)told, (unsigned long long)image->size);
    if (payload_end > image->size - setup_size(h) || h->payload_length == 0 ||
        h->init_size < h->payload_length)
        return error_set(e, -ENOEXEC,
                         "%s: corrupt: a compressed kernel of %u bytes at 0x%x, unpacked in %u",
                         path, h->payload_length, h->payload_offset, h->init_size);
    return 0;
}

/* Where the kernel runs in place: at the address it prefers, which the decompressor would move to
 * anyway. */
static int load_kernel(const struct memory *m, const struct boot_image *image,
                       const struct setup_header *h, struct error *e)
{
    const char *path = image->files->kernel_path;
    const uint64_t size = image->size - setup_size(h);
    const uint64_t span = size > h->init_size ? size : h->init_size;
    void *to = boot_kernel_at(m, h->pref_address, span);

    if (h->pref_address % h->kernel_alignment != 0 || h->pref_address < BOOT_KERNEL_START)
        return error_set(e, -ENOEXEC, "%s: corrupt: wants to be loaded at 0x%llx", path,
                         (unsigned long long)h->pref_address);
    if (!to)
        return error_set(
            e, -ERANGE, "%s: needs %llu MiB of memory from 0x%llx up to unpack: give the VM more",
            path, (unsigned long long)((span >> 20) + 1), (unsigned long long)h->pref_address);
    return boot_read(image, setup_size(h), to, size, e);
}

/* The 64-bit entry expects the first 4 GiB mapped to themselves; 2 MiB pages make that six
 * pages of tables. */
static void put_page_tables(const struct memory *m)
{
    uint64_t *pml4 = memory_at(m, BOOT_PAGE_TABLES, 6ULL * PAGE_TABLE);
    uint64_t *pdpt = pml4 + PAGE_TABLE / sizeof(*pml4);
    uint64_t *pd = pdpt + PAGE_TABLE / sizeof(*pdpt);

    memset(pml4, 0, 2ULL * PAGE_TABLE);
    pml4[0] = (BOOT_PAGE_TABLES + PAGE_TABLE) | PAGE_PRESENT_RW;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (BOOT_PAGE_TABLES + (2ULL + i) * PAGE_TABLE) | PAGE_PRESENT_RW;
    for (uint64_t i = 0; i < 4 * PAGES_2M_PER_PD; i++)
        pd[i] = i << 21 | PAGE_PRESENT_RW | PAGE_LARGE;
}

static void put_map(const struct memory *m, struct boot_params *zero_page)
{
    struct boot_range ranges[BOOT_RANGES_MAX];
    const unsigned n = boot_map(m, ranges);

    for (unsigned i = 0; i < n; i++)
        zero_page->e820_table[i] = (struct boot_e820_entry){
            .addr = ranges[i].start, .size = ranges[i].size, .type = ranges[i].type};
    zero_page->e820_entries = (uint8_t)n;
}

/* The header's own length is in the second byte of its jump (boot.rst, "zero page"). */
static void put_header(const struct boot_image *image, struct boot_params *zero_page)
{
    unsigned end = 0x202U + image->head[0x201];

    if (end > offsetof(struct boot_params, edd_mbr_sig_buffer))
        end = offsetof(struct boot_params, edd_mbr_sig_buffer);
    memcpy((uint8_t *)zero_page + HEADER_OFFSET, image->head + HEADER_OFFSET, end - HEADER_OFFSET);
}

static int put_zero_page(const struct memory *m, const struct boot_image *image,
                         const struct setup_header *h, struct error *e)
{
    struct boot_params *zero_page = memory_at(m, BOOT_ZERO_PAGE, sizeof(*zero_page));
    const uint64_t kernel_end = h->pref_address + h->init_size;
    uint64_t initrd = 0, initrd_size = 0;
    int r = boot_put_initrd(m, image, kernel_end, (uint64_t)h->initrd_addr_max + 1, &initrd,
                            &initrd_size, e);

    if (r < 0)
        return r;
    r = boot_put_cmdline(m, image, h->cmdline_size, e);
    if (r < 0)
        return r;
    memset(zero_page, 0, sizeof(*zero_page));
    put_header(image, zero_page);
    put_map(m, zero_page);
    zero_page->hdr.type_of_loader = LOADER_UNASSIGNED;
    zero_page->hdr.cmd_line_ptr = BOOT_CMDLINE;
    zero_page->hdr.ramdisk_image = (uint32_t)initrd;
    zero_page->hdr.ramdisk_size = (uint32_t)initrd_size;
    /* Read since protocol 2.14; an older kernel finds the tables by their signature. */
    zero_page->acpi_rsdp_addr = image->rsdp;
    return 0;
}

static int load(const struct memory *m, const struct boot_image *image, struct boot_entry *ret,
                struct error *e)
{
    const struct setup_header h = header_of(image);
    int r = check_protocol(&h, image->files->kernel_path, e);

    if (r == 0)
        r = check_sizes(image, &h, e);
    if (r == 0)
        r = load_kernel(m, image, &h, e);
    if (r == 0)
        r = put_zero_page(m, image, &h, e);
    if (r < 0)
        return r;
    put_page_tables(m);
    *ret = (struct boot_entry){
        .long_mode = true, .ip = h.pref_address + ENTRY64_OFFSET, .info = BOOT_ZERO_PAGE};
    return 0;
}

const struct boot_kind boot_bzimage = {
    .name = "bzImage",
    .probe = probe,
    .load = load,
};
