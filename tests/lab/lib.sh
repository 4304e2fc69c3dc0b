# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a lab suite may use. A suite is tests/lab/NAME.sh, a bash file like this:
#
#   # host: --nics 2 --wire       options of lab/run; suites with equal ones share a boot
#                               (`none`: run on this machine; the suite boots its own)
#   # deadline: 90                seconds a test may take (default 120)
#   setup_suite() { ...; }        optional: before the first test; teardown_suite: after the last
#   test_something() { ...; }     in the virtual host, as root, each in a shell of its own with
#                                 `set -eu`: the first command that fails fails it
#   wire_something() { ...; }     after the host has ended, if test_something ran: what its
#                                 wire must show (expect_wire, refuse_wire)
#
# Each test undoes what it did (`defer` does it however the test ends). The harness compares
# the host before and after it, and what is left over is a failure too.

# fail MESSAGE...: end the test.
fail() {
    echo "failed: $*" >&2
    exit 1
}

# skip REASON...: the host can't show it.
skip() {
    echo "skipped: $*" >&2
    exit 77
}

# defer COMMAND...: run it when the test ends; the last one first.
deferred=()
defer() {
    deferred=("$(printf '%q ' "$@")" "${deferred[@]}")
}

run_deferred() {
    local command
    set +eE
    for command in "${deferred[@]}"; do
        eval "$command"
    done
}

# run COMMAND...: its output (stdout, then stderr) in $output, its exit status in $status.
run() {
    local out
    out=$(mktemp)
    status=0
    "$@" >"$out" 2>"$out.err" </dev/null || status=$?
    output=$(cat "$out" "$out.err")
    rm -f "$out" "$out.err"
    printf '+%s\n' "$(printf ' %q' "$@")"
    printf '%s\n' "$output" "= $status"
}

# expect_status N COMMAND...: run it; it must exit with N.
expect_status() {
    local expected=$1
    shift
    run "$@"
    [ "$status" = "$expected" ] || fail "\"$*\" exited with $status, not $expected"
}

# expect_output REGEX: what the last run printed holds a line that matches.
expect_output() {
    grep -Eq -- "$1" <<<"$output" || fail "nothing matches \"$1\" in: $output"
}

refuse_output() {
    ! grep -Eq -- "$1" <<<"$output" || fail "\"$1\" matches in: $output"
}

# expect_equal ACTUAL EXPECTED
expect_equal() {
    [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "waited in vain for: $*"
        sleep 0.1
    done
}

# has_text FILE REGEX: for wait_for.
has_text() { grep -Eq -- "$2" "$1"; }

# pf_address N: PCI address of the Nth card that can have VFs, from 0; pf_name N: its interface.
pf_address() {
    local file n=$1
    for file in /sys/bus/pci/devices/*/sriov_totalvfs; do
        if [ -e "$file" ] && [ "$n" = 0 ]; then
            basename "$(dirname "$file")"
            return
        fi
        n=$((n - 1))
    done
    fail "there is no PF $1"
}

pf_name() { ls "/sys/bus/pci/devices/$(pf_address "$1")/net"; }

# vf_address PF_ADDRESS N
vf_address() { basename "$(readlink "/sys/bus/pci/devices/$1/virtfn$2")"; }

# monitor COMMAND...: tell QEMU's monitor, which owns this host's hardware.
monitor() { echo "$*" >/dev/virtio-ports/monitor; }

has_manager() {
    dbus-send --system --print-reply=literal --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.NameHasOwner string:org.sriovctl.Manager1 2>/dev/null | grep -q true
}

# start_agent: sriovd as the host's init started it, outside the test's process group.
start_agent() {
    (
        echo 0 >/sys/fs/cgroup/cgroup.procs
        exec setsid sriovd </dev/null >>/run/sriovd.log 2>&1
    ) &
    # Not the test's to wait for.
    disown
    wait_for 20 has_manager
}

stop_agent() {
    pkill -x "${1:--TERM}" sriovd || true
    wait_for 20 sh -c '! pgrep -x sriovd'
}

# guest NAME [WORD...]: boot the lab's guest as VM NAME; the words go to its command line.
guest() {
    local name=$1
    shift
    sriov-vmm --name "$name" --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd \
        --cmdline "console=ttyS0 quiet panic=-1 $*" --memory 256M
}

# start_guest NAME [WORD...]: the same in the background, its console in the file $console.
start_guest() {
    console=$(mktemp)
    defer rm -f "$console"
    defer end_guests
    guest "$@" </dev/null >"$console" 2>&1 &
}

# end_guests: pull the plug on all of them.
end_guests() {
    pkill -TERM -x sriov-vmm || true
    wait
}

# vf_value VF KEY: a VF's value in `list --json`; null as "null".
vf_value() {
    sriovctl list --json | jq -r --arg vf "$1" --arg key "$2" \
        '.[].vfs[] | select(.name == $vf) | .[$key] | tostring'
}

# leases: every lease with its VM and phase, a line each.
leases() {
    local file
    for file in /var/lib/sriovctl/*.lease; do
        [ ! -e "$file" ] || echo "$(basename "$file" .lease)" \
            "$(sed -n 's/^vm=//p' "$file")" "$(sed -n 's/^phase=//p' "$file")"
    done
}

# promised_state: what a refused request might have changed first. host_state costs seconds; the
# harness takes it around each test.
promised_state() {
    grep -Hs . /var/lib/sriovctl/*.lease /sys/bus/pci/devices/*/sriov_numvfs
    ip link show | sed -n 's/^ *vf /vf /p'
}

# expect_refusal N REGEX COMMAND...: it exits with N, a line that it says matches, and nothing is
# another than before.
expect_refusal() {
    local expected=$1 regex=$2 before after
    shift 2
    before=$(promised_state)
    expect_status "$expected" "$@"
    expect_output "$regex"
    after=$(promised_state)
    [ "$before" = "$after" ] ||
        fail "\"$*\" changed: $(diff <(echo "$before") <(echo "$after") || true)"
}

# wire checks: $wire is the decoded capture (tcpdump -nne), a packet a line.
# shellcheck disable=SC2154 # set by the harness
expect_wire() {
    grep -Eq -- "$1" "$wire" || fail "no packet matches \"$1\""
}

# shellcheck disable=SC2154
refuse_wire() {
    ! grep -Eq -m1 -- "$1" "$wire" || fail "a packet matches \"$1\": $(grep -E -m1 -- "$1" "$wire")"
}

# host_state: all that a test could leave behind, a fact a line. A program started is dear in
# emulation: few of them, each for all devices.
host_state() {
    local devices=/sys/bus/pci/devices agent
    (
        cd "$devices" || exit
        # A host without a PF lacks the first two.
        grep -H . ./*/sriov_numvfs ./*/sriov_drivers_autoprobe ./*/driver_override || true
        find ./*/driver -maxdepth 0 -printf '%p %f %l\n'
    ) 2>/dev/null
    # Links, and the policies that the PFs keep for their VFs, in ip's words.
    ip link show | sed -n 's/^[0-9]*: \([^:]*\):.*/link \1/p; s/^ *vf /policy vf /p'
    find /var/lib/sriovctl /run/sriovctl -name '*.lease' -printf 'lease %p\n' 2>/dev/null | sort
    for agent in $(pgrep -x sriovd); do
        find "/proc/$agent/fd" -lname '/dev/vfio/*' -printf 'sriovd holds %l\n' | sort
    done
}
