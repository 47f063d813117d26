#!/usr/bin/env python3
"""Task mbpp by coppice reward and coppice eval: solutions earn 1, attacks 0, and where the sandbox cannot
be had nothing runs."""
import json
import os
import shutil
import subprocess
import tempfile

import attacks
import lib
import surroundings

SOLUTIONS = 60


def reward(lines, code=0, **more):
    done = subprocess.run([lib.COPPICE, "reward", "--task", "mbpp", "--timeout", "5"], text=True, timeout=600,
                          input="".join(json.dumps(line) + "\n" for line in lines), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)
    lib.check(done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr[-1000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()] if code == 0 else done.stderr


def line(program, tests, form="<answer>\n%s\n</answer>", setup=""):
    return {"response": form % program, "answer": {"test_list": tests, "test_setup_code": setup}}


def check_rewards(rows):
    forms = ["<answer>%s</answer>", "Like so:\n```python\n%s\n```\n", "```\n%s\n```", "[BEGIN]\n%s\n[DONE]"]
    lines = [line(r["code"], r["test_list"], forms[i % len(forms)], r["test_setup_code"]) for i, r in enumerate(rows)]
    got = reward(lines)
    lib.check(len(got) == len(rows) and all(g["reward"] == 1 and g["correct"] for g in got), "a solution failed")
    lib.check([g["extracted"] for g in got] == [r["code"].strip() for r in rows], "other programs were found")
    lib.check(all(g["form"] for g in got), "a program is not of the form")
    wrong = ["def f(x): return 3", "", "no program at all", "def f(x): return 2\nraise SystemExit(0)",
             attacks.ATTACKS["always equal"], attacks.ATTACKS["os._exit(0)"], attacks.OUT["kills its parent"]]
    got = reward([line(program, ["assert f(1) == 2"]) for program in wrong])
    lib.check(all(g["reward"] == 0 and not g["correct"] for g in got) and got[1]["extracted"] is None, f"{got}")
    lib.check([g["form"] for g in got] == [True, False, False, True, True, False, False], f"forms: {got}")


def check_malformed():
    for answer, word in (({}, "test_list"), ({"test_list": []}, "not empty"), ({"test_list": [1]}, "not a string"),
                         ({"test_list": ["assert ("]}, "no Python"), ({"test_list": ["1"], "test_setup_code": 1}, "setup")):
        message = reward([{"response": "def f(): pass", "answer": answer}], code=4)
        lib.check("line 1" in message and word in message, f"{answer}: {message}")


def check_without_sandbox():
    message = reward([line("x = 1", ["assert x"])], code=3, preexec_fn=surroundings.without_seccomp)
    lib.check("seccomp cannot be set up" in message, message)
    folder = tempfile.mkdtemp(prefix="coppice-test-")
    try:
        alone = os.path.join(folder, "coppice")
        shutil.copy(lib.COPPICE, alone)
        done = subprocess.run([alone, "reward", "--task", "mbpp"], input="", stderr=subprocess.PIPE, text=True)
        lib.check(done.returncode == 3 and folder + "/coppice-sandbox: No such file" in done.stderr, done.stderr)
    finally:
        shutil.rmtree(folder)


def check_eval(rows):
    """The demo's model knows no Python; its answers go the same way."""
    folder = tempfile.mkdtemp(prefix="coppice-test-")
    try:
        data = os.path.join(folder, "data.jsonl")
        with open(data, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows[:8])
        got = json.loads(lib.coppice("eval", "--model", lib.MODEL, "--task", "mbpp", "--data", data, "--json",
                                     "--max-new-tokens", "16"))
        lib.check(got["examples"] == 8 and got["correct"] == 0, str(got))
    finally:
        shutil.rmtree(folder)


with open(os.path.join(lib.TOP, "tests", "data", "mbpp.jsonl"), encoding="utf-8") as mbpp:
    ROWS = [json.loads(row) for row in mbpp][:SOLUTIONS]
check_rewards(ROWS)
check_malformed()
check_without_sandbox()
check_eval(ROWS)
