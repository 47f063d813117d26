#!/usr/bin/env python3
"""Candidates side by side, on the device that is emulated on the processor: how many changes no
result, in f32 and bf16, with one rank or several, greedy or drawn, with units of several batches,
and after a resume with another number; the plan says how many there are."""
# Takes long.
import json
import os
import re
import shutil
import signal
import subprocess
import time

import lib
from lib import COPPICE, QUICK, check, inspect, need_emulated_plugin, run_command, run_job, same_result, scores, scratch

MEMORY, INTERRUPTED = 7, 75
EMULATED = need_emulated_plugin()

SMALL = [*QUICK, "backend.kind=cuda", "backend.batch=6", "population.size=7", "splits.support=10", "splits.probe=4",
         "splits.validate=4", "splits.test=4", "recenter.rounds=1", "recenter.size=2", "generation.max_new_tokens=8", "gate.allow_flat=true",
         "consolidate.q=[0.5]", "consolidate.beta=[1]", "consolidate.scale=[1]", "consolidate.max_scale=1",
         "baselines.randopt=[1]", "baselines.self_consistency=[3]", "analysis.split_half=false"]

with scratch() as folder:
    lib.COPPICE = os.path.join(folder, "coppice")
    shutil.copy(COPPICE, lib.COPPICE)
    shutil.copy(EMULATED, folder)
    lib.ENV["COPPICE_CUDA_HOST_DEVICES"] = "2"

    def job(name, candidates, *settings, ranks=1):
        out = os.path.join(folder, name)
        asked = [] if candidates is None else [f"backend.candidates={candidates}"]
        return out, run_job(ranks, out, [*SMALL, *settings, *asked])

    def side_by_side(text):
        return [int(number) for number in re.findall(r"; (\d+) candidates side by side; GPU memory", text)]

    one, text = job("one", 1)
    check(side_by_side(text) == [], f"one candidate at a time is no news: {text}")
    ranks, text = job("ranks", None, ranks=3)
    check(side_by_side(text) == [16], f"the plan does not tell of 16 candidates: {text}")
    same_result(one, ranks, "as many candidates as fit, on two ranks")

    # A resume with another number: the run file knows of the old one, nothing is computed anew.
    resumed = os.path.join(folder, "resumed")
    started = subprocess.Popen(run_command(1, resumed, [*SMALL, "backend.candidates=5", "checkpoint.interval=0.1"]),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                               env=lib.ENV, cwd=lib.TOP, start_new_session=True)
    end = time.monotonic() + 300
    while time.monotonic() < end and started.poll() is None:
        if os.path.exists(os.path.join(resumed, "run.h5")):
            break
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGTERM)
    text = started.communicate(timeout=300)[0]
    check(started.returncode == INTERRUPTED, f"SIGTERM: exit code {started.returncode}: {text}")
    job("resumed", 2)
    same_result(one, resumed, "5 candidates side by side, then 2")

    bf16, _ = job("bf16", 1, "backend.compute=bf16")
    check(scores(bf16) != scores(one), "bf16 is not another arithmetic: the test is none")
    several, text = job("bf16-several", 3, "backend.compute=bf16", ranks=3)
    check(side_by_side(text) == [3], f"the plan does not tell of three candidates: {text}")
    check("3 candidates side by side" in json.dumps(inspect(several)["job"]["rank_backends"]), "nor does the run file")
    same_result(bf16, several, "3 candidates side by side in bf16 on two ranks")

    low, _ = job("low-rank", 1, "population.noise=rank-2")
    check(scores(low) != scores(one), "noise of rank 2 is no other noise: the test is none")
    several, _ = job("low-rank-several", 3, "population.noise=rank-2", ranks=3)
    same_result(low, several, "3 candidates side by side of noise of low rank on two ranks")

    # A processor takes one, whatever its neighbours with a GPU are to take.
    _, text = job("cpu", 3, "backend.kind=cpu")
    check(side_by_side(text) == [], f"several candidates on the processor: {text}")

    # Where the memory does not do for one candidate's unit, its answers are generated in parts.
    def plan(mib):
        lib.ENV["COPPICE_CUDA_HOST_BYTES"] = str(mib << 20)
        started = subprocess.Popen(run_command(1, os.path.join(folder, f"plan{mib}"), SMALL), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=lib.ENV,
                                   cwd=lib.TOP, start_new_session=True)
        line = next((line for line in started.stdout if "; GPU memory" in line), None)
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return line

    refused, taken = 320, 512
    check(plan(refused) is None and plan(taken) is not None, "some MiB do, and fewer do not")
    while taken - refused > 1:
        middle = (refused + taken) // 2
        if plan(middle) is None:
            refused = middle
        else:
            taken = middle
    lib.ENV["COPPICE_CUDA_HOST_BYTES"] = str(taken << 20)
    parts, text = job("parts", None)
    check(re.search(r"; [1-5] of 6 answers at a time; GPU memory", text), f"in parts: {text}")
    check("of 6 answers at a time" in json.dumps(inspect(parts)["job"]["rank_backends"]), "the run file tells, too")
    same_result(one, parts, "answers of a unit in parts")

    # A number that does not fit is refused with one that does, and is not what auto takes.
    lib.ENV["COPPICE_CUDA_HOST_BYTES"] = str(1 << 30)
    text = run_job(1, os.path.join(folder, "full"), [*SMALL, "backend.candidates=256"], code=MEMORY)
    check(re.search(r"\d+ candidates side by side would fit", text), f"what would fit is not said: {text}")
    print("* 1, 2, 3, 5 and 16 candidates side by side: the same bytes")
