#!/usr/bin/env python3
"""A model's files while they are used: cut short, overwritten, touched or replaced on any rank. The job stops with the
file's name and that of the tensor, nobody hangs, no score of another model is kept, and the same command goes on once
the model is back. A touch that leaves every tensor what it was stops nothing."""
# Takes long.
import json
import os
import shutil
import struct
import subprocess
import time

from lib import COPPICE, ENV, MODEL, QUICK, TOP, check, read, run_command, run_job, same_result, scratch, wait_for_log

IO, MISMATCH = 6, 8
LONG = [*QUICK, "population.size=64", "recenter.rounds=0", "checkpoint.interval=1", "analysis.split_half=false",
        "baselines.self_consistency=[]", "baselines.randopt=[1]", "splits.test=8", "splits.validate=16",
        "consolidate.q=[0.5]", "consolidate.beta=[1]", "consolidate.max_scale=2"]


def start(out, model, ranks):
    return subprocess.Popen(run_command(ranks, out, [*LONG, f"model={model}"]), env=ENV, cwd=TOP, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def places(path):
    """Where each tensor lies in the file: name -> first byte, byte behind the last."""
    data = read(path)
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: [8 + length + at for at in info["data_offsets"]]
            for name, info in header.items() if name != "__metadata__"}


def change_bytes(path, begin, end):
    """With the least bits changed: a model as good as any."""
    with open(path, "r+b") as file:
        file.seek(begin)
        data = file.read(end - begin)
        file.seek(begin)
        file.write(bytes(b ^ 1 for b in data))


def other_weights(path):
    """The tensors' bytes from the middle on."""
    size = os.path.getsize(path)
    change_bytes(path, size // 2, size)


def said_of_other_weights(path):
    """First tensor by name, and how many have bytes in the second half."""
    where = places(path)
    changed = sorted(name for name, (begin, end) in where.items() if end > max(begin, os.path.getsize(path) // 2))
    return f"its tensor {changed[0]} is another now ({len(changed)} of {len(where)} tensors are)"


def one_byte(path):
    """The last of a tensor from the middle of the file."""
    where = sorted(places(path).values())
    end = where[len(where) // 2][1]
    change_bytes(path, end - 1, end)


def said_of_one_byte(path):
    where = places(path)
    name = sorted(where, key=lambda name: where[name])[len(where) // 2]
    return f"its tensor {name} is another now (1 of {len(where)} tensors are)"


def cut(path):
    os.truncate(path, 4096)


def touch(path):
    os.utime(path)


def interfere(folder, whole, name, ranks, change, codes, words):
    model = os.path.join(folder, name + "-model")
    out = os.path.join(folder, name)
    weights = os.path.join(model, "model.safetensors")
    shutil.copytree(MODEL, model)
    good = read(weights)
    job = start(out, model, ranks)
    wait_for_log(job, out, "phase population")
    change(weights)
    begin = time.monotonic()
    text = job.communicate(timeout=120)[0]
    spent = time.monotonic() - begin
    check(job.returncode in codes, f"{name}: exit code {job.returncode}, not {codes}: {text}")
    for word in words:
        check(word in text, f"{name}: without {word!r}: {text}")
    check(spent < 60, f"{name}: the job ended after {spent:.0f} s")
    if change is touch:
        same_result(whole, out, name)
        return
    # Until the model is back nothing goes on; then the scores are those of an undisturbed run.
    done = subprocess.run(run_command(1, out, [*LONG, f"model={model}"]), env=ENV, cwd=TOP, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    check(done.returncode in (4, MISMATCH), f"{name}: goes on with another model: {done.returncode} {done.stdout}")
    with open(weights, "wb") as file:
        file.write(good)
    run_job(ranks, out, [*LONG, f"model={model}"])
    same_result(whole, out, name)


with scratch() as folder:
    whole = os.path.join(folder, "whole")
    run_job(3, whole, LONG)
    weights = os.path.join(MODEL, "model.safetensors")
    interfere(folder, whole, "overwritten", 3, other_weights, {MISMATCH},
              ["model.safetensors", "written to", said_of_other_weights(weights)])
    interfere(folder, whole, "overwritten alone", 1, other_weights, {MISMATCH},
              ["model.safetensors", "written to", said_of_other_weights(weights)])
    interfere(folder, whole, "one byte", 3, one_byte, {MISMATCH}, ["model.safetensors", said_of_one_byte(weights)])
    interfere(folder, whole, "cut", 3, cut, {IO}, ["model.safetensors"])
    for ranks in (1, 3):
        interfere(folder, whole, f"touched under {ranks}", ranks, touch, {0},
                  ["model.safetensors", "written to", "its tensors are the same, the job goes on"])

    # Who puts the file's time back deceives the checks on the way; the last one reads all tensors.
    model = os.path.join(folder, "quiet-model")
    shutil.copytree(MODEL, model)
    weights = os.path.join(model, "model.safetensors")
    said = said_of_one_byte(weights).replace("is another now", "is another now than when this job began").replace(")", ";")
    before = os.stat(weights)
    job = start(os.path.join(folder, "quiet"), model, 2)
    wait_for_log(job, os.path.join(folder, "quiet"), "phase population")
    one_byte(weights)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    text = job.communicate(timeout=300)[0]
    check(job.returncode == MISMATCH and said in text, f"quiet: exit code {job.returncode}, without {said!r}: {text}")

    # A file that another one replaces stays what it was for those who have it.
    model = os.path.join(folder, "replaced-model")
    out = os.path.join(folder, "replaced")
    shutil.copytree(MODEL, model)
    weights = os.path.join(model, "model.safetensors")
    job = start(out, model, 3)
    wait_for_log(job, out, "phase population")
    shutil.copy(weights, weights + ".new")
    other_weights(weights + ".new")
    os.rename(weights + ".new", weights)
    text = job.communicate(timeout=300)[0]
    check(job.returncode == 0, f"replaced: exit code {job.returncode}: {text}")
    same_result(whole, out, "replaced")

    # Commands that are no jobs.
    shutil.copytree(MODEL, model + "2")
    weights = os.path.join(model + "2", "model.safetensors")
    ask = subprocess.Popen([COPPICE, "generate", "--model", model + "2", "--max-new-tokens", "900", "--batch", "1"],
                           env=ENV, cwd=TOP, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    ask.stdin.write('{"prompt": "1 + 1 ="}\n' * 400)
    ask.stdin.close()
    check(ask.stdout.readline() != "", "generate answers nothing")
    touch(weights)
    ask.stdout.read()
    check(ask.wait(timeout=120) == IO and "written to" in ask.stderr.read(), "generate goes on with a file that changes")
    print("* overwritten, cut, touched and replaced under a job of three ranks")
