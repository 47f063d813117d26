#!/usr/bin/env python3
"""The coordinator with as many sleeping workers as this machine bears, far more than it has cores."""
# Alone: its ranks are far more than cores, and their idle time is measured.
import os
import re
import subprocess
import sys

from lib import BUILD, ENV

# Some 30 MB and a few processes' worth of start-up a rank.
with open("/proc/meminfo", encoding="ascii") as file:
    free_mb = next(int(line.split()[1]) // 1024 for line in file if line.startswith("MemAvailable"))
ranks = 97 if free_mb > 6000 else 33


def run(count):
    """Bytes for each unit, with many units for each rank and with few."""
    done = subprocess.run(["mpirun", "--oversubscribe", "-np", str(count), os.path.join(BUILD, "tests", "test_queue_scale")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, env=ENV)
    if done.returncode != 0 or any(f"[       OK ] {test}" not in done.stdout
                                   for test in ("many_ranks", "few_units_for_each_rank")):
        print(done.stdout[-4000:])
        sys.exit(f"{count} ranks failed")
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith("* ")))
    return [float(bytes_each) for bytes_each in re.findall(r"^\* ([\d.]+) bytes per unit", done.stdout, re.M)]


two, many = run(3), run(ranks)
# A chunk is at least a unit: what the chunks add to a unit has an end, however many ranks share them.
if max(many) > max(two) + 12 + 16 or max(two + many) > 48:
    sys.exit(f"bytes for each unit: {two} with 2 workers, {many} with {ranks - 1}")
