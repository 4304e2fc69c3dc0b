/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine, run: guests of a few instructions, by both boot protocols, on the host's KVM.
 * Each says on the console what it saw.
 */
#include "vmm/machine.h"

#include "unit.h"

#include "vmm/console.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KERNEL 0x1000000ULL

/* The guests. Each must run wherever it is loaded: only relative jumps. Where one keeps a count
 * over reboots it is in RAM that nothing loads. */
__asm__(".section .rodata\n"
        ".macro say c\n"
        "    mov $0x3f8, %dx\n"
        "    mov $\\c, %al\n"
        "    out %al, %dx\n"
        ".endm\n"
        ".macro off\n"
        "    mov $0x600, %dx\n"
        "    mov $0x34, %al\n"
        "    out %al, %dx\n"
        "9:  hlt\n"
        "    jmp 9b\n"
        ".endm\n"
        ".code32\n"

        /* EBX is the start info; the host bridge answers by ECAM, an empty slot doesn't. */
        "guest_pvh:\n"
        "    say 'p'\n"
        "    cmpl $0x336ec578, (%ebx)\n"
        "    jne 1f\n"
        "    say 'i'\n"
        "1:  cmpl $0x00081b36, 0xe8000000\n"
        "    jne 1f\n"
        "    say 'e'\n"
        "1:  cmpl $0xffffffff, 0xe8008000\n"
        "    jne 1f\n"
        "    say 'n'\n"
        "1:  cmpb $0xff, 0xd0000000\n" /* nothing is in the window */
        "    jne 1f\n"
        "    say 'w'\n"
        "1:  off\n"
        "guest_pvh_end:\n"

        /* Resets in one way after another. */
        "guest_resets:\n"
        "    incl 0x80000\n"
        "    say 'r'\n"
        "    mov 0x80000, %ecx\n"
        "    cmp $1, %ecx\n"
        "    jne 1f\n"
        "    mov $0x602, %dx\n"
        "    mov $1, %al\n"
        "    out %al, %dx\n"
        "1:  cmp $2, %ecx\n"
        "    jne 1f\n"
        "    mov $0xfe, %al\n"
        "    out %al, $0x64\n"
        "1:  cmp $3, %ecx\n"
        "    jne 1f\n"
        "    mov $0xcf9, %dx\n"
        "    mov $6, %al\n"
        "    out %al, %dx\n"
        "1:  cmp $4, %ecx\n"
        "    jne 1f\n"
        "    ud2\n" /* without a table of handlers: a triple fault */
        "1:  off\n"
        "guest_resets_end:\n"

        "guest_faults:\n"
        "    ud2\n"
        "guest_faults_end:\n"

        "guest_waits:\n"
        "    say 'w'\n"
        "1:  jmp 1b\n"
        "guest_waits_end:\n"

        /* Sends back what it gets, up to a q. */
        "guest_echoes:\n"
        "1:  mov $0x3fd, %dx\n"
        "    in %dx, %al\n"
        "    test $1, %al\n"
        "    jz 1b\n"
        "    mov $0x3f8, %dx\n"
        "    in %dx, %al\n"
        "    out %al, %dx\n"
        "    cmp $'q', %al\n"
        "    jne 1b\n"
        "    off\n"
        "guest_echoes_end:\n"

        ".code64\n"
        /* RSI is the zero page. */
        "guest_64:\n"
        "    say 'l'\n"
        "    cmpl $0x53726448, 0x202(%rsi)\n"
        "    jne 1f\n"
        "    say 'z'\n"
        "1:  mov $0x1234567890, %rax\n"
        "    shr $32, %rax\n"
        "    cmp $0x12, %eax\n"
        "    jne 1f\n"
        "    say '6'\n"
        "1:  off\n"
        "guest_64_end:\n"
        ".text\n");

#define GUEST(name) extern const uint8_t name[], name##_end[]
GUEST(guest_pvh);
GUEST(guest_resets);
GUEST(guest_faults);
GUEST(guest_waits);
GUEST(guest_echoes);
GUEST(guest_64);

static const char *kvm_missing;
static char output[256];

static int make_file(const void *data, size_t size)
{
    const int fd = memfd_create("kernel", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    return fd;
}

static int make_pvh(const uint8_t *code, const uint8_t *end)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segments[2];
        Elf64_Nhdr note;
        char name[4];
        uint64_t entry;
        uint8_t code[512];
    } image = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .note = {.n_namesz = 4, .n_descsz = 8, .n_type = 18},
        .name = "Xen",
        .entry = KERNEL,
    };

    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    image.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_offset = offsetof(__typeof__(image), code),
                                     .p_paddr = KERNEL,
                                     .p_filesz = sizeof(image.code),
                                     .p_memsz = sizeof(image.code)};
    image.segments[1] = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_offset = offsetof(__typeof__(image), note), .p_filesz = 24};
    assert_true((size_t)(end - code) <= sizeof(image.code));
    memcpy(image.code, code, (size_t)(end - code));
    return make_file(&image, sizeof(image));
}

static int make_bzimage(const uint8_t *code, const uint8_t *end)
{
    uint8_t image[1024 + 1024] = {0};
    const struct setup_header header = {
        .setup_sects = 1,
        .syssize = 1024 / 16,
        .boot_flag = 0xAA55,
        .jump = 0x66eb,
        .header = 0x53726448,
        .version = 0x020f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = 2047,
        .payload_length = 512,
        .pref_address = KERNEL,
        .init_size = 0x10000,
    };

    memcpy(image + 0x1f1, &header, sizeof(header));
    assert_true((size_t)(end - code) <= 512);
    memcpy(image + 1024 + 0x200, code, (size_t)(end - code)); /* the 64-bit entry */
    return make_file(image, sizeof(image));
}

/* Run the kernel in @kernel, which is closed, with that console. */
static int run_with(struct console *console, int kernel, struct machine_config config,
                    struct error *e)
{
    struct machine m;
    int r;

    config.name = "test";
    config.memory = 64 << 20;
    config.files =
        (struct boot_files){.kernel = kernel, .kernel_path = "kernel", .initrd = -1, .cmdline = ""};
    r = machine_init(&m, &config, open("/dev/kvm", O_RDWR | O_CLOEXEC), console, e);
    assert_int_equal(r, 0);
    r = machine_start(&m, e);
    if (r == 0)
        r = machine_run(&m, e);
    machine_done(&m);
    console_done(console);
    close(kernel);
    return r;
}

/* The same; what it said is in `output`. */
static int run(int kernel, struct machine_config config, struct error *e)
{
    struct console console;
    char spec[64];
    const int out = memfd_create("output", MFD_CLOEXEC);
    int r;

    snprintf(spec, sizeof(spec), "file:/proc/self/fd/%d", out);
    assert_int_equal(console_open(&console, spec, e), 0);
    r = run_with(&console, kernel, config, e);
    memset(output, 0, sizeof(output));
    assert_true(pread(out, output, sizeof(output) - 1, 0) >= 0);
    close(out);
    return r;
}

static void need_kvm(void)
{
    if (!kvm_missing)
        return;
    print_message("skipped: /dev/kvm: %s\n", kvm_missing);
    skip();
}

static void test_pvh(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(
        run(make_pvh(guest_pvh, guest_pvh_end), (struct machine_config){.cpus = 1}, &e), 0);
    assert_string_equal(output, "pienw");
}

static void test_bzimage(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(
        run(make_bzimage(guest_64, guest_64_end), (struct machine_config){.cpus = 1}, &e), 0);
    assert_string_equal(output, "lz6");
}

static void test_several_cpus(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(
        run(make_pvh(guest_pvh, guest_pvh_end), (struct machine_config){.cpus = 4}, &e), 0);
    assert_string_equal(output, "pienw");
}

static void test_every_way_to_reset(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(
        run(make_pvh(guest_resets, guest_resets_end), (struct machine_config){.cpus = 2}, &e), 0);
    assert_string_equal(output, "rrrrr");
}

static void test_no_reboot(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(run(make_pvh(guest_resets, guest_resets_end),
                         (struct machine_config){.cpus = 1, .no_reboot = true}, &e),
                     0);
    assert_string_equal(output, "r");
}

static void test_a_guest_that_only_faults(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    assert_int_equal(
        run(make_pvh(guest_faults, guest_faults_end), (struct machine_config){.cpus = 1}, &e),
        -EIO);
    assert_text_has(e.text, "test: the guest only triple-faults");
}

/* More than the port's FIFO holds: input stops and starts again. */
static void test_input_by_a_socket(void **state _unused_)
{
    static const char path[] = "/tmp/test-flat-guest.sock";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct error e = ERROR_INIT;
    struct console console;
    char text[201], back[256] = "";

    need_kvm();
    memset(text, '.', sizeof(text));
    text[200] = 'q';
    assert_int_equal(console_open(&console, "socket:/tmp/test-flat-guest.sock", &e), 0);
    memcpy(address.sun_path, path, sizeof(path));
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(client, text, sizeof(text)), sizeof(text));
    assert_int_equal(run_with(&console, make_pvh(guest_echoes, guest_echoes_end),
                              (struct machine_config){.cpus = 1}, &e),
                     0);
    assert_int_equal(recv(client, back, sizeof(back), MSG_WAITALL), sizeof(text));
    assert_memory_equal(back, text, sizeof(text));
    close(client);
    unlink(path);
}

static void test_sigterm(void **state _unused_)
{
    struct error e = ERROR_INIT;

    need_kvm();
    raise(SIGTERM); /* blocked: it waits for the machine */
    assert_int_equal(
        run(make_pvh(guest_waits, guest_waits_end), (struct machine_config){.cpus = 2}, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pvh),
        cmocka_unit_test(test_bzimage),
        cmocka_unit_test(test_several_cpus),
        cmocka_unit_test(test_every_way_to_reset),
        cmocka_unit_test(test_no_reboot),
        cmocka_unit_test(test_a_guest_that_only_faults),
        cmocka_unit_test(test_input_by_a_socket),
        cmocka_unit_test(test_sigterm),
    };
    sigset_t set;

    if (access("/dev/kvm", R_OK | W_OK) < 0)
        kvm_missing = strerror(errno);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
