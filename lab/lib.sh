# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the lab's scripts share: messages, the cache and its locks, and a namespace
# of their own. Sourced, never run.
#
# Every script that mounts or starts something first calls lab_enter: it goes on in a
# private mount and pid namespace whose life hangs on the caller's. However the caller
# ends, SIGKILL included, the kernel ends every process and mount made in there.
#
# The cache (SRIOVCTL_LAB_CACHE, /var/cache/sriovctl-lab):
#   lock            held while a root is looked up, built or removed
#   KEY/            all that depends on one package list and one make-root
#     root/         a Debian root file system, never written once complete
#     boot-KEY/     kernel, host initramfs, guest images
#     build/TREE/   this tree's copy and its builds, one folder a flavour
#     use           shared lock of everyone who uses KEY
#   KEY.tmp/        one being built: renamed when complete, removed by the next builder

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_tree=$(dirname "$lab_dir")
lab_cache=${SRIOVCTL_LAB_CACHE:-/var/cache/sriovctl-lab}

# What a script returns when the lab, not the command in it, fails.
LAB_FAILED=125

say() { echo "lab: $*" >&2; }

die() {
    say "$*"
    exit "$LAB_FAILED"
}

# stage NAME COMMAND...: run COMMAND in a subshell, its output in a log; show the name and the
# seconds, and the log's end if it fails.
stage() {
    local name=$1 log began status
    shift
    log=$(mktemp)
    began=$SECONDS
    say "$name..."
    # Not as a condition: in one, bash would ignore set -e in COMMAND.
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status = 0 ]; then
        say "$name: $((SECONDS - began)) s"
        rm -f "$log"
        return 0
    fi
    tail -n 200 "$log" >&2
    rm -f "$log"
    die "$name failed"
}

# install_missing PROGRAM=PACKAGE...: the machine's own package manager, only if needed.
install_missing() {
    local pair wanted=()
    for pair; do
        command -v "${pair%%=*}" >/dev/null || wanted+=("${pair#*=}")
    done
    [ ${#wanted[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null || die "install ${wanted[*]} (no apt-get on this machine)"
    stage "install ${wanted[*]}" sh -c \
        'apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' \
        sh "${wanted[@]}"
}

# lab_enter "$@": go on in namespaces of our own, in a second run of the calling script.
# Returns in that second run only; the first waits, passes signals on and exits.
lab_enter() {
    local child status
    if [ "${LAB_INSIDE:-}" = 1 ]; then
        unset LAB_INSIDE
        return 0
    fi
    [ "$(id -u)" = 0 ] || die "run me as root (namespaces, chroot and mounts need it)"
    LAB_INSIDE=1 setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@" <&0 &
    child=$!
    trap 'lab_leave "$child" 130' INT
    trap 'lab_leave "$child" 143' TERM
    trap 'lab_leave "$child" 129' HUP
    status=0
    wait "$child" || status=$?
    exit "$status"
}

# Kill the namespace's init rather than unshare: unshare then returns only when the last
# process and mount in it are gone.
lab_leave() {
    trap '' INT TERM HUP
    local init
    init=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || init=
    # shellcheck disable=SC2086 # a list of one or none
    kill -KILL ${init:-$1} 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    exit "$2"
}

hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# lab_root: find or build the root file system; sets lab_key (its folder in the cache) and
# holds it against removal as long as this process lives.
lab_root() {
    local lock
    lab_key=$lab_cache/$(hash_of "$lab_dir/packages" "$lab_dir/make-root")
    mkdir -p "$lab_cache"
    exec {lock}>"$lab_cache/lock"
    flock -n "$lock" || {
        say "waiting for another lab to finish building its root..."
        flock "$lock"
    }
    if [ ! -d "$lab_key" ]; then
        install_missing debootstrap=debootstrap
        rm -rf --one-file-system "$lab_cache"/*.tmp
        "$lab_dir/make-root" "$lab_key.tmp"
        : >"$lab_key.tmp/use"
        mv "$lab_key.tmp" "$lab_key"
        remove_stale
    fi
    exec {lab_use}<"$lab_key/use"
    flock -s "$lab_use"
    exec {lock}>&-
}

# Roots of older lists and scripts, unless somebody runs in them.
remove_stale() {
    local dir
    for dir in "$lab_cache"/*/; do
        dir=${dir%/}
        [ "$dir" = "$lab_key" ] && continue
        [ -e "$dir/use" ] || continue
        flock -n "$dir/use" mv "$dir" "$dir.tmp" || continue
        rm -rf --one-file-system "$dir.tmp"
    done
}

# lab_boot: find or build the kernel, host and guest images; sets lab_images.
lab_boot() {
    local lock
    lab_images=$lab_key/boot-$(hash_of "$lab_dir/make-boot" "$lab_dir/host-init" "$lab_dir/guest-init")
    [ -d "$lab_images" ] && return 0
    exec {lock}>"$lab_key/boot.lock"
    flock "$lock"
    if [ ! -d "$lab_images" ]; then
        rm -rf "$lab_key"/boot-*.tmp
        stage "kernel, host and guest images" "$lab_dir/make-boot" "$lab_key/root" "$lab_images.tmp"
        mv "$lab_images.tmp" "$lab_images"
    fi
    exec {lock}>&-
}

# lab_open_root: in this namespace, make the root fit to chroot into. /mnt in it is a
# tmpfs, the place for everything that belongs to this run only.
lab_open_root() {
    local root=$lab_key/root
    mount -t tmpfs -o mode=755 lab "$root/mnt"
    mkdir "$root/mnt/root"
    # A bind that isn't recursive: the root as it is on disk, without /mnt, /dev and /proc.
    mount --bind "$root" "$root/mnt/root"
    mount -o remount,bind,ro "$root/mnt/root"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmp "$root/tmp"
    mount -t tmpfs run "$root/run"
}

# in_root COMMAND...: run it in the opened root.
in_root() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        chroot "$lab_key/root" "$@"
}

# How each flavour of the tree is configured: its words for configure.
flavour_options() {
    case $1 in
    gcc) echo "CC=gcc" ;;
    clang) echo "CC=clang" ;;
    asan) echo "CC=gcc --enable-sanitizers" ;;
    *) die "no build flavour is called $1: gcc, clang or asan" ;;
    esac
}

# lab_build FLAVOUR [TARGET...]: build this tree in the opened root, only what changed. Works
# on a copy, so that nothing is written to the tree and what lies built in it isn't seen.
# Seen in the root as /mnt/build from then on, and locked until the (sub)shell that called ends.
lab_build() {
    local flavour=$1 options dir
    shift
    options=$(flavour_options "$flavour")
    dir=$lab_key/build/$(echo "$lab_tree" | hash_of)
    if [ ! -d "$lab_key/root/mnt/build" ]; then
        mkdir -p "$dir/src" "$lab_key/root/mnt/build" "$lab_key/root/mnt/tree"
        echo "$lab_tree" >"$dir/path"
        mount --bind "$dir" "$lab_key/root/mnt/build"
        mount --bind "$lab_tree" "$lab_key/root/mnt/tree"
        mount -o remount,bind,ro "$lab_key/root/mnt/tree"
    fi
    if [ -z "${lab_build_lock:-}" ]; then
        exec {lab_build_lock}>"$dir/lock"
        flock "$lab_build_lock"
    fi
    # shellcheck disable=SC2016 # expanded in the root
    in_root bash -euc '
        options=$1 flavour=$2
        shift 2
        rsync --archive --delete --exclude=.git --filter=":- .gitignore" /mnt/tree/ /mnt/build/src
        cd /mnt/build/src
        [ -e configure ] || autoreconf --install
        mkdir -p "../$flavour"
        cd "../$flavour"
        [ -e config.status ] || ../src/configure --quiet --prefix=/usr --sysconfdir=/etc \
            --localstatedir=/var --enable-werror $options
        make --silent -j"$(nproc)" "${@:-all}"' bash "$options" "$flavour" "$@"
}
