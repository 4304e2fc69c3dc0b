# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# sriovd is killed at every kind of moment: at system calls chosen by strace, and while a guest
# runs. Started again it converges, and nothing leaks.
#
# A kill point is `SYSCALL@N`: SIGKILL at the Nth entry of SYSCALL (in any thread) since the
# request; the call doesn't take effect. Where the request makes fewer calls of that kind, it ends
# before the point: that must be a success, and is no kill.
#
# host: --nics 2 --wire
# deadline: 240

# The calls by which the agent changes anything: state files, sysfs, netlink, the bus.
killing_calls=write,openat,renameat,unlinkat,fsync,sendto,sendmsg

# trace_agent POINT: kill the running agent there.
trace_agent() {
    strace -f -qq -o /dev/null -p "$(pgrep -x sriovd)" -e "trace=$killing_calls" \
        -e "inject=${1%@*}:signal=KILL:when=${1#*@}" &
    tracer=$!
    # Attached once every thread names its tracer.
    wait_for 10 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$(pgrep -x sriovd)/status"
}

# untrace_agent: 0 if the agent was killed. An agent that lived is left running.
untrace_agent() {
    if pgrep -x sriovd >/dev/null; then
        kill "$tracer" 2>/dev/null || true
        wait "$tracer" || true
        return 1
    fi
    wait "$tracer" || true
}

# expect_consistent WHAT: nothing half done, whatever the point was.
expect_consistent() {
    local vf lease
    for vf in /sys/bus/pci/devices/*/physfn; do
        [ -e "$vf" ] || continue
        vf=${vf%/physfn}
        [ "$(cat "$vf/driver_override")" = "(null)" ] || fail "$1: an override is left on $vf"
        [ "$(basename "$(readlink "$vf/driver")")" = vfio-pci ] || fail "$1: $vf isn't at rest"
    done
    while read -r lease; do
        [[ -z $lease || $lease == *" assigned" ]] || fail "$1: the lease $lease was left"
    done <<<"$(leases)"
    expect_equal "$(find /var/lib/sriovctl -name '*.new')" ""
}

# what_matters: by which "before" and "after" are told.
what_matters() {
    sriovctl list --json | jq -c '[.[] | [.num_vfs, .drivers_autoprobe,
        [.vfs[] | [.name, .mac, .vlan, .trust, .vm, .state]]]]'
}

# kill_during BEFORE AFTER POINT WORD...: run `sriovctl WORD...` with the agent killed at POINT.
# It comes back in the state BEFORE or AFTER, and the same again succeeds.
kill_during() {
    local before=$1 after=$2 point=$3 now status=0 name
    shift 3
    name="$point in $*"
    trace_agent "$point"
    sriovctl "$@" >/dev/null 2>&1 || status=$?
    if untrace_agent; then
        kills=$((kills + 1))
        start_agent
    fi
    expect_consistent "$name"
    now=$(what_matters)
    [ "$now" = "$before" ] || [ "$now" = "$after" ] || fail "$name: neither before nor after: $now"
    # Who was told that it is done may rely on it.
    [ $status != 0 ] || [ "$now" = "$after" ] || fail "$name: reported as done, and isn't"
    echo "$name: exit $status, $([ "$now" = "$after" ] && echo after || echo before)"
    sriovctl "$@" >/dev/null || fail "$name: it fails when repeated"
    [ "$(what_matters)" = "$after" ] || fail "$name: repeated, it isn't $after"
}

# kill_matrix DO UNDO POINT...: kill during `sriovctl DO` at each point, going back by UNDO.
kill_matrix() {
    local do=$1 undo=$2 before after point
    shift 2
    kills=0
    before=$(what_matters)
    # shellcheck disable=SC2086 # words
    sriovctl $do && after=$(what_matters) && sriovctl $undo
    expect_equal "$(what_matters)" "$before"
    for point; do
        # shellcheck disable=SC2086
        kill_during "$before" "$after" "$point" $do
        # shellcheck disable=SC2086
        sriovctl $undo
    done
    echo "$kills of $# points killed the agent"
    [ $kills -ge $(($# - 2)) ] || fail "only $kills of $# points were reached"
}

test_enable() {
    defer sriovctl enable "$(pf_name 0)" 0
    kill_matrix "enable $(pf_name 0) 2" "enable $(pf_name 0) 0" \
        openat@1 openat@40 renameat@1 fsync@1 fsync@2 write@2 write@3 write@4 write@5 write@6
}

test_enable_none() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    sriovctl enable "$pf" 2
    kill_matrix "enable $pf 0" "enable $pf 2" write@1 write@2 openat@20 unlinkat@1 fsync@1
}

test_assign() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    defer sriovctl release "$pf/vf0"
    sriovctl enable "$pf" 2
    kill_matrix "assign $pf/vf0 vm1 mac 52:54:00:ff:00:01 vlan 5 trust on" "release $pf/vf0" \
        renameat@1 renameat@2 renameat@3 fsync@2 fsync@3 fsync@5 write@2 write@4 \
        sendmsg@2 sendmsg@4 sendmsg@6 openat@60
}

test_release() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    defer sriovctl release "$pf/vf0"
    sriovctl enable "$pf" 2
    sriovctl assign "$pf/vf0" vm1 mac 52:54:00:ff:00:01 vlan 5 trust on
    kill_matrix "release $pf/vf0" "assign $pf/vf0 vm1 mac 52:54:00:ff:00:01 vlan 5 trust on" \
        renameat@1 fsync@1 fsync@2 write@1 write@2 sendmsg@2 sendmsg@5 unlinkat@1
}

test_set() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    defer sriovctl release "$pf/vf0"
    sriovctl enable "$pf" 2
    sriovctl assign "$pf/vf0" vm1 mac 52:54:00:ff:00:01
    kill_matrix "set $pf/vf0 vlan 6 trust on" "set $pf/vf0 vlan 0 trust off" \
        renameat@1 fsync@1 fsync@2 sendmsg@2 sendmsg@4 sendmsg@6
}

# Killed in the middle of its recovery, it recovers from that too.
test_recovery() {
    local pf before
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    defer sriovctl release "$pf/vf0"
    sriovctl enable "$pf" 1
    before=$(what_matters)
    trace_agent sendmsg@4
    sriovctl assign "$pf/vf0" vm1 mac 52:54:00:ff:00:01 vlan 5 || true
    untrace_agent || fail "the agent wasn't killed"
    for point in sendmsg:4 write:1 renameat:1 fsync:2; do
        expect_status 137 sh -c "strace -f -qq -o /dev/null -e trace=$killing_calls \
            -e inject=${point%:*}:signal=KILL:when=${point#*:} sriovd"
        expect_equal "$(pgrep -x sriovd || true)" ""
    done
    start_agent
    expect_consistent recovery
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac 52:54:00:ff:00:01 vlan 5
    expect_equal "$(vf_value "$pf/vf0" vlan)" 5
    expect_status 0 sriovctl release "$pf/vf0"
    expect_equal "$(what_matters)" "$before"
}

has_state() { [ "$(vf_value "$1" state)" = "$2" ]; }

# Guests don't notice: the agent holds nothing that they need.
test_guest_runs_on() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 0
    defer sriovctl release "$pf/vf0"
    sriovctl enable "$pf" 2
    sriovctl assign "$pf/vf0" vm1
    start_guest vm1 guest.pings=150 guest.interval=0.1
    wait_for 60 has_text "$console" '^64 bytes from .* seq=5 '
    stop_agent -KILL
    expect_status 7 sriovctl list
    start_agent
    expect_equal "$(vf_value "$pf/vf0" vm)" vm1
    wait_for 20 has_state "$pf/vf0" in-use
    expect_refusal 4 "$pf/vf0 \(vm1\)" sriovctl enable "$pf" 0
    expect_refusal 4 "$pf/vf0 is assigned to vm1" sriovctl assign "$pf/vf0" vm2
    expect_refusal 4 "$pf/vf0.*power the VM off" sriovctl set "$pf/vf0" mac 52:54:00:ff:00:09
    expect_status 0 sriovctl assign "$pf/vf1" vm2
    expect_status 0 sriovctl release "$pf/vf1"
    ! grep -q ' received$' "$console" || fail "the pings ended before the agent came back"
    wait_for 90 has_text "$console" '^guest: [0-9]+ received'
    grep -q '^guest: 150 received' "$console" || fail "lost pings: $(grep received "$console")"
    end_guests
    wait_for 10 sriovctl release "$pf/vf0"
}
