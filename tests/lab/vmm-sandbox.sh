# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a VMM can still do while its guest runs: nothing but run it.
#
# host: --nics 2 --wire
# deadline: 60

scratch=/tmp/vmm-sandbox

# One guest for all tests, with a VF, a virtio NIC and two CPUs.
setup_suite() {
    local pf
    pf=$(pf_name 0)
    mkdir -p $scratch
    sriovctl enable "$pf" 1
    sriovctl assign "$pf/vf0" box
    sriovctl assign any box fallback virtio
    (
        echo 0 >/sys/fs/cgroup/cgroup.procs
        exec setsid sriov-vmm --name box --kernel /lab/guest/vmlinux --initrd /lab/guest/initrd \
            --cmdline "console=ttyS0 quiet guest.end=hold" --cpus 2
    ) </dev/null >$scratch/said 2>$scratch/log &
    wait_for 40 has_text $scratch/said '^guest: 5 received'
}

teardown_suite() {
    pkill -x sriov-vmm
    wait_for 10 sh -c '! pgrep -x sriov-vmm'
    sriovctl list vm --json | jq -r '.[].nics[].name' | while read -r nic; do
        sriovctl release "$nic"
    done
    sriovctl enable "$(pf_name 0)" 0
    rm -r $scratch
}

vmm() { pgrep -x sriov-vmm; }

# every FIELD VALUE: in the status of all threads, vhost's too, which the kernel runs.
every() {
    local values
    values=$(sed -n "s/^$1:[[:space:]]*/=/p" /proc/"$(vmm)"/task/*/status | tr '\t' ' ')
    [ "$(wc -l <<<"$values")" -ge 4 ] || fail "$(wc -l <<<"$values") threads only"
    expect_equal "$(sort -u <<<"$values")" "=$2"
}

test_every_thread_is_nobody() {
    local uid gid set
    uid=$(id -u sriov-vmm) gid=$(id -g sriov-vmm)
    every Uid "$uid $uid $uid $uid"
    every Gid "$gid $gid $gid $gid"
    every Groups ""
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        every $set 0000000000000000
    done
    every NoNewPrivs 1
    every Seccomp 2
}

# Another process of the same user reads neither its memory nor its files.
test_not_for_its_own_user_either() {
    local pid
    pid=$(vmm)
    expect_status 2 setpriv --reuid sriov-vmm --regid sriov-vmm --clear-groups ls "/proc/$pid/fd"
    expect_output 'Permission denied'
    expect_status 1 setpriv --reuid sriov-vmm --regid sriov-vmm --clear-groups \
        head -c 1 "/proc/$pid/mem"
    expect_output 'Permission denied'
}

# What it holds open is what it was given, and nothing that leads further.
test_open_files() {
    local odd
    find "/proc/$(vmm)/fd" -type l -printf '%l\n' | sort | uniq -c
    odd=$(find "/proc/$(vmm)/fd" -type l -printf '%l\n' | grep -Evx \
        -e '/dev/null' -e '/dev/kvm' -e "$scratch/(said|log)" -e '/lab/guest/(vmlinux|initrd)' \
        -e 'anon_inode:(kvm-vm|kvm-vcpu:[0-9]|kvm-vfio|\[?(eventfd|eventpoll|timerfd|signalfd|vfio-device)\]?)' \
        -e '/dev/vfio/vfio' -e '/dev/vfio/[0-9]+' -e '/dev/(tap[0-9]+|net/tun)' -e '/dev/vhost-net' \
        -e 'socket:\[[0-9]+\]') || true
    expect_equal "$odd" ""
    # The agent's: the conversation, and the listener for the agent after it.
    expect_equal "$(find "/proc/$(vmm)/fd" -lname 'socket:*' | wc -l)" 2
}

test_agent_holds_no_vfio() {
    expect_equal "$(find "/proc/$(pgrep -x sriovd)"/task/*/fd -lname '/dev/vfio/*')" ""
    expect_equal "$(find "/proc/$(pgrep -x sriovd)"/task/*/fd -lname '*vfio-device*')" ""
}

# No memory is both written and run, and only what the libraries' names say is run at all.
test_code() {
    expect_equal "$(awk '$2 ~ /w/ && $2 ~ /x/' "/proc/$(vmm)/maps")" ""
    expect_equal "$(ldd /usr/bin/sriov-vmm | awk '!/vdso|ld-linux/ { print $1 }' | sort | tr '\n' ' ')" \
        "libc.so.6 libseccomp.so.2 "
}
