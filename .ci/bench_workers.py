#!/usr/bin/env python3
"""The demo with two single-threaded workers against one, in turns in one run on one machine: candidates per
second of the population phase, and time of the whole job.   .ci/bench_workers.py BINARY [PAIRS]"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

import mpi  # noqa: E402

binary = sys.argv[1] if len(sys.argv) > 1 else "build/coppice"
pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
environment = dict(os.environ, **mpi.environment())


def measure(workers):
    """Candidates per second of the population phase, seconds of the whole job."""
    with tempfile.TemporaryDirectory(prefix="coppice-bench-") as out:
        done = subprocess.run(["mpirun", "-np", str(workers + 1), binary, "run", "jobs/demo.yaml", "--out", out,
                               "--progress", "never", "-s", "recenter.rounds=1", "-s", "baselines.randopt=[1]",
                               "-s", "baselines.self_consistency=[]"],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout)
        words = next(line for line in done.stdout.splitlines() if line.startswith("population")).split()
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as summary:
            return float(words[words.index("cand/s") - 1]), json.load(summary)["seconds_this_start"]


if os.cpu_count() < 2:
    sys.exit("two workers need two cores")
rows = [measure(1) + measure(2) for _ in range(pairs)]
print("\ndemo with one round of recentring, workers of one thread")
print("                population, candidates/s              whole job, seconds")
print("                one      two    ratio             one      two    ratio")
for one, one_s, two, two_s in rows:
    print(f"           {one:8.1f} {two:8.1f} {two / one:8.2f}        {one_s:8.1f} {two_s:8.1f} {one_s / two_s:8.2f}")
print(f"  median {statistics.median(two / one for one, _, two, _ in rows):30.2f}"
      f"{statistics.median(one_s / two_s for _, one_s, _, two_s in rows):34.2f}")
