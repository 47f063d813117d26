#!/usr/bin/env python3
"""What decides: graded rewards that never reach "right" lead to a better model, a base that earns the same
everywhere stops the job, RandOpt says that no gate has looked, and without a test set nothing is reported."""
import json
import os
import re

from lib import DATA, QUICK, check, coppice, inspect, read, run_job, scratch

# The published conciseness task in small: the shorter the answer, the better, and none is ever "right".
SMALL = QUICK + ["population.size=24", "splits.support=24", "splits.probe=16", "splits.validate=48", "splits.test=24",
                 "recenter.rounds=0", "generation.max_new_tokens=48", "baselines.self_consistency=[]",
                 "baselines.randopt=[2]", "analysis.split_half=false"]
JUDGE = r"""
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        print(json.dumps({"id": request["id"], "reward": -float(len(request["response"])) / 8}), flush=True)
"""


def summary(out):
    return json.loads(read(os.path.join(out, "summary.json")))


with scratch() as folder:
    judge = os.path.join(folder, "judge.py")
    with open(judge, "w", encoding="utf-8") as file:
        file.write(JUDGE)

    def out(name):
        return os.path.join(folder, name)

    brief = SMALL + ["population.size=32", "splits.support=48", "splits.validate=96", "splits.test=96", "gate.z=1.5",
                     "task.name=exec", f"task.command={json.dumps(['python3', judge])}"]
    text = run_job(2, out("reward"), brief)
    result = summary(out("reward"))
    check("decided by mean reward: the base is right on no example" in text, f"the run does not say so: {text}")
    support = inspect(out("reward"))["base"]["scores"][0][:48]
    check(f"accuracy 0.000 on support, 0.000 on validate; reward {sum(support) / 48:.3f} on support" in text,
          f"candidates are told by their reward, the base is not: {text}")
    check(result["decided_by"] == "reward" and result["improved"] is True, f"nothing was accepted: {text}")
    base, best = result["test"]["base"], result["test"]["consolidated"]
    check(base["accuracy"] == 0 and best["accuracy"] == 0, "an answer is right")
    check(best["reward"] > base["reward"] and best["gain_over_base"] > 0 and best["against_base"]["p_exact"] < 0.05,
          f"the result is not better on test: {best}")
    check("test reward" in text and "the sign test" in text, "the table is not about the reward")
    check(inspect(out("reward"))["gate"]["on"] == "reward", "the run file does not say what decided")
    for where, said in (("inspect", coppice("inspect", out("reward"))), ("the log", read(os.path.join(out("reward"), "log"), "r"))):
        check(re.search(r"\d better,? +\d+ worse", said) and "fixed" not in said, f"{where} takes rewards for right answers")

    text = run_job(1, out("blind"), brief + ["gate.on=correct", "population.size=6"])
    check(summary(out("blind"))["improved"] is False, "correctness decided for what it cannot see")
    # Any number may be what counts as right: one that half of the answers reach.
    middle = sorted(inspect(out("reward"))["base"]["scores"][0])[100]
    text = run_job(1, out("at"), brief + [f"task.correct_at={middle}", "splits.test=0", "population.size=6"])
    check(summary(out("at"))["decided_by"] == "correct", "with right and wrong answers the reward decided")

    # Without a test set there is nothing to report.
    found = summary(out("at"))
    check(found["test"] == {} and found["test_examples"] == 0, f"reported without a test set: {found['test']}")
    check("0.000" not in text.split("No test examples")[-1] and "p_exact" not in json.dumps(found["test"]), text)
    check("methods" not in inspect(out("at"))["final"], "the run file holds methods without a test set")
    check("no test examples" in coppice("inspect", out("at")), "inspect does not say that there is no test set")
    os.remove(os.path.join(out("at"), "status.json"))
    check(": done" in coppice("status", out("at")), "a run without a test set does not count as ended")

    # RandOpt has no gate, and does not claim that it passed one.
    text = run_job(1, out("randopt"), SMALL + ["method=randopt", "baselines.randopt=[]", "population.size=6"])
    check(summary(out("randopt"))["improved"] is None, "RandOpt passed a gate that it does not have")
    check(b'"improved":null' in read(os.path.join(out("randopt"), "recipe.json")), "the recipe says otherwise")
    check(inspect(out("randopt"))["final"]["improved"] == -1, "the run file says otherwise")
    check("no gate has seen it" in text, text)
    check(set(summary(out("randopt"))["test"]) == {"base", "randopt_k1"}, "more than K = 1 was run")

    # An empty list of ensembles runs none where another method is the result.
    text = run_job(1, out("none"), SMALL + ["baselines.randopt=[]", "population.size=6"])
    check(set(summary(out("none"))["test"]) == {"base", "consolidated"} and "randopt members" not in text, text)

    # Nothing tells one example from another: the job stops before the population, by name.
    flat = SMALL + ["generation.max_new_tokens=1"]
    text = run_job(1, out("flat"), flat, code=3)
    for word in ("the reward 0 with each of the 88 examples", "gate.allow_flat"):
        check(word in text, f"{word!r} is not in: {text}")
    check("\npopulation" not in text, f"a population was scored: {text}")
    text = run_job(1, out("flat"), flat + ["gate.allow_flat=true", "population.size=4"], code=8)
    check("population.size" in text, text)  # the run's other keys still belong to it
    run_job(1, out("flat2"), flat + ["gate.allow_flat=true", "population.size=4"])

    # A data set with each question four times keeps its splits apart.
    with open(DATA, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:200]
    data = os.path.join(folder, "four.jsonl")
    with open(data, "w", encoding="utf-8") as file:
        for i in range(4):
            for row in rows:
                file.write(json.dumps(dict(row, question=row["question"].replace(" ", " " * (1 + i % 2)))) + "\n")
    sizes = ["splits.support=40", "splits.probe=20", "splits.validate=40", "splits.test=40", "population.size=4",
             "baselines.randopt=[]", f"task.data={data}"]
    text = run_job(2, out("four"), SMALL + sizes)
    check("600 of 800 examples have a prompt that another has too" in text, f"no warning: {text}")
    text = run_job(1, out("few"), SMALL + sizes + ["splits.support=41", "splits.probe=21", "splits.validate=41", "splits.test=697"], code=3)
    check("equal prompts never come into two splits" in text, text)
