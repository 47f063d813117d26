#!/usr/bin/env python3
"""Tasks that do not find each other are refused, instead of N runs of one job: srun without PMI, and an
MPI library that does not notice that srun started it."""
from jobs import CLEAN, COPPICE, DEMO, QUICK, command, check, scratch, set_keys
import os

with scratch() as folder:
    out = os.path.join(folder, "run")
    # What Open MPI knows srun by; without it each task takes itself for a world of one.
    text = command("srun", "--mpi=none", "--nodes=2", "--ntasks=3", "env", "-u", "SLURM_NODELIST", COPPICE, "run", DEMO,
                   "--out", out, *set_keys(QUICK), env=dict(CLEAN, OMPI_ALLOW_RUN_AS_ROOT="1"), code=2)
    check(text.count("srun started 3 tasks, but this MPI world has 1 rank") == 1, text)
    check(not os.path.exists(os.path.join(out, "run.h5")), "a run was begun")
    # One task is a world of one, with PMI or without.
    command("srun", "--mpi=none", "--ntasks=1", "env", "-u", "SLURM_NODELIST", COPPICE, "run", DEMO, "--out", out,
            *set_keys(QUICK + ["population.size=4", "recenter.rounds=0"]), env=dict(CLEAN, OMPI_ALLOW_RUN_AS_ROOT="1"))
    check(os.path.exists(os.path.join(out, "run.h5")), "one task alone was refused")
