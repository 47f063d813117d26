#!/usr/bin/env python3
"""A worker that stops for ever: the others do its work, the job saves its result and leaves with the code
that means "run the same command again", and that start finds all done. One that stops for a while changes
nothing (test_queue_faults: it is used again)."""
import os
import signal
import subprocess
import time

from lib import BARE, ENV, TOP, check, fail, inspect, read, run_command, run_job, same_result, scratch, wait_for_log

SETTINGS = BARE + ["schedule.deadline_least=1", "schedule.deadline_factor=3"]


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = read(f"/proc/{name}/stat", "r")
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(name))
    return found


def rank_of(pid):
    try:
        environment = read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return -1
    return next((int(e.split(b"=")[1]) for e in environment if e.startswith(b"OMPI_COMM_WORLD_RANK=")), -1)


def start(ranks, out):
    return subprocess.Popen(run_command(ranks, out, SETTINGS), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, env=ENV, cwd=TOP, text=True, start_new_session=True)


def finish(job, limit_s):
    try:
        text, _ = job.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        fail("the job with a stopped worker did not end")
    return text


def stop_worker(out, pause_s):
    """Starts a job and stops rank 2 in the population; returns the job's text and exit code."""
    job = start(4, out)
    wait_for_log(job, out, "phase population")
    time.sleep(0.3)
    victim = next(pid for pid in children(job.pid) if rank_of(pid) == 2)
    os.kill(victim, signal.SIGSTOP)
    if pause_s is not None:
        time.sleep(pause_s)
        os.kill(victim, signal.SIGCONT)
    began = time.monotonic()
    text = finish(job, 240)
    return text, job.returncode, time.monotonic() - began


with scratch() as folder:
    whole = os.path.join(folder, "whole")
    run_job(3, whole, SETTINGS)

    out = os.path.join(folder, "stopped")
    text, code, took = stop_worker(out, None)
    log = read(os.path.join(out, "log"), "r")
    check(code == 75, f"exit code {code}, not 75\n{text[-2000:]}")
    check("rank 2 has been silent for more than" in log, "the log does not name the hung rank")
    check("1 of 4 ranks do not answer" in log, "the log does not say why the job was aborted")
    same_result(whole, out, "with a stopped worker")
    print(f"* a worker stopped for ever: result complete, exit code 75 {took:.0f} s after")
    text = run_job(2, out, SETTINGS)
    check("from the run file" in text, "the next start did not find the result")
    same_result(whole, out, "the start after that")

    out = os.path.join(folder, "paused")
    text, code, took = stop_worker(out, 3)
    check(code == 0, f"exit code {code} with a worker that came back\n{text[-2000:]}")
    same_result(whole, out, "with a worker that paused")
    ranks = {rank for phase in ("population", "stage1") for row in inspect(out)[phase]["rank"] for rank in row}
    check(len(ranks) == 3, f"only ranks {sorted(ranks)} gave results")
    print(f"* a worker paused for 3 s: ranks {sorted(ranks)} gave results")
