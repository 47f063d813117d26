#!/bin/sh
# How many lines of each folder of src/ the unit tests reach, by gcov.
#   sh .ci/reach.sh [WORD...]    with only the tests whose names contain one of the words
set -eu
cd "$(dirname "$0")/.."
build='build-reach'
make -j"$(nproc)" BUILD=$build OPT='-O0 -g' CFLAGS=--coverage SAN_LIBS=--coverage NVCC= unit >/dev/null
find $build -name '*.gcda' -delete
for word in "${@:-}"; do
    python3 tests/run.py --build $build ${word:+--only "$word"} unit | grep -E '^FAIL' || true
done
find $build/src -name '*.gcno' | while read -r notes; do
    gcov -n -o "$(dirname "$notes")" "$notes" 2>/dev/null
done | awk '
    /^File / { file = $2; gsub("\x27", "", file); next }
    /^Lines executed/ && file ~ /^src\/.*\.c$/ {
        split($0, a, "[:% ]+"); split(file, part, "/")
        lines[part[2]] += a[5]; reached[part[2]] += a[3] * a[5] / 100
    }
    END { for (f in lines) printf "%-12s %6d lines  %3.0f%% reached\n", f, lines[f], 100 * reached[f] / lines[f] }' | sort
