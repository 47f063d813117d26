#!/usr/bin/env python3
"""The same job gives the same bytes with 1, 2 and 3 ranks, and when it is run again."""
import os

from lib import QUICK, check, inspect, run_job, run_shared_job, same_result, scratch

with scratch() as folder:
    outs = {ranks: os.path.join(folder, f"np{ranks}") for ranks in (1, 2, 3)}
    for ranks, out in outs.items():
        (run_shared_job if ranks > 2 else run_job)(ranks, out, QUICK)
        for name in ("run.h5", "recipe.json", "summary.json", "log"):
            check(os.path.exists(os.path.join(out, name)), f"{name} is missing")
    same_result(outs[1], outs[2], "1 and 2 ranks")
    same_result(outs[1], outs[3], "1 and 3 ranks")
    tree = inspect(outs[3])
    for phase in ("base", "population", "stage1", "gate", "recenter", "baselines", "final"):
        check(phase in tree, f"the quick job does not reach the phase {phase}, so nothing is shown of it")
    # Run again: nothing is computed, the result is the same.
    text = run_job(2, outs[1], QUICK)
    check("from the run file" in text and "going on with the run" in text, "a finished run was not recognised")
    same_result(outs[1], outs[2], "a finished run, run again")
    print(f"* phases: {', '.join(sorted(tree))}")
