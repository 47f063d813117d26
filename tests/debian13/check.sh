#!/usr/bin/env bash
# Coppice on Debian 13, in a folder of this machine: installs it there, builds, tests, and goes on with runs that this
# system has begun, and the other way round.
#
#   tests/debian13/check.sh [--reduced | --prepare] [FOLDER]
#
# FOLDER (COPPICE_DEBIAN13, build/debian13) is kept, so that the next time takes minutes less; rm -rf it freely.
# --reduced: build, unit tests but for what only computes, the demo, signals, small jobs on both systems,
# without the rest of `make check` and Slurm. --prepare: only installs and builds, for a later call. Prints a line for each step, then "N passed, N failed, N skipped". Needs root and a mirror
# (COPPICE_MIRROR, else the one that this machine installs from).
# shellcheck disable=SC2317 # functions that step() calls
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
here=tests/debian13
mode=whole
case ${1:-} in
    --reduced | --prepare)
        mode=${1#--}
        shift
        ;;
esac
root=${1:-${COPPICE_DEBIAN13:-build/debian13}}
passed=0 failed=0 skipped=0

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
    exit
}
skip() {
    skipped=$((skipped + 1))
    echo "skip  Debian 13: $*"
    finish
}

[ "$(id -u)" = 0 ] || skip "not root"
unshare --mount --pid --uts --fork true 2>/dev/null || skip "no namespaces for mounts and processes here"
if ! command -v debootstrap >/dev/null 2>&1; then
    { apt-get update && apt-get install -y -o DPkg::Lock::Timeout=120 --no-install-recommends debootstrap; } >/dev/null 2>&1 ||
        skip "debootstrap is not installed, and cannot be"
fi
mirror=${COPPICE_MIRROR:-}
if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016 # apt's own variable
    mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -E '/debian/?$' | head -n 1)
    mirror=${mirror:-http://deb.debian.org/debian}
fi
mkdir -p "$root"
root=$(cd "$root" && pwd)
scratch=$(mktemp -d)
log=$scratch/log
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# step NAME COMMAND...: one test; what it prints of itself is shown, all of it when it fails
step() {
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name ($((SECONDS - start)) s)"
        grep -E '^(\* |skip)' "$log" | sed 's/^/      /' || true
    else
        failed=$((failed + 1))
        echo "FAIL  $name ($((SECONDS - start)) s)"
        tail -n 60 "$log" | sed 's/^/      /'
        return 1
    fi
}

# suite NAME COMMAND...: tests with a closing line of counts, which are added
suite() {
    local name=$1 start=$SECONDS counts
    shift
    "$@" 2>&1 | tee "$log" | grep --line-buffered -E '^(FAIL|skip|      )' || true
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    if [ -n "$counts" ]; then
        # shellcheck disable=SC2086
        set -- $counts
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
    else
        failed=$((failed + 1))
        tail -n 60 "$log" | sed 's/^/      /'
    fi
    echo "      $name: ${counts:-no counts} ($((SECONDS - start)) s)"
}

# What make was told here, its compiler say, is for here.
there() {
    env -u BUILD -u COPPICE -u CC -u CFLAGS -u LDFLAGS -u NVCC -u OPT -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES \
        "$here/enter.sh" "$root" --share "$scratch" "$@"
}

# --- the system ---

install() {
    rm -rf "${root:?}"/*
    debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$mirror" || return 1
    # Nobody reads these here, and nobody needs them after a loss of power.
    printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$root/etc/dpkg/dpkg.cfg.d/coppice"
    echo force-unsafe-io >>"$root/etc/dpkg/dpkg.cfg.d/coppice"
    touch "$root/.installed"
}

# The tree as it is here, committed or not; its times, so that make builds what has changed.
copy() {
    mkdir -p "$root/coppice"
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done >"$scratch/files"
    (cd "$root/coppice" && find . -path ./build -prune -o -type f -print0 | xargs -0r rm -f)
    tar -c --null -T "$scratch/files" | tar -x -C "$root/coppice"
}

if [ ! -e "$root/.installed" ]; then
    if ! install >"$log" 2>&1; then
        tail -n 5 "$log" | sed 's/^/      /'
        skip "debootstrap could not install it from $mirror"
    fi
    echo "      Debian 13 installed in $root ($SECONDS s)"
fi
copy || exit 1
step "Debian 13: packages" there sh .ci/deps check || finish
# shellcheck disable=SC2016 # its own processors
step "Debian 13: build without a warning" there sh -c 'make -j"$(nproc)" WERROR=1 all unit' || finish

[ "$mode" != prepare ] || finish

# --- tests of its own ---

if [ "$mode" = reduced ]; then
    # shellcheck disable=SC2016 # its own processors
    suite "Debian 13: unit tests" there sh -c 'python3 tests/run.py --without planted --at-once "$(nproc)" unit'
    suite "Debian 13: mpirun and signals" there python3 tests/run.py --only mpirun e2e
    suite "Debian 13: the demo and its digest" there python3 tests/run.py --only gain e2e
else
    suite "Debian 13: make check" there make check
    step "Debian 13: make demo" there sh -c 'rm -rf runs/demo && make demo'
    suite "Debian 13: make check-slurm" there make check-slurm
fi

# --- one run on two systems ---

side() { COPPICE=${BUILD:-$PWD/build}/coppice python3 "$here"/side.py "$@"; }
other() { there python3 "$here"/side.py "$@"; }
# h5py is Debian's, whatever Python comes first here.
see() { COPPICE=${BUILD:-$PWD/build}/coppice /usr/bin/python3 "$here"/side.py show "$@"; }
both() {
    side whole "$scratch/here" && side begin "$scratch/here-there" && other whole /shared/there &&
        other begin /shared/there-here && other end /shared/here-there && side end "$scratch/there-here" &&
        see "$scratch"/{here,there,here-there,there-here} >"$scratch/here.json" &&
        other show /shared/{here,there,here-there,there-here} >"$scratch/there.json" &&
        python3 "$here"/compare.py "$scratch/here.json" "$scratch/there.json"
}
step "small jobs here and on Debian 13, and begun on one and ended on the other" both || true
finish
