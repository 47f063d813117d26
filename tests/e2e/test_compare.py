#!/usr/bin/env python3
"""What changed between two models. `eval --answers` has every answer with what it earned and whether it has
the form of its task."""
import json
import os
import re

from lib import DATA, MODEL, check, coppice, json_lines, read, scratch

LIMIT = 48
SETTINGS = ["--model", MODEL, "--compute", "f32", "--max-new-tokens", 80]


def rows_of(path):
    return [json.loads(line) for line in read(path, "r").splitlines()]


def evaluate(path, task, *more, option="--answers"):
    """Answers of the demo's model, held against what eval says in sum."""
    said = json.loads(coppice("eval", *SETTINGS, "--task", task, "--data", DATA, "--limit", LIMIT, "--json", option, path, *more))
    rows = rows_of(path)
    check([row["example"] for row in rows] == list(range(LIMIT)), f"{task}: not an answer for each example")
    check(sum(row["tokens"] for row in rows) == said["generated_tokens"], f"{task}: tokens do not add up to {said}")
    check(sum(row["correct"] for row in rows) == said["correct"], f"{task}: right answers do not add up to {said}")
    return rows


def check_answers(folder):
    path = os.path.join(folder, "answers")
    rows = evaluate(path, "arith")
    marked = [re.search(r"#### -?[0-9.,]*[0-9]", row["response"][-300:]) is not None for row in rows]
    check([row["form"] for row in rows] == marked, "the form is not what is there")
    check(evaluate(os.path.join(folder, "old"), "arith", option="--responses") == rows, "--responses is another thing")
    check(all(row["form"] is None for row in evaluate(path, "contains")), "contains has a form")
    alone = [json.loads(line) for line in coppice("reward", "--task", "arith", text_in=json_lines(
        {"response": "#### 5" if i % 2 else "it is 5", "answer": 4 + i % 3} for i in range(12))).splitlines()]
    check([(row["form"], row["correct"]) for row in alone] == [(i % 2 == 1, i % 3 == 1) for i in range(12)], f"reward: {alone}")
    return sum(marked)


with scratch() as folder:
    formed = check_answers(folder)
    print(f"* {LIMIT} answers, {formed} of them in the form of their task")
