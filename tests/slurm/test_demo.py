#!/usr/bin/env python3
"""The demo's job file through sbatch gives the bytes of a plain run: begun by srun, told to leave by SIGUSR1 and
requeued, cancelled, and ended by mpirun. With a smaller population and one round; COPPICE_LONG=1: as it is, whose
recipe's digest is on record, and each way alone from beginning to end, too."""
import os

from jobs import LAUNCHERS, Job, check_demo_recipe, command, reference, scratch

LONG = os.environ.get("COPPICE_LONG") == "1"
SETTINGS = [] if LONG else ["population.size=50", "recenter.size=20", "splits.test=100", "baselines.randopt=[1]",
                            "baselines.self_consistency=[]", "analysis.split_half=false"]
SPREAD = ["--nodes=3", "--ntasks-per-node=1"]


def check_result(job, what):
    if LONG:
        check_demo_recipe(job.out, what)
    else:
        job.check_result(reference(SETTINGS), what)
    print(f"* {what}: the bytes of a plain run")


def both_ways(folder):
    begun = Job(folder, "demo", SETTINGS, SPREAD, "srun")
    begun.wait_work()
    command("scancel", "--signal=USR1", "--batch", begun.id)
    begun.until(120, "a second start", lambda: ", start 2: " in begun.text())
    begun.wait_work()
    command("scancel", begun.id)
    begun.wait("CANCELLED")
    ended = Job(folder, "ended", SETTINGS, SPREAD, "mpirun", out=begun.out).wait(seconds=1200)
    check_result(ended, "the demo, begun by srun and ended by mpirun, stopped twice")


def each_way(folder):
    for launcher in LAUNCHERS:
        check_result(Job(folder, launcher, SETTINGS, SPREAD, launcher).wait(seconds=1200), "the demo by " + launcher)


with scratch() as scratch_folder:
    both_ways(scratch_folder)
    if LONG:
        each_way(scratch_folder)
