#!/bin/sh
# verl's reward for DAPO's data pays two answers that stand beside each other as one number.
#
#   version   verl 0.9.1, Python 3.11
#   expected  "Answer: 3\text{ and }4" is not the answer 34, nor "Answer: 5\text{ hours }3" the answer 53
#   seen      score 1.0, acc True for both
#   so what   words between numbers are removed or turned into a comma, and commas in what is digits then are removed as
#             thousands separators. A policy that lists candidates for an answer can earn what it did not find
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-deps 'verl==0.9.1'
"$folder/venv/bin/python" - <<'PYTHON'
import glob
import importlib.util
import sys

# The one file: the package itself loads its trainers' libraries.
path, = glob.glob(sys.prefix + "/lib/python3*/site-packages/verl/utils/reward_score/math_dapo.py")
spec = importlib.util.spec_from_file_location("math_dapo", path)
dapo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dapo)
CASES = [("Answer: 34", "34", 1.0), (r"Answer: 3\text{ and }4", "34", 1.0), (r"Answer: 5\text{ hours }3", "53", 1.0),
         (r"Answer: 35", "34", -1.0)]
changed = 0
for answer, reference, seen in CASES:
    got = dapo.compute_score(answer, reference)
    print(f"reference {reference} answer {answer:26} {got}")
    changed += got["score"] != seen
sys.exit(1 if changed else 0)
PYTHON
