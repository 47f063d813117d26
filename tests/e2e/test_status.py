#!/usr/bin/env python3
"""coppice status and coppice inspect beside a running job: always a whole answer, never a disturbance, and
the right words for a job that ended, was interrupted, was killed, has failed or is on another machine. And the live
line of a job on a terminal: never longer than a row, which could not be taken back."""
import atexit
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

from lib import BARE, COPPICE, DEMO, ENV, TOP, check, coppice, run_command, run_job, same_result, scratch

SETTINGS = BARE + ["population.size=24", "recenter.rounds=0", "checkpoint.interval=0.05",
                    "checkpoint.heartbeat=0.2"]


def start(out, settings=(), prefix=(), ranks=1):
    job = subprocess.Popen([*prefix, *run_command(ranks, out, SETTINGS + list(settings))],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                           env=ENV, cwd=TOP, start_new_session=True)
    atexit.register(lambda: job.poll() is None and os.killpg(job.pid, signal.SIGKILL))
    return job


def status(out):
    return json.loads(coppice("status", out, "--json"))


def wait_for_file(out, job):
    end = time.monotonic() + 120
    while not os.path.exists(os.path.join(out, "run.h5")):
        check(time.monotonic() < end and job.poll() is None, "no run file appears")
        time.sleep(0.02)


def wait_for_phase(out, job):
    """The run file comes first, status.json tells of a phase a moment later."""
    end = time.monotonic() + 120
    while not status(out).get("phase", {}).get("name"):
        check(time.monotonic() < end and job.poll() is None, "no phase is told")
        time.sleep(0.02)


def kill(job):
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()


def beside(folder, whole):
    """Both commands again and again while the job writes its run file as often as it can."""
    out = os.path.join(folder, "beside")
    job = start(out, ranks=3)
    wait_for_file(out, job)
    asked, phases, states, last = 0, set(), set(), {}
    while job.poll() is None:
        now = status(out)
        states.add(now["state"])
        if now["state"] == "running":
            phase = now["phase"]
            phases.add(phase["name"])
            check(0 <= phase["units_done"] <= phase["units"], f"impossible figures: {now}")
            if last.get("name") == phase["name"]:
                check(phase["units_done"] >= last["units_done"], f"it went back: {last}, {phase}")
            last = phase
            check(now["ranks"] == 3 and now["threads_per_rank"] == 1 and now["owner"] == "alive", f"{now}")
            check(now["checkpoint"]["unsaved_units"] >= 0, f"{now}")
        tree = json.loads(coppice("inspect", out, "--json"))
        check("job" in tree and "starts" in tree["job"], "inspect shows a run file without its job")
        coppice("inspect", out)
        asked += 1
    text = job.communicate()[0]
    check(job.returncode == 0, f"the job was disturbed: {job.returncode}: {text}")
    check("warning" not in text, f"the job was disturbed: {text}")
    check(states <= {"starting", "running", "done"} and "running" in states, f"states seen: {states}")
    check(status(out)["state"] == "done" and status(out)["exit_code"] == 0, f"{status(out)}")
    same_result(whole, out, "with status and inspect asked all the time")
    page = coppice("status", out)
    check(": done" in page and "3 on 1 node" in page, page)
    check(coppice("status", os.path.join(out, "run.h5")).splitlines()[1:] == page.splitlines()[1:],
          "a run file and its directory give different answers")
    print(f"* status and inspect asked {asked} times beside a job: never half an answer; phases seen: "
          f"{', '.join(sorted(phases - {''}))}")


def ends(folder):
    out = os.path.join(folder, "ends")
    long = ["population.size=3000"]
    job = start(out, long)
    wait_for_file(out, job)
    watch = subprocess.Popen([COPPICE, "status", out, "--json", "--watch"], stdout=subprocess.PIPE, text=True,
                             env=ENV, cwd=TOP)
    wait_for_phase(out, job)
    page = coppice("status", out)
    check("running" in page and "candidates" in page and f"pid {job.pid}" in page and "alive" in page, page)
    os.killpg(job.pid, signal.SIGTERM)
    job.communicate()
    now = status(out)
    check(now["state"] == "interrupted" and now["exit_code"] == 75 and now["owner"] == "gone", f"{now}")
    check(now["checkpoint"]["unsaved_units"] == 0, f"SIGTERM left units unsaved: {now}")
    lines = [json.loads(line) for line in watch.communicate(timeout=60)[0].splitlines()]
    check(len(lines) >= 2 and lines[-1]["state"] == "interrupted", f"--watch ended with {lines[-1:]}")
    job = start(out, long)
    while status(out)["state"] in ("interrupted", "starting"):
        time.sleep(0.1)
    kill(job)
    now = status(out)
    check(now["state"] == "stopped" and now["owner"] == "dead", f"a killed job: {now}")
    check("run the same command again" in coppice("status", out), "no remedy for a killed job")
    os.remove(os.path.join(out, "status.json"))
    check(status(out)["state"] == "stopped", "without status.json the run file should tell")
    failing = os.path.join(folder, "failing")
    run_job(1, failing, SETTINGS + ["generation.max_new_tokens=1"], code=3)  # the base is right on nothing
    now = status(failing)
    check(now["state"] == "failed" and now["exit_code"] == 3 and "gate.allow_flat" in now["message"], f"{now}")
    page = coppice("status", failing)
    check("gate.allow_flat" in page, "the reason of a failure is not told")
    check(re.search(r"checkpoint .* s old, \d+ units newer at 20\d\d-", page), f"an age without the time that it is of: {page}")
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    for path in (empty, os.path.join(folder, "nowhere")):
        said = coppice("status", path, code=4)
        check("there is no run" in said, said)


def refused(whole):
    """A start of another job leaves a run that is done what it is, and what it was told is there to be read."""
    text = run_job(1, whole, SETTINGS + ["task.prompt.user=\"What's {question}\""], code=8)
    check("(-s 'task.prompt.user=" in text, f"no remedy: {text}")
    check(status(whole)["state"] == "done", f"a run that is done and refused another job: {status(whole)}")
    page = coppice("status", whole)
    check("last start: exit code 8: " in page and "belongs to another job" in page, page)
    run_job(1, whole, SETTINGS)
    check("last start" not in coppice("status", whole), "a refusal is told after the job's own start")


def elsewhere(folder):
    """A PID namespace of its own stands for another machine."""
    prefix = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("* skipped: no PID namespaces here, so no job on another machine")
        return
    out = os.path.join(folder, "elsewhere")
    job = start(out, ["population.size=3000"], prefix)
    wait_for_file(out, job)
    now = status(out)
    check(now["state"] in ("running", "starting") and now["owner"] == "alive", f"a job elsewhere: {now}")
    kill(job)
    now = status(out)
    check(now["state"] == "silent" and now["owner"] == "silent", f"a killed job elsewhere: {now}")


def live_lines(out, columns):
    """What a job draws on a terminal of so many columns (0: it does not know) until a candidate is scored."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [COPPICE, "run", DEMO, "--out", out]
    for setting in SETTINGS + ["population.size=3000"]:
        command += ["-s", setting]
    job = subprocess.Popen(command, stdout=its, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                           env=dict(ENV, TERM="xterm"), cwd=TOP, start_new_session=True)
    atexit.register(lambda: job.poll() is None and os.killpg(job.pid, signal.SIGKILL))
    os.close(its)
    text = b""
    while not re.search(rb"\[K[^\r]* [1-9]\d*/3000[^\r]*\r", text):
        text += os.read(ours, 65536)
    kill(job)
    os.close(ours)
    return re.findall(r"\033\[K([^\r\n]+)\r(?!\n)", text.decode())


def on_terminals(folder):
    for columns, most, bar in ((200, 199, True), (80, 79, False), (0, 79, False), (40, 39, False)):
        lines = live_lines(os.path.join(folder, f"terminal{columns}"), columns)
        longest = max(lines, key=len)
        check(len(longest) <= most and ("[" in lines[-1]) == bar, f"{columns} columns: {len(longest)} characters: {longest}")


with scratch() as folder:
    on_terminals(folder)
    whole = os.path.join(folder, "whole")
    run_job(1, whole, SETTINGS)
    beside(folder, whole)
    ends(folder)
    refused(whole)
    elsewhere(folder)
