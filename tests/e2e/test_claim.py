#!/usr/bin/env python3
"""Two jobs on one run directory: one works, the other refuses. A dead owner is taken over from, at once
on its own machine, by its silence from another; an owner that was taken for dead notices and stops."""
import os
import signal
import subprocess
import sys
import time

from lib import BARE, ENV, TOP, check, read, run_command, run_job, same_result, scratch

BUSY = 13
SMALL = BARE + ["population.size=12", "recenter.rounds=0", "checkpoint.interval=0.2", "checkpoint.heartbeat=0.2"]
LONG = SMALL + ["population.size=3000"]
# A process in a PID namespace of its own stands for one on another machine: nobody outside can look it up.
ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc"]


def start(out, settings, prefix=(), ranks=1):
    return subprocess.Popen([*prefix, *run_command(ranks, out, settings)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=ENV, cwd=TOP,
                            start_new_session=True)


def wait_for(path, job, limit_s=60):
    end = time.monotonic() + limit_s
    while not os.path.exists(path):
        check(time.monotonic() < end and job.poll() is None, f"{path} does not appear: {job.poll()}")
        time.sleep(0.05)


def kill(job):
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()


def inner(job):
    """The program within unshare."""
    with open(f"/proc/{job.pid}/task/{job.pid}/children") as file:
        return int(file.read().split()[0])


def race(folder):
    """Four starts at the same moment on a new directory: one works, three refuse."""
    out = os.path.join(folder, "race")
    jobs = [start(out, LONG) for _ in range(4)]
    end = time.monotonic() + 60
    while sum(job.poll() is None for job in jobs) > 1 and time.monotonic() < end:
        time.sleep(0.1)
    losers = [job for job in jobs if job.poll() is not None]
    check(len(losers) == 3, f"{len(losers)} of 4 jobs have ended, not 3")
    for job in losers:
        text = job.communicate()[0]
        check(job.returncode == BUSY, f"a job that came second ended with {job.returncode}: {text}")
        check("another coppice" in text and "--out" in text and "pid" in text, f"it says {text!r}")
    winner = next(job for job in jobs if job not in losers)
    kill(winner)
    began = time.monotonic()
    next_job = start(out, LONG)
    wait_for(os.path.join(out, ".claim.000002"), next_job)
    print(f"* 4 starts at once: 1 works, 3 refuse; a killed one is taken over from after "
          f"{time.monotonic() - began:.1f} s")
    kill(next_job)


def elsewhere(folder):
    """An owner on another machine: busy while it lives, taken over when it is silent."""
    out = os.path.join(folder, "elsewhere")
    owner = start(out, LONG, ELSEWHERE)
    wait_for(os.path.join(out, "run.h5"), owner)
    other = start(out, LONG)
    text = other.communicate(timeout=60)[0]
    check(other.returncode == BUSY, f"beside a living owner elsewhere: {other.returncode}: {text}")
    kill(owner)
    began = time.monotonic()
    other = start(out, LONG)
    wait_for(os.path.join(out, ".claim.000002"), other)
    took = time.monotonic() - began
    check(took >= 12 * 0.2, f"a silent owner was taken over from after {took:.2f} s: too soon")
    kill(other)
    print(f"* an owner elsewhere, heartbeat 0.2 s: silent for {took:.1f} s, then taken over from")


def stopped(folder, whole):
    """An owner that stands still is taken for dead; when it goes on, it sees that and writes nothing."""
    out = os.path.join(folder, "stopped")
    owner = start(out, SMALL, ELSEWHERE)
    wait_for(os.path.join(out, "run.h5"), owner)
    os.kill(inner(owner), signal.SIGSTOP)
    run_job(2, out, SMALL)
    names = ("run.h5", "recipe.json", "summary.json", "status.json")
    before = [read(os.path.join(out, name)) for name in names]
    os.kill(inner(owner), signal.SIGCONT)
    text = owner.communicate(timeout=60)[0]
    check(owner.returncode == BUSY, f"an owner that lost its directory ended with {owner.returncode}: {text}")
    check("took over this directory" in text, f"it says {text!r}")
    check([read(os.path.join(out, name)) for name in names] == before, "it wrote into the directory of another")
    same_result(whole, out, "after it was taken over from a job that stood still")


def requeued(folder, whole):
    """Slurm's next start of the same job does not wait for the heartbeat of the one before."""
    out = os.path.join(folder, "requeued")
    slow = SMALL + ["checkpoint.heartbeat=30"]
    owner = start(out, slow, ["env", "SLURM_JOB_ID=77", *ELSEWHERE])
    wait_for(os.path.join(out, "run.h5"), owner)
    kill(owner)
    began = time.monotonic()
    env = dict(ENV, SLURM_JOB_ID="77", SLURM_RESTART_COUNT="1")
    done = subprocess.run(run_command(1, out, slow), env=env, cwd=TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    check(done.returncode == 0, f"a requeued job ended with {done.returncode}: {done.stdout}")
    check("sign of life" not in done.stdout, f"a requeued job waits for its own last start: {done.stdout}")
    check(time.monotonic() - began < 300, "a requeued job waited for the heartbeat")
    same_result(whole, out, "a requeued job")


with scratch() as folder:
    whole = os.path.join(folder, "whole")
    run_job(1, whole, SMALL)
    race(folder)
    if subprocess.run([*ELSEWHERE, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skip: no PID namespaces here (needs root), so no owner on another machine")
        sys.exit(77)
    elsewhere(folder)
    stopped(folder, whole)
    requeued(folder, whole)
