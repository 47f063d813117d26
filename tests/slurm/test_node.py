#!/usr/bin/env python3
"""A node is lost with everything on it: the jobs there are requeued on the others and end with the bytes
of an undisturbed run. Slurm is told of the first loss and finds the second by itself."""
import time

from jobs import LAUNCHERS, LONGER, Job, bring_back, check, mark_down, power_off, reference, scratch


def lose(folder, whole, place, told):
    jobs = {}
    for launcher in LAUNCHERS:
        jobs[launcher] = Job(folder, f"{launcher}-{place}", LONGER, launcher=launcher)
    for job in jobs.values():
        job.wait_work()
    used = [job.nodes() for job in jobs.values()]
    check(used[0] == used[1] and len(used[0]) == 2, f"the jobs are on {used}, not on the same two nodes")
    lost = used[0][0 if place == "batch" else 1]
    began = time.monotonic()
    power_off(lost)
    if told:
        mark_down(lost)
    for launcher, job in jobs.items():
        job.until(90, "a second start", lambda job=job: ", start 2: " in job.text())
        back = time.monotonic() - began
        check(lost not in job.nodes(), f"{launcher}: it runs on {job.nodes()}")
        found = "" if told else ", found by Slurm itself"
        print(f"* {place} node lost under {launcher}{found}: on the others after {back:.0f} s")
    for launcher, job in jobs.items():
        job.check_resumed(whole, f"{launcher}, {place} node lost")
    bring_back()


with scratch() as scratch_folder:
    undisturbed = reference(LONGER)
    lose(scratch_folder, undisturbed, "batch", told=True)
    lose(scratch_folder, undisturbed, "other", told=False)
