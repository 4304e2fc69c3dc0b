# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# libvirt's hook, called as libvirt calls it, with the domain's XML on standard input.
#
# host: --nics 2 --wire
# deadline: 90

setup_suite() { sriovctl enable "$(pf_name 0)" 2; }
teardown_suite() { sriovctl enable "$(pf_name 0)" 0; }

# domain TEXT...: a domain with these devices.
domain() { echo "<domain type='kvm'><name>dom</name><devices>$*</devices></domain>"; }

# source_address N: VF N of the first card, in libvirt's words.
source_address() {
    local address
    address=$(vf_address "$(pf_address 0)" "$1")
    echo "<source><address type='pci' domain='0x0000' bus='0x${address:5:2}'" \
        "slot='0x${address:8:2}' function='0x${address:11:1}'/></source>"
}

hostdev() { echo "<hostdev mode='subsystem' type='pci' managed='no'>$(source_address "$1")</hostdev>"; }

# hook_of NAME XML OP SUBOP: as libvirt runs it; hook: of the domain dom.
hook_of() { sriovctl hook qemu "$1" "$3" "$4" - <<<"$2"; }
hook() { hook_of dom "$@"; }

test_hostdev() {
    local xml vf
    vf=$(pf_name 0)/vf0
    xml=$(domain "$(hostdev 0)")
    defer sriovctl release "$vf"
    expect_status 0 hook "$xml" prepare begin
    # Standard output may become the domain's XML.
    expect_equal "$output" ""
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.vm, .state, .driver]')" \
        '["libvirt:dom","assigned","vfio-pci"]'
    # Another domain can't have it, and the same may ask again.
    expect_refusal 1 "$vf is assigned to libvirt:dom" hook_of other "$xml" prepare begin
    expect_status 0 hook "$xml" prepare begin
    expect_status 0 hook "$xml" release end
    expect_equal "$(vf_value "$vf" vm)" null
    expect_status 0 hook "$xml" release end
}

test_interface_with_mac_and_vlan() {
    local xml vf
    vf=$(pf_name 0)/vf1
    xml=$(domain "<interface type='hostdev' managed='no'><mac address='52:54:00:0a:0b:0c'/>" \
        "$(source_address 1)<vlan><tag id='42'/></vlan></interface>")
    defer sriovctl release "$vf"
    expect_status 0 hook "$xml" prepare begin
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.vm, .mac, .vlan]')" \
        '["libvirt:dom","52:54:00:0a:0b:0c",42]'
    expect_status 0 hook "$xml" release end
    expect_equal "$(sriovctl show "$vf" --json | jq -c '[.vm, .mac, .vlan]')" \
        '[null,"00:00:00:00:00:00",0]'
}

# All or nothing: what this call has changed is given back.
test_one_of_two_is_taken() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf1"
    expect_status 0 sriovctl assign "$pf/vf1" vm1
    expect_refusal 1 "$pf/vf1 is assigned to vm1" hook "$(domain "$(hostdev 0)" "$(hostdev 1)")" \
        prepare begin
    expect_equal "$(vf_value "$pf/vf0" vm)" null
    # A late release of the domain doesn't touch the next owner's VF.
    expect_refusal 0 '' hook "$(domain "$(hostdev 1)")" release end
    expect_equal "$(vf_value "$pf/vf1" vm)" vm1
}

# Devices that are no VFs are none of ours.
test_other_devices() {
    expect_refusal 0 '' hook "$(domain "<hostdev mode='subsystem' type='pci'><source><address
        domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/></source></hostdev>
        <interface type='network'><mac address='52:54:00:00:00:01'/></interface>")" prepare begin
    expect_refusal 0 '' hook "$(domain)" prepare begin
}

test_other_operations() {
    local op xml
    xml=$(domain "$(hostdev 0)")
    for op in "start begin" "started begin" "stopped end" "reconnect begin" "attach begin" \
        "migrate begin" "restore begin" "prepare end" "nonsense nonsense"; do
        # shellcheck disable=SC2086 # words
        expect_refusal 0 '' hook "$xml" $op
        expect_equal "$output" ""
    done
}

# With the agent dead, a domain that needs a VF doesn't start; nothing else fails, or waits.
test_dead_agent() {
    local xml began
    xml=$(domain "$(hostdev 0)")
    stop_agent
    defer start_agent
    began=$SECONDS
    expect_status 1 hook "$xml" prepare begin
    expect_output "sriovd\) isn't running: systemctl start sriovd"
    expect_status 0 hook "$(domain)" prepare begin
    expect_status 0 hook "$xml" release end
    expect_output "isn't running"
    expect_status 0 hook "$xml" reconnect begin
    expect_status 0 hook "$xml" stopped end
    # Five hooks; a second each is what they may wait for the bus.
    [ $((SECONDS - began)) -le 10 ] || fail "the hooks took $((SECONDS - began)) s"
}

hook_of_spaces() { head -c "$1" /dev/zero | tr '\0' ' ' | sriovctl hook qemu dom prepare begin -; }

test_hostile_xml() {
    local bomb many
    bomb="<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>
        <domain><devices>&b;</devices></domain>"
    expect_refusal 1 'domain XML' hook "$bomb" prepare begin
    expect_refusal 1 'domain XML' hook "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/shadow'>]>
        <domain><devices><hostdev type='pci'><source><address bus='&x;'/></source></hostdev></devices></domain>" \
        prepare begin
    refuse_output 'root:'
    expect_refusal 1 '' hook '<domain><devices>' prepare begin
    expect_refusal 1 '' hook 'no XML at all' prepare begin
    expect_refusal 1 '' hook "$(domain "<hostdev mode='subsystem' type='pci'><source>
        <address domain='0x0000' bus='0x100' slot='0' function='9'/></source></hostdev>")" prepare begin
    expect_refusal 1 '4095' hook "$(domain "<interface type='hostdev'>$(source_address 0)
        <vlan><tag id='4095'/></vlan></interface>")" prepare begin
    many=$(for _ in {1..65}; do hostdev 0; done)
    expect_refusal 1 '64' hook "$(domain "$many")" prepare begin
    expect_refusal 1 '' hook_of_spaces 2000000
    # A name that can't be a VM's is refused where a VF is wanted, and only there.
    expect_refusal 1 "'a/b' can't be given VFs" hook_of a/b "$(domain "$(hostdev 0)")" prepare begin
    expect_refusal 0 '' hook_of a/b "$(domain)" prepare begin
}
