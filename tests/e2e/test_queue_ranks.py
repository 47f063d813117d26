#!/usr/bin/env python3
"""The queue's unit test under mpirun with several ranks."""
import os
import re
import subprocess
import sys

for ranks in (2, 3, 6):
    done = subprocess.run(["mpirun", "--oversubscribe", "-np", str(ranks),
                           os.path.join(os.environ["BUILD"], "tests", "test_queue")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
    text = done.stdout.decode("utf-8", "replace")
    begun = re.findall(r"Running (\d+) test", text)
    passed = re.findall(r"PASSED  \] (\d+) test", text)
    if done.returncode != 0 or len(begun) != ranks or passed != begun:
        print(text)
        sys.exit(f"{ranks} ranks failed")
print("* 2, 3 and 6 ranks")
