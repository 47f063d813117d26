#!/usr/bin/env python3
"""The table of population.scaling and population.noise in RESULTS.md: one job for each of them, each population size and
seed, from a job file.

  analysis/scaling_table.py JOB.yaml --out DIR [--sizes 25,50,100] [--seeds 1,2,3] [--set KEY=VALUE ...]
                            [--scaling NAME[/NOISE]=SIGMAS ...] [--ranks N]

NOISE is one of population.noise (full). Jobs that DIR holds already are not run again, so an interrupted table goes on;
those of other settings are refused: a NAME[/NOISE] has one list of SIGMAS in a DIR.
Each is run by slurm/mpirun.sh on all cores, without recentring: what a population is worth by itself. Accuracies are those on test, means over the seeds; the interval is a bootstrap over the questions of that mean."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "jobs", "real"))
from results import COPPICE, MPIRUN, average, crowded, inspect, numbers, quantiles  # noqa: E402

SIGMAS = ["absolute=[0.005, 0.01, 0.02]", "rms=[0.05, 0.1, 0.2]", "spectral=[0.05, 0.1, 0.2]", "modular=[0.4, 0.8, 1.6]"]
METHODS = [("randopt_k1", "RandOpt, K = 1"), ("randopt_k10", "K = 10"), ("consolidated", "consolidated")]


def run(options, kind, sigmas, size, seed):
    scaling, _, noise = kind.partition("/")
    out = os.path.join(options.out, f"{kind.replace('/', '-')}-{size}-{seed}")
    settings = [f"population.scaling={scaling}", f"population.sigma={sigmas}", f"population.size={size}",
                f"population.noise={noise or 'full'}", f"population.seed={seed}", "recenter.rounds=0",
                "baselines.randopt=[1, 10]", "baselines.self_consistency=[]", "analysis.split_half=false", *options.set]
    # One that is done is asked, too: it ends at once, and refuses where its settings were others.
    launch = [MPIRUN, "--oversubscribe", "-np", str(options.ranks + 1)]
    command = [*(launch if options.ranks > 1 else []), COPPICE, "run", options.job, "--out", out, "--progress", "never"]
    done = subprocess.run(command + [word for setting in settings for word in ("-s", setting)], stdin=subprocess.DEVNULL,
                          env=crowded(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{out}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    tree = inspect(out)
    return {**tree["final"], **tree["baselines"]}


def cell(trees, method):
    groups = [tree[method] for tree in trees]
    means = [sum(group["scores"]) / len(group["scores"]) for group in groups]
    low, high = quantiles(average(groups))
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
    seeds, sizes = numbers(parser, "--seeds", options.seeds), numbers(parser, "--sizes", options.sizes)
    kinds = [text.partition("=")[::2] for text in options.scaling or SIGMAS]
    if not all(sigmas for _, sigmas in kinds) or len({kind for kind, _ in kinds}) < len(kinds):
        parser.error("--scaling must be NAME[/NOISE]=SIGMAS, for example 'modular/rank-1=[0.4, 0.8]', each NAME[/NOISE] once")
    print("| scaling, noise | candidates | search, answers | " + " | ".join(title for _, title in METHODS) + " |")
    print("|---|---|---|" + "---|" * len(METHODS))
    for kind, sigmas in kinds:
        for size in sizes:
            trees = [run(options, kind, sigmas, size, seed) for seed in seeds]
            answers = sum(tree["consolidated"]["search_evaluations"] for tree in trees) / len(trees)
            print(f"| {kind} {sigmas} | {size} | {answers:.0f} | " +
                  " | ".join(cell(trees, method) for method, _ in METHODS) + " |", flush=True)
    base = trees[0]["base"]["scores"]
    print(f"\nbase: {sum(base) / len(base):.3f}, {len(base)} questions")


if __name__ == "__main__":
    main()
