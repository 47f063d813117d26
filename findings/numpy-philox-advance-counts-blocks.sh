#!/bin/sh
# NumPy: Philox.advance(n) passes over 4 n draws, PCG64.advance(n) over n, and both say "as-if delta draws have occurred".
#
#   version   numpy 2.4.6
#   expected  after advance(n) random_raw() gives what n draws before it would have been followed by: draw n, counted
#             from 0
#   seen      PCG64 and PCG64DXSM give draw n. Philox, whose counter numbers blocks of four, gives draw 4 n; after two
#             draws it first drops the other two of their block, also for n = 0, and gives draw 4 + 4 n
#   so what   workers that take their part of one stream by advance(start) overlap with nobody under Philox, and have
#             other numbers than the one process that draws all of it, though the code is right with PCG64. Noise by
#             seed and offset must count in blocks of four there, and start at a multiple of four
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/said" || { code=$?; tail -n 3 "$folder/said" >&2; exit $code; }
import sys
import numpy

seen = {}
for name in ("PCG64", "PCG64DXSM", "Philox"):
    kind = getattr(numpy.random, name)
    stream = [int(value) for value in kind(1).random_raw(64)]
    for drawn, delta in ((0, 1), (0, 5), (2, 0), (2, 1)):
        generator = kind(1)
        generator.random_raw(drawn)
        generator.advance(delta)
        seen[name, drawn, delta] = place = stream.index(int(generator.random_raw()))
        print(f"{name}: {drawn} draws, then advance({delta}): next is draw {place}, expected {drawn + delta}")
as_described = {key: key[1] + key[2] if key[0] != "Philox" else 4 * (-(-key[1] // 4) + key[2]) for key in seen}
sys.exit(0 if seen == as_described else 1)
PYTHON
