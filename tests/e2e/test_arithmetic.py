#!/usr/bin/env python3
"""One arithmetic for a job: ranks of different instruction sets, compute types or kinds of device are refused
unless the job allows them, a key holds all to one set, a resume compares. No program touches MMX registers,
and every value of the variables that hold a processor down starts and works."""
import glob
import json
import os
import shlex
import shutil
import subprocess

from lib import (BUILD, COPPICE, DEMO, ENV, MODEL, QUICK, TOP, check, coppice, emulated_plugin, inspect, json_lines, same_result,
                 scratch)

CONFIG, UNSUPPORTED, MISMATCH, INTERRUPTED = 3, 5, 8, 75
SMALL = [*QUICK, "backend.compute=auto", "population.size=6", "splits.support=16", "splits.probe=8",
         "splits.validate=16", "splits.test=8", "recenter.rounds=0", "generation.max_new_tokens=40",
         "consolidate.q=[0.5]", "consolidate.beta=[1]", "consolidate.scale=[1]", "consolidate.max_scale=1",
         "baselines.randopt=[1]", "baselines.self_consistency=[]", "analysis.split_half=false"]


def run(out, environments, settings=(), code=0, program=COPPICE):
    """A job of one rank for each environment; what it says."""
    several = len(environments) > 1
    command = [program, "run", DEMO, "--out", out, "--progress", "never", "--oversubscribe"]
    command += [part for setting in [*SMALL, *settings] for part in ("-s", setting)]
    if several:
        # By a shell in each rank: a mpirun of several programs ends by a signal in Open MPI 5.0.7 where ranks may
        # outnumber the cores.
        own = "".join(f"{i}) export {' '.join(f'{n}={shlex.quote(v)}' for n, v in environment.items())} ;; "
                      for i, environment in enumerate(environments) if environment)
        command = ["mpirun", "-n", str(len(environments)), "sh", "-c",
                   f'case $OMPI_COMM_WORLD_RANK in {own}*) ;; esac; exec "$@"', "sh", *command]
    done = subprocess.run(command, env=dict(ENV, **({} if several else environments[0])), cwd=TOP,
                          text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=600)
    check(done.returncode == code, f"{environments}, {settings}: exit code {done.returncode}, not {code}: {done.stdout}")
    return done.stdout


def says(text, *words):
    for word in words:
        check(word in text, f"without {word!r}: {text}")


def no_mmx():
    if shutil.which("objdump") is None:
        print("* not tested: objdump is not there to look for MMX")
        return
    objects = glob.glob(os.path.join(BUILD, "src", "**", "*.o"), recursive=True)
    text = subprocess.run(["objdump", "-d", *objects], stdout=subprocess.PIPE, text=True, check=True).stdout
    check(text.count("\n") > 10000, "nothing was disassembled")
    bad = [line for line in text.splitlines() if "%mm" in line]
    check(not bad, f"MMX registers are used: {bad[:3]}")


def every_value():
    """Each starts and gives the same greedy answer: this question's logits are far apart."""
    ask = ["generate", "--model", MODEL, "--max-new-tokens", 8]
    rows = [json.loads(line) for line in open(os.path.join(TOP, "tests", "data", "greedy-tiny.jsonl"),
                                              encoding="utf-8")][:2]
    prompts = json_lines([{"ids": row["ids"]} for row in rows])
    answers = set()
    for limit in ("ALL", "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16",
                  "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10_1_512_AMX", "nonsense"):
        for kernels in ("scalar", "avx512"):
            env = dict(ENV, ONEDNN_MAX_CPU_ISA=limit, COPPICE_ISA=kernels)
            answers.add(coppice(*ask, text_in=prompts, env=env))
            if kernels == "scalar":
                continue
            done = subprocess.run([COPPICE, *map(str, ask), "--compute", "bf16"], input=prompts, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP, timeout=60)
            check(done.returncode in (0, UNSUPPORTED), f"{limit}, {kernels}, bf16: {done.returncode} {done.stderr}")
            check(done.returncode == 0 or "set backend.compute to f32" in done.stderr, done.stderr)
    check(len(answers) == 1, f"answers differ: {answers}")


def computed_in(out):
    """The type of products where a job without GPUs was left to choose, by the run's first start."""
    return "bf16" if " bf16," in inspect(out)["job"]["arithmetic"][0] else "f32"


def instruction_sets(folder):
    plain = os.path.join(folder, "plain")
    run(plain, [{}, {}, {}])
    tree = inspect(plain)
    check(len(tree["job"]["arithmetic"]) == 1, tree["job"]["arithmetic"])
    check(set(sum(tree["population"]["arithmetic"], [])) == {0}, "units do not say with what they were scored")
    best = "avx2" if ", avx2," in tree["job"]["arithmetic"][0] else ""
    if not best and "avx512" not in tree["job"]["arithmetic"][0]:
        print("* not tested: mixed instruction sets (this processor has only one)")
        return
    low = {"ONEDNN_MAX_CPU_ISA": "SSE41"}
    scalar = {"COPPICE_ISA": "scalar"}
    # One rank's products, or its kernels, are of another set: refused, with what would go.
    out = os.path.join(folder, "differ")
    says(run(out, [{}, {}, low], (), CONFIG), "rank 1", "rank 2", "sse41", "backend.isa: scalar", "backend.mixed")
    says(run(out, [{}, scalar, {}], (), CONFIG), "scalar kernels", "backend.isa: scalar")
    check(not os.path.exists(os.path.join(out, "run.h5")), "a refused job has left a run file")
    # rank 0 computes nothing: it may be of any kind
    run(os.path.join(folder, "coordinator"), [dict(low, **scalar), {}, {}])
    same_result(plain, os.path.join(folder, "coordinator"), "whatever the coordinator's processor")

    # A set for all: the same bytes from any processors that have it.
    held = os.path.join(folder, "held")
    other = os.path.join(folder, "other")
    run(held, [{}, {}, low], ["backend.isa=scalar"])
    run(other, [{}], ["backend.isa=scalar"])
    same_result(held, other, "held to one set")
    check(inspect(held)["job"]["arithmetic"][0].endswith("f32, sse41, scalar kernels"), inspect(held)["job"]["arithmetic"])
    says(run(out, [{}, scalar], ["backend.isa=avx2"], UNSUPPORTED), "backend.isa: avx2", "scalar at most", "(rank 1)")
    openblas = run(out, [{"OPENBLAS_CORETYPE": "Haswell"}, {"OPENBLAS_CORETYPE": "Haswell"}],
                   ["backend.isa=scalar", "backend.gemm=openblas"], UNSUPPORTED)
    says(openblas, "OPENBLAS_CORETYPE=Prescott", "Haswell")
    run(os.path.join(folder, "openblas"), [{"OPENBLAS_CORETYPE": "Nehalem"}] * 2,
        ["backend.isa=scalar", "backend.gemm=openblas"])
    says(run(out, [{}, {"OPENBLAS_CORETYPE": "Haswell"}, {"OPENBLAS_CORETYPE": "Nehalem"}],
             ["backend.gemm=openblas"], CONFIG), "Haswell", "Nehalem")

    # Allowed: warned about, and each unit says with what it was scored.
    mixed = os.path.join(folder, "mixed")
    text = run(mixed, [{}, {}, low], ["backend.mixed=true", "population.size=24"])
    says(text, "backend.mixed allows")
    tree = inspect(mixed)
    check(len(tree["job"]["arithmetic"]) == 2, tree["job"]["arithmetic"])
    for phase in ("base", "population"):
        for ranks, marks in zip(tree[phase]["rank"], tree[phase]["arithmetic"]):
            check([rank - 1 for rank in ranks] == marks, f"{phase}: ranks {ranks} with {marks}")

    # A resume compares: refused, allowed, or an old file that says nothing.
    words = ["computed in bf16, and rank 0"] if computed_in(plain) == "bf16" else ["was computed with", "sse41"]
    says(run(plain, [low], (), MISMATCH), *words, "backend.mixed")
    says(run(plain, [low], ["backend.mixed=true"]), "from here on with")
    check(len(inspect(plain)["job"]["arithmetic"]) == 2, "the other arithmetic is not on record")
    says(run(plain, [{}], (), MISMATCH), "was computed with")
    run(other, [{}], ["backend.isa=scalar"])


def kinds(folder):
    """A GPU on one rank only, by the device that is emulated on the processor."""
    plugin = emulated_plugin()
    if plugin is None:
        print("* not tested: kinds of device (the emulated plug-in was not built)")
        return
    program = os.path.join(folder, "program", "coppice")
    os.makedirs(os.path.dirname(program))
    shutil.copy(COPPICE, program)
    shutil.copy(plugin, os.path.dirname(program))
    none = {"COPPICE_CUDA_HOST_DEVICES": "0"}
    tiny = ["population.size=2", "generation.max_new_tokens=8"]
    out = os.path.join(folder, "kinds")
    says(run(out, [{}, {}, none], tiny, program=program), "processor cores for all: rank 2", "rank 1", "backend.mixed")
    tree = inspect(out)
    check(tree["job"]["kind"] == "cpu" and tree["job"]["compute"] == computed_in(os.path.join(folder, "plain")), str(tree["job"]))
    # The run goes on as it began, where all have GPUs too.
    says(run(out, [{}, {}, {}], tiny, program=program), "this run began on them")
    check(len(inspect(out)["job"]["arithmetic"]) == 1, "the resume computed otherwise")
    gpus = os.path.join(folder, "gpus")
    run(gpus, [{}, {}, {}], tiny, program=program)
    tree = inspect(gpus)
    check(tree["job"]["kind"] == "cuda" and tree["job"]["compute"] == "bf16", str(tree["job"]))
    says(run(gpus, [{}, {}, none], tiny, MISMATCH, program), "computed on GPUs", "rank 2")
    both = os.path.join(folder, "both")
    says(run(both, [{}, {}, none], [*tiny, "backend.mixed=true"], program=program), "cuBLASLt", "oneDNN")
    check(len(inspect(both)["job"]["arithmetic"]) == 2, "the two kinds are not on record")


with scratch() as folder:
    no_mmx()
    every_value()
    instruction_sets(folder)
    kinds(folder)
    print("* one arithmetic for a job; held, mixed, resumed")
