#!/bin/sh
# clang-format over all C, cppcheck and clang-tidy over src/ and the headers it includes, shellcheck over
# all scripts of a shell, committed or not. Exit code 0: all clean.
# What is not installed is said, not skipped silently.
set -eu
cd "$(dirname "$0")/.."
bad=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# list PATTERN...: the files of the repository that are there, new ones included
list() {
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
}
files=$(list 'src/*.c' 'src/*.h' 'src/*.cu' 'src/*.cuh' 'include/*.h' 'tests/*.c' 'tests/*.h' 'tests/*.cc')
sources=$(list 'src/*.c')

# verdict NAME: shows what the linter found, each place once however often it is included
verdict() {
    sed "s|^$PWD/||" "$log" | sort -u
    if [ -s "$log" ]; then bad=1; else echo "$1: clean"; fi
}

if command -v clang-format >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $files 2>&1 | grep error: >"$log" || true
    verdict clang-format
else
    echo "clang-format: skipped, not installed (sh .ci/deps lint)"
fi

if command -v cppcheck >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    cppcheck --quiet --std=c11 --enable=warning,portability --error-exitcode=1 --inline-suppr \
        --template='{file}:{line}:{column}: {severity}: {message} [{id}]' --template-location='' \
        -j "$(nproc)" -Iinclude -Isrc -DCOP_ISA_SUFFIX=_scalar $sources >"$log" 2>&1 ||
        [ -s "$log" ] || echo "cppcheck: failed" >"$log"
    verdict cppcheck
else
    echo "cppcheck: skipped, not installed (sh .ci/deps lint)"
fi

# One process a file: with several, version 14 sees a va_list as uninitialised that is not.
if command -v clang-tidy >/dev/null 2>&1; then
    packages=$(make -s print-PKG_CFLAGS print-MPI_CFLAGS print-BOX_CFLAGS | sed 's/^[A-Z_]* = //' | tr '\n' ' ')
    export TIDY_FLAGS="-std=c11 -D_GNU_SOURCE -DOMPI_SKIP_MPICXX -Iinclude -Isrc -fopenmp $packages
        -DCOP_ISA_SUFFIX=_scalar -DCOP_PLUGIN_BUILD=\"\" -DCOP_VERSION=\"\" -DCOP_GIT=\"\" -DCOP_COMPILER=\"\" -DCOP_OPT=\"\" -DCOP_PYTHON_HOME=\"\""
    # shellcheck disable=SC2016
    printf '%s\n' "$sources" | xargs -P "$(nproc)" -n 1 sh -c '
        case $1 in
            *_avx2.c) isa="-mavx2 -mfma -mf16c" ;;
            *_avx512bf16.c) isa="-mavx512f -mavx512bf16" ;;
            *_avx512.c) isa="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c" ;;
            *) isa= ;;
        esac
        if ! found=$(clang-tidy --quiet "$1" -- $TIDY_FLAGS $isa 2>/dev/null); then
            found="$found
$1: clang-tidy failed"
        fi
        printf "%s\n" "$found" | grep -E "warning:|error:|clang-tidy failed"
        true' sh >"$log"
    verdict clang-tidy
else
    echo "clang-tidy: skipped, not installed (sh .ci/deps lint)"
fi

if command -v shellcheck >/dev/null 2>&1; then
    # shellcheck disable=SC2046
    shellcheck -x -f gcc $(list '*.sh' '*.sbatch' .ci/deps .ci/find .ci/run) >"$log" 2>&1 || true
    verdict shellcheck
else
    echo "shellcheck: skipped, not installed (sh .ci/deps lint)"
fi
exit $bad
