#!/usr/bin/env python3
"""The queue's unit test under mpirun with several ranks."""
import os
import subprocess
import sys

for ranks in (2, 3, 6):
    done = subprocess.run(["mpirun", "--oversubscribe", "-np", str(ranks),
                           os.path.join(os.environ["BUILD"], "tests", "test_queue")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0 or text.count("[  PASSED  ] 9 test(s).") != ranks:
        print(text)
        sys.exit(f"{ranks} ranks failed")
print("* 2, 3 and 6 ranks")
