#!/bin/sh
# All figures of `make bench`: the program's own, then one worker against two on the demo's population.
#   sh tests/bench.sh build/coppice
set -eu
bin=${1:-build/coppice}
"$bin" bench
python3 tests/bench_workers.py "$bin"
