#!/usr/bin/env python3
"""From exec to the first token: medians of whole processes, the files in the page cache.

  python start.py COPPICE MODEL [--runs 9] [--beside COPPICE] [OPTION OF generate...]

"wall" ends with the first byte of the answer, "processor" is what all threads took to the end of the
process: on a busy machine the steadier figure. With --beside two builds are run in turn. As root, `chrt -f 10 python
start.py ...` has them wait for no other process.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

QUESTION = {"messages": [{"role": "user", "content": "Tom has 3 pens. Tom buys 4 more. How many pens does Tom have?"}]}


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def measure(command):
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(json.dumps(QUESTION).encode() + b"\n")
        process.stdin.close()
        first = process.stdout.read(1)
        wall = time.monotonic() - start
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not first or process.returncode != 0:
        raise SystemExit(f"start: {command[0]} failed with exit code {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def report(name, model, runs):
    walls, processors = zip(*runs)
    print(f"* {name}{model} from exec to the first token, median of {len(runs)}: "
          f"{statistics.median(walls):.3f} s wall (least {min(walls):.3f}), {statistics.median(processors):.3f} s processor; "
          f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coppice")
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--beside", metavar="COPPICE")
    options, others = parser.parse_known_args()
    programs = [program for program in (options.beside, options.coppice) if program]
    commands = [[os.path.abspath(program), "generate", "--model", options.model, "--max-new-tokens", "1", *others]
                for program in programs]
    for command in commands:
        measure(command)  # the files are in the page cache now
    runs = [[measure(command) for command in commands] for _ in range(options.runs)]
    for i, program in enumerate(programs):
        report(f"{program}: " if len(programs) > 1 else "", os.path.basename(os.path.normpath(options.model)),
               [one[i] for one in runs])


if __name__ == "__main__":
    main()
