#!/usr/bin/env python3
"""SIGUSR1 or SIGINT makes a job write a checkpoint, go back into the queue and end with the bytes of an
undisturbed run. A cancelled job leaves a valid run file, is not requeued, and goes on when it is
submitted again."""
import time

from jobs import LAUNCHERS, LONGER, Job, check, command, inspect, reference, scratch

# srun passes a signal to the steps on to every rank; mpirun's ranks on the first node are in no step.
WAYS = [("srun", "USR1", "--batch"), ("srun", "USR1", "--full"), ("srun", "USR1", ""), ("srun", "INT", "--full"),
        ("mpirun", "USR1", "--batch"), ("mpirun", "USR1", "--full"), ("mpirun", "INT", "--full")]


def signal_all(folder, whole):
    jobs = {}
    for launcher, name, target in WAYS:
        what = f"{name} {launcher} {target or 'steps'}"
        jobs[what] = Job(folder, what.replace(" ", ""), LONGER, launcher=launcher)
    for (_, name, target), job in zip(WAYS, jobs.values()):
        job.wait_work()
        command("scancel", "--signal=" + name, *target.split(), job.id)
    for what, job in jobs.items():
        job.check_resumed(whole, what)
        check("stopped with a checkpoint (exit code 75): back into the queue" in job.text(), job.text())


def cancel_all(folder, whole):
    jobs = {launcher: Job(folder, "cancel" + launcher, LONGER, launcher=launcher) for launcher in LAUNCHERS}
    again = {}
    for launcher, job in jobs.items():
        job.wait_work()
        began = time.monotonic()
        command("scancel", job.id)
        job.wait("CANCELLED")
        print(f"* scancel under {launcher}: gone after {time.monotonic() - began:.1f} s")
        check(job.restarts() == 0 and "back into" not in job.text(), launcher + ": it was requeued")
        check("base" in inspect(job.out), launcher + ": no valid run file")
        again[launcher] = Job(folder, "again" + launcher, LONGER, launcher=launcher, out=job.out)
    for launcher, job in again.items():
        job.wait()
        check("going on with the run" in job.text(), launcher + ": the run began anew")
        job.check_result(whole, "cancelled under " + launcher)


with scratch() as scratch_folder:
    undisturbed = reference(LONGER)
    signal_all(scratch_folder, undisturbed)
    cancel_all(scratch_folder, undisturbed)
