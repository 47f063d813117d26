#!/usr/bin/env python3
"""Jobs of a partition with priority take the nodes: the jobs on them are requeued and end with the bytes
of an undisturbed run, with and without time to leave."""
from jobs import LAUNCHERS, LONGER, Job, command, reference, scratch

with scratch() as folder:
    whole = reference(LONGER)
    jobs = {}
    for launcher in LAUNCHERS:
        for partition in ("main", "graceful"):
            what = f"preemption {launcher} {partition}"
            jobs[what] = Job(folder, what.replace(" ", ""), LONGER, ["--partition=" + partition], launcher)
    for job in jobs.values():
        job.wait_work()
    command("srun", "--partition=urgent", "--nodes=3", "--exclusive", "true")
    for what, job in jobs.items():
        job.check_resumed(whole, what)
