#!/usr/bin/env python3
"""The split-half analysis: as a step of the job, the same on any number of ranks, interrupted or not;
by `coppice analyze` on a run file; no part of the job's identity; left out with a reason where the
population is too small."""
import json
import os
import signal
import subprocess

from lib import ENV, QUICK, TOP, check, coppice, inspect, run_command, run_job, same_result, scratch

JOB = [*QUICK, "recenter.rounds=0", "splits.test=8"]
TINY = [*JOB, "population.size=3"]


def interrupt(out):
    """Ends a job as soon as its population is scored."""
    job = subprocess.Popen(run_command(1, out, JOB), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env=ENV, cwd=TOP, stdin=subprocess.DEVNULL)
    said = []
    for line in job.stdout:
        said.append(line)
        if line.startswith("population "):
            job.send_signal(signal.SIGTERM)
    check(job.wait(600) == 75, f"a signal after the population: exit code {job.returncode}\n{''.join(said)}")
    return "".join(said)


def near(a, b):
    """Equal, numbers within 1e-6."""
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(near, a, b))
    return a == b or (isinstance(a, float) and abs(a - b) < 1e-6 * max(1, abs(b)))


with scratch() as folder:
    one, two, off = (os.path.join(folder, name) for name in ("one", "two", "off"))
    text = run_job(2, two, JOB)
    check("reproducible rank" in text, "the job does not tell of the analysis")
    found = inspect(two)["split_half"]
    check(found["candidates"] == 48 and found["halvings"] == 100 and found["permutations"] == 1000, "wrong counts")
    check(len(found["reward_pearson"]["value"]) == 100, "not one number for each halving")
    check(len(found["direction_cosine"]["median"]) == len(found["q"]) == 4, "not one direction for each (q, beta)")
    check(len(found["canonical_correlation"]["median"]) == 12, "not a quarter of 48 examples canonical correlations")
    check(found["reward_pearson"]["p"][0] <= 0.01, "the rewards of this job do not agree, though they should")

    said = interrupt(one)
    check("split-half " not in said, "the signal came too late to test anything")
    check("split_half" not in inspect(one), "a part of an analysis was kept")
    run_job(1, one, JOB)
    check(inspect(one)["split_half"] == found, "the analysis depends on ranks or on the interruption")
    same_result(one, two, "interrupted in the analysis")

    text = run_job(1, off, [*JOB, "analysis.split_half=false"])
    check("split-half" not in text and "split_half" not in inspect(off), "switched off, and yet it ran")
    made = json.loads(coppice("analyze", off, "--json", "--threads", 1))
    for name, value in found.items():
        if isinstance(value, dict):
            for part, numbers in value.items():
                check(near(numbers, made[name][part]), f"analyze gives another {name}/{part} than the job")
        else:
            check(near(value, made[name]), f"analyze gives another {name}")
    run_job(1, off, JOB)
    check(inspect(off)["split_half"] == found, "switched on afterwards, it gives other numbers")
    check("known" in run_job(1, off, JOB), "an analysis that is there was made again")
    same_result(off, two, "with and without the analysis")

    page = coppice("analyze", two, "--halvings", 20, "--permutations", 50, "--within-sigma")
    for words in ("20 halvings", "50 times", "of equal sigma", "canonical correlations", "spectrum", " z       p\n"):
        check(words in page, f"analyze does not print '{words}'")
    check("reproducible rank" in coppice("inspect", two), "inspect does not show the analysis")
    coppice("analyze", two, "--halvings", 0, code=2)
    check("no run file" in coppice("analyze", os.path.join(folder, "nothing"), code=4), "a missing run")

    tiny = os.path.join(folder, "tiny")
    check("at least 4 candidates" in run_job(1, tiny, TINY), "a tiny population is not told of")
    check("at least 4 candidates" in inspect(tiny)["split_half"]["skipped"], "no reason in the run file")
    check("no split-half analysis" in coppice("inspect", tiny), "inspect does not give the reason")
    check("here are 3 and 48" in coppice("analyze", tiny, code=3), "a tiny population")
    print(f"* reliability {found['reward_spearman_brown']['median'][0]:.2f}, "
          f"reproducible rank {found['reproducible_rank']}")
