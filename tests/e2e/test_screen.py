#!/usr/bin/env python3
"""Support examples that tell no candidates apart are replaced, with noise of low rank: the same bytes with 1 and 3 ranks
and after kills, on record, counted by the check and the plan, and every page says what that does to means."""
import json
import os
import random
import subprocess
import time

from lib import COPPICE, DEMO, ENV, QUICK, TOP, check, coppice, inspect, kill_job, read, run_job, same_result, scratch

SHORT = [*QUICK, "population.noise=rank-4", "population.scaling=rms", "population.sigma=[0.1, 0.2]", "splits.test=16",
         "population.size=20", "recenter.rounds=0", "consolidate.max_scale=2",
         "analysis.split_half=false", "baselines.randopt=[1]", "baselines.self_consistency=[]", "checkpoint.interval=0.1"]
DROP = [*SHORT, "splits.drop_uninformative=true", "splits.drop_after=3"]
JUDGES = 3


def words(settings):
    return [word for setting in settings for word in ("-s", setting)]


def check_record(tree):
    """What went, what came, and the scores of those who decided; gives how many were replaced."""
    screen, population = tree["screen"], tree["population"]
    first, again = screen["population"]["scores"], screen["replacements"]["scores"]
    equal = [j for j, column in enumerate(zip(*first)) if len(set(column)) == 1]
    went = [screen["population"]["examples"][j] for j in equal]
    check(screen["replaced"] == went and 0 < len(went) < len(first[0]), f"{screen['replaced']} were replaced, not {went}")
    check(screen["solved_by_all"] + screen["solved_by_none"] == len(equal), "the counts do not add up")
    used = {example for group in (tree["base"], tree["screen"]["population"]) for example in group["examples"]}
    check(not used & set(screen["replacement"]) and screen["replacements"]["examples"] == screen["replacement"],
          "what came was in a split already")
    place = dict(zip(screen["replaced"], screen["replacement"]))
    check(population["examples"] == [place.get(e, e) for e in screen["population"]["examples"]], "support is another set")
    for i in range(JUDGES):
        wanted = list(first[i])
        for k, j in enumerate(equal):
            wanted[j] = again[i + 1][k]
        check(population["scores"][i] == wanted and population["status"][i] == [4] * len(population["status"][i]),
              f"candidate {i} was not taken over")
    check(all(set(row) == {1} for row in population["status"][JUDGES:]), "another was")
    return len(went)


with scratch() as folder:
    out = {name: os.path.join(folder, name) for name in ("one", "three", "killed")}
    began = time.monotonic()
    text = run_job(1, out["one"], DROP)
    length = time.monotonic() - began
    check("tell none of the first 3 candidates apart" in text and "means on support are of other examples" in text,
          f"nothing is said of it:\n{text}")
    run_job(3, out["three"], DROP)
    same_result(out["one"], out["three"], "1 and 3 ranks")

    chance, kills = random.Random(7), 0
    for ranks in (1, 3):
        kills += kill_job(ranks, out["killed"], DROP, chance.uniform(0.2, 0.5) * length)
    check(kills > 0, "no start was killed")
    run_job(2, out["killed"], DROP)
    same_result(out["one"], out["killed"], f"a job killed {kills} times")

    recipe = json.loads(read(os.path.join(out["one"], "recipe.json")))
    check(recipe["noise"] == "rank-4" and recipe["components"], "nothing was found, so the same bytes show nothing")

    tree = inspect(out["one"])
    replaced = check_record(tree)
    for path in ("screen/replaced", "screen/replacement", "screen/base_accuracy", "screen/judges_reward"):
        group, name = path.split("/")
        check(tree[group][name] == inspect(out["killed"])[group][name], f"{path} differs after kills")

    # compare asks support as it is since then.
    asked = os.path.join(folder, "answers.jsonl")
    coppice("compare", out["one"], "--split", "support", "--answers", asked)
    rows = [row["example"] for row in map(json.loads, read(asked, "r").splitlines()) if "example" in row]
    check(rows == [int(example) for example in tree["population"]["examples"]], f"compare asks {rows}")

    summary = json.loads(read(os.path.join(out["one"], "summary.json")))
    told = summary["support_screen"]
    check(told["replaced"] == replaced and told["base_accuracy"] == tree["screen"]["base_accuracy"]
          and "compare" in told["means"], f"summary.json: {told}")
    # A support answer of a judge on what went and on what came, the base on what came: nothing else is more.
    plain = json.loads(read(os.path.join(out["one"], "summary.json")))["test"]["randopt_k1"]["search_evaluations"]
    check(plain == 20 * 48 + (JUDGES + 1) * replaced, f"{plain} answers for the population")
    check(summary["destructive_candidates"] == tree["population"]["destructive"], "summary.json: what destructive candidates cost")
    page = coppice("inspect", out["one"])
    check("support examples that say nothing" in page and "taken over" in page, f"inspect says nothing of it:\n{page}")
    coppice("status", out["one"])
    # Who decided is flattered, which must not pass for structure.
    short = ("--halvings", 20, "--permutations", 20)
    check("apart from the others" in coppice("analyze", out["one"], *short), "analyze says nothing of those who decided")
    for words_within, within in (((), "judges"), (("--within-sigma",), "sigma and judges")):
        found = json.loads(coppice("analyze", out["one"], *short, "--json", *words_within))
        check(found["permuted_within"] == within, f"scores are permuted within {found['permuted_within']}")

    shown = coppice("run", DEMO, "--check", *words(DROP))
    check(f"at most 48 of 48 examples of support are replaced, for {(JUDGES + 1) * 48} answers more" in shown, shown)
    few = coppice("run", DEMO, "--check", *words([*DROP, "splits.test=860"]))
    check("at most 4 of 48 examples" in few, f"the check does not know the pool: {few}")
    check("# splits.drop" not in coppice("run", DEMO, "--check"), "the check tells of what the job does not do")
    plan = subprocess.run(["bash", "-c", 'home=$1; coppice=$2; shift 2; . "$home/plan.sh"; read_job "$@"; echo "$job_counts"', "-",
                           os.path.join(TOP, "slurm"), COPPICE, DEMO, *words(DROP)], check=True, stdout=subprocess.PIPE,
                          text=True, env=ENV).stdout
    check(f"replacements {(JUDGES + 1) * 48}" in plan.splitlines(), f"the plan does not count it:\n{plan}")

    if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
        target = os.path.join(folder, "report")
        subprocess.run([os.path.join(TOP, "analysis", "coppice-report"), out["one"], "-o", target], check=True,
                       stdout=subprocess.DEVNULL, env=ENV)
        check("Means on support are of the examples" in read(os.path.join(target, "report.html"), "r"),
              "the report does not say what became of means")
    print(f"* {kills} kills; {replaced} of 48 examples replaced")
