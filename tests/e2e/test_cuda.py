#!/usr/bin/env python3
"""The CUDA backend as users meet it, on the device that is emulated on the processor: found beside
the program or in an installation's lib folder, missing, failing, shared by ranks; answers are those
of the CPU token for token, and a job goes through all its phases."""
import json
import os
import shutil
import subprocess

from lib import BUILD, COPPICE, DEMO, ENV, MODEL, PLUGIN, QUICK, TOP, check, inspect, json_lines, need_emulated_plugin, scratch

EMULATED = need_emulated_plugin()


def run(program, *arguments, code=0, text_in=None, ranks=1, **environment):
    launch = [] if ranks == 1 else ["mpirun", "-np", str(ranks)]
    done = subprocess.run([*launch, program, *map(str, arguments)], input=text_in, capture_output=True,
                          text=True, timeout=900, cwd=TOP, env=dict(ENV, **environment))
    check(done.returncode == code, f"{arguments}: exit code {done.returncode}, not {code}\n"
          f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


rows = [json.loads(line) for line in open(os.path.join(TOP, "tests", "data", "greedy-tiny.jsonl"),
                                          encoding="utf-8")][:6]
prompts = json_lines([{"ids": row["ids"]} for row in rows])
ASK = ["generate", "--model", MODEL, "--compute", "f32", "--max-new-tokens", 96]

with scratch() as folder:
    alone = os.path.join(folder, "alone", "coppice")
    beside = os.path.join(folder, "beside", "coppice")
    installed = os.path.join(folder, "prefix", "bin", "coppice")
    for program in (alone, beside, installed):
        os.makedirs(os.path.dirname(program))
        shutil.copy(COPPICE, program)
    shutil.copy(EMULATED, os.path.join(folder, "beside", PLUGIN))
    library = os.path.join(folder, "prefix", "lib", "coppice")
    os.makedirs(library)
    shutil.copy(EMULATED, os.path.join(library, PLUGIN))

    # Without a plug-in: asked for, it is missed; otherwise the CPU computes.
    text = run(alone, *ASK, "--backend", "cuda", code=5, text_in=prompts)
    check(PLUGIN in text and "make info" in text, f"the message does not help: {text}")
    plain = run(alone, *ASK, text_in=prompts)
    text = run(alone, *ASK, "--backend", "gpu", code=2, text_in=prompts)
    check("auto, cpu or cuda" in text, f"the choices are not named: {text}")

    # With one: the same answers, wherever it lies.
    answers = [json.loads(line)["ids"] for line in plain.splitlines()]
    for program, kind in ((beside, "cuda"), (installed, "auto")):
        text = run(program, *ASK, "--backend", kind, text_in=prompts)
        got = [json.loads(line)["ids"] for line in text.splitlines()]
        check(got == answers, f"{kind} answers {got}, the CPU {answers}")
    check(answers == [row["greedy"] for row in rows], "the CPU's answers are not the expected ones")
    print(f"* {len(rows)} answers identical on the emulated device and the CPU")

    # A machine's GPU that its tests cannot use fails them: a check that skips all would pass.
    tests = os.path.join(BUILD, "tests", "test_backend_rows")
    if os.path.exists(tests):  # where there is cmocka
        program = os.path.join(folder, "build", "tests", "test_backend_rows")
        os.makedirs(os.path.dirname(program))
        shutil.copy(tests, program)
        open(os.path.join(folder, "build", PLUGIN), "w", encoding="utf-8").close()
        done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(ENV, COPPICE_TEST_GPU="1"))
        check(done.returncode != 0 and "FAILED" in done.stdout + done.stderr, done.stdout)

    # No device: cuda says so, auto takes the CPU.
    text = run(beside, *ASK, "--backend", "cuda", code=5, text_in=prompts, COPPICE_CUDA_HOST_DEVICES="0")
    check("no usable GPU" in text, text)
    run(beside, *ASK, text_in=prompts, COPPICE_CUDA_HOST_DEVICES="0")

    # Too little memory is refused with the figures; a device that fails ends it with its name.
    text = run(beside, *ASK, "--backend", "cuda", code=7, text_in=prompts, COPPICE_CUDA_HOST_BYTES="100000000")
    check("GiB" in text, text)
    text = run(beside, *ASK, "--backend", "cuda", code=10, text_in=prompts, COPPICE_CUDA_HOST_FAIL="1")
    check("GPU 0" in text and "launch failure" in text, text)

    # Slurm shows each rank a device of its own, or its own part of one: none of its memory is another rank's.
    shown = {name: os.path.join(folder, name) for name in ("FIRST", "INSTANCE")}
    for name, own in shown.items():
        with open(own, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nCOPPICE_CUDA_HOST_{name}=$OMPI_COMM_WORLD_LOCAL_RANK exec "{beside}" "$@"\n')
        os.chmod(own, 0o755)
    for program, room in (*((own, "there are 0.19 GiB") for own in shown.values()), (beside, "there are 0.09 GiB")):
        text = run(program, "run", DEMO, "--out", os.path.join(folder, "refused"), "--progress", "never",
                   "--oversubscribe", "-s", "backend.kind=cuda", "-s", "backend.arithmetic=library", ranks=3, code=7,
                   COPPICE_CUDA_HOST_BYTES="202000000")
        check(room in text, f"not {room!r}: {text}")

    # A job of two workers on two devices: the same population as on the CPU, to the last digit of
    # its recipes, and a result.
    small = [*QUICK, "population.size=6", "splits.support=8", "splits.probe=8", "splits.validate=8",
             "splits.test=8", "recenter.rounds=1", "recenter.size=2", "generation.max_new_tokens=24", "gate.allow_flat=true",
             "consolidate.q=[0.5]", "consolidate.beta=[1]", "consolidate.scale=[1]",
             "baselines.randopt=[1]", "baselines.self_consistency=[]"]
    outs = {}
    for kind in ("cuda", "cpu"):
        outs[kind] = os.path.join(folder, kind)
        settings = [part for one in [*small, f"backend.kind={kind}"] for part in ("-s", one)]
        run(beside, "run", DEMO, "--out", outs[kind], "--progress", "never", "--oversubscribe", *settings,
            ranks=3, COPPICE_CUDA_HOST_DEVICES="2", HWLOC_XMLFILE="tests/data/topology-gpus.xml")
    trees = {kind: inspect(out) for kind, out in outs.items()}
    check(trees["cuda"]["population"]["row_digest"] == trees["cpu"]["population"]["row_digest"],
          "the populations differ")
    text = json.dumps(trees["cuda"]["job"])
    check("emulated" in text and "shared" not in text, "the backend is not on record")
    check("final" in trees["cuda"], "the job has no result")
    # The machine that hwloc is told of has the first device in the second package.
    places = json.dumps(trees["cuda"]["job"]["rank_backends"])
    for words in ("memory node 1), next to GPU FFFF:01:00.0", "memory node 0), next to GPU FFFF:02:00.0"):
        check(words in places, f"without {words!r}: {places}")
    check("GPU" not in json.dumps(trees["cpu"]["job"]["rank_backends"]), "the processor's ranks are placed by a GPU")
    print("* a job with two ranks on two emulated devices: the CPU's population, and a result")
