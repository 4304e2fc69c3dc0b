# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Creating, resting and removing VFs, and the names by which they are found.
#
# host: --nics 2 --wire
# deadline: 60

# expect_rested PF_NAME COUNT: that many VFs, each at rest: on vfio-pci, with no override left.
expect_rested() {
    local devices=/sys/bus/pci/devices pci n
    pci=$(sriovctl show "$1" --json | jq -r .pci)
    expect_equal "$(cat "$devices/$pci/sriov_numvfs")" "$2"
    for ((n = 0; n < $2; n++)); do
        expect_equal "$(basename "$(readlink "$devices/$pci/virtfn$n/driver")")" vfio-pci
        expect_equal "$(cat "$devices/$pci/virtfn$n/driver_override")" "(null)"
        expect_status 0 test -e "$devices/$pci/virtfn$n/iommu_group"
    done
}

test_vfs_come_rested_and_go() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    expect_status 0 sriovctl enable "$pf" 7
    expect_output "^$pf: 7 VFs\$"
    expect_rested "$pf" 7
    expect_equal "$(cat "/sys/bus/pci/devices/$(pf_address 0)/sriov_drivers_autoprobe")" 0
    expect_equal "$(sriovctl list --json | jq -r '[.[0].vfs[].state] | unique[]')" free
    expect_equal "$(sriovctl list --json | jq '[.[0].vfs[].iommu_group] | unique | length')" 7
    expect_status 0 sriovctl enable "$pf" 7
    expect_output "^$pf: unchanged\$"
    expect_status 0 sriovctl enable "$pf" 0
    expect_equal "$(cat "/sys/bus/pci/devices/$(pf_address 0)/sriov_drivers_autoprobe")" 1
    expect_status 0 sriovctl enable "$pf" 0
    expect_output "^$pf: unchanged\$"
}

# The kernel goes from one count to another only by way of 0.
test_resize() {
    local pf count
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    for count in 3 1; do
        expect_status 0 sriovctl enable "$pf" "$count"
        expect_rested "$pf" "$count"
    done
}

test_two_cards_at_once() {
    local first second
    first=$(pf_name 0) second=$(pf_name 1)
    defer sriovctl enable "$first" 0
    defer sriovctl enable "$second" 0
    sriovctl enable "$first" 2 &
    sriovctl enable "$second" 3
    wait $!
    expect_rested "$first" 2
    expect_rested "$second" 3
    # A plain vfN names one VF only where one PF has it.
    expect_status 0 sriovctl show vf2 --json
    expect_output "\"$second/vf2\""
    expect_refusal 2 "vf0.*$first/vf0.*$second/vf0" sriovctl show vf0
}

test_every_name_of_a_vf() {
    local pf pci name vf
    pf=$(pf_name 0) pci=$(pf_address 0)
    defer sriovctl enable "$pf" 0
    expect_status 0 sriovctl enable "$pci" 2
    expect_output "^$pf: 2 VFs\$"
    vf=$(vf_address "$pci" 1)
    for name in "$pf/vf1" "$pci/vf1" vf1 "$vf" "pci_$(tr ':.' __ <<<"$vf")"; do
        expect_equal "$(sriovctl show "$name" --json | jq -r .name)" "$pf/vf1"
    done
}

# What others did to an idle VF is set right by asking again.
test_idle_vfs_are_brought_back_to_rest() {
    local pf vf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    expect_status 0 sriovctl enable "$pf" 2
    vf=$(vf_address "$(pf_address 0)" 1)
    echo "$vf" >/sys/bus/pci/drivers/vfio-pci/unbind
    expect_equal "$(vf_value "$pf/vf1" state)" unbound
    expect_status 0 sriovctl enable "$pf" 2
    expect_output "^$pf: 2 VFs\$"
    expect_rested "$pf" 2
    # An override left on an idle VF is somebody's mistake, too.
    echo vfio-pci >"/sys/bus/pci/devices/$vf/driver_override"
    expect_status 0 sriovctl enable "$pf" 2
    expect_rested "$pf" 2
}

# VFs that somebody else created are taken over: rested, and removed on request.
test_vfs_made_by_others() {
    local pf pci
    pf=$(pf_name 0) pci=$(pf_address 0)
    defer sh -c "echo 1 >/sys/bus/pci/devices/$pci/sriov_drivers_autoprobe"
    defer sriovctl enable "$pf" 0
    echo 0 >"/sys/bus/pci/devices/$pci/sriov_drivers_autoprobe"
    echo 2 >"/sys/bus/pci/devices/$pci/sriov_numvfs"
    expect_equal "$(vf_value "$pf/vf0" state)" unbound
    expect_status 0 sriovctl enable "$pf" 2
    expect_rested "$pf" 2
}
