# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# While packets flow through a VF, neither the VMM nor the kernel on its behalf does anything.
#
# host: --nics 2 --wire
# deadline: 150

# value NAME: of sriov-vmm's line in the measurement.
# shellcheck disable=SC2154 # set by run
value() { awk -v key="$1" '/^exits: sriov-vmm / { for (i = 3; i < NF; i++) if ($i == key) print $(i + 1) }' <<<"$output"; }

# Of about fifty pings each: an exit or a call a packet would show as fifty and more. What strace
# itself interrupts as it comes is a call or two a thread.
test_no_exit_and_no_system_call_per_packet() {
    expect_status 0 /src/bench/exits
    grep '^exits: ' <<<"$output"
    [ "$(value pings)" -ge 30 ] || fail "measured over too few pings"
    [ "$(value traced-pings)" -ge 30 ] || fail "traced over too few pings"
    [ "$(value userspace)" -le 5 ] || fail "exits to userspace while pings flow"
    [ "$(value syscalls)" -le 10 ] || fail "system calls while pings flow"
    [ "$(value exits)" -gt 0 ] || fail "no exit at all: the measurement is broken"
}
