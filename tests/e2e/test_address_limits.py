#!/usr/bin/env python3
"""Limits of address space and data (ulimit -v, -d), as batch systems set them: at any of them a command ends well
or with code 7 and the figures, within seconds. OpenBLAS by itself waits for ever for memory that it cannot get."""
import os
import subprocess
import time

from lib import COPPICE, DATA, DEMO, ENV, MODEL, TOP, check, run_command, scratch

OK, MEMORY = 0, 7
TINY = ["population.size=2", "splits.support=8", "splits.probe=4", "splits.validate=8", "splits.test=4",
        "recenter.rounds=0", "generation.max_new_tokens=8", "consolidate.q=[0.5]", "consolidate.beta=[1]",
        "consolidate.scale=[1]", "consolidate.max_scale=1", "baselines.randopt=[1]",
        "baselines.self_consistency=[]", "backend.batch=8"]
FIRST, LAST, STEP = 200_000, 1_280_000, 108_000  # KiB


def limited(letter, kib, command, ranks_only=None):
    """Runs it under the limit; its exit code and what it says."""
    shell = f'ulimit -{letter} {kib} || exit 99; exec "$@"'
    if ranks_only is not None:
        shell = f'[ "$OMPI_COMM_WORLD_RANK" != {ranks_only} ] || ulimit -{letter} {kib}; exec "$@"'
        at = command.index(COPPICE)
        command = [*command[:at], "bash", "-c", shell, "bash", *command[at:]]
    else:
        command = ["bash", "-c", shell, "bash", *command]
    begin = time.monotonic()
    done = subprocess.run(command, env=ENV, cwd=TOP, text=True, input='{"prompt": "1 + 1 ="}\n', stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=90)
    check(time.monotonic() - begin < 60, f"{command} took {time.monotonic() - begin:.0f} s under ulimit -{letter} {kib}")
    return done.returncode, done.stdout


def long_line():
    """A line that memory is too small for is not the end of the input."""
    shell = 'ulimit -v 900000 || exit 99; { echo \'"one"\'; head -c 700000000 /dev/zero | tr "\\0" a; } 2>/dev/null | "$@"'
    done = subprocess.run(["bash", "-c", shell, "bash", COPPICE, "tokenize", "--tokenizer", os.path.join(MODEL, "tokenizer.json")],
                          env=ENV, text=True, capture_output=True, timeout=90)
    check(done.returncode == MEMORY and "standard input, line 2" in done.stderr,
          f"a line longer than memory: exit code {done.returncode}: {done.stderr}")


def sweep(letter, what, make, ranks_only=None):
    codes = []
    for kib in range(FIRST, LAST + 1, STEP):
        code, text = limited(letter, kib, make(kib), ranks_only)
        check(code in (OK, MEMORY), f"{what} under ulimit -{letter} {kib}: exit code {code}: {text}")
        check(code == OK or any(unit in text for unit in ("MiB", "GiB", "bytes", "memory")),
              f"{what} under ulimit -{letter} {kib} without the figures: {text}")
        codes.append(code)
    check(codes[0] == MEMORY and codes[-1] == OK, f"{what}: {codes}")
    first = codes.index(OK)
    check(set(codes[first:]) == {OK}, f"{what}: fits, and with more does not: {codes}")
    print(f"* {what}: 7 below ulimit -{letter} {FIRST + first * STEP}, 0 from there on")


long_line()
with scratch() as folder:
    small = [*TINY, "analysis.split_half=true"]
    sweep("v", "generate", lambda kib: [COPPICE, "generate", "--model", MODEL, "--max-new-tokens", "4"])
    sweep("v", "eval", lambda kib: [COPPICE, "eval", "--model", MODEL, "--task", "arith", "--data", DATA, "--limit", "4",
                                    "--max-new-tokens", "4"])
    sweep("v", "run", lambda kib: run_command(1, os.path.join(folder, f"run{kib}"), small, DEMO))
    sweep("v", "run with OpenBLAS", lambda kib: run_command(1, os.path.join(folder, f"blas{kib}"),
                                                            [*small, "backend.gemm=openblas", "backend.arithmetic=library"],
                                                            DEMO))
    sweep("d", "generate", lambda kib: [COPPICE, "generate", "--model", MODEL, "--max-new-tokens", "4"])
    sweep("v", "one rank of three", lambda kib: run_command(3, os.path.join(folder, f"rank{kib}"), small, DEMO), 2)
    sweep("v", "rank 0 of two", lambda kib: run_command(2, os.path.join(folder, f"first{kib}"), small, DEMO), 0)
