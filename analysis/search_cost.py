#!/usr/bin/env python3
"""What a search costs and finds, by program and settings: sides that take turns, seed by seed, on one machine.

  analysis/search_cost.py --side "TITLE | PROGRAM JOB.yaml KEY=VALUE ..." --side ... --out DIR [--seeds 1,2,3,4,5]

A side is a program (another version's, say), a job file and what is set in it. Without votes on the test set, which are
no part of the search, each run is one rank of one thread on one core; all sides of a seed come before the next seed.
The table has the consolidated model's accuracy on test and what the search took, as ratios to the first side, of sums
over the seeds. Runs that DIR has are not made again."""
import argparse
import json
import os
import shlex
import subprocess
import sys
import time

ALONE = ["baselines.randopt=[]", "baselines.self_consistency=[]"]


class Side:
    def __init__(self, text, number, options):
        title, bar, command = text.partition("|")
        words = shlex.split(command)
        if not bar or len(words) < 2:
            options.parser.error(f"--side {text!r} is not TITLE | PROGRAM JOB.yaml KEY=VALUE ...")
        self.title, (self.program, self.job, *self.settings) = title.strip(), words
        self.folder = os.path.join(options.out, f"side{number}")
        before = os.path.join(self.folder, "side.json")
        os.makedirs(self.folder, exist_ok=True)
        if os.path.exists(before) and load(before) != words:
            sys.exit(f"{before} is of another side, {load(before)}: choose another --out, or remove it")
        with open(before, "w", encoding="utf-8") as file:
            json.dump(words, file)

    def run(self, seed):
        """Accuracy on test, answers and tokens of the search, seconds of wall and of processor."""
        out = os.path.join(self.folder, str(seed))
        if not os.path.exists(out + ".json"):
            command = [self.program, "run", self.job, "--out", out, "--progress", "never"]
            for setting in [*ALONE, *self.settings, f"population.seed={seed}"]:
                command += ["-s", setting]
            start, before = time.monotonic(), os.times()
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, check=False, env=dict(os.environ, OMP_WAIT_POLICY="passive"))
            after = os.times()
            if done.returncode != 0:
                sys.exit(f"{shlex.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}")
            summary = load(os.path.join(out, "summary.json"))
            found = summary["test"]["consolidated"]
            # Where nothing passed the gate the result is the base, which is not what it took to say so.
            costs = max((group for group in summary["test"].values()), key=lambda group: group["search_evaluations"])
            row = {"accuracy": found["accuracy"], "improved": summary["improved"], "answers": costs["search_evaluations"],
                   "tokens": costs["search_tokens"], "wall": time.monotonic() - start,
                   "processor": after.children_user + after.children_system - before.children_user - before.children_system}
            with open(out + ".json.new", "w", encoding="utf-8") as file:
                json.dump(row, file)
            os.replace(out + ".json.new", out + ".json")
        return load(out + ".json")


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def total(rows, key):
    return sum(row[key] for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", action="append", required=True, metavar='"TITLE | PROGRAM JOB.yaml KEY=VALUE ..."')
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    options = parser.parse_args()
    options.parser = parser
    sides = [Side(text, number, options) for number, text in enumerate(options.side)]
    seeds = [int(seed) for seed in options.seeds.split(",")]
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
