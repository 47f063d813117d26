#!/usr/bin/env python3
"""A run goes on with other numbers of ranks and of threads per rank: every start is on record, a change of
threads is warned about, another batch or another job is refused. The resume is chosen by the run file."""
import os
import signal
import subprocess
import time

from lib import BARE, ENV, TOP, check, coppice, inspect, run_command, run_job, same_result, scratch

MISMATCH, INTERRUPTED = 8, 75
# Noise of low rank depends on as little as full noise does: see test_ranks.py for that.
SETTINGS = BARE + ["population.noise=rank-2", "population.size=24", "recenter.rounds=1", "checkpoint.interval=0.2"]


def interrupt(out, ranks, threads):
    """Starts the job, lets it compute for a while, ends it by SIGTERM; what it said."""
    job = subprocess.Popen(run_command(ranks, out, SETTINGS + [f"backend.threads={threads}"]),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                           env=ENV, cwd=TOP, start_new_session=True)
    before = os.path.getmtime(os.path.join(out, "run.h5")) if os.path.exists(os.path.join(out, "run.h5")) else 0
    end = time.monotonic() + 120
    while time.monotonic() < end and job.poll() is None:
        if os.path.exists(os.path.join(out, "run.h5")) and os.path.getmtime(os.path.join(out, "run.h5")) > before:
            break
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGTERM)
    text = job.communicate(timeout=60)[0]
    if ranks == 1:
        check(job.returncode == INTERRUPTED, f"SIGTERM: exit code {job.returncode}: {text}")
    return text


with scratch() as folder:
    whole, out = os.path.join(folder, "whole"), os.path.join(folder, "out")
    run_job(2, whole, SETTINGS)
    plan = [(1, 1), (1, 2), (3, 1)]
    said = [interrupt(out, ranks, threads) for ranks, threads in plan]
    said.append(run_job(2, out, SETTINGS + ["backend.threads=2"]))
    plan.append((2, 2))

    warned = ["last bits" in text for text in said]
    check(warned == [False, True, True, True], f"a change of threads is warned about at {warned}")
    starts = inspect(out)["job"]["starts"]
    check(list(zip(starts["ranks"], starts["threads"])) == plan, f"the starts are recorded as {starts}")
    check(all(len(column) == len(plan) for column in starts.values()), f"columns of unequal length: {starts}")
    check("2 threads" in starts["backends"][1] and "1 thread" in starts["backends"][2], f"{starts['backends']}")
    text = coppice("inspect", out)
    check("starts" in text and "3 ranks" in text, f"inspect does not show the starts: {text}")
    # The products of these sizes are summed in one order whatever the threads; where a library divides
    # sums among threads, the warning stands.
    same_result(whole, out, "after changes of ranks and threads")

    text = run_job(1, out, SETTINGS + ["backend.batch=32"], code=MISMATCH)
    check("backend.batch" in text, f"another batch: {text}")
    check(len(inspect(out)["job"]["starts"]["ranks"]) == len(plan), "a refused start is on record")
    print(f"* starts of (ranks, threads) {plan}: the same bytes")
