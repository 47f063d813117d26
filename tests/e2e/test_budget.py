#!/usr/bin/env python3
"""A search with a budget: never exceeded, the same bytes with 1 and 3 ranks and after a kill, no other result where it
has room for all; planned by --check and submit.sh, refused where it is too small, told by status, inspect, summary and
report."""
import json
import os
import re
import stat
import subprocess
import time

from lib import COPPICE, DEMO, ENV, QUICK, TOP, check, coppice, inspect, kill_job, read, run_job, same_result, scratch

SHORT = [*QUICK, "splits.test=16", "analysis.split_half=false", "baselines.randopt=[2]", "baselines.self_consistency=[]",
         "checkpoint.interval=0.1", "backend.batch=16"]
SUPPORT, PROBE, VALIDATE, TEST, LONGEST = 48, 24, 64, 16, 80
SEARCH = SUPPORT + PROBE + VALIDATE
ALL = SEARCH + 48 * 48 + 4 * 5 * 24 + 3 * 64 + (9 + 12) * 48 + 3 * 64 + (4 + 2) * 24 + 64  # two doublings each


def settings(values):
    return [word for setting in values for word in ("-s", setting)]


def count(tree):
    """Answers and tokens of a run file that count: those of every phase but on the test set."""
    answers = tokens = 0

    def walk(node, path):
        nonlocal answers, tokens
        if "scores" in node and "tokens" in node:
            if path == "/base":
                answers += SEARCH
                tokens += sum(int(unit) for unit in node["tokens"][0][: -(-SEARCH // 16)])
            else:
                answers += sum(score is not None for row in node["scores"] for score in row)
                tokens += sum(int(unit) for row in node["tokens"] for unit in row)
        for key, value in node.items():
            if isinstance(value, dict) and path + "/" + key not in ("/baselines", "/final"):
                walk(value, path + "/" + key)
    walk(tree, "")
    return answers, tokens


def check_spent(out, answers=None, tokens=None):
    """What was spent is what the run file holds, and no more than the limits; gives the tree."""
    tree = inspect(out)
    spent = count(tree)
    told = tree["budget"]
    check((told["spent_answers"], told["spent_tokens"]) == spent, f"spent {spent}, the run file says {told}")
    check(spent[0] <= (answers or spent[0]) and spent[1] <= (tokens or spent[1]), f"{spent}: more than {answers}, {tokens}")
    summary = json.loads(read(os.path.join(out, "summary.json")))
    check(summary["budget"] == {"answers": answers, "tokens": tokens, "spent_answers": spent[0], "spent_tokens": spent[1]},
          f"the summary says {summary['budget']}, spent were {spent}")
    check(summary["population"] == len(tree["population"]["reward"]), f"the summary says {summary['population']} candidates")
    return tree, spent


def check_tokens(folder):
    """Less than the whole search may generate: both sides of the first round are made smaller."""
    job = [*SHORT, "budget.tokens=60000", "consolidate.race=3"]
    out = {name: os.path.join(folder, "tokens-" + name) for name in ("one", "three", "killed")}
    began = time.monotonic()
    text = run_job(1, out["one"], job)
    length = time.monotonic() - began
    check("budget: 60000 tokens for support" in text and "Budget: " in text, text)
    run_job(3, out["three"], job)
    kill_job(3, out["killed"], job, 0.6 * length)
    run_job(1, out["killed"], job)
    tree, spent = check_spent(out["one"], tokens=60000)
    for other in ("three", "killed"):
        same_result(out["one"], out[other], f"one rank and {other}")
        check(check_spent(out[other], tokens=60000)[0]["budget"] == tree["budget"], f"{other}: another budget is on record")
    made = len(tree["population"]["reward"])
    planned = int(re.search(r"budget.population: (\d+) of 48", text)[1])
    check(planned < made < 48, f"{made} candidates, {planned} were certain")
    page = coppice("inspect", out["one"])
    check(f"{spent[1]} of 60000 tokens spent" in page and re.search(rf"/population +{made} of 48 candidates", page), page)
    check(f"{spent[1]} of 60000 tokens" in coppice("status", out["one"]), "status says nothing of the budget")
    status = json.loads(coppice("status", out["one"], "--json"))
    check(status["budget"] == {"answers": None, "tokens": 60000, "spent_answers": spent[0], "spent_tokens": spent[1]},
          f"status: {status['budget']}")
    run_job(1, out["one"], [*job, "budget.tokens=60001"], code=8)
    if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
        target = os.path.join(folder, "report")
        subprocess.run([os.path.join(TOP, "analysis", "coppice-report"), out["one"], "-o", target], check=True,
                       stdout=subprocess.DEVNULL, env=ENV)
        check(f"{spent[1]:,} of 60,000 tokens spent" in read(os.path.join(target, "report.html"), "r"), "the report says nothing")
    return f"{spent[1]} of 60000 tokens, {made} candidates, {planned} were certain"


def check_answers(folder):
    """A budget with room for all changes nothing."""
    out = {name: os.path.join(folder, "answers-" + name) for name in ("none", "all")}
    run_job(1, out["none"], SHORT)
    check("budget" not in inspect(out["none"]) and "budget" not in json.loads(read(os.path.join(out["none"], "summary.json"))),
          "a run without a budget has one on record")
    text = run_job(1, out["all"], [*SHORT, f"budget.answers={ALL}"])
    check("there is room for all of it" in text, text)
    same_result(out["none"], out["all"], "without a budget and with room for all")
    _, spent = check_spent(out["all"], answers=ALL)
    return f"{spent[0]} of {ALL} answers"


def check_plans(folder):
    plan = coppice("run", DEMO, "--check", *settings(SHORT))
    check("# budget" not in plan and "budget.answers: none\nbudget.tokens: none\n" in plan, plan)
    total = sum(int(part) for part in re.findall(r" (\d+)(?:,|$)", re.search(r"^# work: (.*)$", plan, re.M)[1]))
    check(total == ALL + TEST + 3 * TEST, f"{total} answers, not {ALL + 4 * TEST}")
    for limit, message in ((f"budget.answers={ALL}", "there is room for all of it"),
                           (f"budget.answers={ALL - 1}", "budget.population: 48 of 48 candidates"),
                           ("budget.answers=2000", "budget.population: 28 of 48 candidates"),
                           ("budget.tokens=160000", "budget.recentring: 0 of 1 rounds")):
        plan = coppice("run", DEMO, "--check", *settings(SHORT), "-s", limit)
        check(message in plan, f"{limit}: no '{message}' in\n{plan[plan.index('# work'):]}")
    least = SEARCH + 8 * 48 + 3 * 24 + 64
    words = coppice("run", DEMO, "--check", *settings(SHORT), "-s", f"budget.answers={least - 1}", code=3)
    check(f"budget.answers: {least - 1} are too few: this search needs {least} at least" in words, words)
    words = run_job(1, os.path.join(folder, "refused"), [*SHORT, f"budget.answers={least - 1}"], code=3)
    check(f"needs {least} at least" in words and not os.path.exists(os.path.join(folder, "refused", "run.h5")), words)
    coppice("run", DEMO, "--check", *settings(SHORT), "-s", f"budget.answers={least}")
    drop = [*SHORT, "splits.drop_uninformative=true", "splits.drop_after=3"]
    for limit, replaced in ((f"budget.answers={ALL + 4 * 48}", 48), (f"budget.answers={least + 3 * 48 + 2 * 4 * 5}", 5)):
        plan = coppice("run", DEMO, "--check", *settings([*drop, limit]))
        check(f"replacements {4 * replaced}," in plan and f"at most {replaced} of 48 examples of support are replaced, for "
              f"{4 * replaced} answers more" in plan, plan[plan.index("# work"):])
    # The demo's data set has 1,000 questions; where splits use them all, nothing can come for another.
    plan = coppice("run", DEMO, "--check", *settings([*drop, f"splits.test={1000 - SEARCH}", f"budget.answers={ALL}"]))
    check("replacements 0," in plan and "there is room for all of it" in plan and "at most 0 of 48" in plan, plan)


def check_submit(folder):
    """On a cluster of three nodes that is a script."""
    double = os.path.join(folder, "sinfo")
    with open(double, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho 'main*|main|8|3|infinite'\n")
    os.chmod(double, stat.S_IRWXU)
    environment = dict(ENV, PATH=folder + ":" + os.environ["PATH"], COPPICE=COPPICE)

    def submit(*limits):
        return subprocess.run([os.path.join(TOP, "slurm", "submit.sh"), "--dry-run", "--rate", "10", "--workers", "1", DEMO,
                               *settings([*SHORT, *limits])], stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    whole, half, tokens = submit(), submit("budget.answers=2000"), submit("budget.tokens=60000")
    check(f"work        at most {ALL + 4 * TEST} answers" in whole and "budget" not in whole, whole)
    check(f"work        at most {2000 + 4 * TEST} answers" in half, half)
    check("budget      2000 answers for support, probe and validate" in half, half)
    check("budget      population: 28 of 48 candidates" in half, half)
    for text, most in ((whole, (ALL + 4 * TEST) * LONGEST), (half, (2000 + 4 * TEST) * LONGEST), (tokens, 60000 + 4 * TEST * LONGEST)):
        minutes = (most // 10 * 5 // 4 + 300 + 59) // 60
        check(f"--time={minutes // 60:02d}:{minutes % 60:02d}:00" in text, f"{most} tokens at 10 a second, {minutes} minutes:\n{text}")


with scratch() as scratch_folder:
    check_plans(scratch_folder)
    check_submit(scratch_folder)
    print("* " + check_tokens(scratch_folder) + "; " + check_answers(scratch_folder))
