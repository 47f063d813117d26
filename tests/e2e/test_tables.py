#!/usr/bin/env python3
"""Tables of several runs say what they are of: scaling_table.py and search_cost.py refuse runs of other settings, a sweep's
table is in what its jobs decided by, and what would make a sweep's members other jobs is refused."""
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time

from lib import COPPICE, DEMO, ENV, TOP, check, run_job, scratch

SMALL = ["splits.support=8", "splits.probe=8", "splits.validate=8", "splits.test=8", "recenter.rounds=0", "analysis.split_half=false",
         "gate.allow_flat=true", "consolidate.q=[0.5]", "consolidate.beta=[1]", "generation.max_new_tokens=32"]
ENVIRONMENT = dict(ENV, COPPICE=COPPICE)


def script(*words, code=0, path=None):
    done = subprocess.run([sys.executable if words[0].endswith(".py") else "bash", os.path.join(TOP, words[0]), *words[1:]],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, cwd=TOP,
                          env=dict(ENVIRONMENT, PATH=f"{path}:{ENV['PATH']}") if path else ENVIRONMENT)
    check(done.returncode == code and "Traceback" not in done.stderr, f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check_scaling_table(folder):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    command = ["analysis/scaling_table.py", DEMO, "--out", os.path.join(folder, "table"), "--sizes", "10", "--seeds", "1",
               "--ranks", "1", *settings]
    first = script(*command, "--scaling", "modular=[0.8]")
    check("| modular [0.8] | 10 |" in first and script(*command, "--scaling", "modular=[0.8]") == first, "a table changes when it is made again")
    said = script(*command, "--scaling", "modular=[0.0001]", code=1)
    check("population.sigma was [0.8]" in said and "| modular" not in said, f"a run of other sigmas stands for these: {said}")
    for words in (["--scaling", "modular"], ["--scaling", "rms=[1]", "--scaling", "rms=[2]"], ["--sizes", "x"], ["--seeds", "1-3"]):
        check("error: --" in script(*command, *words, code=2), f"{words} is taken")


def check_search_cost(folder):
    out, job = os.path.join(folder, "cost"), os.path.join(folder, "job.yaml")
    with open(DEMO, encoding="utf-8") as file:
        text = file.read().replace("demo/", os.path.join(os.path.dirname(DEMO), "demo") + "/")
    with open(job, "w", encoding="utf-8") as file:
        file.write(text)
    side = f"a | {COPPICE} {job} population.size=60 checkpoint.interval=0.1 {' '.join(SMALL)}"
    command = ["analysis/search_cost.py", "--out", out, "--seeds", "1", "--side", side]
    # What an interrupted start took counts, too.
    with subprocess.Popen([sys.executable, os.path.join(TOP, command[0]), *command[1:]], stderr=subprocess.PIPE, text=True,
                          env=ENVIRONMENT) as started:
        while not os.path.exists(os.path.join(out, "side0", "1", "run.h5")) and started.poll() is None:
            time.sleep(0.02)
        started.send_signal(signal.SIGTERM)
        said = started.stderr.read()
    stopped = started.returncode != 0
    check(not stopped or "stopped; the same command goes on" in said, said)
    seconds = [float(open(os.path.join(out, "side0", f"1.{name}"), encoding="utf-8").read()) for name in ("seconds", "processor")]
    table = script(*command)
    with open(os.path.join(out, "side0", "1.json"), encoding="utf-8") as file:
        found = json.load(file)
    check(found["wall"] >= seconds[0] > 0 and found["processor"] >= seconds[1] > 0, f"{found} after {seconds}")
    check(f"{found['answers']} (1.00)" in table, table)
    with open(job, "a", encoding="utf-8") as file:
        file.write("# another\n")
    check("another side, program or job file" in script(*command, code=1), "another job file stands in one row with the first")
    check("No such file" in script(*command[:-1], f"a | {folder}/none {job}", code=1), "a program that is not there")
    return stopped


def check_gather(folder):
    """Against the run's own summary: of a search that is merged, and of RandOpt, by accuracy and by reward."""
    spec = importlib.util.spec_from_file_location("gather", os.path.join(TOP, "slurm", "gather.py"))
    gather = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gather)
    for name, settings, key in (("merged", ["gate.on=reward"], "consolidated"), ("voted", ["method=randopt"], "randopt_k1")):
        out = os.path.join(folder, name)
        run_job(1, out, [*SMALL, "population.size=10", "baselines.randopt=[1, 3]", "baselines.self_consistency=[2]", *settings])
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        measure = {"correct": "accuracy"}.get(summary["decided_by"], summary["decided_by"])
        row = dict(zip(gather.HEAD, gather.member_row(COPPICE, [DEMO, "--out", out])))
        tested = summary["test"]
        check(row["measure"] == measure and row["base"] == f"{tested['base'][measure]:.4f}", f"{name}: {row}")
        check(row["randopt"] == f"{tested['randopt_k1'][measure]:.4f}", f"{name}: {row}")
        check((row["consolidated"] == "") == (name == "voted"), f"{name}: {row}")
        level = tested[key][measure]
        check(float(row["low"]) <= level <= float(row["high"]) and row["gain"] == f"{tested[key]['gain_over_base']:+.4f}", f"{name}: {row}")
        check(abs(level - float(row["base"]) - float(row["gain"])) < 2e-4, f"{name}: the gain is no difference of levels: {row}")


def check_sweep(folder):
    command = ["slurm/sweep.sh", "--dry-run", "--seeds", "1-2"]
    for words, said in ((["-s", "task.prompt.system=\nX"], "a tab or a new line"), (["-s", "task.prompt.system=a\tb"], "a tab or a new line"),
                        (["-s", ""], "is empty"), (["--ou", "x"], "--out goes before"), (["--out=x"], "--out goes before")):
        check(said in script(*command, DEMO, *words, code=2), f"{words} is taken")
    # The plan is for the partition that the members go to, however it is said.
    with open(os.path.join(folder, "sinfo"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nfor word; do case $word in --partition=big) echo 'big|big|64|2|1:00:00'; exit;; esac; done\n"
                   "echo 'main*|main|8|3|2:00:00'\n")
    os.chmod(os.path.join(folder, "sinfo"), 0o755)
    for words in (["--sbatch", "-p", "--sbatch", "big"], ["--sbatch", "--partition", "--sbatch", "big"], ["--sbatch", "-pbig"],
                  ["--sbatch", "--partition=big"]):
        said = script(*command, *words, DEMO, path=folder)
        check(re.search("partition +big:", said), f"{words}: {said}")


with scratch() as folder:
    check_scaling_table(folder)
    stopped = check_search_cost(folder)
    check_gather(folder)
    check_sweep(folder)
    print(f"* the run whose clocks count was {'' if stopped else 'not '}interrupted")
