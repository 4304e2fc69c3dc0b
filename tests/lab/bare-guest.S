/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without an operating system, for what a kernel is too big, too slow or too polite for.
 * Entered by PVH: 32-bit, flat, no paging, EBX = start info. The first letter of its command
 * line says what to do:
 *
 *   p   write to the last page below 64 MiB, power off
 *   r   reset by ACPI; after the reset find what it left in memory, and power off
 *   f   triple fault, having said something
 *   s   triple fault in silence, each time
 *   o   talk without end
 *   d   halt with interrupts off, for ever, in silence
 *   h   random accesses to config space, BARs and ports, then power off
 *
 * Build: gcc -c -o bare-guest.o bare-guest.S; ld -N -Ttext=0x100000 -e start -o FILE bare-guest.o
 */
#define START_INFO_CMDLINE 24
#define MARK_AT            0x300000
#define MARK               0x600df00d
#define LAST_PAGE          (0x4000000 - 0x1000)
#define ECAM               0xe8000000
#define WINDOW             0xc0000000
#define SERIAL             0x3f8
#define SLEEP_CONTROL      0x600
#define SLEEP_NOW          0x34 /* type 5, enable */
#define RESET              0x602
#define ROUNDS             30000

        .section .note.pvh, "a", @note
        .align 4
        .long 4, 4, 18
        .asciz "Xen"
        .long start

        .macro say text
        mov $text_\@, %esi
        call print
        .section .rodata
text_\@: .asciz "\text\n"
        .text
        .endm

        .text
        .code32
        .globl start
start:  mov $stack_end, %esp
        mov START_INFO_CMDLINE(%ebx), %esi
        movb (%esi), %al
        cmp $'p', %al
        je power
        cmp $'r', %al
        je reset
        cmp $'f', %al
        je fault
        cmp $'s', %al
        je silent_fault
        cmp $'o', %al
        je talk
        cmp $'d', %al
        je dead
        cmp $'h', %al
        je hostile
        say "bare: I know no such letter"

off:    mov $SLEEP_CONTROL, %dx
        mov $SLEEP_NOW, %al
        out %al, %dx
1:      hlt
        jmp 1b

power:  movl $MARK, LAST_PAGE
        cmpl $MARK, LAST_PAGE
        jne off
        say "bare: last page is there"
        jmp off

reset:  cmpl $MARK, MARK_AT
        je again
        movl $MARK, MARK_AT
        say "bare: first boot"
        mov $RESET, %dx
        mov $1, %al
        out %al, %dx
2:      hlt
        jmp 2b
again:  say "bare: second boot"
        jmp off

fault:  cmpl $MARK, MARK_AT
        je again
        movl $MARK, MARK_AT
        say "bare: about to fault"
silent_fault:
        lidt no_idt
        ud2

talk:   say "bare: on and on"
        jmp talk

dead:   cli
        hlt
        jmp dead

/* Print the text at ESI. */
print:  mov $SERIAL, %dx
1:      lodsb
        test %al, %al
        jz 2f
        out %al, %dx
        jmp 1b
2:      ret

/* EAX = next of a fixed sequence (xorshift32). Changes EDX. */
random: mov seed, %eax
        mov %eax, %edx
        shl $13, %edx
        xor %edx, %eax
        mov %eax, %edx
        shr $17, %edx
        xor %edx, %eax
        mov %eax, %edx
        shl $5, %edx
        xor %edx, %eax
        mov %eax, seed
        ret

/* EDI = config space of one of the first four slots. */
slot:   call random
        and $3, %eax
        shl $15, %eax
        lea ECAM(%eax), %edi
        ret

/* One access at EDI of a size, and to or from a value, that are random; aligned or not. */
access: call random
        mov %eax, %ebx
        call random
        test $0x100, %ebx
        jnz 1f
        test $0x200, %ebx
        jnz 2f
        test $0x400, %ebx
        jnz 3f
        mov %al, (%edi)
        ret
2:      mov %ax, (%edi)
        ret
3:      mov %eax, (%edi)
        ret
1:      test $0x200, %ebx
        jnz 2f
        movb (%edi), %al
        ret
2:      mov (%edi), %eax
        ret

hostile:
        movl $ROUNDS, rounds
next:   call random
        and $7, %eax
        jmp *actions(, %eax, 4)
done:   decl rounds
        jnz next
        say "bare: survived"
        jmp off

/* The header and what follows it. */
config: call slot
        call random
        and $0xff, %eax
        add %eax, %edi
        call access
        jmp done

/* Anywhere in config space, of any slot and function, there or not. */
far_config:
        call random
        and $0xffffc, %eax
        lea ECAM(%eax), %edi
        call access
        jmp done

/* Across a page: as fragments of odd sizes. */
split:  call slot
        call random
        and $7, %eax
        lea 0xff8(%edi, %eax), %edi
        mov (%edi), %eax
        mov %eax, (%edi)
        jmp done

/* A BAR into the window that 32-bit code reaches, or a little beyond. */
place:  call slot
        call random
        mov %eax, %ebx
        and $0x0003f000, %eax
        or $WINDOW, %eax
        and $3, %ebx
        mov %eax, 0x10(%edi, %ebx, 8)
        movl $0, 0x14(%edi, %ebx, 8)
        jmp done

/* Decoding and bus mastering on and off. */
command:
        call slot
        call random
        or $2, %al
        movw %ax, 4(%edi)
        jmp done

/* Where those BARs are. */
window: call random
        and $0x0003ffff, %eax
        lea WINDOW(%eax), %edi
        call access
        jmp done

/* Aligned dwords there: what MSI-X tables and registers listen to. */
dwords: call random
        and $0x0003fffc, %eax
        lea WINDOW(%eax), %edi
        call random
        mov %eax, (%edi)
        jmp done

/* Any port but those that end the machine, and the console's, which is for people. */
port:   call random
        mov %eax, %ebx
        call random
        mov %ebx, %edx
        movzwl %dx, %edx
        in %dx, %al
        cmp $0x60, %edx
        jb 1f
        cmp $0x64, %edx
        jbe done
1:      cmp $0x3f8, %edx
        jb 1f
        cmp $0x3ff, %edx
        jbe done
1:      cmp $0x600, %edx
        jb 1f
        cmp $0x603, %edx
        jbe done
1:      cmp $0xcf6, %edx
        jb 1f
        cmp $0xcff, %edx
        jbe done
1:      out %eax, %dx
        jmp done

        .data
        .align 4
actions:
        .long config, far_config, split, place, command, window, dwords, port
seed:   .long 2463534242
rounds: .long 0
no_idt: .word 0
        .long 0

        .bss
        .align 16
        .skip 4096
stack_end:
        .section .note.GNU-stack, "", @progbits
