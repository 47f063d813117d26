#!/bin/sh
# datasets: a number among strings puts quotation marks around the strings beside it, and whether it does follows how the
# rows fall into batches.
#
#   version   datasets 5.2.0 (pyarrow 26.0.1)
#   expected  map and load_dataset("json") say of mixed types: "a field with mixed type is set to Json()", which gives
#             each value back as it was, and so it is when they meet in the first batch. Otherwise an error, or a
#             conversion of the one value that has another type
#   seen      when the column is already one of strings, by the first batch or by features=, a later batch that has a
#             number in it is written as JSON texts and these are kept as the strings: "b" is '"b"', with its quotation
#             marks, and 7 is '7'. Batches without a number are as they were. No error, no warning
#   so what   the same lines of JSON have the answer "b" in a small file and '"b"' in one beyond 10 MiB; a judge
#             that compares answers never finds a right one in such a batch, and a model that is trained on it learns
#             quotation marks
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'datasets==5.2.0' 'pyarrow==26.0.1'
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
import datasets

datasets.disable_progress_bars()
ENDS = ["b", 7, "c"]
JSON = (ENDS, "Json")
TEXTS = (['"b"', "7", '"c"'], "Value")
changed = 0


def tell(what, data, seen):
    global changed
    kind = type(data.features["answer"]).__name__
    print(f"{what:43} {kind:6} first {data['answer'][0]!r}, last {data['answer'][-3:]}")
    changed += (data["answer"][-3:], kind) != seen


def mapped(count, **more):
    """`count` times "a" and then ENDS, made by map, which writes a thousand at a time."""
    answers = ["a"] * count + ENDS
    numbers = datasets.Dataset.from_dict({"row": range(len(answers))})
    return numbers.map(lambda row: {"answer": answers[row["row"]]}, **more)


strings = datasets.Features({"row": datasets.Value("int64"), "answer": datasets.Value("string")})
tell("map, all in the first batch", mapped(997), JSON)
tell("map, the number in the second batch", mapped(1000), TEXTS)
tell('map, features= has Value("string")', mapped(0, features=strings), TEXTS)
for count, seen in ((5, JSON), (15, TEXTS)):
    with open(f"{sys.argv[1]}/{count}.jsonl", "w", encoding="ascii") as lines:
        for answer in ["a"] * count + ENDS:
            lines.write(json.dumps({"question": "x" * 1000000, "answer": answer}) + "\n")
    data = datasets.load_dataset("json", data_files=lines.name, split="train")
    tell(f"load_dataset, a file of {count + len(ENDS)} MB", data, seen)
sys.exit(1 if changed else 0)
PYTHON
