#!/bin/sh
# clang-format, cppcheck, clang-tidy over the sources. What is missing is said, not skipped silently.
set -eu
cd "$(dirname "$0")/.."
bad=0
files=$(git ls-files 'src/*.c' 'src/*.h' 'include/*.h' 'tests/*.c' 'tests/*.h')
sources=$(git ls-files 'src/*.c')

if command -v clang-format >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $files && echo "clang-format: clean" || bad=1
else
    echo "clang-format: skipped, not installed (sh .ci/deps lint)"
fi

if command -v cppcheck >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$(nproc)" \
        --enable=warning,portability --suppressions-list=tests/cppcheck-suppressions.txt \
        -Iinclude -Isrc -DCOP_ISA_SUFFIX=_scalar $sources && echo "cppcheck: clean" || bad=1
else
    echo "cppcheck: skipped, not installed (sh .ci/deps lint)"
fi

if command -v clang-tidy >/dev/null 2>&1; then
    flags="-std=c11 -D_GNU_SOURCE -Iinclude -Isrc -fopenmp -DCOP_ISA_SUFFIX=_scalar -DCOP_VERSION=\"\" -DCOP_GIT=\"\"
        -DCOP_COMPILER=\"\" -DCOP_OPT=\"\" $(pkg-config --cflags ompi-c hdf5-serial openblas lapacke hwloc jansson)"
    printf '%s\n' $sources | grep -v '_avx' |
        xargs -P "$(nproc)" -n 1 sh -c 'clang-tidy --quiet "$@" -- '"$flags"' 2>/dev/null' sh >/tmp/coppice-tidy.$$ || bad=1
    grep -E 'warning:|error:' /tmp/coppice-tidy.$$ | sort -u || true
    if grep -qE 'warning:|error:' /tmp/coppice-tidy.$$; then bad=1; else echo "clang-tidy: clean"; fi
    rm -f /tmp/coppice-tidy.$$
else
    echo "clang-tidy: skipped, not installed (sh .ci/deps lint)"
fi
exit $bad
