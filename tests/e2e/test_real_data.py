#!/usr/bin/env python3
"""The data of jobs/real: enough distinct questions, the same bytes each time, and answers that the tasks of the jobs
judge as they should: the reference and its other spellings right, near misses wrong."""
import json
import os
import subprocess
import sys

from lib import TOP, check, coppice, json_lines, read, scratch

sys.dont_write_bytecode = True
MAKE = os.path.join(TOP, "jobs", "real", "make_data.py")
EXCERPT = os.path.join(TOP, "tests", "data", "wordnet")
COMMANDS = {"exec": ["--", sys.executable, os.path.join(TOP, "jobs", "real", "judge_words.py")]}
LEAST = 2000


def make(folder, *arguments, code=0):
    done = subprocess.run([sys.executable, MAKE, "--out", folder, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    check(done.returncode == code, f"make_data {arguments}: exit code {done.returncode}, {done.stdout}{done.stderr}")
    return done.stderr


def load(folder, task):
    with open(os.path.join(folder, task + ".jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def reference(row):
    """What a response is held against: labels of the row's own belong to it."""
    return {key: row[key] for key in ("answer", "labels")} if "labels" in row else row["answer"]


def judge(name, task, rows, respond, right):
    """Every row's response by `respond` is right, or wrong; those for which it gives None are left out."""
    asked = [{"response": respond(row), "answer": reference(row)} for row in rows if respond(row) is not None]
    check(len(asked) > len(rows) / 4, f"{name}: {len(asked)} cases")
    got = [json.loads(line) for line in coppice("reward", "--task", task, *COMMANDS.get(task, []), text_in=json_lines(asked)).splitlines()]
    other = [one for one, score in zip(asked, got) if score["correct"] != right]
    check(not other, f"{name}: {len(other)} of {len(asked)} are {'wrong' if right else 'right'}, such as {other[:2]}")


def json_with(row, change):
    value = json.loads(row["answer"])
    change(value)
    return json.dumps(value)


def last_number_as_text(value):
    for key in value:
        if isinstance(value[key], int):
            value[key] = str(value[key])
            return
    value["more"] = 1


def swapped(words):
    return ", ".join(words[-1:] + words[1:-1] + words[:1])


JUDGED = {
    "arithmetic": ("gsm8k", [
        (lambda row: row["answer"], True),
        (lambda row: "So it is " + row["answer"].split("#### ")[1], True),
        (lambda row: row["answer"] + "0", False),
        (lambda row: f"{row['answer']}\n#### {int(row['answer'].split('#### ')[1]) + 1}", False),
        (lambda row: "I do not know.", False)]),
    "glosses": ("choice", [
        (lambda row: row["answer"], True),
        (lambda row: f"This is a {row['answer']}, of course.", True),
        (lambda row: row["labels"][(row["labels"].index(row["answer"]) + 1) % 4], False),
        (lambda row: "It is hard to say.", False)]),
    "json": ("json", [
        (lambda row: row["answer"], True),
        (lambda row: "```json\n" + json.dumps(dict(reversed(json.loads(row["answer"]).items())), indent=2) + "\n```", True),
        (lambda row: json_with(row, last_number_as_text), False),
        (lambda row: json_with(row, lambda value: value.update(note=None)), False),
        (lambda row: json_with(row, lambda value: value.popitem()), False),
        (lambda row: row["answer"].replace('"', "'"), False),
        (lambda row: row["answer"][:-1], False)]),
    "words": ("exec", [
        (lambda row: row["answer"], True),
        (lambda row: "Here they are: " + row["answer"].title() + ".\n\nAnything else?", True),
        (lambda row: "The words are:\n\n" + row["answer"].replace(", ", " and "), True),
        (lambda row: "", False),
        (lambda row: row["answer"].replace(", ", "\n"), False),
        (lambda row: swapped(row["answer"].split(", ")), False),
        (lambda row: row["answer"] + ", also", False),
        (lambda row: "so " + row["answer"], False),
        (lambda row: row["answer"][:-1], False),
        (lambda row: row["answer"].split(", ")[0], False)]),
}

with scratch() as folder:
    one, two = os.path.join(folder, "one"), os.path.join(folder, "two")
    for count in (0, -5):
        check("--count" in make(one, "words", "--count", count, code=2), "data sets of nothing are made")
    made = ["arithmetic", "json", "words"]
    make(one, *made)
    make(two, *reversed(made))
    make(one, "glosses", "--wordnet", EXCERPT, "--count", 400)
    make(two, "glosses", "--wordnet", EXCERPT, "--count", 400)
    for task, (judged_by, cases) in JUDGED.items():
        rows = load(one, task)
        distinct = {" ".join(row["question"].split()) for row in rows}
        check(len(distinct) == len(rows) >= (400 if task == "glosses" else LEAST), f"{task}: {len(distinct)} of {len(rows)}")
        examples = {row["question"] for row in load(one, task + "-examples")}
        check(len(examples) == 16 and not examples & {row["question"] for row in rows}, f"{task}: {len(examples)} examples")
        for name in (task, task + "-examples"):
            check(read(os.path.join(one, name + ".jsonl")) == read(os.path.join(two, name + ".jsonl")), f"{name}: other bytes")
        for i, (respond, right) in enumerate(cases):
            judge(f"{task}, case {i}", judged_by, rows, respond, right)
        print(f"* {task}: {len(rows)} questions, {len(cases)} responses to each judged by {judged_by}")

    kinds = [row["answer"] for row in load(one, "glosses")]
    check(set(kinds) == {"animal", "food", "person", "place"} and all(kinds.count(kind) > 70 for kind in kinds), str(kinds))

    check(sum("-examples" in name for name in os.listdir(one)) == len(JUDGED), str(os.listdir(one)))
    make(one, "text", "--wordnet", EXCERPT, "--count", 20)
    make(two, "text", "--wordnet", EXCERPT, "--count", 20)
    texts = [row["text"] for row in load(one, "text")]
    check(len(set(texts)) == 20 and all(len(text.split()) > 60 for text in texts), str(texts[:2]))
    check(read(os.path.join(one, "text.jsonl")) == read(os.path.join(two, "text.jsonl")), "text: other bytes")
    glosses = [row["question"] for row in load(one, "glosses")]
    check(not any(f": {gloss}." in text for text in texts for gloss in glosses), "a text has a definition of the task's")
    said = make(one, "glosses", "--wordnet", EXCERPT, code=1)
    check("no 2416 distinct questions" in said, said)
    said = make(one, "gloses", code=2)
    check("no task gloses" in said, said)
    if os.path.exists("/usr/share/wordnet/data.noun"):
        make(two, "glosses")
        check(len({row["question"] for row in load(two, "glosses")}) >= LEAST, "glosses: too few")
    else:
        print("* WordNet is not installed here (wordnet-base): its definitions were taken from an excerpt")
