/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot.h"

#include "vmm/acpi.h"
#include "vmm/boot-bzimage.h"
#include "vmm/boot-pvh.h"
#include "vmm/initrd.h"

#include <errno.h>

#define PAGE 4096ULL

static const struct boot_kind *const kinds[] = {
    &boot_bzimage,
    &boot_pvh,
};

/* Read until @size bytes or the end of the file; how many, or -errno. */
static ssize_t read_up_to(int fd, uint64_t offset, void *buf, size_t size)
{
    size_t used = 0;

    while (used < size) {
        const ssize_t n = pread(fd, (char *)buf + used, size - used, (off_t)(offset + used));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static int file_size(int fd, const char *path, uint64_t *ret, struct error *e)
{
    /* Not fstat: libc makes it a call that takes a path, which the sandbox can't let through. */
    const off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0)
        return error_set(e, -errno, "%s: cannot tell its size: %s", path, strerror(errno));
    *ret = (uint64_t)size;
    return 0;
}

unsigned boot_map(const struct memory *m, struct boot_range ret[static BOOT_RANGES_MAX])
{
    unsigned n = 0;

    ret[n++] = (struct boot_range){0, BOOT_LOW_END, BOOT_RANGE_RAM};
    ret[n++] = (struct boot_range){ACPI_START, ACPI_END - ACPI_START, BOOT_RANGE_RESERVED};
    ret[n++] = (struct boot_range){BOOT_KERNEL_START, m->regions[0].size - BOOT_KERNEL_START,
                                   BOOT_RANGE_RAM};
    ret[n++] = (struct boot_range){PCI_ECAM_BASE, PCI_ECAM_SIZE, BOOT_RANGE_RESERVED};
    if (m->num_regions > 1)
        ret[n++] = (struct boot_range){m->regions[1].gpa, m->regions[1].size, BOOT_RANGE_RAM};
    return n;
}

int boot_read(const struct boot_image *image, uint64_t offset, void *buf, uint64_t size,
              struct error *e)
{
    const char *path = image->files->kernel_path;
    ssize_t n;

    if (offset > image->size || size > image->size - offset)
        return error_set(e, -ENOEXEC,
                         "%s: truncated: its headers tell of bytes up to 0x%llx, the file ends at "
                         "0x%llx",
                         path, (unsigned long long)(offset + size),
                         (unsigned long long)image->size);
    n = read_up_to(image->files->kernel, offset, buf, size);
    if (n < 0)
        return error_set(e, (int)n, "%s: cannot read: %s", path, strerror((int)-n));
    if ((uint64_t)n != size)
        return error_set(e, -ENOEXEC, "%s: became shorter while it was read", path);
    return 0;
}

void *boot_kernel_at(const struct memory *m, uint64_t gpa, uint64_t size)
{
    return gpa >= BOOT_KERNEL_START && gpa < MEMORY_HOLE_START ? memory_at(m, gpa, size) : NULL;
}

int boot_put_cmdline(const struct memory *m, const struct boot_image *image, uint64_t max,
                     struct error *e)
{
    const size_t n = strlen(image->files->cmdline);
    char *to = memory_at(m, BOOT_CMDLINE, BOOT_CMDLINE_MAX);

    if (n > max || n >= BOOT_CMDLINE_MAX)
        return error_set(e, -ERANGE, "the command line of %zu bytes is too long: %s takes %llu", n,
                         image->files->kernel_path, (unsigned long long)max);
    memcpy(to, image->files->cmdline, n + 1);
    return 0;
}

static int read_initrd(const struct boot_files *f, void *to, uint64_t size, struct error *e)
{
    const ssize_t n = read_up_to(f->initrd, 0, to, size);

    if (n < 0)
        return error_set(e, (int)n, "%s: cannot read: %s", f->initrd_path, strerror((int)-n));
    if ((uint64_t)n != size)
        return error_set(e, -ENOEXEC, "%s: became shorter while it was read", f->initrd_path);
    return initrd_check(to, size, f->initrd_path, e);
}

int boot_put_initrd(const struct memory *m, const struct boot_image *image, uint64_t kernel_end,
                    uint64_t limit, uint64_t *ret_gpa, uint64_t *ret_size, struct error *e)
{
    const struct boot_files *f = image->files;
    const uint64_t low_end = m->regions[0].size;
    const uint64_t end = limit < low_end ? limit : low_end;
    uint64_t size = 0, gpa;
    int r;

    if (f->initrd < 0) {
        *ret_gpa = *ret_size = 0;
        return 0;
    }
    r = file_size(f->initrd, f->initrd_path, &size, e);
    if (r < 0)
        return r;
    gpa = size < end ? (end - size) & ~(PAGE - 1) : 0;
    if (gpa < kernel_end)
        return error_set(e, -ERANGE,
                         "%s: the initrd of %llu KiB and the kernel, which needs memory up to %llu "
                         "MiB, don't fit: give the VM more memory",
                         f->initrd_path, (unsigned long long)(size >> 10),
                         (unsigned long long)(kernel_end >> 20));
    r = read_initrd(f, memory_at(m, gpa, size), size, e);
    if (r < 0)
        return r;
    *ret_gpa = gpa;
    *ret_size = size;
    return 0;
}

/* Flat segments: base 0, limit 4 GiB. The entry's registers already hold them (vcpu.c); the table
 * is for a kernel that reloads a segment before it has made its own. */
static void put_gdt(const struct memory *m, bool long_mode)
{
    const uint64_t gdt[] = {
        [BOOT_CS / 8] = long_mode ? 0x00af9b000000ffffULL : 0x00cf9b000000ffffULL,
        [BOOT_DS / 8] = 0x00cf93000000ffffULL,
        [BOOT_TR / 8] = 0x00008b0000000067ULL,
    };

    memcpy(memory_at(m, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

static const struct boot_kind *find_kind(const struct boot_image *image)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (kinds[i]->probe(image))
            return kinds[i];
    return NULL;
}

int boot_load(const struct memory *m, const struct boot_files *f, uint64_t rsdp,
              struct boot_entry *ret, struct error *e)
{
    struct boot_image image = {.files = f, .rsdp = rsdp};
    const struct boot_kind *kind;
    struct boot_entry entry = {0};
    ssize_t n;
    int r = file_size(f->kernel, f->kernel_path, &image.size, e);

    if (r < 0)
        return r;
    n = read_up_to(f->kernel, 0, image.head, sizeof(image.head));
    if (n < 0)
        return error_set(e, (int)n, "%s: cannot read: %s", f->kernel_path, strerror((int)-n));
    kind = find_kind(&image);
    if (!kind)
        return error_set(e, -ENOEXEC,
                         "%s: neither a bzImage nor an ELF kernel: give a distribution's vmlinuz, "
                         "or a vmlinux with a PVH note",
                         f->kernel_path);
    r = kind->load(m, &image, &entry, e);
    if (r < 0)
        return r;
    put_gdt(m, entry.long_mode);
    *ret = entry;
    return 0;
}
