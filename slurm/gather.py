#!/usr/bin/env python3
"""Makes one table of the runs of a sweep.

  slurm/gather.py COPPICE members.tsv

Each line of members.tsv holds the arguments of one member, separated by tabs; what follows --out is its
run directory. Writes table.tsv beside the list and prints it aligned. Exit code 1 where a member has no
result: its line says why.
"""
import json
import os
import subprocess
import sys

COLUMNS = ["seed", "candidates", "measure", "base", "randopt", "consolidated", "low", "high", "gain", "gain_low", "gain_high",
           "passed_gate"]
HEAD = ["member", *COLUMNS, "tokens", "rank_s", "state"]


def lookup(tree, path):
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def columns(tree):
    """A run's cells by column. Levels and gains are in what the job decided by; low to gain_high are the result's: of the
    consolidated model, or of RandOpt's best candidate where nothing is merged."""
    base, randopt, consolidated = (lookup(tree, path) or {} for path in
                                   (("final", "base"), ("baselines", "randopt_k1"), ("final", "consolidated")))
    result = consolidated or randopt
    on = lookup(tree, ("gate", "on"))
    measure = {"correct": "accuracy"}.get(on, on)
    passed = lookup(tree, ("final", "improved"))
    numbers = [("base", base.get(measure), "{:.4f}"), ("randopt", randopt.get(measure), "{:.4f}"),
               ("consolidated", consolidated.get(measure), "{:.4f}"), ("low", result.get(f"{measure}_low"), "{:.4f}"),
               ("high", result.get(f"{measure}_high"), "{:.4f}"), ("gain", result.get("gain"), "{:+.4f}"),
               ("gain_low", result.get("gain_low"), "{:+.4f}"), ("gain_high", result.get("gain_high"), "{:+.4f}"),
               ("measure", measure, "{}"), ("passed_gate", "no gate" if passed is not None and passed < 0 else passed, "{}"),
               ("seed", lookup(tree, ("job", "keys", "population.seed")), "{}"),
               ("candidates", lookup(tree, ("job", "keys", "population.size")), "{}")]
    return {name: "" if value is None else form.format(value) for name, value, form in numbers}


def total(node, name):
    """Sum over the arrays of that name, all phases together."""
    if not isinstance(node, dict):
        return 0
    own = sum(float(value) for row in node.get(name, []) for value in row if value is not None)
    return own + sum(total(child, name) for child in node.values())


def member_row(coppice, arguments):
    out = arguments[arguments.index("--out") + 1]
    row = [os.path.basename(out)]
    shown = subprocess.run([coppice, "inspect", out, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
    if shown.returncode != 0:
        return row + [""] * (len(HEAD) - 2) + ["no run: " + " ".join(shown.stderr.split())]
    tree = json.loads(shown.stdout)
    cells = columns(tree)
    row += [cells[name] for name in COLUMNS]
    ended = lookup(tree, ("final", "recipe")) is not None
    row += [f"{total(tree, 'tokens'):.0f}", f"{total(tree, 'seconds'):.1f}", "ended" if ended else "not ended"]
    return row


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    coppice, path = sys.argv[1:]
    with open(path) as file:
        rows = [HEAD] + [member_row(coppice, line.rstrip("\n").split("\t")) for line in file if line.strip()]
    table = os.path.join(os.path.dirname(path), "table.tsv")
    with open(table + ".new", "w") as file:
        file.write("".join("\t".join(row) + "\n" for row in rows))
    os.replace(table + ".new", table)
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    missing = sum(row[-1] != "ended" for row in rows[1:])
    if missing:
        print(f"{missing} of {len(rows) - 1} members have no result; sweep.sh, run again, goes on with them")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
