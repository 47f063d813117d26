#!/usr/bin/env python3
"""What a search costs and finds, by program and settings: sides that take turns, seed by seed, on one machine.

  analysis/search_cost.py --side "TITLE | PROGRAM JOB.yaml KEY=VALUE ..." --side ... --out DIR [--seeds 1,2,3,4,5]

A side is a program (another version's, say), a job file and what is set in it. Without votes on the test set, which are
no part of the search, each run is one rank of one thread on one core; all sides of a seed come before the next seed.
The table has the consolidated model's accuracy on test and what the search took, as ratios to the first side, of sums
over the seeds. Runs that DIR has are not made again, and what an interrupted one took counts."""
import argparse
import hashlib
import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "jobs", "real"))
from results import STOPPED, add_clocks, clocks, load, numbers, store, wait  # noqa: E402

ALONE = ["baselines.randopt=[]", "baselines.self_consistency=[]"]


def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as problem:
        sys.exit(f"search_cost: {problem}")


class Side:
    def __init__(self, text, number, out):
        title, bar, command = text.partition("|")
        words = shlex.split(command)
        if not bar or len(words) < 2:
            sys.exit(f"search_cost: --side {text!r} is not TITLE | PROGRAM JOB.yaml KEY=VALUE ...")
        self.title, (self.program, self.job, *self.settings) = title.strip(), words
        self.folder = os.path.join(out, f"side{number}")
        now = {"words": words, "program": digest(shutil.which(self.program) or self.program), "job": digest(self.job)}
        before = os.path.join(self.folder, "side.json")
        os.makedirs(self.folder, exist_ok=True)
        if os.path.exists(before) and load(before) != now:
            sys.exit(f"search_cost: {before} is of another side, program or job file: choose another --out, or remove "
                     f"{self.folder}")
        store(before, now)

    def run(self, seed):
        """Accuracy on test, answers and tokens of the search, seconds of wall and of processor."""
        out = os.path.join(self.folder, str(seed))
        if not os.path.exists(out + ".json"):
            command = [self.program, "run", self.job, "--out", out, "--progress", "never"]
            for setting in [*ALONE, *self.settings, f"population.seed={seed}"]:
                command += ["-s", setting]
            start = clocks()
            with open(out + ".log", "a", encoding="utf-8") as log:
                code = wait(command, log)
            add_clocks(out, start)
            if code == STOPPED:
                sys.exit("search_cost: stopped; the same command goes on")
            if code != 0:
                with open(out + ".log", encoding="utf-8") as log:
                    sys.exit(f"search_cost: {shlex.join(command)}: exit code {code}\n{log.read()[-2000:]}")
            summary = load(os.path.join(out, "summary.json"))
            found = summary["test"]["consolidated"]
            store(out + ".json", {
                "accuracy": found["accuracy"], "improved": summary["improved"], "answers": found["search_evaluations"],
                "tokens": found["search_tokens"], "wall": load(out + ".seconds"), "processor": load(out + ".processor")})
        return load(out + ".json")


def total(rows, key):
    return sum(row[key] for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", action="append", required=True, metavar='"TITLE | PROGRAM JOB.yaml KEY=VALUE ..."')
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    options = parser.parse_args()
    seeds = numbers(parser, "--seeds", options.seeds)
    sides = [Side(text, number, options.out) for number, text in enumerate(options.side)]
    rows = [[] for _ in sides]
    for seed in seeds:
        for side, results in zip(sides, rows):
            print(f"{side.title}, seed {seed} ...", file=sys.stderr, flush=True)
            results.append(side.run(seed))
    print("| side | mean | by seed | answers | tokens, millions | wall, seconds | processor, seconds |\n" + "|---" * 7 + "|")
    for side, results in zip(sides, rows):
        cells = [f"{total(results, key) / unit / len(seeds):.{places}f} ({total(results, key) / total(rows[0], key):.2f})"
                 for key, unit, places in (("answers", 1, 0), ("tokens", 1e6, 2), ("wall", 1, 1), ("processor", 1, 1))]
        by_seed = " ".join(f"{row['accuracy']:.3f}{'' if row['improved'] else ' (base)'}" for row in results)
        print(f"| {side.title} | {total(results, 'accuracy') / len(seeds):.3f} | {by_seed} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
