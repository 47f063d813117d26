#!/usr/bin/env python3
"""The demo's job file through sbatch gives the recipe of `make demo`: begun by srun, told to leave by SIGUSR1
and requeued, cancelled, and ended by mpirun. COPPICE_LONG=1: each way alone from beginning to end, too."""
import os

from jobs import LAUNCHERS, Job, check_demo_recipe, command, scratch

SPREAD = ["--nodes=3", "--ntasks-per-node=1"]


def both_ways(folder):
    begun = Job(folder, "demo", [], SPREAD, "srun")
    begun.wait_work()
    command("scancel", "--signal=USR1", "--batch", begun.id)
    begun.until(120, "a second start", lambda: ", start 2: " in begun.text())
    begun.wait_work()
    command("scancel", begun.id)
    begun.wait("CANCELLED")
    ended = Job(folder, "ended", [], SPREAD, "mpirun", out=begun.out).wait(seconds=1200)
    check_demo_recipe(ended.out, "the demo by srun and mpirun")
    print("* the demo, begun by srun and ended by mpirun, stopped twice: the bytes of make demo")


def each_way(folder):
    for launcher in LAUNCHERS:
        job = Job(folder, launcher, [], SPREAD, launcher).wait(seconds=1200)
        check_demo_recipe(job.out, "the demo by " + launcher)
        print(f"* the demo by {launcher}: the bytes of make demo")


with scratch() as scratch_folder:
    both_ways(scratch_folder)
    if os.environ.get("COPPICE_LONG") == "1":
        each_way(scratch_folder)
