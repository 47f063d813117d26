#!/usr/bin/env python3
"""Runs the tests and prints one line each, then "N passed, N failed, N skipped".

  tests/run.py [--build DIR] [--only WORD] [--without WORD] [--beside COMMAND] [unit] [e2e] [slurm]

A unit test is a cmocka program in DIR/tests; an end-to-end test is an executable tests/e2e/*.py or
*.sh that gets COPPICE (the binary) and BUILD in its environment; each of those in tests/slurm gets a
cluster of its own (tests/slurm/cluster.py). Unit tests run as many at a time as there are cores. End-to-end tests run
two at a time, for a small job leaves much of two cores idle: first those whose file says "# Takes long"; those that say
"# Alone" one by one. Exit code 77 of an end-to-end test, or a cmocka SKIPPED
line, is a skip; a line that begins with "skip" is the reason. Commands of --beside run one after the other in time that
no test wants, count as a test each, and are waited for before the tests that run alone.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import time

import mpi

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(command, environment, limit_s):
    start = time.monotonic()
    with subprocess.Popen(command, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            text, late = process.communicate(timeout=limit_s)[0], ""
        except subprocess.TimeoutExpired:
            late = f"\ntook over {limit_s:.0f} s"
            process.terminate()  # time to clean up
            try:
                text = process.communicate(timeout=20)[0]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with what it started, which may hold the pipe
                text = process.communicate()[0]
    return -1 if late else process.returncode, text.decode("utf-8", "replace") + late, time.monotonic() - start


def count_unit(code, text):
    """Passed, failed and skipped tests of one cmocka program."""
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    skipped = len(re.findall(r"^\[  SKIPPED \] (?!\d+ test)", text, re.M))
    failed = len(re.findall(r"^\[  FAILED  \] (?!\d+ test)", text, re.M))
    skipped //= 2  # cmocka names skipped and failed tests once more at its end
    if code != 0:
        failed = max(1, failed // 2)
    return passed, failed, skipped


def lack(build, kind, path):
    """What a test needs and this build or machine has not, or None."""
    try:
        with open(os.path.join(build, "found.txt"), encoding="utf-8") as rows:
            without = {row.split("\t")[0] for row in rows if row.split("\t")[1].startswith("none")}
    except OSError:
        without = set()
    if kind == "unit" and "CMOCKA" in without:
        return "cmocka is missing (make info)"
    if re.match(r"test_(sandbox|mbpp)", os.path.basename(path)) and without & {"PYTHON", "SECCOMP"}:
        return "this build has no coppice-sandbox (make info)"
    return None


def run_test(test, environment, limit_s):
    """Its lines of the report, and how many passed, failed and were skipped."""
    kind, name, command = test
    source = os.path.join(TOP, "tests", "unit", f"test_{name}.c") if kind == "unit" else command[-1]
    without = lack(environment["BUILD"], kind, source)
    if without:
        code, text, seconds, counts = 77, "skip: " + without, 0.0, (0, 0, 1)
    elif kind == "unit" and not os.path.exists(command[0]):
        code, text, seconds, counts = 1, "the test program was not built", 0.0, (0, 1, 0)
    else:
        code, text, seconds = run(command, environment, limit_s)
        if kind == "unit":
            counts = count_unit(code, text)
        elif code == 77:
            counts = (0, 0, 1)
        else:
            counts = (1, 0, 0) if code == 0 else (0, 1, 0)
    word = "FAIL" if counts[1] else "skip" if counts[2] and not counts[0] else "ok"
    lines = [f"{word:4}  {kind:5} {name:28} {counts[0]:4} passed  {seconds:7.1f} s"]
    if counts[1]:
        lines += ["      " + line for line in text.splitlines()[-60:]]
    elif counts[2]:  # nothing is skipped silently
        reasons = [line for line in text.splitlines() if line.lower().startswith("skip")]
        lines += ["      " + line for line in dict.fromkeys(reasons or ["skipped without a reason"])]
    else:
        lines += ["      " + line for line in text.splitlines() if line.startswith("* ")]  # figures worth seeing
    return lines, counts


def run_beside(command):
    """A command in idle time: its lines and counts, as run_test() gives them."""
    code, text, seconds = run(["chrt", "--idle", "0", "sh", "-c", command], os.environ, None)
    lines = [f"{'FAIL' if code else 'ok':4}  beside the tests, {seconds:.1f} s: {command}"]
    return lines + ["      " + line for line in text.splitlines()[-60:] if code], (0, 1, 0) if code else (1, 0, 0)


def says(test, words):
    """Whether a test that is a script has a comment that begins with these words."""
    with open(test[2][-1], encoding="utf-8") as file:
        return f"\n# {words}" in file.read(2000)


def rounds_of(tests, at_once):
    """Lists of tests, one list after the other, and how many of each run at a time."""
    if at_once:
        return [(tests, at_once)]
    units = [test for test in tests if test[0] == "unit"]
    scripts = [test for test in tests if test[0] != "unit"]
    alone = [test for test in scripts if test[0] == "slurm" or says(test, "Alone")]
    others = [test for test in scripts if test not in alone]
    others.sort(key=lambda test: not says(test, "Takes long"))  # a long one at the end would run by itself
    return [(units, os.cpu_count()), (others, 2), (alone, 1)]


def report(done):
    """Prints the lines of what has ended, and returns its counts."""
    lines, counts = done.result()
    print("\n".join(lines), flush=True)
    return counts


def run_tests(tests, at_once, environment, limit_s):
    """Prints each as it ends, and returns their counts."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(run_test, test, environment, limit_s) for test in tests]
        return [report(done) for done in concurrent.futures.as_completed(running)]


def run_rounds(rounds, commands, environment, limit_s):
    """The rounds of tests, with commands beside all but those that run alone; the counts of all."""
    counts = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        beside = [pool.submit(run_beside, command) for command in commands]
        for tests, at_once in rounds:
            while at_once == 1 and beside:
                counts.append(report(beside.pop(0)))
            counts += run_tests(tests, at_once, environment, limit_s)
        counts += [report(done) for done in beside]
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default="", metavar="WORD", help="tests with this in their name")
    parser.add_argument("--without", metavar="WORD", help="but those with this")
    parser.add_argument("--limit", type=float, default=1500, help="seconds for one test")
    parser.add_argument("--at-once", type=int, help="tests that run beside each other, of whatever kind")
    parser.add_argument("--beside", action="append", default=[], metavar="COMMAND", help="what else runs, in idle time")
    parser.add_argument("kinds", nargs="*", default=[])
    options = parser.parse_args()
    kinds = options.kinds or ["unit", "e2e"]
    build = os.path.abspath(options.build)

    # A shell that starts this in the background has it ignore Ctrl-C, and so would all that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = dict(os.environ)
    environment.update(mpi.environment(), COPPICE=os.path.join(build, "coppice"), BUILD=build)
    tests = []
    if "unit" in kinds:
        folder = os.path.join(build, "tests")
        for source in sorted(glob.glob(os.path.join(TOP, "tests", "unit", "*", "test_*.c")), key=os.path.basename):
            program = os.path.basename(source)[:-2]
            tests.append(("unit", program[5:], [os.path.join(folder, program)]))
    for kind in ("e2e", "slurm"):
        if kind not in kinds:
            continue
        for name in sorted(os.listdir(os.path.join(TOP, "tests", kind))):
            path = os.path.join(TOP, "tests", kind, name)
            if name.startswith("test_") and name.endswith((".py", ".sh")):
                command = [sys.executable if name.endswith(".py") else "bash", path]
                if kind == "slurm":
                    command = [sys.executable, os.path.join(TOP, "tests", "slurm", "cluster.py"), *command]
                tests.append((kind, name[5:-3], command))

    tests = [test for test in tests if options.only in test[1] and not (options.without and options.without in test[1])]
    counts = run_rounds(rounds_of(tests, options.at_once), options.beside, environment, options.limit)
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed + skipped else 0


if __name__ == "__main__":
    sys.exit(main())
