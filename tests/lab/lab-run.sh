# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lab/run as its caller sees it: output, exit status, and nothing left behind.
#
# host: none
# deadline: 120

lab_run=$(dirname "${BASH_SOURCE[0]}")/../../lab/run

test_words_output_and_status_travel() {
    local words=('a b' '' $'new\nline' "it's" '"q"' "\$HOME" '*' '--nics') out
    out=$(mktemp -d)
    defer rm -r "$out"
    status=0
    # shellcheck disable=SC2016 # expanded in the host
    "$lab_run" --nics 0 -- bash -c 'printf "%s\0" "$@"; echo to stderr >&2; exit 7' bash "${words[@]}" \
        >"$out/out" 2>"$out/err" </dev/null || status=$?
    expect_equal "$status" 7
    printf '%s\0' "${words[@]}" | cmp - "$out/out"
    grep -qx 'to stderr' "$out/err"
}

test_all_output_arrives() {
    expect_equal "$("$lab_run" --nics 0 -- seq 200000 2>/dev/null | sha256sum)" \
        "$(seq 200000 | sha256sum)"
}

test_host_that_dies_is_a_failure_of_the_lab() {
    expect_status 125 "$lab_run" --nics 0 -- sh -c 'echo c >/proc/sysrq-trigger'
    expect_output 'sysrq triggered crash'
}

test_timeout() {
    expect_status 124 "$lab_run" --nics 0 --timeout 5 -- sleep 100
}

nothing_runs() { ! pgrep -f "$1"; }

# Its namespace's init carries the same words; with it the kernel ends all else in there.
test_kill_leaves_nothing() {
    local pid out word="sleep $((RANDOM + 100000))"
    out=$(mktemp)
    defer rm "$out"
    "$lab_run" --nics 0 -- sh -c "echo up; $word" >"$out" 2>&1 </dev/null &
    pid=$!
    wait_for 60 has_text "$out" '^up$'
    kill -KILL "$pid"
    wait_for 5 nothing_runs "lab/run.*$word"
    expect_status 1 grep sriovctl-lab /proc/self/mounts
}

# Both say who they are before either has ended.
test_two_at_once() {
    local dir one two
    dir=$(mktemp -d)
    defer rm -r "$dir"
    local job='cat /proc/sys/kernel/random/boot_id; exec sleep 30'
    "$lab_run" --nics 0 -- sh -c "$job" >"$dir/one" 2>/dev/null </dev/null &
    one=$!
    "$lab_run" --nics 0 -- sh -c "$job" >"$dir/two" 2>/dev/null </dev/null &
    two=$!
    wait_for 100 has_text "$dir/one" '^[0-9a-f-]{36}$'
    wait_for 100 has_text "$dir/two" '^[0-9a-f-]{36}$'
    kill -0 "$one" "$two"
    wait "$one"
    wait "$two"
    expect_status 1 cmp -s "$dir/one" "$dir/two"
}

test_bad_usage() {
    expect_status 2 "$lab_run"
    expect_status 2 "$lab_run" --nics 9 -- true
    expect_status 2 "$lab_run" --share /no/such/folder -- true
    expect_status 2 "$lab_run" --nics 0 --wire /tmp/w -- true
}
