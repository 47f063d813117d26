#!/usr/bin/env python3
"""An array over seeds, with the job behind it that gathers the results in a table. Every member requeues itself
and nobody else; one that was cancelled is named, and the same command goes on with it."""
import csv
import os
import re

from jobs import CROWDED, DEMO, LONGER, SCRIPTS, check, command, inspect, reference, same_result, set_keys, scratch, until

SEEDS = (4, 5)
# A member is still at work when the other one has gone on elsewhere, on fast cores, too.
SIZE = 600
SETTINGS = LONGER + [f"population.size={SIZE}"]


def ended(ids):
    states = command("squeue", "-h", "-t", "all", "-j", ",".join(ids), "-o", "%T").split()
    return all(state in ("COMPLETED", "FAILED", "CANCELLED") for state in states)


def sweep(out):
    """Submits it and waits for both jobs; the table's rows by member, and the table job's exit code."""
    text = command(os.path.join(SCRIPTS, "sweep.sh"), "--seeds", "4,5", "--out", out, "--workers", 2, "--time", 10,
                   DEMO, "--progress", "never", *CROWDED, *set_keys(SETTINGS))
    ids = re.search(r"Submitted array job (\d+) and job (\d+)", text)
    check(ids is not None, text)
    return ids.groups()


def log(out, ids, task):
    with open(os.path.join(out, f"{task}-{ids[0]}.log")) as file:
        return file.read()


def table(out, ids):
    until(180, "the sweep", lambda: ended(ids))
    with open(os.path.join(out, "table.tsv")) as file:
        rows = {row["member"]: row for row in csv.DictReader(file, delimiter="\t")}
    code = re.search(r"ExitCode=(\d+):", command("scontrol", "show", "job", ids[1])).group(1)
    return rows, int(code)


with scratch() as folder:
    out = os.path.join(folder, "seeds")
    jobs = sweep(out)
    until(60, "the members", lambda: all(os.path.exists(os.path.join(out, f"demo-{seed}", "run.h5")) for seed in SEEDS))
    for task in (1, 2):
        command("scancel", "--signal=USR1", "--batch", f"{jobs[0]}_{task}")
        until(60, f"a second start of member {task}", lambda: ", start 2: " in log(out, jobs, task))
    for task in (1, 2):
        check(", start 3: " not in log(out, jobs, task), f"member {task} was requeued by the other one")
    command("scancel", jobs[0] + "_2")
    rows, code = table(out, jobs)
    check(code == 1 and rows["demo-4"]["state"] == "ended" and rows["demo-5"]["state"] != "ended",
          f"the table of a sweep with a cancelled member: {rows}")

    rows, code = table(out, sweep(out))
    check(code == 0 and len(rows) == len(SEEDS), f"exit code {code}; the table: {rows}")
    for seed in SEEDS:
        row, run = rows[f"demo-{seed}"], os.path.join(out, f"demo-{seed}")
        final = inspect(run)["final"]
        check(row["seed"] == str(seed) and row["candidates"] == str(SIZE), str(row))
        check(row["consolidated"] == f"{final['consolidated']['accuracy']:.4f}", f"{row} against {final}")
        check(row["base"] == f"{final['base']['accuracy']:.4f}" and int(row["tokens"]) > 0, str(row))
    same_result(reference(SETTINGS), os.path.join(out, "demo-4"), "the sweep's member of the job's own seed")
