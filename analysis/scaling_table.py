#!/usr/bin/env python3
"""The table of population.scaling and population.noise in RESULTS.md: one job for each of them, each population size and
seed, from a job file.

  analysis/scaling_table.py JOB.yaml --out DIR [--sizes 25,50,100] [--seeds 1,2,3] [--set KEY=VALUE ...]
                            [--scaling NAME[/NOISE]=SIGMAS ...] [--ranks N]

NOISE is one of population.noise (full). Jobs that DIR holds already are not run again, so an interrupted table goes on.
Each is run by slurm/mpirun.sh on all cores, without recentring: what a population is worth by itself. Accuracies are those on test, means over the seeds; the interval is a bootstrap over the questions of that mean."""
import argparse
import json
import os
import random
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPPICE = os.environ.get("COPPICE", os.path.join(TOP, "build", "coppice"))
SIGMAS = ["absolute=[0.005, 0.01, 0.02]", "rms=[0.05, 0.1, 0.2]", "spectral=[0.05, 0.1, 0.2]", "modular=[0.4, 0.8, 1.6]"]
METHODS = [("randopt_k1", "RandOpt, K = 1"), ("randopt_k10", "K = 10"), ("consolidated", "consolidated")]
RESAMPLES = 4000


def crowded():
    """The environment in which mpirun starts a rank more than there are cores: rank 0 only coordinates."""
    said = subprocess.run([os.path.join(TOP, "slurm", "mpirun.sh"), "--environment", "crowded"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    return dict(os.environ, **dict(line.split("=", 1) for line in said.splitlines()))


def run(options, kind, sigmas, size, seed):
    scaling, _, noise = kind.partition("/")
    out = os.path.join(options.out, f"{kind.replace('/', '-')}-{size}-{seed}")
    if not os.path.exists(os.path.join(out, "summary.json")):
        settings = [f"population.scaling={scaling}", f"population.sigma={sigmas}", f"population.size={size}",
                    f"population.noise={noise or 'full'}", f"population.seed={seed}", "recenter.rounds=0", "baselines.randopt=[1, 10]",
                    "baselines.self_consistency=[]", "analysis.split_half=false", *options.set]
        launch = [os.path.join(TOP, "slurm", "mpirun.sh"), "--oversubscribe", "-np", str(options.ranks + 1)]
        command = [*(launch if options.ranks > 1 else []), COPPICE, "run", options.job, "--out", out, "--progress", "never"]
        done = subprocess.run(command + [word for setting in settings for word in ("-s", setting)], stdin=subprocess.DEVNULL,
                              env=crowded(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{out}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    tree = json.loads(subprocess.run([COPPICE, "inspect", out, "--json"], stdout=subprocess.PIPE, check=True).stdout)
    return {**tree["final"], **tree["baselines"]}


def bootstrap(rows):
    """95% interval of the mean over seeds, rows [seeds][questions], by drawing questions."""
    chance = random.Random(1)
    means = [sum(column) / len(column) for column in zip(*rows)]
    drawn = sorted(sum(chance.choices(means, k=len(means))) / len(means) for _ in range(RESAMPLES))
    return drawn[RESAMPLES // 40], drawn[-RESAMPLES // 40]


def cell(trees, method):
    rows = [tree[method]["scores"] for tree in trees]
    means = [sum(row) / len(row) for row in rows]
    low, high = bootstrap(rows)
    return f"{sum(means) / len(means):.3f} ({low:.3f} .. {high:.3f}; {' '.join(f'{mean:.3f}' for mean in means)})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("--out", required=True)
    parser.add_argument("--sizes", default="25,50,100")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--scaling", action="append", metavar="NAME[/NOISE]=SIGMAS")
    parser.add_argument("--ranks", type=int, default=os.cpu_count(), help="that compute (all cores)")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print("| scaling, noise | candidates | search, answers | " + " | ".join(title for _, title in METHODS) + " |")
    print("|---|---|---|" + "---|" * len(METHODS))
    for kind, _, sigmas in (text.partition("=") for text in options.scaling or SIGMAS):
        for size in map(int, options.sizes.split(",")):
            trees = [run(options, kind, sigmas, size, seed) for seed in seeds]
            answers = sum(tree["consolidated"]["search_evaluations"] for tree in trees) / len(trees)
            print(f"| {kind} {sigmas} | {size} | {answers:.0f} | " +
                  " | ".join(cell(trees, method) for method, _ in METHODS) + " |", flush=True)
    base = trees[0]["base"]["scores"]
    print(f"\nbase: {sum(base) / len(base):.3f}, {len(base)} questions")


if __name__ == "__main__":
    main()
