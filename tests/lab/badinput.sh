# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What can be asked wrongly: each has its own exit status and a message that names the object and
# the cure, and changes nothing.
#
# host: --nics 2 --wire
# deadline: 90

setup_suite() { sriovctl enable "$(pf_name 0)" 2; }
teardown_suite() { sriovctl enable "$(pf_name 0)" 0; }

test_names() {
    local pf
    pf=$(pf_name 0)
    expect_refusal 3 "no PF nosuch; PFs here: $pf \(0000:01:00.0\)" sriovctl assign nosuch/vf0 vm1
    expect_refusal 3 "no PF nosuch; PFs here: $pf" sriovctl enable nosuch 1
    expect_refusal 3 "$pf has 2 VFs \(vf0..vf1\); no vf5: enable more with 'sriovctl enable $pf 6'" \
        sriovctl assign "$pf/vf5" vm1
    expect_refusal 3 "$pf is a PF, not a VF.*$pf/vf0" sriovctl assign "$pf" vm1
    expect_refusal 3 'no VF \.\./\.\./vf0|no PF \.\./\.\.' sriovctl assign ../../vf0 vm1
    expect_refusal 3 'PFs here' sriovctl enable 0000:00:01.0 1
    expect_refusal 2 "'a/b' can't be the name of a VM: .*letters|VM.*a/b" sriovctl assign vf0 a/b
    expect_refusal 2 "VM" sriovctl assign vf0 ''
    expect_refusal 2 "VM" sriovctl assign vf0 "$(printf 'x%.0s' {1..300})"
}

test_policies() {
    local vf
    vf=$(pf_name 0)/vf0
    expect_refusal 2 'mac 01:00:5e:00:00:01 is a multicast address; give a unicast one' \
        sriovctl assign "$vf" vm1 mac 01:00:5e:00:00:01
    expect_refusal 2 'mac 00:00:00:00:00:00 is the zero address; give a unicast one' \
        sriovctl assign "$vf" vm1 mac 00:00:00:00:00:00
    expect_refusal 2 "mac 'no' is not valid: give ADDR" sriovctl set "$vf" mac no
    expect_refusal 2 "vlan '4095' is not valid: give ID \(VLAN 0..4094" \
        sriovctl assign "$vf" vm1 vlan 4095
    expect_refusal 2 "qos '8' is not valid: .*0..7" sriovctl assign "$vf" vm1 vlan 5 qos 8
    expect_refusal 2 "qos 3 needs a VLAN: give 'vlan ID' with it" sriovctl assign "$vf" vm1 qos 3
    expect_refusal 2 'min_tx_rate 200 exceeds max_tx_rate 100' \
        sriovctl assign "$vf" vm1 min_tx_rate 200 max_tx_rate 100
    expect_refusal 2 'colour' sriovctl set "$vf" colour red
    expect_refusal 2 'spoofchk' sriovctl set "$vf" spoofchk perhaps
    expect_refusal 2 'vlan needs a value' sriovctl set "$vf" vlan
    expect_refusal 2 'POLICY is missing' sriovctl set "$vf"
}

test_counts() {
    local pf
    pf=$(pf_name 0)
    expect_refusal 5 "$pf.* at most 7 VFs, not 8: ask for fewer" sriovctl enable "$pf" 8
    expect_refusal 5 "$pf.* at most 7 VFs" sriovctl enable "$pf" 4294967295
    expect_refusal 2 'COUNT' sriovctl enable "$pf" -- -1
    expect_refusal 2 'COUNT' sriovctl enable "$pf" 2x
    expect_refusal 2 'COUNT' sriovctl enable "$pf" 4294967296
}

test_leases_in_the_way() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac 52:54:00:dd:00:01
    expect_refusal 4 "$pf/vf0 is assigned to vm1: 'sriovctl release $pf/vf0' first" \
        sriovctl assign "$pf/vf0" vm2
    expect_refusal 4 'MAC 52:54:00:dd:00:01 is taken by .*0000:01:10.0.*vm1.*choose another' \
        sriovctl assign "$pf/vf1" vm2 mac 52:54:00:dd:00:01
    expect_refusal 4 'MAC 52:54:00:dd:00:01 is taken by' sriovctl set "$pf/vf1" mac 52:54:00:dd:00:01
    expect_refusal 4 "number of VFs of $pf.*$pf/vf0 \(vm1\); release them first" \
        sriovctl enable "$pf" 4
    expect_refusal 4 "number of VFs of $pf.*$pf/vf0 \(vm1\); release them first" \
        sriovctl enable "$pf" 0
    expect_refusal 0 "$pf: unchanged" sriovctl enable "$pf" 2
    expect_status 0 sriovctl release "$pf/vf0"
    expect_output "^$pf/vf0: released\$"
    # Released twice is released: the wanted state. The next owner's lease would not be touched.
    expect_refusal 0 "^$pf/vf0: unchanged\$" sriovctl release "$pf/vf0"
}

test_usage() {
    expect_refusal 2 'frobnicate' sriovctl frobnicate
    expect_refusal 2 'a verb is missing' sriovctl
    expect_refusal 2 'VM is missing' sriovctl assign vf0
    expect_refusal 2 'no-such-option' sriovctl list --no-such-option
}

# damage FILE COMMAND...: stop the agent, damage the lease with COMMAND, start the agent.
damage() {
    local file=$1
    shift
    stop_agent
    "$@"
    start_agent
}

# A lease that can't be believed keeps its VF from everybody, says so, and stops nothing else.
test_half_written_lease() {
    local pf file mutilate
    pf=$(pf_name 0) file=/var/lib/sriovctl/0000:01:10.0.lease
    defer sriovctl release "$pf/vf0"
    for mutilate in "truncate -s 100" "sed -i s/vm1/vm2/" "truncate -s 0"; do
        expect_status 0 sriovctl assign "$pf/vf0" vm1
        # shellcheck disable=SC2086 # words
        damage "$file" $mutilate "$file"
        expect_equal "$(vf_value "$pf/vf0" state)" quarantined
        expect_refusal 4 "$pf/vf0 is quarantined \(.*0000:01:10.0.lease.*\); 'sriovctl release $pf/vf0'" \
            sriovctl assign "$pf/vf0" vm1
        expect_refusal 4 "$pf/vf0" sriovctl enable "$pf" 0
        expect_status 0 sriovctl assign "$pf/vf1" vm3
        expect_status 0 sriovctl release "$pf/vf1"
        expect_status 0 sriovctl release "$pf/vf0"
        expect_equal "$(vf_value "$pf/vf0" state)" free
        # Nothing tells what its address was before; vm1's is not left on it.
        expect_equal "$(vf_value "$pf/vf0" mac)" 00:00:00:00:00:00
    done
    # A replacement that was never finished is nothing.
    damage "$file" sh -c "echo half >$file.new"
    expect_equal "$(vf_value "$pf/vf0" state)" free
    rm -f "$file.new"
}

test_vmm_files() {
    local dir
    dir=$(mktemp -d)
    defer rm -rf "$dir"
    head -c 200000 /lab/guest/vmlinuz >"$dir/short"
    head -c 300000 /dev/urandom >"$dir/noise"
    head -c 100000 /lab/guest/initrd >"$dir/initrd"
    expect_refusal 3 "kernel $dir/none.*No such file" sriov-vmm --name vm1 --kernel "$dir/none"
    expect_refusal 1 "$dir/short" sriov-vmm --name vm1 --kernel "$dir/short"
    expect_refusal 1 "$dir/noise" sriov-vmm --name vm1 --kernel "$dir/noise"
    expect_refusal 1 "$dir/initrd" sriov-vmm --name vm1 --kernel /lab/guest/vmlinux \
        --initrd "$dir/initrd"
    expect_refusal 2 "a/b" sriov-vmm --name a/b --kernel /lab/guest/vmlinux
    expect_equal "$(pgrep -x sriov-vmm || true)" ""
}

# A VMM gets the NICs of the VM that its user owns, and of no other.
test_vmm_of_another_user() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    expect_status 0 sriovctl assign "$pf/vf0" vm1
    expect_refusal 6 "user 65534 doesn't own VM vm1: run it as root, or .*Owner=.*vm/vm1.conf" \
        setpriv --reuid nobody --regid nogroup --groups kvm \
        sriov-vmm --name vm1 --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd
    defer rm -rf /etc/sriovctl/vm
    mkdir -p /etc/sriovctl/vm
    echo Owner=daemon >/etc/sriovctl/vm/vm1.conf
    expect_refusal 6 "user 65534 doesn't own VM vm1" \
        setpriv --reuid nobody --regid nogroup --groups kvm \
        sriov-vmm --name vm1 --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd
    echo Owner=nobody >/etc/sriovctl/vm/vm1.conf
    # Its unit would raise the limit of locked memory.
    expect_status 0 prlimit --memlock=268435456 setpriv --reuid nobody --regid nogroup --groups kvm \
        sriov-vmm --name vm1 --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd \
        --cmdline "console=ttyS0 quiet panic=-1 guest.pings=1" --memory 128M
    expect_output '^guest: 1 received'
}
