#!/usr/bin/env python3
"""Own rewards in a job: the same bytes as the task arith gives, also where the command fails again
and again in every way; a command that always fails stops the job, which goes on once it is mended."""
# Takes long.
import json
import os
import signal
import subprocess
import time

from exec_support import command, gone, processes
from lib import ENV, QUICK, TOP, check, read, run_command, run_job, same_result, scores, scratch

SMALL = QUICK + ["recenter.rounds=1", "recenter.size=4", "analysis.split_half=false"]
UNIT = 12

with scratch() as folder:
    marker = "marker-" + os.path.basename(folder)

    def settings(kind, after=0):
        words = json.dumps(command(folder, marker, kind, after))
        return SMALL + ["task.name=exec", f"task.command={words}", "task.timeout=10"]

    def out(name):
        return os.path.join(folder, name)

    run_job(2, out("arith"), SMALL)
    run_job(3, out("steady"), settings("steady"))
    check(gone(marker), f"after a job processes are left: {processes(marker)}")
    # A vote needs extracted answers, which this command does not give.
    one, other = ({path: values for path, values in scores(out(name)).items() if not path.startswith("/baselines/")}
                  for name in ("arith", "steady"))
    check(one and one == other, "the scores of arith and exec differ")
    recipe = read(os.path.join(out("arith"), "recipe.json")).replace(b'"task":"arith"', b'"task":"exec"')
    check(recipe == read(os.path.join(out("steady"), "recipe.json")), "the recipes of arith and exec differ")
    check(b'"improved":true' in recipe, "the quick job accepts nothing, so little is shown")

    # A process does some units well and goes wrong in the next: a crash, garbage, silence, ... One
    # worker: the second try of a unit is then always a fresh process's.
    text = run_job(2, out("mixed"), settings("mixed", 400))
    check(gone(marker), f"after a job with failures processes are left: {processes(marker)}")
    starts = len(read(os.path.join(folder, "starts")))
    failures = text.count("will be tried again")
    check(starts > 6 and failures >= 4, f"{starts} starts of the command, only {failures} failed units: {text}")
    same_result(out("steady"), out("mixed"), "a command that fails now and then")

    # One that is silent for too long is ended with its daemon.
    words = json.dumps(command(folder, marker, "silence", 1))
    text = run_job(2, out("silent"), SMALL + ["task.name=exec", f"task.command={words}", "task.timeout=2"], code=UNIT)
    check("was silent for 2 s" in text, f"a silent command: {text}")
    check(gone(marker), f"after a silent command processes are left: {processes(marker)}")

    # One that always fails: three tries, then the reason; mended, the job goes on.
    open(os.path.join(folder, "broken"), "w").close()
    text = run_job(2, out("mended"), settings("broken"), code=UNIT)
    for word in ("failed 3 times", "exit code 1", "the judge is not at home"):
        check(word in text, f"a command that always fails: {word!r} is not in {text}")
    check(gone(marker), f"after a failed job processes are left: {processes(marker)}")
    os.remove(os.path.join(folder, "broken"))
    run_job(2, out("mended"), settings("broken"))
    same_result(out("steady"), out("mended"), "a command that was mended")

    # Another command is another job.
    text = run_job(1, out("steady"), settings("other"), code=8)
    check("task.command" in text, f"another command was refused with {text}")

    # A killed rank takes its command along, SIGTERM ends both in time.
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 75)):
        job = subprocess.Popen(run_command(1, out(f"signal-{number}"), settings("slow")), env=ENV, cwd=TOP,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        while not processes(marker, "daemon") and job.poll() is None:
            time.sleep(0.05)
        time.sleep(2)
        check(processes(marker, "daemon"), f"signal {number}: there is no daemon, so nothing is shown")
        job.send_signal(number)
        check(job.wait(timeout=60) == code, f"signal {number}: exit code {job.returncode}")
        check(gone(marker), f"signal {number}: processes are left: {processes(marker)}")
    print(f"* {starts} starts of a command that goes wrong, {failures} units tried again, the same bytes")
