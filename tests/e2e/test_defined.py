#!/usr/bin/env python3
"""The defined arithmetic: a job gives the bytes that are on record here, on whatever processor it runs. Under each
instruction set that this one has, with any number of ranks, threads and examples at a time, with ranks of several kinds,
begun on one kind and ended on another."""
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time

from lib import COPPICE, DEMO, ENV, TOP, check, coppice, inspect, read, same_result, scores, scratch

UNSUPPORTED, MISMATCH, INTERRUPTED = 5, 8, 75
# Seconds by vectors, some minutes without.
TINY = ["population.size=5", "population.scaling=absolute", "population.sigma=[0.02]",
        "population.seed=5", "splits.support=8", "splits.probe=4",
        "splits.validate=8", "splits.test=4", "recenter.rounds=1", "recenter.size=3", "generation.max_new_tokens=20",
        "consolidate.q=[0.5]", "consolidate.beta=[1]", "consolidate.scale=[1, 2]", "consolidate.max_scale=2",
        "gate.z=0", "gate.allow_flat=true", "baselines.randopt=[1]", "baselines.self_consistency=[2]",
        "analysis.split_half=false", "backend.batch=4"]
# Of the recipe and of all scores. Another digest of the same recipe is another arithmetic: then its version in
# src/backend/cpu/cpu_backend.c rises too.
DIGEST = "a1f44eb4d17fab0d2ca22462d1474131032a5397d5639c1da2a5cb1c48c37b80"
SETS = ("scalar", "avx2", "avx512", "amx")


def run(out, environments, settings=(), code=0):
    """A job of one rank for each environment; what it says."""
    command = [COPPICE, "run", DEMO, "--out", out, "--progress", "never", "--oversubscribe"]
    command += [part for setting in [*TINY, *settings] for part in ("-s", setting)]
    if len(environments) > 1:
        own = "".join(f"{i}) export {' '.join(f'{n}={shlex.quote(v)}' for n, v in environment.items())} ;; "
                      for i, environment in enumerate(environments) if environment)
        command = ["mpirun", "-n", str(len(environments)), "sh", "-c",
                   f'case $OMPI_COMM_WORLD_RANK in {own}*) ;; esac; exec "$@"', "sh", *command]
        environments = [{}]
    done = subprocess.run(command, env=dict(ENV, **environments[0]), cwd=TOP, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
    check(done.returncode == code, f"{environments}, {settings}: exit code {done.returncode}, not {code}: {done.stdout}")
    return done.stdout


def digest(out):
    """Of what was decided and of every score, by path."""
    recipe = json.loads(read(os.path.join(out, "recipe.json")))
    recipe.pop("files", None)
    return hashlib.sha256(json.dumps([recipe, scores(out)], sort_keys=True).encode()).hexdigest()


def instruction_sets(folder):
    """Those that this processor has: a higher one is what COPPICE_ISA does not lower to."""
    seen = {}
    for name in SETS:
        out = os.path.join(folder, name)
        start = time.time()
        run(out, [{"COPPICE_ISA": name}], ["backend.threads=2"] if name == "avx2" else [])
        seen[name] = digest(out)
        print(f"* {name}: {time.time() - start:.0f} s {seen[name][:12]}")
    check(set(seen.values()) == {DIGEST}, f"digests {seen}, not {DIGEST}")
    check(inspect(os.path.join(folder, "scalar"))["job"]["arithmetic"] ==
          inspect(os.path.join(folder, "amx"))["job"]["arithmetic"], "the arithmetic has two names")


def company(folder):
    """Ranks, threads and examples at a time."""
    for name, ranks, settings in (("ranks", 3, []), ("batch", 1, ["backend.batch=3"]), ("threads", 2, ["backend.threads=3"])):
        out = os.path.join(folder, name)
        run(out, [{}] * ranks, settings)
        same = digest(out)
        # Units are cut by the batch, so only their sizes may differ.
        check(name == "batch" or same == DIGEST, f"{name}: digest {same}")
        check(read(os.path.join(out, "recipe.json")) == read(os.path.join(folder, "avx2", "recipe.json")),
              f"{name}: another recipe")


def kinds(folder):
    """Ranks of several kinds score one population, and a run goes on on another kind."""
    out = os.path.join(folder, "mixed")
    run(out, [{}, {"COPPICE_ISA": "avx2"}, {}])
    same_result(out, os.path.join(folder, "avx2"), "ranks of several kinds")
    out = os.path.join(folder, "resumed")
    process = subprocess.Popen([COPPICE, "run", DEMO, "--out", out, "--progress", "never", "-s", "checkpoint.interval=0.05",
                                *[part for setting in TINY for part in ("-s", setting)]],
                               env=dict(ENV, COPPICE_ISA="scalar"), cwd=TOP, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while not os.path.exists(os.path.join(out, "run.h5")):
        time.sleep(0.05)
    time.sleep(1)
    process.terminate()
    code = process.wait(timeout=600)
    check(code == INTERRUPTED, f"the run on the other kind was not interrupted: code {code}")
    run(out, [{}])
    same_result(out, os.path.join(folder, "avx2"), "begun on one kind, ended on another")


def algebra(folder):
    """No operator asks LAPACK: only the split-half analysis does, which decides nothing. OpenBLAS adds up otherwise for
    another processor, which this stands for; another library takes no notice of it."""
    settings = ["population.size=12", "consolidate.operators=[two-pass, z-score, rank, precision]", "recenter.rounds=0",
                "analysis.split_half=true", "baselines.self_consistency=[]"]
    seen = {}
    for core in ("Prescott", "Nehalem", "Haswell"):
        out = os.path.join(folder, core)
        run(out, [{"OPENBLAS_CORETYPE": core}], settings)
        run_file = inspect(out)
        check("candidates" in run_file["split_half"], "the job did not analyse")
        operators = set(run_file["stage1"]["operator"])
        check(len(operators) == 4, f"operators {operators}")
        seen[core] = digest(out), str(run_file["stage1"]["direction"])
        if shutil.which("h5diff"):  # bits, where what is shown has nine digits
            pair = [os.path.join(folder, name, "run.h5") for name in ("Prescott", core)]
            done = subprocess.run(["h5diff", *pair, "/stage1/direction"], capture_output=True, text=True, timeout=60)
            check(done.returncode == 0, f"directions differ: {done.stdout}{done.stderr}")
    check(len(set(seen.values())) == 1, f"what OpenBLAS computes decides: {seen}")
    print("* the same by every operator, whatever kernels LAPACK has")


def refusals(folder):
    """What cannot be had together, said when the job is checked and when it starts."""
    out = os.path.join(folder, "refused")
    for settings, word in ((["backend.compute=f32"], "backend.compute: f32"),
                           (["backend.gemm=onednn"], "set backend.gemm to own"),
                           (["backend.gemm=own", "backend.arithmetic=library"], "backend.gemm: own"),
                           (["backend.kind=cuda"], "backend.kind: cpu")):
        text = run(out, [{}], settings, UNSUPPORTED)
        check(word in text, f"{settings}: without {word!r}: {text}")
        options = [part for setting in [*TINY, *settings] for part in ("-s", setting)]
        text = coppice("run", "--check", DEMO, *options, code=UNSUPPORTED)
        check(word in text, f"--check, {settings}: without {word!r}: {text}")
    # A run in one arithmetic does not go on in another.
    text = run(os.path.join(folder, "avx2"), [{}], ["backend.arithmetic=library", "population.size=9"], MISMATCH)
    check("backend.arithmetic" in text, text)


with scratch() as folder:
    instruction_sets(folder)
    company(folder)
    kinds(folder)
    algebra(folder)
    refusals(folder)
