# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The agent as its callers see it: who may, what is promised (--dry-run, --no-wait, --json), and
# callers at the same time.
#
# host: --nics 2 --wire
# deadline: 90

setup_suite() { sriovctl enable "$(pf_name 0)" 2; }
teardown_suite() { sriovctl enable "$(pf_name 0)" 0; }

as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }

test_only_root_changes() {
    local pf line
    pf=$(pf_name 0)
    while read -ra line; do
        expect_refusal 6 'user 65534 may not .*only root' as_nobody sriovctl "${line[@]}"
    done <<EOT
enable $pf 0
assign $pf/vf0 vm1
release $pf/vf0
set $pf/vf0 vlan 5
assign $pf/vf0 vm1 --dry-run
EOT
    expect_status 0 as_nobody sriovctl list --json
    expect_equal "$(jq '.[0].vfs | length' <<<"$output")" 2
    expect_status 0 as_nobody sriovctl list vm
    expect_status 0 as_nobody sriovctl show "$pf/vf0"
    # By any other client too, also one that says it is somebody else.
    expect_status 1 as_nobody dbus-send --system --print-reply --dest=org.sriovctl.Manager1 \
        /org/sriovctl/Manager1 org.sriovctl.Manager1.Enable \
        "string:$pf" uint32:0 dict:string:string:uid,0
    expect_output 'org.sriovctl.Error.AccessDenied'
}

test_no_agent() {
    stop_agent
    defer start_agent
    expect_status 7 sriovctl list
    expect_output "sriovd\) isn't running: systemctl start sriovd"
    expect_status 7 sriovctl assign vf0 vm1
    expect_status 7 sriov-vmm --name vm1 --kernel /lab/guest/vmlinux
    expect_output 'sriovd'
}

test_second_agent() {
    expect_refusal 4 'another sriovd runs on /var/lib/sriovctl: stop it first' timeout 20 sriovd
    expect_status 0 sriovctl list
}

# expect_keys JQ_PATH KEY...: exactly the keys that the contract fixes are among those there.
expect_keys() {
    local path=$1 missing
    shift
    missing=$(jq -r --args "$path | keys as \$k | (\$ARGS.positional - \$k)[]" "$@" <<<"$output")
    [ -z "$missing" ] || fail "$path lacks: $missing"
}

test_list_keeps_its_contract() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    expect_status 0 sriovctl assign "$pf/vf0" vm1 mac 52:54:00:ee:00:01 vlan 5 qos 1
    expect_status 0 sriovctl list --json
    expect_equal "$(jq -r 'type' <<<"$output")" array
    expect_keys '.[0]' name pci driver numa_node total_vfs num_vfs vfs
    expect_keys '.[0].vfs[0]' name pci driver iommu_group numa_node mac vlan qos proto spoofchk \
        trust link_state max_tx_rate min_tx_rate vm state
    expect_equal "$(jq -c '[.[] | [.name, .pci, .driver, .numa_node, .total_vfs, .num_vfs]]' \
        <<<"$output")" "[[\"$pf\",\"0000:01:00.0\",\"igb\",-1,7,2],[\"$(pf_name 1)\",\"0000:02:00.0\",\"igb\",-1,7,0]]"
    expect_equal "$(jq -c '.[0].vfs[0] | [.name, .pci, .driver, .numa_node, .mac, .vlan, .qos,
        .proto, .spoofchk, .trust, .link_state, .max_tx_rate, .min_tx_rate, .vm, .state]' \
        <<<"$output")" \
        "[\"$pf/vf0\",\"0000:01:10.0\",\"vfio-pci\",-1,\"52:54:00:ee:00:01\",5,1,\"802.1Q\",true,false,\"auto\",0,0,\"vm1\",\"assigned\"]"
    expect_equal "$(jq -r '.[0].vfs[0].iommu_group | type' <<<"$output")" number
    # null where free, and the key is there.
    expect_equal "$(jq -c '.[0].vfs[1] | [has("vm"), .vm, .state]' <<<"$output")" \
        '[true,null,"free"]'
}

# expect_plan VERB...: --dry-run changes nothing and says what is then done.
expect_plan() {
    local planned
    expect_refusal 0 '"dry_run": ?true' sriovctl "$@" --dry-run --json
    expect_equal "$(jq -c '[.changed, ([.steps[].state] | contains(["done"]))]' <<<"$output")" \
        '[false,false]'
    planned=$(jq -c '[.steps[] | [.step, .object, .detail, .state]]' <<<"$output")
    expect_status 0 sriovctl "$@" --json
    expect_equal "$(jq -c '.changed' <<<"$output")" true
    # What was planned has been done, what was so already still is.
    expect_equal "$(jq -c '[.steps[] | [.step, .object, .detail,
        (if .state == "done" then "planned" else .state end)]]' <<<"$output")" "$planned"
    expect_status 0 sriovctl "$@" --json
    expect_equal "$(jq -c '[.changed, .dry_run]' <<<"$output")" '[false,false]'
}

test_dry_run_tells_what_is_done() {
    local pf
    pf=$(pf_name 0)
    defer sriovctl release "$pf/vf0"
    expect_plan assign "$pf/vf0" vm1 mac 52:54:00:ee:00:02 vlan 6
    expect_plan set "$pf/vf0" vlan 7 trust on
    expect_plan release "$pf/vf0"
    defer sriovctl enable "$(pf_name 1)" 0
    expect_plan enable "$(pf_name 1)" 1
    expect_plan enable "$(pf_name 1)" 0
    # On paper for people, too.
    expect_refusal 0 'lease.*vm1 assigning.*planned' sriovctl assign "$pf/vf0" vm1 --dry-run
}

test_no_wait() {
    local pf
    pf=$(pf_name 1)
    defer sriovctl enable "$pf" 0
    expect_status 0 sriovctl enable "$pf" 2 --no-wait
    expect_output "^$pf: the agent does it now"
    # The bus answers meanwhile.
    expect_status 0 sriovctl list
    wait_for 30 sh -c "sriovctl list --json | jq -e '.[1].vfs | map(select(.state == \"free\")) | length == 2'"
}

# outcome FILE...: exit statuses, sorted.
outcomes() { sort "$@" | tr '\n' ' '; }

test_two_assign_one_vf() {
    local pf dir n winner
    pf=$(pf_name 0) dir=$(mktemp -d)
    defer rm -rf "$dir"
    defer sriovctl release "$pf/vf0"
    for n in 1 2 3 4; do
        (sriovctl assign "$pf/vf0" "vm$n" >"$dir/out$n" 2>&1 && echo 0 || echo $?) >"$dir/$n" &
    done
    wait
    expect_equal "$(outcomes "$dir"/[1-4])" "0 4 4 4 "
    winner=$(basename "$(grep -lx 0 "$dir"/[1-4])")
    expect_equal "$(vf_value "$pf/vf0" vm)" "vm$winner"
    expect_equal "$(leases)" "0000:01:10.0 vm$winner assigned"
}

test_any_at_once_gets_different_vfs() {
    local pf dir n
    pf=$(pf_name 0) dir=$(mktemp -d)
    defer rm -rf "$dir"
    defer sriovctl release "$pf/vf0"
    defer sriovctl release "$pf/vf1"
    for n in 1 2 3; do
        (sriovctl assign any "vm$n" >"$dir/out$n" 2>&1 && echo 0 || echo $?) >"$dir/$n" &
    done
    wait
    expect_equal "$(outcomes "$dir"/[1-3])" "0 0 5 "
    expect_equal "$(leases | cut -d' ' -f1 | sort -u | wc -l)" 2
}

# Either the VF is leased before its PF is resized, or it is resized: never both.
test_enable_and_assign_at_once() {
    local pf one other assigned
    pf=$(pf_name 0)
    defer sriovctl enable "$pf" 2
    defer sriovctl release "$pf/vf0"
    (sriovctl assign "$pf/vf0" vm1 && echo 0 || echo $?) >/tmp/assigned 2>/tmp/assigned.err &
    sleep 0."$((RANDOM % 3))"
    other=0
    sriovctl enable "$pf" 1 || other=$?
    wait
    one=$(tail -n1 /tmp/assigned)
    assigned=$(sriovctl list vf --json | jq -r '[.[] | select(.vm)] | length')
    case "$one $other" in
    "0 4") expect_equal "$assigned $(sriovctl list vf --json | jq length)" "1 2" ;;
    "4 0" | "3 0") expect_equal "$assigned $(sriovctl list vf --json | jq length)" "0 1" ;;
    # One after the other.
    "0 0") expect_equal "$assigned $(sriovctl list vf --json | jq length)" "1 1" ;;
    *) fail "assign exited with $one ($(cat /tmp/assigned.err)), enable with $other" ;;
    esac
    expect_equal "$(leases | grep -v ' assigned$' || true)" ""
}
