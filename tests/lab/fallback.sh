# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Where no VF can be had on a host with cards: virtio on a macvtap of the PF, if that was asked for.
#
# host: --nics 2 --wire
# deadline: 90

test_none_without_being_asked() {
    local pf
    pf=$(pf_name 0)
    expect_refusal 5 "no VF is enabled: 'sriovctl enable $pf COUNT' first, or add 'fallback virtio'" \
        sriovctl assign any vm1
    expect_refusal 5 "no VF is enabled" sriovctl assign any vm1 fallback none
    # What virtio can't keep isn't promised.
    expect_refusal 5 "vlan can't be enforced on a virtio fallback NIC" \
        sriovctl assign any vm1 vlan 5 fallback virtio
    # Only what can't be had falls back; a mistake is the caller's to see.
    expect_refusal 2 'multicast' sriovctl assign any vm1 mac 01:00:00:00:00:01 fallback virtio
}

test_guest_on_a_macvtap() {
    local pf before
    pf=$(pf_name 0)
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign any vm1 mac 52:54:00:fa:00:01 fallback virtio
    expect_output '^virtio0: assigned to vm1 as virtio fallback, mac 52:54:00:fa:00:01$'
    expect_equal "$(sriovctl list vm --json | jq -c '.[0].nics[0] | [.name, .kind, .mac, .state]')" \
        '["virtio0","virtio","52:54:00:fa:00:01","assigned"]'
    expect_status 0 ip -d link show type macvtap
    expect_output "@$pf: .*UP"
    expect_output '52:54:00:fa:00:01'
    # The same again is the same NIC.
    before=$(leases)
    expect_status 0 sriovctl assign any vm1 mac 52:54:00:fa:00:01 fallback virtio
    expect_output '^virtio0: unchanged$'
    expect_equal "$(leases)" "$before"
    expect_refusal 4 'MAC 52:54:00:fa:00:01 is taken by .*virtio0.*vm1' \
        sriovctl assign any vm2 mac 52:54:00:fa:00:01 fallback virtio
    expect_status 0 guest vm1
    expect_output '^guest: nic eth0 52:54:00:fa:00:01 driver virtio_net'
    expect_output '^guest: 5 received'
    # The lease outlives the agent.
    stop_agent
    start_agent
    expect_equal "$(leases)" "$before"
    expect_status 0 sriovctl release virtio0
    expect_equal "$(ip link show type macvtap)" ""
}

wire_guest_on_a_macvtap() {
    expect_wire '52:54:00:fa:00:01 > .*ethertype IPv4.*10\.0\.2\.20 > 10\.0\.2\.2: ICMP echo request'
}

test_free_vf_comes_first() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    expect_status 0 sriovctl enable "$pf" 1
    defer sriovctl release vf0
    expect_status 0 sriovctl assign any vm1 fallback virtio
    expect_output "^$pf/vf0: assigned to vm1\$"
    defer sriovctl release virtio0
    expect_status 0 sriovctl assign any vm2 fallback virtio
    expect_output '^virtio0: assigned to vm2 as virtio fallback'
}

# Killed between the interface and its lease, the agent leaves neither alone.
test_killed_on_the_way() {
    local point
    for point in renameat:1 renameat:2 renameat:3 sendmsg:3 sendmsg:5 fsync:4; do
        strace -f -qq -o /dev/null -p "$(pgrep -x sriovd)" -e trace=renameat,sendmsg,fsync \
            -e "inject=${point%:*}:signal=KILL:when=${point#*:}" &
        wait_for 10 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$(pgrep -x sriovd)/status"
        expect_status 1 sriovctl assign any vm1 fallback virtio
        wait
        start_agent
        case "$(leases | wc -l) $(ip -br link show type macvtap | wc -l)" in
        "0 0") ;;
        "1 1") expect_equal "$(leases)" "virtio0 vm1 assigned" ;;
        *) fail "$point: $(leases); $(ip -br link show type macvtap)" ;;
        esac
        [ ! -e /var/lib/sriovctl/virtio0.lease ] || sriovctl release virtio0
    done
}
