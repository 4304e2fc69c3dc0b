# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# NICs that come and go while a guest runs, also when nobody behaves: the guest, its VMM, the
# agent, the kernel, the card.
#
# host: --nics 2 --wire
# deadline: 240

scratch=/tmp/hotplug
said=$scratch/vm1.said
mac0=52:54:00:bb:00:00
mac1=52:54:00:bb:00:01

# shellcheck disable=SC2016 # the guest expands them
#
# The guest says which NICs it has whenever that changes, and obeys what is written to its console,
# a line at a time.
watch='o=; while :; do set -- /sys/class/net/*; case $* in $o) ;; *) o=$*; echo guest: nics $(cat /sys/class/net/*/address) ;; esac; usleep 50000; done'
# shellcheck disable=SC2016
obey='while read -r line; do eval $line; echo guest: status $?; done'

# boot VM [WORD...]: in the background, for more than one test; what it says is in VM.said.
boot() {
    local vm=$1
    shift
    rm -f "$scratch/$vm.console"
    mkfifo "$scratch/$vm.console"
    (
        echo 0 >/sys/fs/cgroup/cgroup.procs
        exec setsid sriov-vmm --name "$vm" --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd \
            --memory 256M --cmdline "console=ttyS0 quiet panic=-1 $* guest.run=\"stty -echo; dmesg -c >/dev/null; ($watch) & $obey\"" \
            <>"$scratch/$vm.console" >"$scratch/$vm.said" 2>"$scratch/$vm.log"
    ) &
    disown
    wait_for 60 has_text "$scratch/$vm.said" '^guest: nics'
}

# pid VM: of its VMM.
pid() { pgrep -x -f "sriov-vmm --name $1 .*"; }

unboot() {
    pkill -KILL -x -f "sriov-vmm --name $1 .*" || true
    wait_for 10 sh -c "! pgrep -x -f 'sriov-vmm --name $1 .*'"
    wait_for 10 sh -c "! sriovctl list vm --json | jq -e '.[] | select(.name == \"$1\" and .running)'"
}

# tell VM COMMAND: have its guest run it; prints what it says.
tell() {
    local said=$scratch/$1.said before lines
    before=$(grep -c '^guest: status' "$said") || true
    lines=$(wc -l <"$said")
    echo "$2" >"$scratch/$1.console"
    wait_for 30 has_answered "$said" "$before"
    tail -n "+$((lines + 1))" "$said" | tr -d '\r' | sed '/^guest: /d'
}

has_answered() { [ "$(grep -c '^guest: status' "$1")" -gt "$2" ]; }

# has_nic VM MAC: does its guest see it now?
has_nic() { grep '^guest: nics' "$scratch/$1.said" | tail -n 1 | grep -q " $2"; }
lacks_nic() { ! has_nic "$@"; }

# pings_by VM MAC: through that NIC, once it has its carrier.
pings_by() {
    output=$(tell "$1" "nic=\$(grep -l $2 /sys/class/net/*/address); nic=\${nic%/address}; nic=\${nic##*/}; ip link set \$nic up; ip addr add 10.0.2.20/24 dev \$nic; n=0; while [ \$n -lt 10 ] && ! ping -I \$nic -c 1 -W 1 10.0.2.2 >/dev/null; do n=\$((n + 1)); done; ping -I \$nic -c 3 -i 0.1 -W 2 10.0.2.2")
    expect_output '^3 packets transmitted, 3 packets received'
}

# expect_quiet VM: its kernel warned of nothing since it booted, but of slow emulation.
expect_quiet() {
    expect_equal "$(tell "$1" "dmesg -r | grep '^<[0-4]>' | grep -v 'hrtimer: interrupt took'")" ""
}

vf() { echo "$(pf_name 0)/vf$1"; }

# expect_returned VF: as it was before it was anybody's.
expect_returned() {
    expect_equal "$(sriovctl list --json | jq -r --arg vf "$1" '.[].vfs[] | select(.name == $vf) |
        "\(.state) \(.vm) \(.guest) \(.mac) \(.driver)"')" "free null null 00:00:00:00:00:00 vfio-pci"
}

is_returned() { [ "$(vf_value "$1" state)" = free ]; }
is_guest_state() { [ "$(vf_value "$1" guest)" = "$2" ]; }

# follow: events of the agent from now on.
follow() {
    sriovctl monitor --json >$scratch/events &
    defer unfollow $!
    sleep 1
}

unfollow() {
    kill "$1"
    wait "$1" || true
}

# events OBJECT...: what happened to it, by any of these names, in words on a line.
events() {
    jq -r --args 'select(.object as $o | $ARGS.positional | index($o)) | .event' "$@" \
        <$scratch/events | tr '\n' ' '
}

setup_suite() {
    mkdir -p $scratch
    unboot vm1
    sriovctl enable "$(pf_name 0)" 2
    boot vm1
}

teardown_suite() {
    unboot vm1
    sriovctl enable "$(pf_name 0)" 0
    rm -r $scratch
}

test_add_and_remove() {
    local vf address
    vf=$(vf 0) address=$(vf_address "$(pf_address 0)" 0)
    defer sriovctl release "$vf"
    follow
    expect_status 0 sriovctl assign "$vf" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
    # shellcheck disable=SC2016
    expect_equal "$(tell vm1 'basename $(readlink /sys/class/net/eth0/device/driver)')" igbvf
    wait_for 5 is_guest_state "$vf" active
    expect_equal "$(vf_value "$vf" state)" in-use
    pings_by vm1 $mac0
    expect_status 0 sriovctl release "$vf"
    expect_returned "$vf"
    wait_for 5 lacks_nic vm1 $mac0
    # shellcheck disable=SC2016
    wait_for 5 sh -c 'jq -e "select(.event == \"returned\")" <'"$scratch/events"
    output=$(events "$vf" "$address")
    expect_output 'mac reset lease plugged plug assigned active requested acknowledged ejected unplug reset mac forget'
}

test_no_wait() {
    local vf
    vf=$(vf 0)
    defer sriovctl release "$vf"
    expect_status 0 sriovctl assign --no-wait "$vf" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
    wait_for 5 is_guest_state "$vf" active
    expect_status 0 sriovctl release --no-wait "$vf"
    [ "$(vf_value "$vf" state)" != in-use ] || fail "it isn't on its way"
    wait_for 10 is_returned "$vf"
    expect_returned "$vf"
}

test_two_in_turn_and_together() {
    local one two
    one=$(vf 0) two=$(vf 1)
    defer sriovctl release "$one"
    defer sriovctl release "$two"
    expect_status 0 sriovctl assign "$one" vm1 mac $mac0
    expect_status 0 sriovctl assign "$two" vm1 mac $mac1
    wait_for 10 has_nic vm1 $mac1
    pings_by vm1 $mac1
    # Both are asked back before either is given.
    sriovctl release "$one" &
    sriovctl release "$two"
    wait $!
    expect_returned "$one"
    expect_returned "$two"
    wait_for 5 lacks_nic vm1 $mac0
    sriovctl assign "$one" vm1 mac $mac0 &
    sriovctl assign "$two" vm1 mac $mac1
    wait $!
    wait_for 10 has_nic vm1 $mac0
    wait_for 10 has_nic vm1 $mac1
    # The other stays when one goes.
    expect_status 0 sriovctl release "$one"
    wait_for 5 lacks_nic vm1 $mac0
    pings_by vm1 $mac1
    expect_status 0 sriovctl release "$two"
    expect_quiet vm1
}

test_same_vf_again_at_once() {
    local vf
    vf=$(vf 0)
    defer sriovctl release "$vf"
    for _ in 1 2 3; do
        sriovctl assign "$vf" vm1 mac $mac0
        sriovctl release "$vf"
    done
    sriovctl assign "$vf" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
    pings_by vm1 $mac0
    expect_quiet vm1
}

# Whoever comes second is refused or waits; what is so at last is what both say.
test_release_during_assign() {
    local vf delay assigning status
    vf=$(vf 0)
    defer sriovctl release "$vf"
    for delay in 0 0.1 0.2 0.3 0.5; do
        sriovctl assign "$vf" vm1 mac $mac0 &
        assigning=$!
        sleep $delay
        run sriovctl release "$vf"
        [ "$status" = 0 ] || [ "$status" = 4 ] || fail "release exited with $status"
        wait $assigning || [ $? = 4 ] || fail "assign failed otherwise"
        if [ "$(vf_value "$vf" vm)" = vm1 ]; then
            wait_for 10 is_guest_state "$vf" active
            wait_for 10 has_nic vm1 $mac0
            expect_status 0 sriovctl release "$vf"
        fi
        expect_returned "$vf"
        wait_for 5 lacks_nic vm1 $mac0
    done
}

test_virtio() {
    local id mac=52:54:00:bb:00:02
    defer sriovctl release "$(vf 0)"
    defer sriovctl release "$(vf 1)"
    sriovctl assign "$(vf 0)" other
    sriovctl assign "$(vf 1)" other
    expect_status 0 sriovctl assign any vm1 fallback virtio mac $mac
    wait_for 10 has_nic vm1 $mac
    pings_by vm1 $mac
    id=$(sriovctl list vm --json | jq -r '.[] | select(.name == "vm1") | .nics[0].name')
    expect_status 0 sriovctl release "$id"
    wait_for 5 lacks_nic vm1 $mac
    expect_equal "$(sriovctl list vm --json | jq -c '.[] | select(.name == "vm1") | .nics')" "[]"
    expect_equal "$(find "/proc/$(pid vm1)/fd" -lname '/dev/*tap*' -o -lname '/dev/net/tun' \
        -o -lname '/dev/vhost-net')" ""
    expect_quiet vm1
}

# seconds_of COMMAND...: how long it took, in $took.
seconds_of() {
    local began=$SECONDS
    "$@"
    took=$((SECONDS - began))
}

# Without acpiphp nobody answers; a guest that has halted doesn't even listen.
test_guest_that_never_answers() {
    local one two took
    one=$(vf 0) two=$(vf 1)
    defer sriovctl release "$one"
    defer sriovctl release "$two"
    sriovctl assign "$one" vm2 mac $mac0
    sriovctl assign "$two" vm2 mac $mac1
    defer unboot vm2
    boot vm2 acpiphp.disable=1
    wait_for 5 has_nic vm2 $mac1
    follow
    seconds_of expect_status 0 sriovctl release --timeout 2 "$one"
    ((took >= 1 && took <= 8)) || fail "it took $took s"
    expect_returned "$one"
    output=$(events "$one" "$(vf_address "$(pf_address 0)" 0)")
    expect_output 'requested .*revoked unplug reset .*returned'
    refuse_output ejected
    # The guest goes on, and so does its other NIC.
    pings_by vm2 $mac1
    # Revoked, it is as good as new for another.
    sriovctl assign "$one" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
    pings_by vm1 $mac0
    sriovctl release "$one"
    # Asked, and silent: the state is there to see.
    echo 'halt -f' >$scratch/vm2.console
    wait_for 10 has_text $scratch/vm2.said 'System halted'
    expect_status 0 sriovctl release --no-wait --timeout 8 "$two"
    wait_for 3 is_guest_state "$two" requested
    expect_equal "$(vf_value "$two" state)" releasing
    expect_refusal 4 "$two is releasing" sriovctl release "$two"
    expect_refusal 4 "$two is being released from vm2" sriovctl assign "$two" vm1
    # Its neighbours on the PF don't wait for it.
    expect_status 0 sriovctl assign "$one" vm1 mac $mac0
    expect_status 0 sriovctl release "$one"
    expect_equal "$(vf_value "$two" guest)" requested
    wait_for 15 is_returned "$two"
    expect_returned "$two"
    pid vm2 >/dev/null || fail "the VM is gone"
}

# In the state `requested`, first the agent is killed, then the VMM.
test_killed_while_requested() {
    local one two release
    one=$(vf 0) two=$(vf 1)
    defer sriovctl release "$one"
    defer sriovctl release "$two"
    sriovctl assign "$one" vm2 mac $mac0
    sriovctl assign "$two" vm2 mac $mac1
    defer unboot vm2
    boot vm2
    echo 'halt -f' >$scratch/vm2.console
    wait_for 10 has_text $scratch/vm2.said 'System halted'
    sriovctl release --no-wait --timeout 5 "$one"
    wait_for 3 is_guest_state "$one" requested
    stop_agent -KILL
    expect_equal "$(leases | grep -c releasing)" 1
    start_agent
    # The deadline that counts is the earlier.
    wait_for 20 is_returned "$one"
    expect_returned "$one"
    expect_equal "$(vf_value "$two" guest)" active
    sriovctl release --timeout 60 "$two" &
    release=$!
    wait_for 3 is_guest_state "$two" requested
    seconds_of unboot vm2
    wait $release
    [ "$took" -le 20 ] || fail "the VF came back $took s after its VMM had ended"
    expect_returned "$two"
}

# What the VM holds is asked of it by the next agent.
test_agent_killed_after_assign() {
    local vf
    vf=$(vf 0)
    defer sriovctl release "$vf"
    sriovctl assign "$vf" vm1 mac $mac0
    stop_agent -KILL
    start_agent
    wait_for 10 is_guest_state "$vf" active
    wait_for 10 has_nic vm1 $mac0
    pings_by vm1 $mac0
    expect_status 0 sriovctl release "$vf"
    expect_returned "$vf"
    wait_for 5 lacks_nic vm1 $mac0
    expect_status 0 sriovctl assign "$vf" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
}

# VFIO's request event: who writes to `unbind` waits until the guest has let go.
test_kernel_wants_it_back() {
    local vf address
    vf=$(vf 0) address=$(vf_address "$(pf_address 0)" 0)
    defer sriovctl release "$vf"
    sriovctl assign "$vf" vm1 mac $mac0
    wait_for 5 is_guest_state "$vf" active
    seconds_of timeout 20 sh -c "echo $address >/sys/bus/pci/drivers/vfio-pci/unbind"
    echo "unbinding took $took s"
    wait_for 5 lacks_nic vm1 $mac0
    # It is vm1's still, and nobody uses it.
    expect_equal "$(sriovctl list --json | jq -r --arg vf "$vf" '.[].vfs[] | select(.name == $vf) |
        "\(.state) \(.vm) \(.guest) \(.driver)"')" "assigned vm1 null null"
    # Assigned again it is what it was before.
    expect_status 0 sriovctl assign "$vf" vm1
    wait_for 10 has_nic vm1 $mac0
    pings_by vm1 $mac0
    wait_for 5 is_guest_state "$vf" active
    timeout 20 sh -c "echo $address >/sys/bus/pci/drivers/vfio-pci/unbind"
    expect_status 0 sriovctl release "$vf"
    expect_returned "$vf"
    expect_quiet vm1
}

# inject ADDRESS: an uncorrectable error that isn't fatal (a completion timed out).
inject() {
    local address=$1
    [ -e /dev/aer_inject ] || modprobe aer_inject
    # struct aer_error_inj: bus, device, function, uncorrectable, correctable, header log, domain.
    # shellcheck disable=SC2059
    printf "\\x${address:5:2}\\x${address:8:2}\\x0${address:11:1}\\0\\0\\x40\\0\\0$(printf '\\0%.0s' {1..24})" \
        >/dev/aer_inject
}

# VFIO's error event. The kernel sends it to every VF of the card that reports: those leave. The
# VM lives, with the VF of another card.
test_aer() {
    local one two
    one=$(vf 0) two=$(pf_name 1)/vf0
    defer sriovctl enable "$(pf_name 1)" 0
    defer sriovctl release "$one"
    defer sriovctl release "$two"
    sriovctl enable "$(pf_name 1)" 1
    sriovctl assign "$one" vm1 mac $mac0
    sriovctl assign "$two" vm1 mac $mac1
    wait_for 10 has_nic vm1 $mac1
    wait_for 5 is_guest_state "$two" active
    follow
    inject "$(vf_address "$(pf_address 0)" 0)"
    wait_for 10 lacks_nic vm1 $mac0
    pings_by vm1 $mac1
    # shellcheck disable=SC2034 # for expect_output
    output=$(jq -r '"\(.event) \(.object) \(.text)"' <$scratch/events)
    expect_output "^revoked .*error"
    expect_equal "$(vf_value "$one" guest)" null
    expect_equal "$(vf_value "$one" vm)" vm1
    expect_equal "$(vf_value "$two" guest)" active
    expect_status 0 sriovctl release "$one"
    expect_returned "$one"
    expect_status 0 sriovctl assign "$one" vm1 mac $mac0
    wait_for 10 has_nic vm1 $mac0
    pings_by vm1 $mac0
}

# holdings: all that one addition could leave behind, in the VMM, the agent, the host, the guest.
holdings() {
    local process
    for process in $(pid vm1) $(pgrep -x sriovd); do
        echo "fds of $(cat "/proc/$process/comm")"
        find "/proc/$process/fd" -type l -printf '%l\n' | sed 's/:\[[0-9]*\]$//' | sort | uniq -c
    done
    echo "mappings $(wc -l <"/proc/$(pid vm1)/maps")"
    grep -E '^(VmLck|VmPin|Threads):' "/proc/$(pid vm1)/status"
    echo "groups $(find /sys/kernel/iommu_groups -mindepth 1 -maxdepth 1 | wc -l)"
    echo "interrupts $(grep -c vfio /proc/interrupts)"
    echo "leases $(leases)"
    tell vm1 'ls /sys/bus/pci/devices /sys/class/net; grep -c . /proc/interrupts; cat /proc/iomem'
}

# cycle N: NIC N comes and goes, until it did that often or time is up.
cycle() {
    local n=0
    while [ $n -lt "$cycles" ] && [ $SECONDS -lt "$until" ]; do
        sriovctl assign "$(vf "$1")" vm1 mac "52:54:00:bb:00:0$1" >/dev/null
        sriovctl release "$(vf "$1")" >/dev/null
        n=$((n + 1))
    done
    echo $n >"$scratch/cycles$1"
}

# Two VFs, each for itself: 100 times in all, or as often as goes into 45 seconds. HOTPLUG_CYCLES (an
# even number) is how often it must be, up to the deadline:
#   lab/run -- env HOTPLUG_CYCLES=100 /src/tests/lab/harness hotplug/cycles /src/tests/lab/hotplug.sh
test_cycles() {
    local until=$((SECONDS + 220)) cycles=2 n
    defer sriovctl release "$(vf 0)"
    defer sriovctl release "$(vf 1)"
    # What is set up once, and stays.
    cycle 0
    cycle 1
    holdings >$scratch/before
    cycles=$((${HOTPLUG_CYCLES:-100} / 2))
    [ -n "${HOTPLUG_CYCLES:-}" ] || until=$((SECONDS + 45))
    cycle 0 &
    n=$!
    cycle 1
    wait $n
    n=$(($(cat $scratch/cycles0) + $(cat $scratch/cycles1)))
    echo "$n cycles"
    [ $n -ge "${HOTPLUG_CYCLES:-20}" ] || fail "only $n cycles"
    holdings >$scratch/after
    diff $scratch/before $scratch/after || fail "$n cycles left something behind"
    expect_quiet vm1
}
