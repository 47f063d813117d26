#!/usr/bin/env python3
"""Proposals race: the same bytes with 1 and 3 ranks and after kills, fewer answers, and the check, the run file, the
table of inspect and the report say who left when and why."""
import json
import os
import random
import subprocess
import time

from lib import DEMO, ENV, QUICK, TOP, check, coppice, inspect, kill_job, read, run_job, same_result, scratch

SHORT = [*QUICK, "splits.test=16", "recenter.rounds=1", "analysis.split_half=false", "baselines.randopt=[]",
         "baselines.self_consistency=[]", "checkpoint.interval=0.1"]
VOTERS = [*SHORT, "method=randopt", "population.race=3", "population.noise=rank-2", "backend.batch=16", "splits.test=24",
          "baselines.randopt=[1, 3]", "analysis.split_half=false"]
RACE = [*SHORT, "consolidate.race=4", "recenter.race=4", "backend.batch=16"]
COLUMNS = ("left_after", "left_behind", "left_gap", "left_error", "race_z")


def races(tree):
    return {"stage1": tree["stage1"], "recenter": tree["recenter"]["round_1"]["proposals"]}


def check_race(name, race):
    """A row that left has the scores that it left with, the others have all; gives answers known and all."""
    known = whole = 0
    for row, (scores, states, after, behind, gap, error) in enumerate(
            zip(*(race[key] for key in ("scores", "status", *COLUMNS[:4])))):
        count = sum(score is not None for score in scores)
        check(count == (after or len(scores)), f"{name} row {row}: {count} scores, but it left after {after}")
        check((3 in states) == (after > 0) and 0 not in states, f"{name} row {row}: states {states}")
        if after:
            check(gap > race["race_z"] * error and race["left_after"][behind] in (0, *range(after + 1, 999)),
                  f"{name} row {row} left for no reason")
        known, whole = known + count, whole + len(scores)
    left = sum(after > 0 for after in race["left_after"])
    check(0 < left <= len(race["left_after"]) - 3, f"{name}: {left} of {len(race['left_after'])} left")
    return known, whole


with scratch() as folder:
    out = {name: os.path.join(folder, name) for name in ("one", "three", "killed")}
    began = time.monotonic()
    text = run_job(1, out["one"], RACE)
    length = time.monotonic() - began
    check("proposals left early" in text, f"nothing is said of a race:\n{text}")
    run_job(3, out["three"], RACE)
    same_result(out["one"], out["three"], "1 and 3 ranks")

    # Killed at random, each time with another number of ranks; the last start ends it.
    chance, kills = random.Random(20260817), 0
    for ranks in (1, 3, 2):
        kills += kill_job(ranks, out["killed"], RACE, chance.uniform(0.25, 0.6) * length)
    check(kills > 0, "no start was killed")
    run_job(3, out["killed"], RACE)
    same_result(out["one"], out["killed"], f"a job killed {kills} times")

    trees = {name: races(inspect(path)) for name, path in out.items()}
    answers = [check_race(name, race) for name, race in trees["one"].items()]
    for other in ("three", "killed"):
        for name, race in trees["one"].items():
            for column in COLUMNS:
                check(race[column] == trees[other][name][column], f"{column} of {name} differs: one rank, {other}")
    saved = sum(whole - known for known, whole in answers)
    summary = json.loads(read(os.path.join(out["one"], "summary.json")))
    check(summary["answers_saved_by_races"] == saved > 0, f"{summary['answers_saved_by_races']} answers saved, not {saved}")

    page = coppice("inspect", out["one"])
    known, whole = answers[0]
    check("\n  races\n" in page and f"{known} of {whole} answers" in page, f"inspect says nothing of it:\n{page}")
    check("left out" in page and "stayed" in page, f"inspect does not say what was left out:\n{page}")
    coppice("status", out["one"])

    settings = [word for setting in RACE for word in ("-s", setting)]
    plan = coppice("run", DEMO, "--check", *settings)
    check("# consolidate.race: 24 examples of probe in 4 stages, looks after 6, 12, 18;" in plan, plan)
    check("# recenter.race: 48 examples of support in 4 stages, looks after 12, 24, 36;" in plan, plan)

    # Candidates of RandOpt, with noise of low rank, race for the places of its largest ensemble: one rank as three, and
    # as a job that is killed.
    voters = {name: os.path.join(folder, "voters-" + name) for name in ("one", "three", "killed")}
    began = time.monotonic()
    text = run_job(1, voters["one"], VOTERS)
    length = time.monotonic() - began
    run_job(3, voters["three"], VOTERS)
    check(kill_job(3, voters["killed"], VOTERS, 0.5 * length), "the candidates' race ended before it was killed")
    run_job(1, voters["killed"], VOTERS)
    for other in ("three", "killed"):
        same_result(voters["one"], voters[other], f"candidates that race on one rank and {other}")
    tree = inspect(voters["one"])
    population = tree["population"]
    known, whole = check_race("population", population)
    check([reward is None for reward in population["reward"]] == [after > 0 for after in population["left_after"]],
          "who left has a reward, or who stayed has none")
    check(tree["baselines"]["randopt_k3"]["test_evaluations"] == 3 * 24, "not the ensemble that was asked for")
    for column in COLUMNS:
        for other in ("three", "killed"):
            check(population[column] == inspect(voters[other])["population"][column], f"{column} of candidates differs: {other}")
    check(f" {len(population['reward'])} candidates" in next(line for line in text.splitlines() if line.startswith("population ")),
          f"other candidates than those that raced:\n{text}")
    said = coppice("analyze", voters["one"], code=3)
    check("left a race" in said and "population.race: off" in said, f"halves of scores that chose who has them: {said}")
    check("\n  races\n" in coppice("inspect", voters["one"]), "inspect says nothing of the candidates' race")
    check("analysis.split_half: false" in coppice("run", DEMO, "--check", "-s", "method=randopt", "-s", "population.race=4", code=3),
          "a race that the split-half analysis needs whole is not refused")
    answers.append((known, whole))
    trees["one"]["candidates"] = population

    # Without the keys none of the columns is there: test_schema.py.
    check("# consolidate.race" not in coppice("run", DEMO, "--check"), "a race is planned that the job does not have")
    coppice("run", DEMO, "--check", "-s", "consolidate.race=1", code=3)

    if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
        for name, of in (("proposals", out["one"]), ("candidates", voters["one"])):
            target = os.path.join(folder, "report-" + name)
            subprocess.run([os.path.join(TOP, "analysis", "coppice-report"), of, "-o", target], check=True,
                           stdout=subprocess.DEVNULL, env=ENV)
            check("without the race" in read(os.path.join(target, "report.html"), "r"), f"the report says nothing of {name}")
    print(f"* {kills} kills; " + "; ".join(f"{name} {known} of {whole} answers"
                                           for name, (known, whole) in zip(trees["one"], answers)))
