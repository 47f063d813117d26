#!/usr/bin/env python3
"""The sandbox as a server: its protocol, its end, and that it starts nowhere without seccomp."""
# Alone: it has limits in seconds.
import json
import os
import signal
import subprocess
import sys
import time

import lib
import sandbox
import surroundings

WORK = "import time\nwhile time.process_time() < 1: pass\ndone = True"
GOOD = sandbox.request(1, "def f(x): return x + 1", ["assert f(1) == 2"])
FOREVER = "while True: pass"
SLEEP = "import time\ntime.sleep(1000)"
SLEEPERS = [SLEEP, "import time\nwhile True: time.sleep(0.001)", "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
            "import select\nselect.select([], [], [], 1000)", "import signal\nsignal.pause()",
            "import asyncio\nasyncio.run(asyncio.sleep(1000))"]


def start(*options, **more):
    return subprocess.Popen([sandbox.SANDBOX, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **more)


def say(server, *requests):
    server.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in requests))
    server.stdin.flush()


def family(pid):
    """A process and all that stem from it."""
    found, children = [], {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    children.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
            except OSError:
                pass
    todo = [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def gone(pids, within_s=20):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        left = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] != "Z":
                        left.append(pid)
            except OSError:
                pass
        if not left:
            return True
        time.sleep(0.05)
    return False


def check_malformed():
    lines = ["garbage", "[]", "3", '""', "null", "{}", '{"id": "a"}', '{"id": [1], "program": 5, "tests": ["x"]}',
             '{"id": 2, "program": "", "tests": []}', '{"id": 3, "program": "", "tests": "assert f()"}',
             '{"id": 4, "program": "", "tests": [1]}', '{"id": 5, "program": "", "tests": ["1"], "timeout": 0}',
             '{"id": 6, "program": "", "tests": ["1"], "timeout": 1e9}', '{"id": 7, "program": "", "tests": ["1"], "setup": 1}',
             '{"id": 8, "program": "", "tests": ["assert f(("]}', '{"id": 9, "program": "", "tests": ["1"], "setup": "x ="}',
             "", "   ", '{"id": 10, "program": "x = 1\\r\\n", "tests": ["assert x == 1"]}\r', '{"id": "é", "program": "", "tests": ["1"]}',
             '{"program": "", "tests": ["1"]}', "\x00", '{"id": 11, "program": "' + "[" * 100000 + '", "tests": ["1"]}',
             '{"id": 12, "program": "x = 1", "tests": ["assert x == 1"]}']
    done = subprocess.run([sandbox.SANDBOX], input="\n".join(lines).encode(), stdout=subprocess.PIPE, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    lib.check(done.returncode == 0 and len(answers) == len(lines) - 2, "not one answer for each line: %s" % answers)
    errors = {json.dumps(a["id"]) for a in answers if "error" in a}
    lib.check(errors == {"null", '"a"', "[1]", "2", "3", "4", "5", "6", "7", "8", "9"}, f"refused: {errors}")
    lib.check({a["id"] for a in answers if a.get("passed")} == {10, 12, "é", None}, f"{answers}")


def check_many_at_once():
    """More requests and more answers than any pipe holds, before one answer is read."""
    requests = [sandbox.request(i, "# " + "x" * 20000 + f"\nx = {i}", [f"assert x == {i - i % 2}"], timeout=60)
                for i in range(200)]
    answers = sandbox.run(requests, ["--jobs", "4"])
    lib.check(all(answers[i]["passed"] == (i % 2 == 0) for i in answers), "answers went to wrong requests")


def check_order():
    """A slow program does not keep others."""
    server = start("--jobs", "2")
    say(server, sandbox.request("slow", FOREVER, ["1"], timeout=3), *[dict(GOOD, id=i) for i in range(5)])
    first = [json.loads(server.stdout.readline())["id"] for _ in range(5)]
    lib.check(sorted(first) == [0, 1, 2, 3, 4], f"answered first: {first}")
    # The end of input lets it finish what it has.
    out, _ = server.communicate(timeout=60)
    lib.check(json.loads(out) == {"id": "slow", "passed": False, "why": "time"} and server.returncode == 0, str(out))


def check_nothing_left():
    """Whatever ends the server ends everything that it started."""
    requests = [sandbox.request(i, FOREVER, ["1"], timeout=600) for i in range(2)]
    for name, settings in surroundings.all_of_them():
        for how in ("kill", "kill inner", "close"):
            server = start("--jobs", "2", **settings)
            say(server, GOOD)
            server.stdout.readline()
            say(server, *requests)
            # A parent outside, the server, the process that holds Python, two guests and two judges.
            end = time.monotonic() + 30
            while len(family(server.pid)) < 7 and time.monotonic() < end:
                time.sleep(0.05)
            pids = family(server.pid)
            lib.check(len(pids) == 7, f"{name}: {len(pids)} processes instead of 7")
            if how == "close":
                server.stdout.close()  # nobody reads: the next answer ends it
                say(server, "not a request")
            else:
                os.kill(pids[0] if how == "kill" else pids[1], signal.SIGKILL)
            lib.check(gone(pids), f"{name}: after '{how}' processes are left")
            server.wait()
            for stream in (server.stdin, server.stderr, server.stdout):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


def check_signals():
    """Signals to the group of a job do not end the job's; the end of its input does. Alone it ends."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A shell may have had them passed over in what it started.
        server = start("--jobs", "2", preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (1, 2, 15)])
        say(server, GOOD)
        server.stdout.readline()
        say(server, sandbox.request(1, FOREVER, ["1"], timeout=600), sandbox.request(2, SLEEP, ["1"], timeout=600))
        time.sleep(0.2)
        pids, begun = family(server.pid), time.monotonic()
        server.send_signal(number)
        lib.check(server.wait(timeout=20) == -number and gone(pids), f"alone, at signal {number} it does not end")
        lib.check(time.monotonic() - begun < 10, f"alone, at signal {number} it ends late")
        for stream in (server.stdin, server.stdout, server.stderr):
            stream.close()
    server = start("--ignore-signals")
    say(server, GOOD)
    server.stdout.readline()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        for pid in family(server.pid)[:2]:
            os.kill(pid, number)
    say(server, GOOD)
    out, _ = server.communicate(timeout=60)
    lib.check(json.loads(out)["passed"] and server.returncode == 0, f"{out} {server.returncode}")


def check_sleepers():
    """What sleeps is done after its timeout; what a busy machine keeps from running is not."""
    begun = time.monotonic()
    answers = sandbox.run([sandbox.request(i, text, ["1"], timeout=2) for i, text in enumerate(SLEEPERS)], ["--jobs", "2"])
    took = time.monotonic() - begun
    lib.check(all(answer["why"] == "time" for answer in answers.values()), str(answers))
    lib.check(took < 14, f"six sleepers of 2 s, two at a time: {took:.1f} s")
    print(f"* six sleepers of 2 s, two at a time: {took:.1f} s")
    count = 8 * len(os.sched_getaffinity(0))
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        answers = sandbox.run([sandbox.request(1, WORK, ["assert done"], timeout=4)], ["--jobs", "1"])
        lib.check(answers[1]["passed"], f"beside {count} others that work: {answers}")
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def check_refusal():
    for options in ([], ["--check"]):
        done = subprocess.run([sandbox.SANDBOX, *options], input=json.dumps(GOOD), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, preexec_fn=surroundings.without_seccomp)
        lib.check(done.returncode == 5 and done.stdout == "" and "seccomp cannot be set up" in done.stderr,
                  f"without seccomp: {done.returncode} {done.stdout} {done.stderr}")


def check_options():
    for options in (["--jobs", "0"], ["--timeout", "x"], ["--memory", "1"], ["--nothing"], ["argument"]):
        done = subprocess.run([sandbox.SANDBOX, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        lib.check(done.returncode == 2, f"{options}: {done.returncode}")
    state = json.loads(subprocess.run([sandbox.SANDBOX, "--check"], stdout=subprocess.PIPE, check=True).stdout)
    lib.check(state["seccomp"] is True, str(state))
    small = sandbox.run([sandbox.request(1, "x = len(bytearray(10 ** 8))", ["assert x == 10 ** 8"])], ["--memory", "64"])
    lib.check(small[1]["why"] == "memory", str(small))
    short = sandbox.run([sandbox.request(1, FOREVER, ["1"])], ["--timeout", "0.2"])
    lib.check(short[1]["why"] == "time", str(short))


check_malformed()
check_many_at_once()
check_order()
check_nothing_left()
check_signals()
check_sleepers()
check_refusal()
check_options()
