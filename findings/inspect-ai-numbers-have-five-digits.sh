#!/bin/sh
# Inspect: match(numeric=True) compares the first five significant digits, also those of whole numbers.
#
#   version   inspect-ai 0.3.285
#   expected  "numbers are normalized and compared": 1,000 is 1000 and 5.0 is 5, and two different whole numbers are
#             never the same answer, above all not at location "exact", which asks for equality
#   seen      100001 passes for 100004, 123456789 for 123460000 and 2 to the power of 64 for 18447000000000000000, at
#             "end" as at "exact"; 10001 for 10004 does not. The log has 1.2346e+08 as the answer that the model gave
#   so what   arithmetic with long numbers, money or populations is scored too high, and the more so the larger the
#             numbers are; as a reward it pays for the leading digits and for zeros behind them
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'inspect-ai==0.3.285'
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys
from inspect_ai.model import ModelName, ModelOutput
from inspect_ai.scorer import Target, match
from inspect_ai.solver import TaskState

CASES = [("10001", "10004", "I"), ("100001", "100004", "C"), ("123456789", "123460000", "C"),
         (str(2 ** 64), "18447000000000000000", "C")]


async def judge(place, target, text):
    output = ModelOutput.from_content("none", text)
    state = TaskState(model=ModelName("none/none"), sample_id=1, epoch=1, input="", messages=[], output=output)
    return await match(place, numeric=True)(state, Target(target))


changed = 0
for target, answer, seen in CASES:
    for place, text in (("end", "The answer is " + answer), ("exact", answer)):
        score = asyncio.run(judge(place, target, text))
        print(f"target {target:20} answer {answer:20} at {place:5} {score.value}, logged as {score.answer}")
        changed += score.value != seen
sys.exit(1 if changed else 0)
PYTHON
