# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A VF's way to a guest and back: assign, handoff, traffic, release.
#
# host: --nics 2 --wire
# deadline: 90

setup_suite() { sriovctl enable "$(pf_name 0)" 3; }
teardown_suite() { sriovctl enable "$(pf_name 0)" 0; }

# expect_no_vfio_fd: the agent keeps none, in none of its threads.
expect_no_vfio_fd() {
    local held
    held=$(find "/proc/$(pgrep -x sriovd)"/task/*/fd -lname '/dev/vfio/*' -printf '%p %l\n')
    [ -z "$held" ] || fail "sriovd holds $held"
}

# What a running guest forbids, and that it keeps running.
expect_held() {
    expect_equal "$(vf_value "$1" state)" in-use
    expect_refusal 4 "$1 \(vm1\).*release" sriovctl enable "${1%/*}" 0
    expect_refusal 4 "$1.*power the VM off" sriovctl set "$1" mac 52:54:00:aa:00:02
    expect_refusal 4 "$1 is assigned to vm1.*sriovctl release $1" sriovctl assign "$1" vm2
    expect_status 4 guest vm1
    expect_output 'VM vm1 runs already'
}

test_guest_uses_the_vf() {
    local vf
    vf=$(pf_name 0)/vf0
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1 mac 52:54:00:aa:00:01
    expect_output "^$vf: assigned to vm1\$"
    start_guest vm1 guest.hold=300
    wait_for 40 has_text "$console" '^guest: [0-9]+ received'
    grep -Eq '^guest: nic eth0 52:54:00:aa:00:01 driver igbvf' "$console" || fail "no VF in the guest"
    grep -Eq '^guest: 5 received' "$console" || fail "pings got lost: $(cat "$console")"
    awk '/^guest: irq .*MSI-?X/ && $4 > 0 { n++ } END { exit n == 0 }' "$console" ||
        fail "no MSI-X interrupt was counted: $(grep irq "$console")"
    expect_no_vfio_fd
    expect_held "$vf"
    expect_equal "$(sriovctl list vm --json | jq -r '.[] | "\(.name) \(.running)"')" "vm1 true"
    end_guests
    expect_equal "$(vf_value "$vf" state)" assigned
    # The next boot gets the same NIC.
    expect_status 0 guest vm1 guest.pings=1
    expect_output '^guest: nic eth0 52:54:00:aa:00:01 driver igbvf'
    expect_output '^guest: 1 received'
    expect_status 0 sriovctl release "$vf"
    expect_equal "$(vf_value "$vf" state)" free
    expect_equal "$(vf_value "$vf" mac)" 00:00:00:00:00:00
}

test_assigning_again_changes_nothing() {
    local vf before
    vf=$(pf_name 0)/vf0
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1 vlan 5
    before=$(cat /var/lib/sriovctl/*.lease)
    expect_status 0 sriovctl assign "$vf" vm1 vlan 5
    expect_output "^$vf: unchanged\$"
    expect_status 0 sriovctl assign "$vf" vm1
    expect_output "^$vf: unchanged\$"
    expect_equal "$(cat /var/lib/sriovctl/*.lease)" "$before"
    # What differs is brought about, and nothing else.
    expect_status 0 sriovctl assign "$vf" vm1 vlan 6
    expect_equal "$(vf_value "$vf" vlan)" 6
    expect_equal "$(vf_value "$vf" vm)" vm1
}

test_mac_of_a_vm_stays_the_same() {
    local vf mac
    vf=$(pf_name 0)/vf1
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1
    mac=$(vf_value "$vf" mac)
    # Locally administered, unicast.
    [[ $mac =~ ^.[26ae]: ]] || fail "$mac isn't a local unicast address"
    expect_status 0 sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm2
    [ "$(vf_value "$vf" mac)" != "$mac" ] || fail "vm2 got vm1's address"
    expect_status 0 sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1
    expect_equal "$(vf_value "$vf" mac)" "$mac"
}

test_any_takes_each_free_vf_once() {
    local pf n
    pf=$(pf_name 0)
    for n in 0 1 2; do
        defer sriovctl release "$pf/vf$n"
        expect_status 0 sriovctl assign any "vm$n" mac "52:54:00:aa:01:0$n"
        expect_output "^$pf/vf$n: assigned to vm$n\$"
    done
    expect_refusal 5 "none of the 3 VFs is free.*fallback virtio" sriovctl assign any vm4
    # For a VM that has a NIC of that address already it is the same request again.
    expect_status 0 sriovctl assign any vm1 mac 52:54:00:aa:01:01
    expect_output "^$pf/vf1: unchanged\$"
    expect_equal "$(sriovctl list vf --json | jq -r '[.[] | select(.vm) | .vm] | join(" ")')" \
        "vm0 vm1 vm2"
}

# Policy and driver are as they were before, not as some constant says.
test_release_restores_what_was() {
    local vf address
    vf=$(pf_name 0)/vf2 address=$(vf_address "$(pf_address 0)" 2)
    defer ip link set "$(pf_name 0)" vf 2 mac 00:00:00:00:00:00 vlan 0 spoofchk on
    expect_status 0 sriovctl set "$vf" mac 52:54:00:bb:00:01 vlan 9 qos 2 spoofchk off
    echo "$address" >/sys/bus/pci/drivers/vfio-pci/unbind
    expect_status 0 sriovctl assign "$vf" vm1 mac 52:54:00:bb:00:02
    # A new tenant starts with what is safe.
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.mac, .vlan, .qos, .spoofchk, .driver]')" \
        '["52:54:00:bb:00:02",0,0,true,"vfio-pci"]'
    expect_status 0 sriovctl release "$vf"
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.mac, .vlan, .qos, .spoofchk, .driver]')" \
        '["52:54:00:bb:00:01",9,2,false,"vfio-pci"]'
}

test_vf_that_somebody_holds() {
    local vf group holder
    vf=$(pf_name 0)/vf0
    group=$(vf_value "$vf" iommu_group)
    sleep 60 8<>"/dev/vfio/$group" &
    holder=$!
    defer kill $holder
    wait_for 5 test -e "/proc/$holder/fd/8"
    expect_refusal 4 "$vf is in use by process $holder .*/dev/vfio/$group" sriovctl assign "$vf" vm1
    expect_refusal 4 "$vf is in use by process $holder" sriovctl enable "$(pf_name 0)" 0
}

test_leases_outlive_the_agent() {
    local vf before
    vf=$(pf_name 0)/vf0
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1 vlan 5
    before=$(sriovctl list --json)
    stop_agent
    start_agent
    expect_equal "$(sriovctl list --json)" "$before"
    expect_status 0 sriovctl assign "$vf" vm1 vlan 5
    expect_output "^$vf: unchanged\$"
}
