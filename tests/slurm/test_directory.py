#!/usr/bin/env python3
"""The run directory that all nodes share. While it is full a second job, started on it by mistake, refuses,
and the first goes on; read-only for a while and with clocks that jump, a job ends with the same bytes; of
a killed job another one, on other nodes, takes over."""
import os
import subprocess
import time

from jobs import (COPPICE, DISK, ENDED, LAUNCHERS, LONGER, TOP, Job, check, mark_down, power_off, read, reference,
                  scratch)

SETTINGS = LONGER + ["checkpoint.heartbeat=0.5"]
BUSY = 13


def log_of(job):
    path = os.path.join(job.out, "log")
    return read(path, "r") if os.path.exists(path) else ""


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def full_and_taken(folder, whole):
    """Both at once: the first job cannot end while there is no room for its result."""
    first = Job(folder, "first", SETTINGS, out=os.path.join(DISK, "run"))
    first.wait_work()
    filler = os.path.join(DISK, "filler")
    fill(filler)
    second = Job(folder, "second", SETTINGS, ["--nodelist=node3", "--nodes=1"], out=first.out)
    first.until(60, "a word about the full disk", lambda: "no checkpoint (attempt" in first.text())
    second.wait("FAILED")
    check(second.fact("ExitCode") == f"{BUSY}:0" and second.restarts() == 0, "the second job: " + second.text())
    check("the run directory is in use: not requeued" in second.text(), second.text())
    check(first.state() == "RUNNING", f"the first job is {first.state()}: {first.text()}")
    os.remove(filler)
    first.wait()
    check("is written again" in first.text() and first.restarts() == 0, first.text())
    first.check_result(whole, "after a full disk and a second job")
    print("* a full run directory, and a second job on it: refused with exit code 13, the first ended")


def build_faults(folder):
    """For a program with a file system that turns read-only and a wall clock that jumps: its environment."""
    library = os.path.join(folder, "faults.so")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                    os.path.join(TOP, "tests", "e2e", "faults.c"), "-ldl"], check=True)
    return {"LD_PRELOAD": library, "FAULT_READONLY": os.path.join(folder, "readonly"),
            "FAULT_CLOCK": os.path.join(folder, "clock")}


def set_clock(faults, days):
    path = faults["FAULT_CLOCK"]
    with open(path + ".new", "w") as file:
        file.write(str(days * 86400))
    os.replace(path + ".new", path)


def readonly_and_clock(folder, whole):
    faults = build_faults(folder)
    jobs = {}
    for launcher in LAUNCHERS:
        out = os.path.join(folder, "readonly-" + launcher)
        words = " ".join(f"{name}={value}" for name, value in dict(faults, FAULT_DIRECTORY=out).items())
        program = os.path.join(folder, "faulty-" + launcher)
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\nexec env {words} "{COPPICE}" "$@"\n')
        os.chmod(program, 0o700)
        jobs[launcher] = Job(folder, "faulty" + launcher, SETTINGS, launcher=launcher, program=program, out=out)
    for job in jobs.values():
        job.wait_work()
    open(faults["FAULT_READONLY"], "w").close()
    days = 0
    for job in jobs.values():
        job.until(60, "a word about the read-only directory", lambda job=job: "no checkpoint (attempt" in job.text())
        days = 3 - days
        set_clock(faults, days)
    os.remove(faults["FAULT_READONLY"])
    jumps = 0
    while any(job.state() == "RUNNING" for job in jobs.values()):
        jumps += 1
        set_clock(faults, (-1) ** jumps * (jumps % 7))
        time.sleep(0.3)
    for launcher, job in jobs.items():
        job.wait()
        check("is written again" in job.text() and job.restarts() == 0, job.text())
        check(len({line[:10] for line in log_of(job).splitlines()}) > 2, "the clock did not jump: " + log_of(job))
        job.check_result(whole, f"{launcher}: read-only for a while, with clocks that jump")
    print(f"* read-only for a while, {jumps} jumps of the clock by days: the same bytes")


def taken_over(folder, whole):
    """The claim of a job that is dead, as only its missing heartbeat shows to another node."""
    jobs, dead = {}, {}
    for launcher in LAUNCHERS:
        dead[launcher] = Job(folder, "dead-" + launcher, SETTINGS, ["--nodelist=node1,node2", "--no-requeue"], launcher)
    for job in dead.values():
        job.wait_work()
    power_off("node1")  # with rank 0: told to end in any way, a job gives its claim back
    mark_down("node1")
    for launcher, job in dead.items():
        job.until(60, "its end", lambda job=job: job.state() in ENDED)
        jobs[launcher] = Job(folder, "heir-" + launcher, SETTINGS, ["--nodelist=node2,node3"], launcher, out=job.out)
    for launcher, job in jobs.items():
        job.wait()
        check("sign of life" in log_of(job) + job.text(), f"{launcher}: it did not wait for the owner: {job.text()}")
        check("going on with the run" in job.text(), f"{launcher}: the run began anew")
        job.check_result(whole, f"{launcher}: taken over from a dead job")
    print("* a dead job's run directory: taken over by a job on other nodes")


with scratch() as scratch_folder:
    undisturbed = reference(LONGER)
    full_and_taken(scratch_folder, undisturbed)
    readonly_and_clock(scratch_folder, undisturbed)
    taken_over(scratch_folder, undisturbed)
