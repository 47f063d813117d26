#!/usr/bin/env python3
"""Twenty random faults on three jobs that run beside each other, by srun and by mpirun: ranks and nodes
killed, signals, requeues, preemption. Every job ends by itself with the bytes of an undisturbed run.

COPPICE_SEED repeats a sequence (as far as the machine's timing lets it), COPPICE_FAULTS sets how many."""
import os
import random
import signal
import time

from jobs import (ENDED, LAUNCHERS, LONGER, Job, check, command, mark_down, node_names, node_pid, power_off,
                  power_on, ranks_of, reference, scratch)

SEED = int(os.environ.get("COPPICE_SEED", "5"))
FAULTS = int(os.environ.get("COPPICE_FAULTS", "20"))
JOBS = 3
SETTINGS = LONGER + ["population.size=400"]
KINDS = ("rank", "rank 0", "node", "USR1", "USR1 to the steps", "TERM", "requeue", "preemption")


def kill_rank(job, which):
    ranks = ranks_of(job)
    if which not in ranks:
        return False
    os.kill(ranks[which], signal.SIGKILL)
    return True


def inflict(kind, job, chance):
    """False where there was nothing to harm."""
    if kind == "rank":
        return kill_rank(job, chance.choice((1, 2)))
    if kind == "rank 0":
        return kill_rank(job, 0)
    if kind == "node":
        nodes = job.nodes()
        if not nodes or not all(node_pid(name) for name in node_names()):
            return False
        lost = chance.choice(nodes)
        power_off(lost)
        mark_down(lost)
    elif kind == "preemption":
        command("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "true")
    elif kind == "requeue":
        command("scontrol", "requeue", job.id, code=None)
    else:
        name = "TERM" if kind == "TERM" else "USR1"
        batch = ["--batch"] if kind == "USR1" else []
        if batch and job.starts() <= job.restarts():
            return False  # a shell that has said nothing yet has no ears either
        command("scancel", "--signal=" + name, *batch, job.id, code=None)
    return True


class Field:
    """The jobs that are under way, and those that are done."""

    def __init__(self, folder):
        self.folder, self.jobs, self.done = folder, [], []
        self.lost_s = {}

    def fill(self):
        for job in [job for job in self.jobs if job.state() in ENDED]:
            job.wait("COMPLETED")
            self.jobs.remove(job)
            self.done.append(job)
        while len(self.jobs) < JOBS:
            number = len(self.jobs) + len(self.done)
            self.jobs.append(Job(self.folder, f"job{number}", SETTINGS, launcher=LAUNCHERS[number % 2]))

    def repair(self, after_s):
        """Nodes come back some time after they were lost."""
        for name in node_names():
            if node_pid(name):
                self.lost_s.pop(name, None)
            elif time.monotonic() - self.lost_s.setdefault(name, time.monotonic()) > after_s:
                power_on(name)


def disturb(field, chance):
    counts = dict.fromkeys(KINDS, 0)
    kinds, misses = [], 0
    while sum(counts.values()) < FAULTS:
        field.fill()
        field.repair(after_s=3)
        at_work = [job for job in field.jobs if job.at_work()]
        if not at_work:
            time.sleep(0.1)
            continue
        kinds = kinds or chance.sample(KINDS, len(KINDS))  # all of them, again and again, in random order
        job, kind = chance.choice(at_work), kinds.pop()
        time.sleep(chance.uniform(0, 1.5))
        if inflict(kind, job, chance):
            counts[kind] += 1
            print(f"{kind}: job {job.id}", flush=True)
        else:
            kinds.append(kind)
            misses += 1
            check(misses < 20 * FAULTS, f"no job to inflict '{kind}' on")
    return counts


with scratch() as scratch_folder:
    print(f"* seed {SEED}")
    whole = reference(SETTINGS)
    field = Field(scratch_folder)
    counted = disturb(field, random.Random(SEED))
    every = field.done + field.jobs
    for job in every:
        while job.state() not in ENDED:
            field.repair(after_s=1)
            time.sleep(0.2)
        job.wait("COMPLETED")
        job.check_result(whole, f"job {job.id}")
        check(not ranks_of(job), f"job {job.id} left ranks behind: {ranks_of(job)}")
    restarts = sum(job.restarts() for job in every)
    print("* " + ", ".join(f"{count} {kind}" for kind, count in counted.items()))
    print(f"* {len(every)} jobs, {restarts} restarts, all with the same bytes")
