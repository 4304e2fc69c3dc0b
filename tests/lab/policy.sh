# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# VF policy: what the kernel then shows, what igb won't do, and what a guest's frames look like
# on the wire.
#
# host: --nics 2 --wire
# deadline: 90

setup_suite() { sriovctl enable "$(pf_name 0)" 2; }
teardown_suite() { sriovctl enable "$(pf_name 0)" 0; }

# kernel_policy N: VF N of the first card, in ip's words.
kernel_policy() { ip link show "$(pf_name 0)" | sed -n "s/^ *vf $1 *//p"; }

expect_kernel() { kernel_policy "$1" | grep -Eq -- "$2" || fail "no $2 in: $(kernel_policy "$1")"; }

# restore_policy: VF 0 as a new one is.
restore_policy() {
    sriovctl set "$(pf_name 0)/vf0" vlan 0 spoofchk on trust off max_tx_rate 0
    ip link set "$(pf_name 0)" vf 0 mac 00:00:00:00:00:00
}

test_each_attribute_reaches_the_kernel() {
    local vf
    vf=$(pf_name 0)/vf0
    defer restore_policy
    wait_for 10 grep -q 1 "/sys/class/net/$(pf_name 0)/carrier"
    expect_status 0 sriovctl set "$vf" mac 52:54:00:cc:00:01 vlan 4094 qos 7 spoofchk off trust on \
        max_tx_rate 100 state auto
    expect_output "^$vf: set\$"
    expect_kernel 0 'link/ether 52:54:00:cc:00:01'
    expect_kernel 0 'vlan 4094, qos 7'
    expect_kernel 0 'tx rate 100 \(Mbps\), max_tx_rate 100Mbps'
    expect_kernel 0 'spoof checking off'
    expect_kernel 0 'trust on'
    expect_equal "$(sriovctl show "$vf" --json | jq -c \
        '[.mac, .vlan, .qos, .proto, .max_tx_rate, .min_tx_rate, .spoofchk, .trust, .link_state]')" \
        '["52:54:00:cc:00:01",4094,7,"802.1Q",100,0,false,true,"auto"]'
    expect_status 0 sriovctl set "$vf" vlan 4094 trust on
    expect_output "^$vf: unchanged\$"
    # One attribute changes none of the others; no VLAN has no priority either.
    expect_status 0 sriovctl set "$vf" vlan 0
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.mac, .vlan, .qos, .trust]')" \
        '["52:54:00:cc:00:01",0,0,true]'
}

# What the driver won't do is said in words, with nothing changed; also in the middle of a plan.
test_what_igb_refuses() {
    local vf
    vf=$(pf_name 0)/vf0
    expect_refusal 5 'state enable .*not supported by igb' sriovctl set "$vf" state enable
    expect_refusal 5 'proto 802.1ad .*not supported by igb' sriovctl set "$vf" vlan 5 proto 802.1ad
    expect_refusal 5 'refused by igb.*above the link.s speed' sriovctl set "$vf" max_tx_rate 100000
    expect_refusal 5 'refused by igb.*min_tx_rate' sriovctl set "$vf" min_tx_rate 10
    # The steps before the refused one are taken back, the lease too.
    expect_refusal 5 'state disable .*not supported by igb' \
        sriovctl assign "$vf" vm1 mac 52:54:00:cc:00:02 vlan 5 trust on state disable
}

# A guest in VLAN 7 talks to a host in VLAN 7, the second card: each frame carries its tag. The
# PF's answers in VLAN 7 come back untagged to the guest, which knows of no VLAN.
test_guest_in_a_vlan() {
    local vf peer
    vf=$(pf_name 0)/vf0 peer=$(pf_name 1)
    ip link set "$peer" up
    defer ip link set "$peer" down
    ip link add link "$peer" name peer7 type vlan id 7
    defer ip link del peer7
    ip addr add 10.0.2.3/24 dev peer7
    ip link set peer7 up
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm1 mac 52:54:00:cc:00:07 vlan 7 qos 3
    expect_status 0 guest vm1 guest.target=10.0.2.3
    expect_output '^guest: nic eth0 52:54:00:cc:00:07 driver igbvf'
    expect_output '^guest: 5 received'
}

wire_guest_in_a_vlan() {
    expect_wire '52:54:00:cc:00:07 > .*ethertype 802.1Q .*vlan 7, p 3.*10\.0\.2\.20 > 10\.0\.2\.3: ICMP echo request'
    expect_wire '> 52:54:00:cc:00:07.*vlan 7.*10\.0\.2\.3 > 10\.0\.2\.20: ICMP echo reply'
    # Not one frame of this VF went out without its tag.
    refuse_wire '52:54:00:cc:00:07 > [^,]*, ethertype (IPv4|ARP)'
}

# A VLAN keeps out: whoever isn't in it isn't heard.
test_guest_in_another_vlan() {
    local vf
    vf=$(pf_name 0)/vf1
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign "$vf" vm2 mac 52:54:00:cc:00:08 vlan 8
    expect_status 0 guest vm2 guest.pings=1
    expect_output '^guest: nic eth0 52:54:00:cc:00:08 driver igbvf'
    expect_output '^guest: 0 received'
}

wire_guest_in_another_vlan() {
    expect_wire '52:54:00:cc:00:08 > .*ethertype 802.1Q .*vlan 8, p 0'
    refuse_wire '52:54:00:cc:00:08 > [^,]*, ethertype (IPv4|ARP)'
}
