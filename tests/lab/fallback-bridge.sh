# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A host without SR-IOV: virtio on the bridge that sriovd's configuration names.
#
# host: --nics 0
# deadline: 90

test_host_has_nothing_to_list() {
    expect_status 0 sriovctl list --json
    expect_equal "$output" '[]'
    expect_refusal 3 'no PF eth0: this host has no SR-IOV device' sriovctl enable eth0 1
    expect_refusal 3 'no SR-IOV' sriovctl assign vf0 vm1
    expect_refusal 5 "no SR-IOV network card: add 'fallback virtio'" sriovctl assign any vm1
}

test_guest_on_the_bridge() {
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign any vm1 mac 52:54:00:fb:00:01 fallback virtio
    expect_output '^virtio0: assigned to vm1 as virtio fallback, mac 52:54:00:fb:00:01$'
    # The tap lives as long as its VMM; before, there is nothing on the bridge.
    expect_equal "$(ls /sys/class/net/br0/brif)" ""
    start_guest vm1 guest.hold=300
    wait_for 60 has_text "$console" '^guest: [0-9]+ received'
    grep -q '^guest: nic eth0 52:54:00:fb:00:01 driver virtio_net' "$console" || cat "$console"
    grep -q '^guest: 5 received' "$console" || fail "no pings: $(cat "$console")"
    expect_equal "$(ls /sys/class/net/br0/brif | wc -l)" 1
    stop_agent -KILL
    start_agent
    expect_equal "$(ls /sys/class/net/br0/brif | wc -l)" 1
    expect_equal "$(leases)" "virtio0 vm1 assigned"
    end_guests
    wait_for 10 sh -c '[ -z "$(ls /sys/class/net/br0/brif)" ]'
}

# Without an address of its own the NIC has one that stays the same for the VM.
test_stable_address() {
    local mac
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign any vm1 fallback virtio
    mac=$(sriovctl list vm --json | jq -r '.[0].nics[0].mac')
    expect_status 0 sriovctl release virtio0
    expect_status 0 sriovctl assign any vm1 fallback virtio
    expect_equal "$(sriovctl list vm --json | jq -r '.[0].nics[0].mac')" "$mac"
}

test_bridge_that_is_not_there() {
    defer start_agent
    defer cp /etc/sriovctl/sriovd.conf.saved /etc/sriovctl/sriovd.conf
    defer stop_agent
    cp /etc/sriovctl/sriovd.conf /etc/sriovctl/sriovd.conf.saved
    stop_agent
    printf '[Fallback]\nBridge=nosuch\n' >/etc/sriovctl/sriovd.conf
    start_agent
    expect_refusal 5 "bridge nosuch isn't there, or isn't a bridge: create it, or change Bridge= in sriovd.conf" \
        sriovctl assign any vm1 fallback virtio
    stop_agent
    printf '[Fallback]\nBrigde=br0\n' >/etc/sriovctl/sriovd.conf
    expect_status 2 timeout 20 sriovd
    expect_output 'sriovd.conf:2: there is no Brigde= in section \[Fallback\]'
}
