#!/usr/bin/env python3
"""Guards, text and a task: the same bytes with 1 and 3 ranks and after a kill; scored as `eval` does; who refuses ends
in the base; paid for by a budget and told by --check, summary, inspect; and what is wrong with one is said."""
import json
import os
import shutil
import time

from lib import DATA, DEMO, MODEL, QUICK, TOP, check, coppice, inspect, json_lines, kill_job, read, run_job, same_result, \
    scratch

COUNTDOWN = os.path.join(TOP, "tests", "data", "countdown-small.jsonl")
SHORT = [*QUICK, "splits.test=16", "analysis.split_half=false", "baselines.randopt=[]", "baselines.self_consistency=[]",
         "recenter.rounds=1", "checkpoint.interval=0.1"]


def guard(path, text_loss, task_loss=1):
    return (f"guard=[{{task: text, data: {path}, examples: 40, loss: {text_loss}}}, "
            f"{{task: countdown, data: {COUNTDOWN}, examples: 20, loss: {task_loss}}}]")


def check_refused(setting, words, *more):
    said = coppice("run", DEMO, "--check", "-s", setting, *more, code=3)
    check(words in said, f"{setting}: {said}")


with scratch() as folder:
    rows = [json.loads(line) for line in open(DATA, encoding="utf-8")][-60:]
    texts = [row["question"] + " " + row["answer"] for row in rows]
    path = os.path.join(folder, "text.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.write(json_lines([{"text": text} for text in texts]))

    # Any number of ranks, and a kill: the same bytes.
    kind = [*SHORT, guard(path, 10)]
    one, three, killed, moved = (os.path.join(folder, name) for name in ("one", "three", "killed", "moved"))
    began = time.monotonic()
    said = run_job(1, one, kind)
    length = time.monotonic() - began
    run_job(3, three, kind)
    same_result(one, three, "1 and 3 ranks")
    kill_job(3, killed, kind, 0.6 * length)
    # The data elsewhere is the same data.
    shutil.copy(path, moved)
    run_job(1, killed, [*SHORT, guard(moved, 10)])
    same_result(one, killed, "after a kill")

    # Its questions are asked again without the guards', which are none of them.
    check("fixed" in coppice("compare", one, "--show", "0"), "a run with guards is not compared")

    # What is on record, and that it is so.
    tree = inspect(one)
    asked = [d for d in tree["gate"]["decisions"].values() if d["bound"] > 0]
    check(asked and all("guard_1" in d and "guard_2" in d for d in asked), "who passed was not put to the guards")
    check(all("guard_1" not in d for d in tree["gate"]["decisions"].values() if d["bound"] <= 0), "who failed was")
    phase = tree["gate"]["guard_1"]
    check(len(phase["scores"]) == 1 + len(asked), "rows of a guard")
    examples = [int(example) for example in phase["examples"]]
    total = sum(1 for _ in open(DATA, encoding="utf-8"))
    for place in (0, 39):
        alone = os.path.join(folder, "alone.txt")
        with open(alone, "w", encoding="utf-8") as file:
            file.write(texts[examples[place] - total])
        told = json.loads(coppice("eval", "--model", MODEL, "--perplexity", alone, "--compute", "f32", "--json"))
        check(abs(told["log_likelihood"] - phase["scores"][0][place]) < 1e-4, f"text {place}: {told}, {phase['scores'][0]}")
    check(len(set(examples)) == 40 and min(examples) >= total, examples)
    check(phase["task"] == "text" and tree["gate"]["guard_2"]["task"] == "countdown", "names of guards")
    first = asked[0]["guard_1"]
    base, now = (sum(phase["scores"][row]) / 40 for row in (0, 1))
    check(abs(first["change"] - (now - base)) < 1e-6 and abs(first["base"] - base) < 1e-6, f"{first}: {base}, {now}")
    check(abs(first["bound"] - (first["change"] - first["z"] * first["sd"] / 40 ** 0.5)) < 1e-9, f"{first}")
    summary = json.loads(read(os.path.join(one, "summary.json")))
    check([g["task"] for g in summary["guards"]] == ["text", "countdown"], f"{summary['guards']}")
    check(all(g["accepted"] for g in summary["guards"]) and summary["improved"] is True, f"{summary}")
    for words in ("Guard 1, text on 40 examples: base", "let pass"):
        check(words in said, said)
    check("guard 1, text" in coppice("inspect", one), "inspect does not tell of guards")
    print(f"* the search changes the text's likelihood by {summary['guards'][0]['change']:+.3f}, countdown by "
          f"{summary['guards'][1]['change']:+.3f}")

    # A guard that allows nothing on what the search forgets: the base.
    kept = os.path.join(folder, "kept")
    run_job(1, kept, [*SHORT, guard(path, 10, 0)])
    summary = json.loads(read(os.path.join(kept, "summary.json")))
    tree = inspect(kept)
    refused = [d for d in tree["gate"]["decisions"].values() if "guard_2" in d]
    check(refused and not any(d["accepted"] for d in refused), "a guard let pass what it must not")
    check(summary["improved"] is False and summary["recipe_components"] == 0, "the result is not the base")

    # What it refuses is taken less far: the same bytes with 1 and 3 ranks and after a kill. The arithmetic is one that
    # has the same bits on every processor, so that it does refuse.
    kind = [*SHORT, "backend.arithmetic=defined", "backend.compute=auto",
            f"guard=[{{task: countdown, data: {COUNTDOWN}, examples: 100, loss: 0.25}}]"]
    less, three, killed = (os.path.join(folder, name) for name in ("less", "less-three", "less-killed"))
    began = time.monotonic()
    said = run_job(1, less, kind)
    length = time.monotonic() - began
    run_job(3, three, kind)
    same_result(less, three, "1 and 3 ranks, with a shorter step")
    kill_job(3, killed, kind, 0.7 * length)
    run_job(1, killed, kind)
    same_result(less, killed, "after a kill, with a shorter step")
    tree, summary = inspect(less), json.loads(read(os.path.join(less, "summary.json")))
    first, second = (tree["gate"]["decisions"][name] for name in ("01", "02"))
    check(first["share"] == 1 and first["guard_1"]["accepted"] == 0 and first["accepted"] == 0, f"try 1: {first}")
    check(second["accepted"] == 1 and second["try"] == 2 and 0 < second["share"] < 1, f"try 2: {second}")
    check(abs(second["step"] / first["step"] - second["share"]) < 1e-12, f"{first} {second}")
    check(len(tree["gate"]["stage1"]["scores"]) == 1 and len(tree["gate"]["shorter"]["scores"]) == 1, "rows of the gate")
    check("try 2, 0.75 of that step: " in said and "0.75 of the proposed step" in coppice("inspect", less), said)
    check(summary["improved"] is True and summary["guards"][0]["lower_bound"] > -0.25, f"{summary['guards']}")

    # What a guard of the run's own task was asked is none of another file's new questions.
    asked, sums = os.path.join(folder, "asked"), os.path.join(folder, "sums.jsonl")
    with open(sums, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"question": f"What is {i} plus {i + 1}?", "answer": str(2 * i + 1)}) + "\n" for i in range(30))
    run_job(1, asked, [*SHORT, "recenter.rounds=0", f"guard=[{{task: arith, data: {sums}, examples: 10, loss: 1}}, "
                       f"{{task: countdown, data: {COUNTDOWN}, examples: 20, loss: 1}}]"])
    said = coppice("compare", asked, "--data", sums, "--show", "0")
    check("without 10 that the run was made with" in said, said)
    check("without 10" not in coppice("compare", asked, "--data", sums, "--show", "0", "--split", "all"), "all are fewer")

    # Of the job's own data, under whatever name, a guard gets what no split has: it takes no part, and test decides nothing.
    own, copied = os.path.join(folder, "own"), os.path.join(folder, "copied.jsonl")
    shutil.copy(DATA, copied)
    run_job(1, own, [*SHORT, "recenter.rounds=0", f"guard=[{{task: arith, data: {copied}, examples: 200, loss: 1}}]"])
    tree = inspect(own)
    examples = {int(example) - total for example in tree["gate"]["guard_1"]["examples"]}
    check(len(examples) == 200 and not examples & {int(example) for example in tree["base"]["examples"]}, "a guard has a split's examples")
    left = coppice("compare", own, "--data", copied, "--show", "0", "--json")
    check(json.loads(left)["examples"] == total - 200 - len(tree["base"]["examples"]) + 16, f"compare asks what a guard has: {left[:300]}")
    check_refused(f"guard=[{{task: arith, data: {DATA}, examples: {total - 100}, loss: 1}}]",
                  f"guard 1: {total - 100} examples are wanted of the job's own data, of which ")

    # Another guard is another job.
    said = run_job(1, one, [*SHORT, guard(path, 11)], code=8)
    check("belongs to another job: guard was" in said, said)
    run_job(1, one, SHORT, code=8)

    # Planned, and paid for.
    plain = coppice("run", DEMO, "--check")
    with_guards = coppice("run", DEMO, "--check", "-s", guard(path, 10))
    check(", guards " not in plain and ", guards " in with_guards, with_guards)
    paid = os.path.join(folder, "paid")
    run_job(1, paid, [*SHORT, guard(path, 10), "budget.answers=1500"])
    spent = inspect(paid)["budget"]["spent_answers"]
    check(spent <= 1500, f"{spent} answers of 1500 spent")

    check_refused(guard(path, -1), "guard 1: loss: -1 is out of range")
    check_refused(f"guard=[{{task: nothing, data: {path}, examples: 1, loss: 0}}]", 'guard 1: besides text, guards are tasks: unknown task "nothing"')
    check_refused(f"guard=[{{task: text, data: {path}, examples: 61, loss: 0}}]", "guard 1: 61 examples are wanted, but")
    check_refused(f"guard=[{{task: exec, data: {path}, examples: 1, loss: 0}}]", "guard 1: task exec needs a command")
    check_refused(guard(path, 1), "method randopt has no gate", "-s", "method=randopt")
    said = coppice("run", DEMO, "--check", "-s", f"guard=[{{task: text, data: {path}.no, examples: 1, loss: 0}}]", code=4)
    check("guard 1: " in said and "cannot open it" in said, said)
    said = coppice("run", DEMO, "--check", "-s", f"guard=[{{task: text, data: {DATA}, examples: 1, loss: 0}}]", code=4)
    check('it has no field "text"' in said, said)
