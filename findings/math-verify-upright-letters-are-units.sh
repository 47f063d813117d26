#!/bin/sh
# math-verify takes the imaginary unit and the number e for units of measure where they are upright.
#
#   version   math-verify 0.9.0 with latex2sympy2_extended 1.11.0, Python 3.11
#   expected  2+3\mathrm{i} is 2+3i and not 5; 3\mathrm{e}^{2} is 3e^2 and not 3
#   seen      2+3\mathrm{i}: 5 is right, 2+3i is wrong; 3\mathrm{e}^{2}: 3 is right, 3e^2 is wrong
#   so what   upright i and e are how ISO 80000-2 writes them, and some models do. A reward by this package pays such
#             an answer for another number
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'math-verify==0.9.0' 'latex2sympy2_extended==1.11.0'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from math_verify import parse, verify

CASES = [("$5$", r"$2+3\mathrm{i}$", True), ("$2+3i$", r"$2+3\mathrm{i}$", False),
         ("$3$", r"$3\mathrm{e}^{2}$", True), ("$3e^{2}$", r"$3\mathrm{e}^{2}$", False)]
changed = 0
for reference, answer, seen in CASES:
    got = verify(parse(reference), parse(answer))
    print(f"reference {reference:10} answer {answer:20} verify: {got}")
    changed += got != seen
sys.exit(1 if changed else 0)
PYTHON
