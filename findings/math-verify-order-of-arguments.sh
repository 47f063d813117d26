#!/bin/sh
# math-verify's verdict on an interval and the inequality that it is depends on which of the two is the
# reference, and a set passes for an ordered pair.
#
#   version   math-verify 0.9.0 (with latex2sympy2_extended as pip resolves it), Python 3.11
#   expected  verify(a, b) is verify(b, a): the two are equal or are not; {1,2} is not (1,2)
#   seen      [3,oo) against x >= 3: False; x >= 3 against [3,oo): True
#             (1,2) against {1,2}: True
#   so what   a reward that takes the data's answer as the first argument pays for one notation and not
#             for the other; which, is decided by the data set
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'math-verify==0.9.0'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from math_verify import parse, verify

CASES = [(r"$[3,\infty)$", r"$x \ge 3$", False), (r"$x \ge 3$", r"$[3,\infty)$", True),
         (r"$(1,2)$", r"$\{1,2\}$", True)]
changed = 0
for reference, answer, seen in CASES:
    got = verify(parse(reference), parse(answer))
    print(f"reference {reference:16} answer {answer:16} verify: {got}")
    changed += got != seen
sys.exit(1 if changed else 0)
PYTHON
