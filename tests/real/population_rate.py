#!/usr/bin/env python3
"""What a population costs beside plain generation:  tests/real/population_rate.py COPPICE JOB.yaml [--set KEY=VALUE ...]
                                                    [--noises full,rank-4,rank-1] [--candidates 8] [--turns 3]

The job's candidates answer its support questions, with a sigma so small that they say what the base says, so that all do
the same work but for their weights. Plain generation is the same with a scope of one tensor, the smallest of the model:
all other weights stay as they are. Kinds take turns, each a job of one rank and thread; the table has the median seconds
of a candidate, and plain generation's share of it."""
import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

SILENT = ["method=randopt", "population.scaling=absolute", "population.sigma=[1e-9]", "splits.probe=2", "splits.validate=2",
          "splits.test=2", "baselines.randopt=[1]", "baselines.self_consistency=[]", "analysis.split_half=false", "backend.threads=1"]


def smallest_tensor(model):
    """The name of a tensor with the fewest elements."""
    path = os.path.join(model, "model.safetensors")
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    sizes = {name: entry["data_offsets"][1] - entry["data_offsets"][0] for name, entry in header.items() if name != "__metadata__"}
    return min(sorted(sizes), key=sizes.get)


def call(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def measure(options, kind, folder):
    """Seconds and tokens of each candidate but the first, which meets cold caches."""
    own = [f"population.scope=[{options.tensor}]"] if kind == "plain" else [f"population.noise={kind}"]
    out = os.path.join(folder, "run")
    command = [options.coppice, "run", options.job, "--out", out, "--progress", "never"]
    for setting in [*options.set, *SILENT, f"population.size={options.candidates + 1}", *own]:
        command += ["-s", setting]
    call(command)
    population = json.loads(call([options.coppice, "inspect", out, "--json"]))["population"]
    return [sum(row) for row in population["seconds"]][1:], [sum(map(int, row)) for row in population["tokens"]][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coppice")
    parser.add_argument("job")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--noises", default="full,rank-4,rank-1")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    settings = [word for setting in options.set for word in ("-s", setting)]
    keys = call([options.coppice, "run", options.job, "--check", *settings])
    options.tensor = smallest_tensor(next(json.loads(line[7:]) for line in keys.splitlines() if line.startswith("model: ")))
    kinds = ["plain", *options.noises.split(",")]
    seconds, tokens = {kind: [] for kind in kinds}, {}
    for _ in range(options.turns):
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                took, tokens[kind] = measure(options, kind, folder)
            seconds[kind] += took
    if len({tuple(counts) for counts in tokens.values()}) > 1:
        print(f"not all kinds said the same: {tokens}", file=sys.stderr)
    print(f"{tokens['plain'][0]} tokens a candidate\n\n| noise | seconds a candidate | plain generation's share |\n|---|---|---|")
    for kind in kinds:
        print(f"| {kind} | {statistics.median(seconds[kind]):.3f} ({min(seconds[kind]):.3f} to {max(seconds[kind]):.3f}) | "
              f"{statistics.median(seconds['plain']) / statistics.median(seconds[kind]):.3f} |", flush=True)


if __name__ == "__main__":
    main()
