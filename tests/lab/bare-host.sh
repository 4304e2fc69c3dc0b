# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A host that has no SR-IOV at all, and a bridge to the outside in its place.
#
# host: --nics 0
# deadline: 30

test_there_is_no_card() {
    expect_equal "$(find /sys/bus/pci/devices/ -name sriov_totalvfs)" ""
}

test_bridge_is_the_fallback() {
    expect_status 0 ip -brief addr show br0
    expect_output '10\.0\.2\.2/24'
    expect_status 0 cat /etc/sriovctl/sriovd.conf
    expect_output '^Bridge=br0$'
}
