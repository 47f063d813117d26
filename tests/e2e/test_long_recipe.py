#!/usr/bin/env python3
"""A recipe that takes long to rebuild says how long, at once, and can be interrupted."""
import json
import os
import re
import signal
import subprocess

from lib import COPPICE, ENV, MODEL, TOP, check, scratch

COUNT = 200_000

with scratch() as folder:
    path = os.path.join(folder, "recipe.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "noise_version": 1, "base_sha256": "", "scope": ["*"], "scaling": "absolute",
                   "components": [{"seed": str(seed), "amplitude": 1e-6} for seed in range(COUNT)]}, file)
    one = min(os.sched_getaffinity(0))  # so that it is long on every machine
    job = subprocess.Popen(["taskset", "-c", str(one), COPPICE, "generate", "--model", MODEL, "--recipe", path], env=ENV,
                           cwd=TOP, text=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    job.stdin.write('{"prompt": "1 + 1 ="}\n')
    job.stdin.close()
    said = ""
    while "before there is more to see" not in said:
        line = job.stderr.readline()
        check(line != "", f"it ended without a word on how long it takes: {said}")
        said += line
    check(re.search(rf"{COUNT} components for each of 0\.8 million weights: about (\d+ s|\d+:\d\d) on 1 cores", said), said)
    job.send_signal(signal.SIGINT)
    job.stderr.close()
    check(job.wait(60) != 0, "an interrupted rebuild ended well")
print("* " + said.strip().splitlines()[-1])
