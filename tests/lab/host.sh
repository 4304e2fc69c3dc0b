# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The lab's own promises: what every other suite stands on.
#
# host: --nics 2 --wire
# deadline: 60

test_cards_have_seven_vfs() {
    expect_equal "$(cat "/sys/bus/pci/devices/$(pf_address 0)/sriov_totalvfs")" 7
    expect_equal "$(cat "/sys/bus/pci/devices/$(pf_address 1)/sriov_totalvfs")" 7
}

test_each_vf_has_its_own_iommu_group() {
    local pf groups
    pf=$(pf_address 0)
    echo 0 >"/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
    defer sh -c "echo 1 >/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
    echo 3 >"/sys/bus/pci/devices/$pf/sriov_numvfs"
    defer sh -c "echo 0 >/sys/bus/pci/devices/$pf/sriov_numvfs"
    groups=$(for n in 0 1 2; do
        ls "/sys/bus/pci/devices/$(vf_address "$pf" $n)/iommu_group/devices"
    done)
    expect_equal "$(wc -l <<<"$groups")" 3
}

test_kvm_belongs_to_its_group() {
    expect_equal "$(stat -c '%U:%G %a' /dev/kvm)" "root:kvm 660"
    expect_status 0 setpriv --reuid sriov-vmm --regid sriov-vmm --init-groups test -w /dev/kvm
    expect_status 1 setpriv --reuid nobody --regid nogroup --clear-groups test -w /dev/kvm
}

test_tree_and_guest_are_there() {
    expect_status 0 test -x /usr/sbin/sriovd -a -x /usr/bin/sriovctl -a -x /usr/bin/sriov-vmm
    expect_status 0 test -s /lab/guest/vmlinuz -a -s /lab/guest/vmlinux -a -s /lab/guest/initrd
    expect_status 1 touch /src/new-file
    expect_status 0 test -e /src/configure.ac
}

test_dbus_answers() {
    expect_status 0 dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.ListNames
}

test_monitor_takes_the_carrier_away() {
    local name
    name=$(pf_name 1)
    ip link set "$name" up
    defer ip link set "$name" down
    wait_for 10 grep -q 1 "/sys/class/net/$name/carrier"
    defer monitor set_link net1 on
    monitor set_link net1 off
    wait_for 10 grep -q 0 "/sys/class/net/$name/carrier"
}

# A VF given to a guest by plain sysfs and QEMU: the hardware below everything else works.
test_plain_passthrough() {
    local pf name vf
    pf=$(pf_address 0) name=$(pf_name 0)
    ip link set "$name" up
    defer ip link set "$name" down
    echo 0 >"/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
    defer sh -c "echo 1 >/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
    echo 1 >"/sys/bus/pci/devices/$pf/sriov_numvfs"
    defer sh -c "echo 0 >/sys/bus/pci/devices/$pf/sriov_numvfs"
    ip link set "$name" vf 0 mac 52:54:00:aa:00:01 vlan 7 qos 3
    vf=$(vf_address "$pf" 0)
    echo vfio-pci >"/sys/bus/pci/devices/$vf/driver_override"
    echo "$vf" >/sys/bus/pci/drivers_probe
    expect_status 0 timeout 50 qemu-system-x86_64 -machine q35 -accel kvm -cpu host -m 256M \
        -nodefaults -display none -no-reboot -serial stdio -kernel /lab/guest/vmlinux \
        -initrd /lab/guest/initrd -append "console=ttyS0 quiet panic=-1 guest.pings=1" \
        -device "vfio-pci,host=$vf"
    expect_output 'guest: nic eth0 52:54:00:aa:00:01 driver igbvf'
    expect_output 'guest: irq .*MSIX'
}

# QEMU's user network drops tagged frames, so the guest got no answer; its questions show.
wire_plain_passthrough() {
    expect_wire '52:54:00:aa:00:01 > .*vlan 7, p 3.*10\.0\.2\.2'
}
