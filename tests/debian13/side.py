#!/usr/bin/env python3
"""One system's part in a run that is computed by two.

  side.py whole OUT      the job from beginning to end
  side.py begin OUT      is told to leave when it has scored a part of its population
  side.py end OUT        goes on with what the other has begun
  side.py show OUT...    what `coppice inspect` and h5py see in the run files, as JSON
"""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from lib import COPPICE, ENV, QUICK, TOP, check, coppice, inspect, mpi, read, run_command, wait_for_log  # noqa: E402

# Arithmetic that every version of the libraries has; a merge passes the gate, and one round of recentring follows.
SETTINGS = QUICK + ["backend.compute=f32", "checkpoint.interval=1000", "recenter.rounds=1", "splits.test=24",
                    "baselines.randopt=[1]", "baselines.self_consistency=[]", "consolidate.beta=[20]",
                    "analysis.split_half=false"]

# The libraries' versions differ, which is refused unless it is allowed, for nothing promises the same bits.
ALLOWED = ["backend.mixed=true"]
MISMATCH = 8


def start(out, settings=SETTINGS):
    command = run_command(3, out, settings, job="jobs/demo.yaml")  # the same words on both sides
    return subprocess.Popen([mpi.MPIRUN, *command[1:]], env=ENV, cwd=TOP, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(job, code):
    text = job.communicate(timeout=900)[0]
    check(job.returncode == code, f"exit code {job.returncode}, not {code}: {text[-3000:]}")
    return text


def begin(out):
    job = start(out)
    wait_for_log(job, out, "phase population")
    time.sleep(0.3)
    job.send_signal(signal.SIGTERM)
    finish(job, 75)
    check("final" not in inspect(out), "nothing was left to do")


def data_sets(path):
    """Name, type, shape and digest of every data set; None without h5py."""
    try:
        import h5py
    except ImportError:
        return None
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            data = value.tobytes() if item.dtype.kind in "fiu" else repr(value).encode()
            found[name] = [str(item.dtype.kind), list(item.shape), hashlib.sha256(data).hexdigest()]
    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def show(outs):
    seen = {}
    for out in outs:
        tree = inspect(out)
        scores = {}

        def walk(node, path, scores=scores):
            for key, value in node.items():
                if isinstance(value, dict):
                    walk(value, path + "/" + key)
                elif key in ("scores", "status", "tokens", "row_digest", "answers"):
                    scores[path + "/" + key] = value
        walk(tree, "")
        seen[os.path.basename(out)] = {
            "recipe": read(os.path.join(out, "recipe.json"), "r"), "scores": scores, "tree": tree,
            "data sets": data_sets(os.path.join(out, "run.h5"))}
    print(json.dumps(seen))


action, *paths = sys.argv[1:]
if action == "begin":
    begin(*paths)
elif action == "end":
    check("backend.mixed" in finish(start(*paths), MISMATCH), "other libraries are not named")
    check("going on with the run" in finish(start(*paths, SETTINGS + ALLOWED), 0), "the run began anew")
elif action == "whole":
    finish(start(*paths), 0)
else:
    show(paths)
