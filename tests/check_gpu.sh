#!/bin/sh
# The tests of backends and models on this machine's GPU, then under compute-sanitizer.
#   sh tests/check_gpu.sh BUILD
set -eu
build=$1
if [ ! -f "$build/libcoppice_cuda.so" ]; then
    echo "skip: no CUDA plug-in was built: nvcc is not found (make info)"
    exit 0
fi
if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "skip: this machine has no GPU, or no driver for it"
    exit 0
fi
if [ ! -x "$build/tests/test_backend_rows" ]; then
    echo "skip: no unit tests were built: cmocka is missing (make info)"
    exit 0
fi
nvidia-smi -L
export COPPICE_TEST_GPU=1
failed=0
python3 tests/run.py --build "$build" --only backend_ unit || failed=1
python3 tests/run.py --build "$build" --only model_ unit || failed=1

sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
if [ ! -x "$sanitizer" ]; then
    echo "skip: compute-sanitizer is not installed"
    exit $failed
fi
for test in rows gemm attention logits sample decode rebuild repeat; do
    for tool in memcheck racecheck synccheck initcheck; do
        if "$sanitizer" --tool $tool --error-exitcode 1 "$build/tests/test_backend_$test" \
            >"$build/sanitizer.log" 2>&1; then
            echo "ok    $tool  test_backend_$test"
            grep -i '^skip' "$build/sanitizer.log" | sort -u | sed 's/^/      /' || true
        else
            echo "FAIL  $tool  test_backend_$test"
            tail -n 40 "$build/sanitizer.log"
            failed=1
        fi
    done
done
exit $failed
