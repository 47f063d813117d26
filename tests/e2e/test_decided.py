#!/usr/bin/env python3
"""Answers end where the task knows their reward: the same scores, votes and recipe as without, from fewer tokens, with 1
and 2 ranks; where a task has no such rule, not a token less."""
import os

from lib import QUICK, check, inspect, read, run_job, scores, scratch

SHORT = [*QUICK, "backend.arithmetic=defined", "backend.compute=auto", "splits.support=24", "splits.validate=24", "splits.test=16",
         "population.size=8", "recenter.size=4", "consolidate.max_scale=2", "gate.on=reward", "gate.allow_flat=true",
         "analysis.split_half=false", "baselines.self_consistency=[3]", "generation.stop=['####']"]


def tokens_by_path(found):
    return {path: sum(int(n) for row in values for n in row) for path, values in found.items() if path.endswith("/tokens")}


def compare(task, folder):
    """The same job with and without the rule; gives the tokens of both."""
    runs = {}
    for name, ranks, value in (("off", 1, "false"), ("on", 1, "true"), ("two", 2, "true")):
        out = os.path.join(folder, f"{task}-{name}")
        run_job(ranks, out, [*SHORT, f"task.name={task}", f"generation.stop_decided={value}"])
        runs[name] = scores(out), read(os.path.join(out, "recipe.json"))
    check(runs["on"] == runs["two"], f"{task}: 1 and 2 ranks differ")
    (off, recipe), (on, other) = runs["off"], runs["on"]
    check(recipe == other and set(off) == set(on), f"{task}: the recipes differ")
    for path, values in off.items():
        if not path.endswith("/tokens"):
            check(values == on[path], f"{task}: {path} differs")
    before, after = tokens_by_path(off), tokens_by_path(on)
    # Where answers vote the whole text is wanted.
    for path in ("/baselines/self_consistency/tokens", "/baselines/randopt/tokens"):
        check(before[path] == after[path] > 0, f"{task}: {path} differs")
    return sum(before.values()), sum(after.values())


with scratch() as folder:
    for task, limit in (("contains", 0.97), ("exact", 0.6)):
        before, after = compare(task, folder)
        check(0 < after < limit * before, f"{task}: {after} tokens of {before}")
        print(f"* {task}: {after} tokens instead of {before}")
    # By default it is on; arith has no rule.
    out = {name: os.path.join(folder, name) for name in ("arith", "arith-off")}
    small = [*SHORT, "method=randopt", "baselines.randopt=[]", "baselines.self_consistency=[]"]
    run_job(1, out["arith"], small)
    run_job(1, out["arith-off"], [*small, "generation.stop_decided=false"])
    check(scores(out["arith"]) == scores(out["arith-off"]), "arith: the answers differ")
    check(inspect(out["arith"])["job"]["keys"]["generation.stop_decided"] == "true", "it is not the default")
