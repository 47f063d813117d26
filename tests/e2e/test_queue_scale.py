#!/usr/bin/env python3
"""The coordinator with as many sleeping workers as this machine bears, far more than it has cores."""
import os
import subprocess
import sys

from lib import BUILD, ENV

# Some 30 MB and a few processes' worth of start-up a rank.
with open("/proc/meminfo", encoding="ascii") as file:
    free_mb = next(int(line.split()[1]) // 1024 for line in file if line.startswith("MemAvailable"))
ranks = 97 if free_mb > 6000 else 33
done = subprocess.run(["mpirun", "-np", str(ranks), os.path.join(BUILD, "tests", "test_queue_scale")],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, env=ENV)
if done.returncode != 0 or "[       OK ] many_ranks" not in done.stdout:
    print(done.stdout[-4000:])
    sys.exit(f"{ranks} ranks failed")
print("\n".join(line for line in done.stdout.splitlines() if line.startswith("* ")))
