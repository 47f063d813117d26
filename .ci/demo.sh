#!/bin/sh
# The main job on the embedded model: one coordinator, two workers.
#   sh .ci/demo.sh build/coppice
set -eu
bin=${1:-build/coppice}
out=runs/demo

# mpirun refuses root unless told; its processes must not all be bound to core 0, nor spin.
for setting in $(slurm/mpirun.sh --environment crowded); do export "${setting?}"; done

if [ -f "$out/summary.json" ]; then
    "$bin" run jobs/demo.yaml --quiet >/dev/null || {
        echo "$out holds another run; move it away, or remove it" >&2
        exit 1
    }
    echo "$out holds a finished demo; removing it to run anew"
    rm -f "$out"/run.h5 "$out"/run.h5.prev "$out"/recipe.json "$out"/summary.json "$out"/status.json "$out"/log
fi
# Two workers want two cores; a machine of one is asked to bear it.
more=
if [ "$(nproc)" -lt 2 ]; then more=--oversubscribe; fi
echo "+ slurm/mpirun.sh -np 3 $bin run jobs/demo.yaml${more:+ $more}"
# shellcheck disable=SC2086
slurm/mpirun.sh -np 3 "$bin" run jobs/demo.yaml $more
