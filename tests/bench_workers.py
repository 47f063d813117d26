#!/usr/bin/env python3
"""Candidates per second of the demo's population phase: two single-threaded workers against one, in turns
in one run on one machine.   tests/bench_workers.py BINARY [PAIRS]"""
import os
import statistics
import subprocess
import sys
import tempfile

binary = sys.argv[1] if len(sys.argv) > 1 else "build/coppice"
pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none",
                   OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_btl_vader_single_copy_mechanism="none")


def rate(workers):
    """Candidates per second of the population phase."""
    with tempfile.TemporaryDirectory(prefix="coppice-bench-") as out:
        done = subprocess.run(["mpirun", "-np", str(workers + 1), binary, "run", "jobs/demo.yaml", "--out", out,
                               "--progress", "never", "-s", "population.size=200", "-s", "recenter.rounds=0",
                               "-s", "consolidate.scale=[1]", "-s", "consolidate.max_scale=1"],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout)
        line = next(line for line in done.stdout.splitlines() if line.startswith("population"))
        words = line.split()
        return float(words[words.index("cand/s") - 1])


if os.cpu_count() < 2:
    sys.exit("two workers need two cores")
rows = [(rate(1), rate(2)) for _ in range(pairs)]
print("\nworkers of one thread, population phase of the demo, candidates/s")
for one, two in rows:
    print(f"  one worker {one:6.1f}   two workers {two:6.1f}   ratio {two / one:.2f}")
print(f"  median ratio {statistics.median(two / one for one, two in rows):.2f}")
