#!/usr/bin/env python3
"""Own rewards through coppice reward: the examples agree with the task arith, answers in any order
reach their lines, and every way to go wrong has its message and leaves nothing behind."""
import json
import os
import random
import shutil
import signal
import subprocess

from exec_support import PYTHON, command, gone, processes
from lib import COPPICE, DATA, ENV, MODEL, TOP, check, coppice, json_lines, scratch

UNIT = 12


def responses(count):
    """Lines that look a little like answers; some right."""
    draw = random.Random(1)
    pieces = ["#### ", "####", " ", "-", "1", "2", "3,4", "12", ".", "x", "\n", "é", "€"]
    lines = []
    for i in range(count):
        text = "".join(draw.choice(pieces) for _ in range(draw.randint(0, 30)))
        lines.append({"response": text, "answer": str(draw.choice([1, 2, 12, 34, -1]))})
    return lines


def reward(arguments, lines, code=0):
    return coppice("reward", *arguments, text_in=json_lines(lines), code=code)


def scores(text):
    """Reward and correctness of each line, and what was extracted if it has a digit."""
    rows = [json.loads(line) for line in text.splitlines()]
    return [(row["reward"], row["correct"], row["extracted"] if any(c.isdigit() for c in row["extracted"] or "")
             else None) for row in rows]


with scratch() as folder:
    marker = "marker-" + os.path.basename(folder)
    lines = responses(5000)
    lines[7]["response"] = "7 12\0x"  # models can say anything
    wanted = scores(reward(["--task", "arith"], lines))
    check(len(wanted) == 5000 and 200 < sum(right for _, right, _ in wanted) < 4800, "a poor choice of responses")

    # The examples, and the two ways to name a command.
    program = os.path.join(folder, "reward_example")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-O2", "-o", program, os.path.join(TOP, "jobs", "reward_example.c"),
                    "-ljansson"], check=True)
    check(scores(reward(["--task", "exec", "--", program], lines)) == wanted, "the C example differs from arith")
    example = os.path.join(TOP, "jobs", "reward_example.py")
    words = ["--command", PYTHON, "--command", example]
    check(scores(reward(["--task", "exec", *words], lines)) == wanted, "the Python example differs from arith")

    # The data's own commas and numbers.
    few = [{"response": "#### 1,000", "answer": "1,000"}, {"response": "1000", "answer": 1000}, {"response": "5", "answer": "6"}]
    for words in (["--", program], words):
        check([row[1] for row in scores(reward(["--task", "exec", *words], few))] == [True, True, False], f"{words}: commas and numbers")

    # Answers out of order, with hundreds in flight; all fields reach the command.
    got = scores(reward(["--task", "exec", "--", *command(folder, marker, "shuffled")], lines))
    check([row[:2] for row in got] == [row[:2] for row in wanted], "answers out of order reached the wrong lines")
    echo = ("import json, sys\nfor line in sys.stdin:\n r = json.loads(line)\n "
            "print(json.dumps({'id': r['id'], 'reward': 0.25, 'extracted': json.dumps(r, sort_keys=True)}), flush=True)")
    line = {"response": "a\u2028\u0000\U0001f600", "answer": {"x": [1, 2.5]}, "prompt": "p", "id": "mine", "level": 3}
    row = json.loads(reward(["--task", "exec", "--", PYTHON, "-c", echo], [line]))
    check(json.loads(row["extracted"]) == dict(line, id=1), f"the request was {row['extracted']}")
    check(row["reward"] == 0.25 and row["correct"] is False, f"a quarter is {row}")
    line = {"response": "no answer given"}
    row = json.loads(reward(["--task", "exec", "--", PYTHON, "-c", echo], [line]))
    check(json.loads(row["extracted"]) == {"id": 1, "answer": None, "prompt": None, **line}, f"the request was {row}")

    # Everything that can go wrong. The lines before it are printed.
    cases = {"crash": ["ended (exit code 3)", "row 4 was too much", "by hand"],
             "kill": ["signal 9"],
             "garbage": ["not JSON", "scored one", '{"id": N, "reward": X'],
             "nan": ["NaN", "not JSON"],
             "twice": ["id 4", "answered before"],
             "text": ['"reward" is not a number'],
             "half": ["exit code 0"],
             "long": ["more than 1048576 bytes"],
             "silence": ["silent for 1 s", "flush", "task.timeout"]}
    for kind, words in cases.items():
        done = subprocess.run([COPPICE, "reward", "--task", "exec", "--timeout", "1" if kind == "silence" else "60", "--",
                               *command(folder, marker, kind, 3)], input=json_lines(lines[:50]), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, timeout=300)
        check(done.returncode == UNIT, f"{kind}: exit code {done.returncode}: {done.stderr}")
        least = 4 if kind == "twice" else 3
        check([row[:2] for row in scores(done.stdout)] == [row[:2] for row in wanted[:least]],
              f"{kind}: not the {least} lines before it, but {done.stdout}")
        for word in ["coppice reward: standard input, line", "due", *words]:
            check(word in done.stderr, f"{kind}: {word!r} is not in {done.stderr}")
        check(gone(marker), f"{kind}: processes are left: {processes(marker)}")

    # What cannot be started, and wrong command lines.
    plain = os.path.join(folder, "plain")
    shutil.copyfile(DATA, plain)
    for code, words, *arguments in ((3, ["task.command"], "exec"),
                                    (3, ["no-such-judge", "PATH"], "exec", "--", "no-such-judge"),
                                    (3, ["not executable"], "exec", "--", plain),
                                    (3, ["[python3, reward.py]"], "exec", "--", "python3 reward.py"),
                                    (2, ["--task exec"], "gsm8k", "--", "cat"),
                                    (2, ["--timeout"], "exec", "--timeout", "soon", "--", "cat")):
        said = coppice("reward", "--task", *arguments, text_in="", code=code)
        for word in words:
            check(word in said, f"reward --task {arguments}: {said!r} lacks {word!r}")

    # coppice eval: the same numbers as arith.
    settings = ["--model", MODEL, "--data", DATA, "--limit", 64, "--json", "--compute", "f32", "--threads", 1]
    ours = json.loads(coppice("eval", "--task", "exec", *settings, "--", program))
    theirs = json.loads(coppice("eval", "--task", "arith", *settings))
    for key in ("correct", "reward", "generated_tokens"):
        check(ours[key] == theirs[key], f"eval: {key} is {ours[key]}, with arith {theirs[key]}")

    # Killed: its command goes with it.
    job = subprocess.Popen([COPPICE, "reward", "--task", "exec", "--", *command(folder, marker, "silence", 0)],
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENV)
    job.stdin.write(json_lines(lines[:3]).encode())
    job.stdin.close()
    while not processes(marker):
        pass
    job.send_signal(signal.SIGKILL)
    job.wait()
    check(gone(marker), f"after SIGKILL processes are left: {processes(marker)}")
    print(f"* {len(lines)} responses alike in Python, C and arith; {len(cases)} kinds of failure")

# A command that floods standard error: some of it is passed on, and how much not is said.
FLOOD = r"""
import json, sys
for line in sys.stdin:
    for i in range(100000): print("word " * 15, i, file=sys.stderr)
    print(json.dumps({"id": json.loads(line)["id"], "reward": 1}), flush=True)
"""
flooded = subprocess.run([COPPICE, "reward", "--task", "exec", "--", PYTHON, "-c", FLOOD], text=True, env=ENV, cwd=TOP,
                         input=json_lines([{"response": "a", "answer": "b"}]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
said = flooded.stderr.splitlines()
told = [int(line.split()[3]) for line in said if "of its standard error were left out" in line]
check(flooded.returncode == 0 and len(flooded.stderr) < 300000, f"a flood: {flooded.returncode}, {len(flooded.stderr)} bytes")
check(told and sum(told) + len(said) - len(told) == 100000, f"a flood: {len(said)} lines, {told} said to be left out")
