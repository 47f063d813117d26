#!/usr/bin/env python3
"""submit.sh plans from the job file and the cluster, refuses what does not fit, and submits what it
planned. The GPU variant gives every rank a GPU of its own."""
import os
import re
import stat
import tempfile

from jobs import CROWDED, DEMO, QUICK, SCRIPTS, TOP, Job, check, command, reference, same_result, set_keys, scratch

SUBMIT = os.path.join(SCRIPTS, "submit.sh")


def planned(*words, code=0):
    return command(SUBMIT, "--dry-run", *words, code=code)


def field(text, name):
    found = re.search(rf"^{name} +(.*)$", text, re.M)
    check(found is not None, f"the plan has no line {name}:\n{text}")
    return found.group(1)


def check_plans():
    text = planned(DEMO)
    check(field(text, "ranks").startswith("9: 1 coordinates, 8 compute with 1 thread"), text)
    check(field(text, "nodes") == "2" and "04:00:00 (site_time" in field(text, "time"), text)
    check("population 7680," in field(text, "work") and "test 40400)" in field(text, "work"), text)
    # a population that keeps every core of the partition busy
    text = planned(DEMO, *set_keys(["population.size=300"]))
    check(field(text, "ranks").startswith("24: 1 coordinates, 23 compute with 1 thread"), text)
    check(field(text, "nodes") == "3" and "population 38400," in field(text, "work"), text)
    check(not command("squeue", "-h").strip(), "--dry-run submitted something")
    # eight units of the population for each worker
    text = planned("--rate", 1000, DEMO, *set_keys(["population.size=40", "recenter.rounds=0"]))
    check(field(text, "ranks").startswith("6: 1 coordinates, 5 compute"), text)
    check("--nodes=1 --ntasks=6 --cpus-per-task=1" in text, text)
    # what five workers need for all answers, a quarter and five minutes more, in whole minutes
    answers = int(re.search(r"at most (\d+) answers", text).group(1))
    seconds = answers * 96 // 5000 * 5 // 4 + 300
    minutes = (seconds + 59) // 60
    check(field(text, "time").startswith(f"{minutes // 60:02d}:{minutes % 60:02d}:00 "), text)
    text = planned("--nodes", 2, DEMO, *set_keys(["backend.threads=3"]))
    check("--nodes=2 --ntasks=4 --cpus-per-task=3" in text, text)
    text = planned("--workers", 2, "--time", 30, "--sbatch", "--partition=urgent", DEMO)
    check("--ntasks=3 --cpus-per-task=1 --time=30 --partition=urgent" in text, text)
    for words, message in ((("--nodes", 4, DEMO), "4 nodes, and main has 3"),
                           (("--workers", 9, "--nodes", 1, DEMO), "10 ranks of 1 threads do not fit on 1 nodes"),
                           ((DEMO, "-s", "backend.threads=9"), "backend.threads is 9"),
                           (("--sbatch", "--partition=nowhere", DEMO), "there is no partition nowhere"),
                           (("--workers", "0", DEMO), "must be a whole number above 0"),
                           (("--fast", DEMO), "no such option here")):
        check(message in planned(*words, code=2), f"{words}: not refused with '{message}'")
    check("population.sise" in planned(DEMO, "-s", "population.sise=1", code=3), "a wrong job file was planned")


def check_submitted(folder):
    out = os.path.join(folder, "run")
    text = command(SUBMIT, "--workers", 2, "--measure", "--sbatch", "--wait", "--sbatch",
                   "--output=" + out + ".log", DEMO, "--out", out, "--progress", "never", *CROWDED, *set_keys(QUICK))
    check("tokens/s for each worker" in field(text, "rate") and "Submitted batch job" in text, text)
    same_result(reference(), out, "submitted by submit.sh")


def check_gpu(folder):
    # a program in whose place each rank says what it sees
    double = os.path.join(folder, "double")
    with open(double, "w") as file:
        file.write('#!/bin/sh\ncase "$*" in *--check) exit 0 ;; esac\n'
                   'echo "rank $PMIX_RANK on $(hostname): GPU $CUDA_VISIBLE_DEVICES of ${SLURM_GPUS_PER_TASK:-$SLURM_TRES_PER_TASK} for $*"\n')
    os.chmod(double, stat.S_IRWXU)
    job = Job(folder, "double", program=double, script="coppice-gpu.sbatch").wait()
    seen = re.findall(r"^rank (\d) on (\w+): GPU (\S+) of (?:gres/gpu[:=])?1 for run .* -s backend.kind=cuda$", job.text(), re.M)
    check(sorted(rank for rank, _, _ in seen) == ["0", "1", "2"], job.text())
    check(all(re.fullmatch(r"\d+", gpu) for _, _, gpu in seen), f"not one GPU each: {seen}")


with scratch() as scratch_folder:
    check_plans()
    check_submitted(scratch_folder)
    check_gpu(scratch_folder)
