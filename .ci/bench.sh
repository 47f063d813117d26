#!/bin/sh
# All figures of `make bench`: the program's own, then one worker against two on the demo's population.
#   sh .ci/bench.sh build/coppice
set -eu
bin=${1:-build/coppice}
"$bin" bench
python3 .ci/bench_workers.py "$bin"
