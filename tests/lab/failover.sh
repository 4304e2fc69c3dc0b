# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A VF backed by a standby: the guest's network goes on while the VF is away, and comes back to it.
#
# host: --nics 2 --wire
# deadline: 150

mac=52:54:00:fa:11:01

setup_suite() {
    sriovctl enable "$(pf_name 0)" 2
}

teardown_suite() {
    sriovctl enable "$(pf_name 0)" 0
}

# start_pinging PINGS: a guest as vm1 that pings ten times a second; returns when it does.
start_pinging() {
    log=$(mktemp)
    sriov-vmm --name vm1 --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd --memory 256M \
        --cmdline "console=ttyS0 quiet panic=-1 guest.pings=$1 guest.interval=0.1" \
        --console "file:$log" </dev/null &
    vmm=$!
    wait_for 60 has_text "$log" 'bytes from .* seq=10 '
}

# Where the last pings went is told by who counted them: the VF, or the virtio NIC.
switched() { wait_for 20 sh -c "sriovctl show $1 | grep -Eq '$2'"; }

# expect_kept PINGS: the guest ended well, and lost at most one ping a switch of the $switches.
expect_kept() {
    local received
    wait "$vmm" || fail "the VMM ended with $?"
    received=$(sed -n 's/^guest: \([0-9]*\) received.*/\1/p' "$log")
    echo "switches $switches, sent $1, received $received"
    [ "${received:-0}" -ge $(($1 - switches)) ] ||
        fail "of $1 pings $received came back over $switches switches"
}

test_pings_go_on_through_switches() {
    local pf
    pf=$(pf_name 0) switches=0
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on
    # Again changes nothing: no second standby.
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on
    expect_output 'unchanged'
    expect_equal "$(sriovctl list vm --json | jq -c '[.[0].nics[].kind] | sort')" '["vf","virtio"]'
    start_pinging 220
    switched "$pf/vf0" 'guest: +active'
    expect_status 0 sriovctl release "$pf/vf0"
    sleep 2
    expect_status 0 sriovctl assign "$pf/vf1" vm1 mac $mac
    switched "$pf/vf1" 'guest: +active'
    sleep 2
    expect_status 0 sriovctl release "$pf/vf1"
    switches=4
    expect_kept 220
}

test_drain_and_undrain_under_a_guest() {
    local pf
    pf=$(pf_name 0) switches=0
    defer sriovctl release virtio0
    defer sriovctl release "$pf/vf0"
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on
    start_pinging 220
    switched "$pf/vf0" 'guest: +active'
    expect_status 0 sriovctl drain "$pf"
    expect_equal "$(sriovctl list --json | jq -r '.[0].vfs[0].state')" drained
    expect_status 4 sriovctl assign "$pf/vf1" vm2
    expect_output "$pf is drained: 'sriovctl undrain $pf' first"
    # The lease outlives the agent, and the VM starts or runs without the VF.
    stop_agent -KILL
    start_agent
    expect_equal "$(sriovctl list --json | jq -r '.[0].vfs[0].state')" drained
    expect_status 0 sriovctl undrain "$pf"
    switched "$pf/vf0" 'guest: +active'
    switches=2
    expect_kept 220
}

test_drain_refuses_a_vm_without_standby() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    defer sriovctl release "$pf/vf1"
    expect_status 0 sriovctl assign "$pf/vf0" vm1
    expect_status 0 sriovctl assign "$pf/vf1" vm2
    expect_status 4 sriovctl drain "$pf"
    expect_output 'no standby.*vm1.*vm2|no standby.*vm2.*vm1'
    expect_equal "$(sriovctl list --json | jq -c '[.[0].vfs[].state]')" '["assigned","assigned"]'
}

# A standby for a VF that is assigned already is a change, and told as one.
test_standby_added_later() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on --dry-run
    expect_output 'macvtap .* planned'
    expect_equal "$(sriovctl list vm --json | jq '.[0].nics | length')" 1
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on
    expect_output 'assigned to vm1'
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac $mac standby on
    expect_output 'unchanged'
}

test_a_vlan_is_not_promised_to_a_standby() {
    local pf
    pf=$(pf_name 0)
    expect_status 5 sriovctl assign "$pf/vf0" vm1 vlan 7 standby on
    expect_output 'VLAN 7.*virtio'
    expect_equal "$(sriovctl list --json | jq -r '.[0].vfs[0].vm')" null
}
