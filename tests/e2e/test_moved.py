#!/usr/bin/env python3
"""A run directory that is moved while its job runs: the job says so and goes on there, its claim with it."""
import json
import os
import subprocess
import time

from lib import ENV, QUICK, TOP, check, read, run_command, run_job, same_result, scratch

BUSY = 13
SETTINGS = [*QUICK, "population.size=100", "recenter.rounds=0", "checkpoint.interval=1", "analysis.split_half=false",
            "baselines.self_consistency=[]", "baselines.randopt=[1]"]

with scratch() as folder:
    whole = os.path.join(folder, "whole")
    run_job(3, whole, SETTINGS)
    for decoy in (False, True):
        out = os.path.join(folder, f"run-{decoy}")
        moved = out + "-moved"
        job = subprocess.Popen(run_command(3, out, SETTINGS), env=ENV, cwd=TOP, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while not os.path.exists(os.path.join(out, "run.h5")):
            check(time.monotonic() < end and job.poll() is None, "no run file appears")
            time.sleep(0.05)
        os.rename(out, moved)
        if decoy:
            os.mkdir(out)  # something else takes the name
        else:
            other = subprocess.run(run_command(1, moved, SETTINGS), env=ENV, cwd=TOP, text=True, timeout=100,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            # It waits for a living owner, who may end meanwhile; then it shows the result.
            check(other.returncode in (0, BUSY), f"in the moved directory: {other.returncode}: {other.stdout}")
        text = job.communicate(timeout=300)[0]
        check(job.returncode == 0, f"the job whose directory was moved: {job.returncode}: {text}")
        check("was moved while its job runs" in text and moved in text, f"it does not say so: {text}")
        check(json.loads(read(os.path.join(moved, "status.json")))["state"] == "done", "its status is another")
        same_result(whole, moved, "moved")
        check(not os.path.exists(out) or (decoy and not os.listdir(out)), "files appeared where it was")
    print("* a moved run directory: the job goes on in it")
