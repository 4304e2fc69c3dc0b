# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# sriov-vmm by itself: what boots, how it ends, and what it refuses. No VF is needed.
#
# A kernel costs ten seconds of emulation, so most of what a guest can do is shown by a guest of
# some hundred bytes (bare-guest.S).
#
# host: --nics 2 --wire
# deadline: 120

scratch=/tmp/vmm-boot
bare=$scratch/bare

setup_suite() {
    mkdir -p $scratch
    gcc -c -o $bare.o /src/tests/lab/bare-guest.S
    ld -N --no-warn-rwx-segments -Ttext=0x100000 -e start -o $bare $bare.o
}

teardown_suite() { rm -r $scratch; }

# vmm OPTION...: without an agent: no test here needs a NIC.
vmm() { sriov-vmm --name boot --no-agent "$@"; }

# boot OPTION...: the lab's small guest; the options name its kernel.
boot() { vmm --initrd /lab/guest/initrd "$@"; }

# bare LETTER [OPTION...]
bare() {
    local letter=$1
    shift
    vmm --kernel $bare --cmdline "$letter" --memory 64M "$@"
}

# expect_memory LOW HIGH: MiB that the guest of the last run counted; a kernel keeps some.
expect_memory() {
    local got
    # shellcheck disable=SC2154 # set by run
    got=$(sed -n 's/^guest: memory \([0-9]*\).*/\1/p' <<<"$output")
    got=$((${got:-0} / 1024))
    if [ $got -lt "$1" ] || [ $got -gt "$2" ]; then
        fail "the guest counts $got MiB, not $1 to $2"
    fi
}

test_bzimage_two_cpus() {
    expect_status 0 boot --kernel /lab/guest/vmlinuz --memory 256M --cpus 2 \
        --cmdline "console=ttyS0 quiet panic=-1"
    expect_output '^guest: cpus 2'
    expect_memory 180 256
    expect_output '^guest: no nic'
}

# What a kernel complains of is wrong with the machine: it shall have nothing to complain of,
# but for what its CPU is.
test_elf_one_cpu_without_complaint() {
    expect_status 0 boot --kernel /lab/guest/vmlinux --memory 128M --cpus 1 \
        --cmdline "console=ttyS0 loglevel=5 panic=-1"
    expect_output '^guest: cpus 1'
    expect_memory 60 128
    output=$(grep -v 'Speculative Return Stack Overflow\|amd_pstate' <<<"$output")
    refuse_output '^\[.*(BUG|WARN|[Ee]rror|[Ff]ail|[Uu]nable|Call Trace|[Bb]ogus|[Ii]nvalid)'
}

# RAM on both sides of the PCI hole, and a console on a socket that answers back.
# shellcheck disable=SC2016 # for the guest and perl
test_elf_four_cpus_above_4g() {
    local pid
    boot --kernel /lab/guest/vmlinux --memory 5G --cpus 4 --console socket:$scratch/console \
        --cmdline 'console=ttyS0 quiet panic=-1 guest.run="echo ready; read word; echo got $word"' &
    pid=$!
    defer rm -f $scratch/console
    wait_for 5 test -S $scratch/console
    expect_status 0 timeout 60 perl -MIO::Socket::UNIX -e '
        $s = IO::Socket::UNIX->new(Peer => shift) or die; $s->autoflush(1);
        while (<$s>) { print; print $s "salt\n" if /^ready/ }' $scratch/console
    wait $pid
    expect_output '^guest: cpus 4'
    expect_memory 4800 5120
    expect_output '^got salt'
}

# boots N: has the guest on the pseudoterminal come that far for the Nth time?
boots() { [ "$(grep -c '^ready' $scratch/said)" = "$1" ]; }

# One guest on a pseudoterminal: told to reboot, then to panic, then to power off.
# shellcheck disable=SC2016 # for the guest
test_reboot_panic_and_power_off() {
    local pid pts n=0 word
    boot --kernel /lab/guest/vmlinux --memory 256M --console pty \
        --cmdline 'console=ttyS0 quiet panic=-1 guest.end=reboot guest.run="echo ready; read word; [ $word != off ] || poweroff -f; [ $word != panic ] || echo c >/proc/sysrq-trigger"' \
        2>$scratch/log &
    pid=$!
    wait_for 5 has_text $scratch/log 'console on /dev/pts/'
    pts=$(sed -n 's/.*console on //p' $scratch/log)
    cat "$pts" >$scratch/said &
    defer kill $!
    for word in reboot panic off; do
        n=$((n + 1))
        wait_for 40 boots $n
        echo $word >"$pts"
    done
    wait $pid
    cat $scratch/log $scratch/said
    expect_equal "$(grep -c '^guest: up' $scratch/said)" 3
    has_text $scratch/said 'Kernel panic - not syncing: sysrq'
}

test_smallest_memory() {
    expect_status 0 bare p
    expect_output '^bare: last page is there'
    expect_status 5 boot --kernel /lab/guest/vmlinuz --memory 64M
    expect_output 'vmlinuz: needs .* give the VM more'
    expect_status 5 boot --kernel /lab/guest/vmlinux --memory 64M
    expect_output 'give (it|the VM) more'
}

test_resets_and_triple_faults_restart() {
    expect_status 0 bare r
    expect_output '^bare: first boot'
    expect_output '^bare: second boot'
    expect_status 0 bare f
    expect_output '^bare: about to fault'
    expect_output '^bare: second boot'
    expect_status 0 bare r --no-reboot
    expect_output '^bare: first boot'
    refuse_output '^bare: second boot'
}

# What a corrupt kernel does: its decompressor halts, or it runs into nonsense.
test_guests_that_cannot_boot_end() {
    expect_status 1 bare s
    expect_output 'boot: the guest only triple-faults'
    expect_status 1 bare d --cpus 2
    expect_output 'boot: the guest halted for ever, without a word'
}

test_hostile_guest_harms_nobody() {
    expect_status 0 bare h
    expect_output '^bare: survived'
    expect_status 0 bare h --cpus 4
    expect_output '^bare: survived'
}

test_console_file() {
    expect_status 0 bare p --console file:$scratch/file
    refuse_output '^bare:'
    expect_equal "$(cat $scratch/file)" "bare: last page is there"
    expect_equal "$(stat -c %a $scratch/file)" 600
    expect_status 0 bare p --console file:$scratch/file
    expect_equal "$(wc -l <$scratch/file)" 2
}

# ends_at SIGNAL: the VMM that runs in the background ends with 0, soon.
ends_at() {
    pkill -x "-$1" sriov-vmm
    wait_for 5 sh -c '! pgrep -x sriov-vmm'
    wait $!
}

test_signals_end_it() {
    bare o --console file:/dev/null &
    sleep 1
    ends_at TERM
    bare o --console pty &
    sleep 1
    ends_at INT
}

# Nobody reads what the guest says: it waits, but not the VMM.
test_signals_end_it_while_nobody_reads() {
    mkfifo $scratch/fifo
    defer rm $scratch/fifo
    exec 3<>$scratch/fifo
    bare o >&3 &
    sleep 1
    ends_at TERM
}

test_missing_files() {
    expect_status 3 vmm --kernel /nowhere/vmlinuz
    expect_output 'cannot open the kernel /nowhere/vmlinuz: No such file'
    expect_status 3 vmm --kernel $bare --initrd /nowhere/initrd
    expect_output 'cannot open the initrd /nowhere/initrd: No such file'
}

test_what_is_no_kernel() {
    expect_status 1 vmm --kernel /etc/passwd
    expect_output '/etc/passwd: neither a bzImage nor an ELF kernel'
    expect_status 1 vmm --kernel /bin/true
    expect_output '/bin/true: has no PVH entry note'
    expect_status 1 vmm --kernel /dev/null
    expect_output "/dev/null: the kernel isn't a regular file"
    expect_status 1 vmm --kernel /tmp
    : >$scratch/empty
    expect_status 1 vmm --kernel $scratch/empty
}

test_corrupt_kernels() {
    head -c 5000000 /lab/guest/vmlinuz >$scratch/short
    expect_status 1 vmm --kernel $scratch/short
    expect_output 'short: truncated: its header tells of [0-9]+ bytes, the file has 5000000'
    head -c 5000000 /lab/guest/vmlinux >$scratch/short
    expect_status 1 vmm --kernel $scratch/short
    expect_output 'short: truncated: '
    # The compressed kernel's length, in the header, made absurd.
    head -c 5000000 /lab/guest/vmlinuz >$scratch/odd
    printf '\377\377\377\377' | dd of=$scratch/odd bs=1 seek=$((0x24c)) conv=notrunc status=none
    truncate -r /lab/guest/vmlinuz $scratch/odd
    expect_status 1 vmm --kernel $scratch/odd
    expect_output 'odd: corrupt: '
    # A hole in the compressed kernel, which only its decompressor finds.
    cp /lab/guest/vmlinuz $scratch/odd
    dd if=/dev/zero of=$scratch/odd bs=64K seek=50 count=2 conv=notrunc status=none
    expect_status 1 vmm --kernel $scratch/odd
    expect_output 'kernel file corrupt'
}

test_bad_initrds() {
    head -c 1000000 /lab/guest/initrd >$scratch/initrd
    expect_status 1 vmm --kernel /lab/guest/vmlinux --initrd $scratch/initrd
    expect_output 'initrd: truncated: the cpio archive'
    : >$scratch/initrd
    expect_status 1 vmm --kernel /lab/guest/vmlinux --initrd $scratch/initrd
    expect_output 'initrd: the initrd is empty'
    expect_status 1 vmm --kernel /lab/guest/vmlinux --initrd /etc/passwd
    expect_output 'neither cpio nor compressed'
    truncate -s 300M $scratch/initrd
    expect_status 5 vmm --kernel /lab/guest/vmlinux --initrd $scratch/initrd
    expect_output 'give the VM more memory'
}

test_bad_options() {
    local words
    for words in "" "--name boot" "--kernel $bare" "--name a/b --kernel $bare" "--bogus" "stray" \
        "--name boot --kernel $bare --memory 63M" "--name boot --kernel $bare --memory 64.5M" \
        "--name boot --kernel $bare --cpus 0" "--name boot --kernel $bare --cpus 65" \
        "--name boot --kernel $bare --cpus two" "--name boot --kernel $bare --console tty" \
        "--name boot --kernel $bare --console file:" "--name boot --kernel"; do
        # shellcheck disable=SC2086 # a list of words
        expect_status 2 sriov-vmm $words
    done
    expect_status 2 vmm --kernel $bare --memory 64K
    expect_output "--memory '64K' can't be: 64M to 1T"
}

test_users() {
    expect_status 3 bare p --user no-such-user
    expect_output "there is no user 'no-such-user' to become"
    expect_status 6 bare p --user root
    expect_output "a VM doesn't run as root"
    expect_status 6 setpriv --reuid nobody --regid nogroup --clear-groups sriov-vmm --name boot \
        --no-agent --kernel /lab/guest/vmlinux
    expect_output '/dev/kvm: not permitted: add this user to the group kvm'
}
