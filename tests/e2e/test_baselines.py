#!/usr/bin/env python3
"""The baselines: votes and tests recomputed from what the run file holds, method: randopt, the same
bytes on any number of ranks and after kills. Drawn answers do not depend on the batch."""
# Takes long.
import collections
import json
import math
import os
import signal
import subprocess
import time

from lib import (DATA, ENV, MODEL, QUICK, TOP, check, coppice, inspect, json_lines, read, run_command, run_job,
                 same_result, scratch, wait_for_log)

SETTINGS = QUICK + ["method=randopt", "baselines.randopt=[5, 2, 500]", "baselines.self_consistency=[4, 1]",
                    "baselines.temperature=0.9", "baselines.top_p=0.95", "checkpoint.interval=0.1"]


def vote(answers, scores, members):
    """Plurality on each example, the plain way: what the published RandOpt does with Counter."""
    voted = []
    for m in range(len(scores[0])):
        given = [answers[k][m] for k in range(members) if answers[k][m] != "0"]
        if not given:
            voted.append(scores[0][m])
            continue
        winner = collections.Counter(given).most_common(1)[0][0]
        voted.append(min(scores[k][m] for k in range(members) if answers[k][m] == winner))
    return voted


def mcnemar(scores, other):
    """Two-sided exact p."""
    gained = sum(a >= 1 > b for a, b in zip(scores, other))
    lost = sum(b >= 1 > a for a, b in zip(scores, other))
    tail = sum(math.comb(gained + lost, k) for k in range(min(gained, lost) + 1)) / 2 ** (gained + lost)
    return min(1.0, 2 * tail)


def find(tree, path):
    for part in path.strip("/").split("/"):
        tree = tree[part]
    return tree


def check_tree(tree, methods):
    """Every method's numbers follow from the scores and answers beside them."""
    check(tree["final"]["methods"] == methods, f"methods are {tree['final']['methods']}, not {methods}")
    rewards = tree["population"]["reward"]
    members = [int(i) for i in tree["baselines"]["randopt"]["candidate"]]
    best = sorted(range(len(rewards)), key=lambda i: (-rewards[i], i))
    check(members == best[:len(members)], f"the members are {members}, not {best[:len(members)]}")
    base = find(tree, "/final/base/scores")
    for path in methods:
        got = find(tree, path)
        name = path.rsplit("/", 1)[1]
        if "_k" in name:
            kind, members = name.rsplit("_k", 1)
            phase = tree["baselines"][kind]
            wanted = vote(phase["answers"], phase["scores"], int(members))
            if members == "1":
                wanted = phase["scores"][0]
            check(got["scores"] == wanted, f"{name}: {got['scores']}, not {wanted}")
            tokens = sum(int(t) for row in phase["tokens"][:int(members)] for t in row)
            check(got["test_tokens"] == tokens, f"{name} took {got['test_tokens']} tokens, not {tokens}")
        right = sum(score >= 1 for score in got["scores"])
        check(abs(got["accuracy"] - right / len(base)) < 1e-9, f"{name}: accuracy {got['accuracy']}")
        check(abs(got["gain"] - (right - sum(s >= 1 for s in base)) / len(base)) < 1e-9, f"{name}: gain {got['gain']}")
        check(got["gain_low"] <= got["gain"] <= got["gain_high"], f"{name}: the gain is outside its interval")
        check(abs(got["p_base"] - mcnemar(got["scores"], base)) < 1e-8, f"{name}: p {got['p_base']}")
        if "consolidated" in tree["final"]:
            check(abs(got["p_consolidated"] - mcnemar(got["scores"], tree["final"]["consolidated"]["scores"])) < 1e-8,
                  f"{name}: p against CoRP {got['p_consolidated']}")


def check_randopt(folder):
    outs = {ranks: os.path.join(folder, f"randopt{ranks}") for ranks in (1, 2, 3)}
    for ranks, out in outs.items():
        text = run_job(ranks, out, SETTINGS)
    check("RandOpt K = 1, 2, 5; self-consistency K = 1, 4; 432 answers, the population takes 2304" in text,
          "the plan does not say what the baselines cost")
    same_result(outs[1], outs[2], "randopt, 1 and 2 ranks")
    same_result(outs[1], outs[3], "randopt, 1 and 3 ranks")
    tree = inspect(outs[1])
    check_tree(tree, ["/final/base", "/baselines/randopt_k1", "/baselines/randopt_k2", "/baselines/randopt_k5",
                      "/baselines/best_member", "/baselines/self_consistency_k1",
                      "/baselines/self_consistency_k4"])
    check("stage1" not in tree and set(tree["gate"]) == {"on"}, "method: randopt merged something")
    summary = json.loads(read(os.path.join(outs[1], "summary.json")))
    check(set(summary["test"]) == {"base", "randopt_k1", "randopt_k2", "randopt_k5", "best_member",
                                   "self_consistency_k1", "self_consistency_k4"}, f"{list(summary['test'])}")
    # The recipe is the best candidate, K = 1.
    lines = read(DATA, "r").splitlines()
    test = os.path.join(folder, "test.jsonl")
    with open(test, "w", encoding="utf-8") as file:
        file.write("".join(lines[int(i)] + "\n" for i in tree["baselines"]["randopt"]["examples"]))
    again = json.loads(coppice("eval", "--model", MODEL, "--recipe", outs[1], "--task", "arith", "--data", test,
                               "--max-new-tokens", 80, "--compute", "f32", "--threads", 1, "--json"))
    check(again["accuracy"] == summary["test"]["randopt_k1"]["accuracy"],
          f"the recipe scores {again['accuracy']}, K = 1 {summary['test']['randopt_k1']['accuracy']}")
    return outs[1]


def check_kills(folder, whole):
    """Killed during the members, then during the samples; the end is the same."""
    out = os.path.join(folder, "killed")
    for phase in ("randopt members", "self-consistency"):
        job = subprocess.Popen(run_command(2, out, SETTINGS), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=ENV, cwd=TOP,
                               start_new_session=True)
        wait_for_log(job, out, f"phase {phase}")
        time.sleep(0.2)
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    run_job(3, out, SETTINGS)
    same_result(whole, out, "after kills in the baselines")


def check_more(folder, whole):
    """A finished run is given more baselines and ends as one that had them from the start. Fewer are refused, and other
    ensembles where candidates raced for places in them."""
    out = os.path.join(folder, "more")
    run_job(1, out, SETTINGS + ["baselines.randopt=[2]", "baselines.self_consistency=[]"])
    text = run_job(2, out, SETTINGS)
    check("population               48 candidates      0 s  from the run file" in text, "the population was scored again")
    same_result(whole, out, "after more baselines")
    ends = [json.loads(read(os.path.join(run, "summary.json")))["test"] for run in (whole, out)]
    check(ends[0] == ends[1], f"the summaries differ: {ends}")
    for fewer in ("baselines.randopt=[2, 500]", "baselines.self_consistency=[1]"):
        text = run_job(1, out, SETTINGS + [fewer], code=8)
        check("belongs to another job: " + fewer.split("=")[0] in text, text)
    raced = os.path.join(folder, "raced")
    settings = SETTINGS + ["population.race=2", "analysis.split_half=false", "baselines.self_consistency=[1]"]
    run_job(1, raced, settings + ["baselines.randopt=[2]"])
    run_job(1, raced, settings + ["baselines.randopt=[1, 2]"], code=8)
    run_job(1, raced, settings + ["baselines.randopt=[2]", "baselines.self_consistency=[1, 2]"])


def check_drawn():
    prompts = [{"messages": [{"role": "user", "content": json.loads(line)["question"]}]}
               for line in read(DATA, "r").splitlines()[:40]]

    def generate(*arguments):
        return coppice("generate", "--model", MODEL, "--compute", "f32", "--max-new-tokens", 60, *arguments,
                       text_in=json_lines(prompts))

    greedy = generate()
    drawn = generate("--temperature", 1.2, "--seed", 7)
    check(drawn != greedy, "drawn answers are greedy ones")
    for arguments in (["--batch", 1], ["--batch", 7, "--threads", 1], ["--top-p", 1]):
        check(generate("--temperature", 1.2, "--seed", 7, *arguments) == drawn, f"{arguments} changed the draws")
    check(generate("--temperature", 1.2, "--seed", 8) != drawn, "the seed does not matter")
    check(generate("--temperature", 1.2, "--seed", 7, "--top-p", 0.6) != drawn, "top-p does not matter")
    check(generate("--temperature", 0, "--seed", 7) == greedy, "temperature 0 is not greedy")
    check(generate("--temperature", 1.2, "--top-p", 1e-9) == greedy, "a tiny top-p is not greedy")
    for wrong in (["--temperature", -1], ["--temperature", "nan"], ["--temperature", 1, "--top-p", 0],
                  ["--temperature", 1, "--top-p", 1.1], ["--seed", 1], ["--temperature", 1, "--seed", -1]):
        coppice("generate", "--model", MODEL, *wrong, text_in="", code=2)


check_drawn()
with scratch() as scratch_folder:
    finished = check_randopt(scratch_folder)
    check_kills(scratch_folder, finished)
    check_more(scratch_folder, finished)
    corp = os.path.join(scratch_folder, "corp")
    printed = run_job(2, corp, QUICK)
    check_tree(inspect(corp), ["/final/base", "/baselines/randopt_k1", "/baselines/randopt_k3",
                               "/baselines/best_member", "/baselines/self_consistency_k4", "/final/consolidated"])
    shown = coppice("inspect", corp)
    check(" 2 ranks, 1 node: " in shown, "inspect counts ranks and nodes otherwise")
    table = printed[printed.index("test accuracy"):printed.index("test examples")]
    check(table[:table.rindex("\n\n")] in shown, "inspect shows another table than the run printed")
    print("* " + "\n* ".join(line for line in table.splitlines()[1:7]))
