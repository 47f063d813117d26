#!/usr/bin/env python3
"""`generate` in f32 gives the greedy answers that transformers gives, token for token; a first
difference is allowed only where the two best logits are less than 1e-3 apart. The embedded model
always; a larger one if COPPICE_GREEDY_MODEL and COPPICE_GREEDY_DATA name it and its answers."""
import json
import os

from lib import MODEL, TOP, check, coppice, json_lines


def gap_at(model, ids):
    line = coppice("generate", "--model", model, "--compute", "f32", "--max-new-tokens", 0, "--logits",
                   text_in=json_lines([{"ids": ids}]))
    best = sorted(json.loads(line)["logits"])[-2:]
    return best[1] - best[0]


def compare(model, rows, arguments):
    text = coppice("generate", "--model", model, "--compute", "f32", "--max-new-tokens", 96, *arguments,
                   text_in=json_lines([{"ids": row["ids"]} for row in rows]))
    answers = [json.loads(line) for line in text.splitlines()]
    check(len(answers) == len(rows), f"{len(answers)} answers to {len(rows)} prompts")
    same = 0
    for row, answer in zip(rows, answers):
        if answer["ids"] == row["greedy"]:
            check(answer["text"] == row["response"], f"text {answer['text']!r}, not {row['response']!r}")
            same += 1
            continue
        at = next((i for i, (a, b) in enumerate(zip(answer["ids"], row["greedy"])) if a != b),
                  min(len(answer["ids"]), len(row["greedy"])))
        gap = gap_at(model, row["ids"] + row["greedy"][:at])
        check(gap < 1e-3, f"differs at token {at} where the best logits are {gap:.4f} apart")
    return same


def load(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


rows = load(os.path.join(TOP, "tests", "data", "greedy-tiny.jsonl"))
for arguments in (["--batch", 64], ["--batch", 1], ["--batch", 7, "--threads", 1], ["--gemm", "openblas"]):
    same = compare(MODEL, rows, arguments)
    print(f"* {' '.join(map(str, arguments))}: {same} of {len(rows)} answers identical, the rest at ties")

# The same prompts as messages.
messages = [[{"role": "system", "content": row["system"]}] * (row["system"] is not None) +
            [{"role": "user", "content": row["user"]}] for row in rows]
text = coppice("generate", "--model", MODEL, "--compute", "f32", "--max-new-tokens", 96,
               text_in=json_lines([{"messages": m} for m in messages]))
same = sum(json.loads(line)["ids"] == row["greedy"] for line, row in zip(text.splitlines(), rows))
check(same >= len(rows) - 2, f"as messages only {same} of {len(rows)} answers are the same")

if os.environ.get("COPPICE_GREEDY_MODEL"):
    other = load(os.environ["COPPICE_GREEDY_DATA"])
    same = compare(os.environ["COPPICE_GREEDY_MODEL"], other, [])
    print(f"* {os.environ['COPPICE_GREEDY_MODEL']}: {same} of {len(other)} answers identical")
