#!/usr/bin/env python3
"""SIGKILL at ten random moments: run again each time with another number of ranks, the job ends with the
same bytes, and no score that was in the run file is ever computed again. SIGTERM leaves a valid run file
and exit code 75 within 5 s."""
# Takes long.
import os
import random
import signal
import subprocess
import time

from lib import ENV, QUICK, TOP, check, fail, inspect, run_command, run_job, same_result, scratch

SETTINGS = QUICK + ["checkpoint.interval=0.2", "analysis.split_half=false", "baselines.self_consistency=[]"]


def start(ranks, out):
    return subprocess.Popen(run_command(ranks, out, SETTINGS), stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=ENV, cwd=TOP,
                            start_new_session=True)


def known(out):
    """Scores that a killed job's run file holds: phase, row, unit, its scores and seconds."""
    found = {}

    def walk(node, path):
        if "status" in node and "scores" in node:
            for row, states in enumerate(node["status"]):
                for unit, state in enumerate(states):
                    if state:
                        found[path, row, unit] = (node["seconds"][row][unit], node["rank"][row][unit])
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, path + "/" + key)
    walk(inspect(out), "")
    return found


def kill_random(out, chance, length):
    """Lets the job run for a random while, kills all of it; false if it ended before."""
    job = start(chance.choice((1, 2, 3)), out)
    try:
        job.wait(chance.uniform(0.15, 1.0) * length)
        check(job.returncode == 0, f"the job ended with {job.returncode}")
        return False
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        time.sleep(0.1)
        return True


def wait_for_population(out):
    """Until the run file of a job that is at work has one."""
    while not (os.path.exists(os.path.join(out, "run.h5")) and "population" in inspect(out)):
        time.sleep(0.1)


with scratch() as folder:
    whole = os.path.join(folder, "whole")
    began = time.monotonic()
    run_job(2, whole, SETTINGS)
    length = time.monotonic() - began
    chance = random.Random(20260531)

    kills, resumed, kept, reach = 0, 0, {}, length
    for attempt in range(40):
        out = os.path.join(folder, f"killed{resumed}")
        fresh, began = not os.path.exists(out), time.monotonic()
        killed = kill_random(out, chance, reach)
        if fresh and not killed:  # other work that made the first one slow is gone
            reach = min(reach, time.monotonic() - began)
        if os.path.exists(os.path.join(out, "run.h5")):
            now = known(out)  # seconds tell whether a unit was computed again
            lost = [unit for unit in kept if now.get(unit) != kept[unit]]
            check(not lost, f"{len(lost)} scores were in the run file and are computed again: {lost[:3]}")
            kept = now
        if killed:
            kills += 1
        else:
            same_result(whole, out, f"after {kills} kills")
            resumed += 1
            kept = {}
        if kills >= 10:
            break
    check(kills >= 10, f"only {kills} kills in 40 starts")
    out = os.path.join(folder, f"killed{resumed}")
    run_job(3, out, SETTINGS)
    same_result(whole, out, "after the last kill")

    for ranks, target in ((1, "self"), (3, "all")):
        out = os.path.join(folder, f"term{ranks}")
        job = start(ranks, out)
        wait_for_population(out)
        began = time.monotonic()
        os.killpg(job.pid, signal.SIGTERM)
        try:
            code = job.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            fail(f"SIGTERM with {ranks} ranks: still there after 5 s")
        took = time.monotonic() - began
        if ranks == 1:  # mpirun has exit codes of its own for a job that it was told to end
            check(code == 75, f"SIGTERM: exit code {code}, not 75")
        check("population" in inspect(out), "SIGTERM left no valid run file")
        run_job(2, out, SETTINGS)
        same_result(whole, out, f"after SIGTERM with {ranks} ranks")
        print(f"* SIGTERM with {ranks} ranks: gone after {took:.1f} s")
    print(f"* {kills} kills; an undisturbed job takes {length:.1f} s")
