# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# What the measurements share. Each runs in the virtual host (lab/run) with a VF on vfio-pci and
# compares sriov-vmm with QEMU's q35 in the same run: its clock is not the machine's, and one
# run's seconds are not another's.
#
# The VF is the first of the first PF, made by bench_setup and given back by bench_cleanup.

tracefs=/sys/kernel/tracing
exit_event=$tracefs/events/kvm/kvm_userspace_exit
out=$(mktemp -d)
vmm='' started=''

# die MESSAGE...
die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

bench_setup() {
    pf=$(sriovctl list --json | jq -r '.[0].name')
    sriovctl enable "$pf" 1 >/dev/null
    vf=$(sriovctl list --json | jq -r '.[0].vfs[0].pci')
    mountpoint -q $tracefs || mount -t tracefs tracefs $tracefs
    # Every exit to userspace, counted by reason.
    echo 'hist:keys=reason' >$exit_event/trigger
}

bench_cleanup() {
    end_vmm
    echo '!hist:keys=reason' >$exit_event/trigger
    sriovctl release "$pf/vf0" >/dev/null 2>&1 || true
    sriovctl enable "$pf" 0 >/dev/null
    rm -r "$out"
}

# run_vmm KIND CMDLINE [QEMU_OPTION...]: the lab's guest, in the background; sets vmm to its process
# and started to the moment of its exec. What the guest says is in $out/said.
run_vmm() {
    local kind=$1 cmdline="console=ttyS0 quiet panic=-1 $2"
    shift 2
    : >"$out/said"
    started=$(date +%s.%N)
    case $kind in
    sriov-vmm)
        sriov-vmm --name bench --memory 256M --kernel /lab/guest/vmlinux \
            --initrd /lab/guest/initrd --cmdline "$cmdline" </dev/null >"$out/said" 2>"$out/log" &
        ;;
    qemu)
        qemu-system-x86_64 -machine q35 -accel kvm -cpu host -m 256M -nodefaults -display none \
            -no-reboot -serial stdio -kernel /lab/guest/vmlinux -initrd /lab/guest/initrd \
            -append "$cmdline" "$@" </dev/null >"$out/said" 2>"$out/log" &
        ;;
    *) die "no VMM is called $kind" ;;
    esac
    vmm=$!
}

# start_vmm KIND CMDLINE: likewise, with the VF.
start_vmm() {
    if [ "$1" = sriov-vmm ]; then
        sriovctl assign "$pf/vf0" bench >/dev/null
        run_vmm "$1" "$2"
    else
        sriovctl release "$pf/vf0" >/dev/null 2>&1 || true
        run_vmm "$1" "$2" -device "vfio-pci,host=$vf"
    fi
}

end_vmm() {
    [ -n "$vmm" ] || return 0
    kill "$vmm" 2>/dev/null || true
    wait "$vmm" || true
    vmm=''
}

# said SECONDS REGEX: wait until the guest says it.
said() {
    local deadline=$((SECONDS + $1))
    until grep -Eq -- "$2" "$out/said"; do
        if ! kill -0 "$vmm" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$out/said" "$out/log" >&2
            die "the guest never said \"$2\""
        fi
        sleep 0.02
    done
}

# Exits to userspace since bench_setup, of whatever VM ran.
userspace_exits() { sed -n 's/^ *Hits: //p' $exit_event/hist; }

# kvm_stat NAME: of the running VM, by KVM's own counters.
kvm_stat() { cat /sys/kernel/debug/kvm/"$vmm"-*/"$1"; }
