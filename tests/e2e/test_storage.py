#!/usr/bin/env python3
"""A run directory that is full or read-only for a while, and a wall clock that jumps: the job goes on,
warns now and then, writes again, and ends with the same bytes. A job that is done waits with patience,
then fails with a code and can be ended by the same command."""
# Takes long.
import os
import re
import signal
import subprocess
import sys
import time

from lib import ENV, QUICK, TOP, check, coppice, inspect, run_command, run_job, same_result, scratch

IO = 6
SETTINGS = QUICK + ["population.size=24", "recenter.rounds=1", "checkpoint.interval=0.2",
                    "checkpoint.heartbeat=0.2"]


def build_faults(folder):
    library = os.path.join(folder, "faults.so")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                    os.path.join(TOP, "tests", "e2e", "faults.c"), "-ldl"], check=True)
    return library


def start(out, settings=(), env=(), ranks=2):
    return subprocess.Popen(run_command(ranks, out, SETTINGS + list(settings)), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                            env=dict(ENV, **dict(env)), cwd=TOP, start_new_session=True)


def units_done(out):
    """Units that the run file holds."""
    text = coppice("inspect", out)
    return sum(int(done) for done in re.findall(r"(\d+)/\d+ ", text))


def wait_for_file(out, job):
    end = time.monotonic() + 120
    while not os.path.exists(os.path.join(out, "run.h5")):
        check(time.monotonic() < end and job.poll() is None, "no run file appears")
        time.sleep(0.05)


def fault_for_a_while(out, begin, cure, whole, word, env=()):
    """The directory cannot be written while the job computes."""
    job = start(out, env=env)
    wait_for_file(out, job)
    begin()
    before = units_done(out)
    time.sleep(4)
    check(job.poll() is None, f"the job ended with {job.poll()} while the directory was {word}")
    during = units_done(out)
    check(during - before <= 2, f"the run file grew from {before} to {during} units while it was {word}")
    cure()
    text = job.communicate(timeout=600)[0]
    check(job.returncode == 0, f"{word} for a while: exit code {job.returncode}: {text}")
    warnings = text.count("no checkpoint (attempt")
    check(1 <= warnings <= 2, f"{word} for a while: {warnings} warnings:\n{text}")
    check("is written again" in text, f"{word} for a while: the end of it is not told: {text}")
    same_result(whole, out, f"after the directory was {word} for a while")


def fault_at_the_end(out, begin, cure, whole, word, env=()):
    """The directory cannot be written when the job is done, and then can."""
    job = start(out, ["checkpoint.patience=3"], env)
    wait_for_file(out, job)
    begin()
    text = job.communicate(timeout=600)[0]
    check(job.returncode == IO, f"{word} to the end: exit code {job.returncode}: {text}")
    check("run the same command again" in text, f"{word} to the end: no remedy is told: {text}")
    check("the job is done, but its result cannot be written" in text, f"{word}: it did not wait: {text}")
    inspect(out)
    cure()
    run_job(2, out, SETTINGS)
    same_result(whole, out, f"{word} to the end, then run again")


def interrupted(out, begin, cure, word, env=()):
    """Told to leave while the directory cannot be written, it leaves within seconds and says so."""
    job = start(out, env=env, ranks=1)
    wait_for_file(out, job)
    begin()
    time.sleep(1)
    os.killpg(job.pid, signal.SIGTERM)
    began = time.monotonic()
    text = job.communicate(timeout=60)[0]
    check(job.returncode == IO, f"SIGTERM while {word}: exit code {job.returncode}: {text}")
    check(time.monotonic() - began < 15, f"SIGTERM while {word}: it took {time.monotonic() - began:.0f} s")
    cure()


def full(folder):
    """Within a mount namespace of its own: a file system of a few MB."""
    disk = os.path.join(folder, "disk")
    filler = os.path.join(disk, "filler")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=True)

    def fill():
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def cure():
        os.remove(filler)

    whole = os.path.join(folder, "whole")
    try:
        fault_for_a_while(os.path.join(disk, "a"), fill, cure, whole, "full")
        fault_at_the_end(os.path.join(disk, "b"), fill, cure, whole, "full")
        interrupted(os.path.join(disk, "c"), fill, cure, "full")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def readonly(folder, library):
    whole = os.path.join(folder, "whole")
    flag = os.path.join(folder, "readonly")
    for name, test in (("d", fault_for_a_while), ("e", fault_at_the_end)):
        out = os.path.join(folder, name)
        env = {"LD_PRELOAD": library, "FAULT_DIRECTORY": out, "FAULT_READONLY": flag}
        test(out, lambda: open(flag, "w").close(), lambda: os.remove(flag), whole, "read-only", env)
    with open(os.path.join(folder, "d", "log")) as file:
        lines = file.read().splitlines()
    check(any("lines of this log are lost" in line for line in lines), "the log does not tell of its gap")
    check(all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \w+ +rank 0  \S", line) for line in lines),
          "a line of the log has no time and rank")


def jumping_clock(folder, library):
    whole, out = os.path.join(folder, "whole"), os.path.join(folder, "clock")
    clock = os.path.join(folder, "offset")
    job = start(out, ["checkpoint.interval=1"], {"LD_PRELOAD": library, "FAULT_CLOCK": clock})
    began, jumps = time.monotonic(), 0
    while job.poll() is None and time.monotonic() - began < 600:
        with open(clock + ".new", "w") as file:
            file.write(str((-1) ** jumps * 86400 * (jumps % 7)))
        os.replace(clock + ".new", clock)
        jumps += 1
        time.sleep(0.2)
    took = time.monotonic() - began
    check(job.returncode == 0, f"a clock that jumps: exit code {job.returncode}: {job.communicate()[0]}")
    with open(os.path.join(out, "log")) as file:
        lines = file.read().splitlines()
    days = {line[:10] for line in lines}
    check(len(days) > 2, f"the clock did not jump: {days}")
    written = sum("checkpoint written" in line for line in lines)
    phases = sum(" phase " in line for line in lines)
    check(written <= took / 0.5 + phases + 2, f"{written} checkpoints in {took:.0f} s with an interval of 1 s")
    same_result(whole, out, "with a clock that jumps")
    print(f"* the wall clock jumped {jumps} times by days: {written} checkpoints in {took:.0f} s, the same bytes")


def main():
    if len(sys.argv) == 3:
        full(sys.argv[2])
        return
    with scratch() as folder:
        run_job(2, os.path.join(folder, "whole"), SETTINGS)
        library = build_faults(folder)
        readonly(folder, library)
        jumping_clock(folder, library)
        if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", folder],
                          stderr=subprocess.DEVNULL).returncode != 0:
            print("skip: no file system can be mounted here (needs root), so none runs full")
            sys.exit(77)
        if subprocess.run(["unshare", "--mount", sys.executable, __file__, "full", folder]).returncode != 0:
            sys.exit(1)
        print("* full and read-only: for a while, to the end, and when told to leave")


main()
