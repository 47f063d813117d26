#!/bin/sh
# Builds every fuzz target with clang's libFuzzer, AddressSanitizer and UBSan:
#
#   sh tests/fuzz/build.sh [FOLDER]        (default build-fuzz)
#
# and, with a number, runs them in turn for so many seconds each, all or only those named:
#
#   sh tests/fuzz/build.sh build-fuzz 600
#   sh tests/fuzz/build.sh build-fuzz 60 config recipe
#
# Inputs that were found stay in FOLDER/found, the log and a failing input beside the program.
# A failing input again: build-fuzz/fuzz_config INPUT.
# On Debian: apt-get install clang libclang-rt-14-dev. Inputs worth keeping go into
# tests/fuzz/corpus/, which `make check` replays.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build-fuzz}
seconds=${2:-0}
clang=${CLANG:-clang}
checks=address,undefined
# One thread, so no OpenMP; what UBSan finds ends the run.
flags="-g -O1 -fno-openmp -fno-omit-frame-pointer -fno-sanitize-recover=undefined"

make --no-print-directory CC="$clang" BUILD="$build" OPT= \
    CFLAGS="$flags -fsanitize=fuzzer-no-link,$checks" \
    LAYERS='base unicode json noise rebuild jinja tokenizer chat data job checkpoint recipe export backend model child task task/math task/program' "$build/libcoppice.a"
packages='jansson yaml-0.1 libpcre2-8 libutf8proc libcrypto'
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    echo "  FUZZ  $build/$name"
    # shellcheck disable=SC2046,SC2086
    "$clang" -std=c11 -D_GNU_SOURCE $flags -fsanitize=fuzzer,$checks -Iinclude -Isrc -Itests \
        $(pkg-config --cflags $packages) -o "$build/$name" "$source" "$build/libcoppice.a" \
        $(pkg-config --libs $packages) -lm
done
[ "$seconds" -gt 0 ] || exit 0

if [ $# -gt 2 ]; then
    shift 2
else
    # shellcheck disable=SC2046
    set -- $(basename -s .c tests/fuzz/fuzz_*.c | sed 's/^fuzz_//')
fi
bad=0
for kind in "$@"; do
    name=fuzz_$kind
    found=$build/found/$kind
    mkdir -p "$found"
    words=
    [ ! -f "tests/fuzz/$kind.dict" ] || words=-dict=tests/fuzz/$kind.dict
    # shellcheck disable=SC2086
    if "$build/$name" -max_total_time="$seconds" -max_len=4096 -timeout=25 -rss_limit_mb=2048 $words \
        -artifact_prefix="$build/$kind-" "$found" "tests/fuzz/corpus/$kind" >"$build/$name.log" 2>&1; then
        echo "ok    $name: $(grep -E '^Done' "$build/$name.log")"
    else
        bad=1
        echo "FAIL  $name: see $build/$name.log"
        grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$build/$name.log" || true
    fi
done
exit $bad
