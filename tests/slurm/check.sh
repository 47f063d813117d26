#!/bin/sh
# The tests on Slurm, two at once, for they mostly wait; each on a cluster of its own.
#   tests/slurm/check.sh BUILD [options of tests/run.py]
set -eu
build=$1
shift
sh .ci/deps slurm || echo "the packages are not all there, so the clusters may not come up"
COPPICE_REFERENCES=$(mktemp -d)
export COPPICE_REFERENCES
trap 'rm -rf "$COPPICE_REFERENCES"' EXIT
trap 'exit 1' HUP INT TERM
python3 tests/run.py --build "$build" --at-once 2 --limit 1200 "$@" slurm
