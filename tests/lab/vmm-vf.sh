# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# VFs in guests of sriov-vmm, from `sriovctl assign` to pings; and who may run which VM.
#
# host: --nics 2 --wire
# deadline: 150

scratch=/tmp/vmm-vf

setup_suite() {
    mkdir -p $scratch
    sriovctl enable "$(pf_name 0)" 2
}

teardown_suite() {
    sriovctl enable "$(pf_name 0)" 0
    rm -r $scratch
}

# vf N: its name in sriovctl.
vf() { echo "$(pf_name 0)/vf$1"; }

# assign N VM [POLICY...]: until the test ends.
assign() {
    local n=$1
    shift
    sriovctl assign "$(vf "$n")" "$@"
    defer sriovctl release "$(vf "$n")"
}

# holders: processes that have something of VFIO open.
holders() { find /proc/[0-9]*/fd -lname '/dev/vfio/*' 2>/dev/null | cut -d/ -f3 | sort -u; }

# expect_interrupts: the guest of the last run counted MSI-X interrupts of its NIC.
expect_interrupts() {
    expect_output '^guest: irq .*MSIX?'
    awk '/^guest: irq / && $4 > 0 { found = 1 } END { exit !found }' <<<"$output" ||
        fail "no interrupt of the NIC was counted"
}

# A guest that reboots finds its VF again; a VMM that is killed gives it back; the next has it.
test_reboot_kill_and_next_vmm() {
    local mac=52:54:00:aa:cc:01
    assign 0 again mac $mac
    guest again guest.end=reboot >$scratch/said &
    wait_for 40 has_text $scratch/said '^guest: 5 received'
    expect_status 4 guest again
    expect_output 'VM again runs already \(pid'
    wait_for 40 sh -c "[ \$(grep -c '^guest: 5 received' $scratch/said) = 2 ]"
    pkill -KILL -x sriov-vmm
    wait
    output=$(cat $scratch/said)
    expect_equal "$(grep -c "^guest: nic eth0 $mac driver igbvf" $scratch/said)" 2
    expect_interrupts
    expect_equal "$(holders)" ""
    expect_status 0 guest again
    expect_output "^guest: nic eth0 $mac driver igbvf"
    expect_interrupts
    expect_output '^guest: 5 received'
    expect_equal "$(holders)" ""
}

test_two_vfs_and_virtio_in_one_vm() {
    assign 0 many mac 52:54:00:aa:cc:02
    assign 1 many mac 52:54:00:aa:cc:03
    sriovctl assign any many fallback virtio mac 52:54:00:aa:cc:04
    defer release_virtio many
    expect_status 0 guest many guest.nics=all
    expect_output '^guest: nic eth0 52:54:00:aa:cc:02 driver igbvf'
    expect_output '^guest: nic eth1 52:54:00:aa:cc:03 driver igbvf'
    expect_output '^guest: nic eth2 52:54:00:aa:cc:04 driver virtio_net'
    expect_output '^guest: 5 received'
    expect_output '^guest: nic eth1 5 received'
    expect_output '^guest: nic eth2 5 received'
    expect_interrupts
}

# Random accesses to the config space and BARs of a VF and of a virtio NIC. Both work afterwards.
test_hostile_guest_harms_nobody() {
    gcc -c -o $scratch/bare.o /src/tests/lab/bare-guest.S
    ld -N --no-warn-rwx-segments -Ttext=0x100000 -e start -o $scratch/bare $scratch/bare.o
    assign 0 bad
    assign 1 other
    sriovctl assign any bad fallback virtio
    defer release_virtio bad
    expect_status 0 timeout 60 sriov-vmm --name bad --kernel $scratch/bare --memory 64M --cmdline h
    expect_output '^bare: survived'
    expect_status 0 guest bad guest.nics=all
    expect_output '^guest: 5 received'
    expect_output '^guest: nic eth1 5 received'
}

# release_virtio VM
release_virtio() {
    local id
    id=$(sriovctl list vm --json | jq -r --arg vm "$1" \
        '.[] | select(.name == $vm) | .nics[] | select(.kind == "virtio") | .name')
    sriovctl release "$id"
}

# as_tenant LIMIT COMMAND...: as a user who may use KVM, and may lock that many bytes.
as_tenant() {
    local limit=$1
    shift
    prlimit --memlock="$limit:$limit" \
        setpriv --reuid tenant --regid tenant --init-groups --bounding-set=-all "$@"
}

test_ordinary_user() {
    useradd --groups kvm tenant
    defer userdel tenant
    assign 0 mine
    export -f guest
    expect_status 6 as_tenant unlimited bash -c 'guest mine'
    expect_output "doesn't own VM mine: .*Owner="
    mkdir -p /etc/sriovctl/vm
    defer rm -rf /etc/sriovctl/vm
    cat >/etc/sriovctl/vm/mine.conf <<CONF
Owner=tenant
Kernel=/lab/guest/vmlinux
Initrd=/lab/guest/initrd
Memory=192M
CONF
    expect_status 1 as_tenant 67108864 sriov-vmm --name mine
    expect_output 'MEMLOCK|memlock'
    expect_status 0 as_tenant 268435456 sriov-vmm --name mine --cmdline "console=ttyS0 quiet"
    expect_output '^guest: 5 received'
}

test_without_agent() {
    stop_agent
    defer start_agent
    expect_status 7 guest nobody
    expect_output 'sriovd'
}
