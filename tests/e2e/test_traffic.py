#!/usr/bin/env python3
"""Bytes over MPI per candidate: few, the same for a small and a larger model, for few and many ranks, whose own
bytes are counted apart, and around a model that has moved; and what Open MPI's own monitoring counts is what the run file says."""
import glob
import json
import os
import random
import re
import shutil
import struct
import subprocess

from lib import ENV, MODEL, TOP, check, coppice, fail, inspect, read, run_command, scratch

# The population is what counts; a direction or two are merged at the end.
SETTINGS = ["population.size=60", "splits.support=96", "splits.probe=8", "splits.validate=8", "splits.test=8",
            "consolidate.q=[0.9]", "consolidate.beta=[1]", "consolidate.scale=[1]", "consolidate.max_scale=1",
            "recenter.rounds=0", "generation.max_new_tokens=8", "gate.allow_flat=true", "backend.batch=32", "backend.arithmetic=library", "backend.compute=f32"]
# A centre that moves along all candidates of each iteration, and candidates around it.
MOVING = ["method=es", "population.size=40", "es.iterations=5", "population.sigma=[0.1]", "splits.support=24"]
# A result, at most a chunk for it alone, at most a row of one component: on however many ranks.
MOST_BYTES = 20 + 12 + 16


def larger_model(folder):
    """The embedded model's architecture with random weights, five times as many."""
    shutil.copytree(MODEL, folder)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    for name in ("hidden_size", "intermediate_size"):
        config[name] *= 2
    for name in ("num_attention_heads", "num_key_value_heads"):
        config[name] *= 2
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    path = os.path.join(folder, "model.safetensors")
    data = read(path)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    vocabulary, at, shapes = config["vocab_size"], 0, {}
    for name, info in header.items():
        shape = [size if size == vocabulary else 2 * size for size in info["shape"]]
        count = 1
        for size in shape:
            count *= size
        shapes[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + 2 * count]}
        at += 2 * count
    text = json.dumps(shapes).encode()
    chance = random.Random(1)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        # bf16 of about +-0.02: sign and low bits at random
        piece = b"".join(struct.pack("<H", chance.choice((0, 0x8000)) | 0x3c00 | chance.randrange(0xa0))
                         for _ in range(1 << 15))
        left = at
        while left > 0:
            file.write(piece[:min(left, len(piece))])
            left -= len(piece)
    return os.path.getsize(path)


def monitored_bytes(folder):
    """What rank 0 sent, and the others sent to it, by Open MPI's monitoring component: user messages
    ("E") and those that collectives are made of ("I")."""
    own, total = 0, 0
    for path in glob.glob(os.path.join(folder, "traffic.*.prof")):
        for line in read(path, "r").splitlines():
            found = re.match(r"([EI])\t(\d+)\t(\d+)\t(\d+) bytes", line)
            if found and "0" in (found.group(2), found.group(3)):
                total += int(found.group(4))
                own += int(found.group(4)) if found.group(1) == "E" else 0
    return own, total


def measure(model, out, folder, ranks, more=()):
    os.makedirs(folder)
    command = run_command(ranks, out, SETTINGS + [f"model={model}", *more])
    command[1:1] = ["--mca", "pml_monitoring_enable", "2", "--mca", "pml_monitoring_enable_output", "3",
                    "--mca", "pml_monitoring_filename", os.path.join(folder, "traffic")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV, cwd=TOP,
                          timeout=600, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        fail(done.stdout[-3000:])
    own, total = monitored_bytes(folder)
    return inspect(out)["traffic"], own, total


def monitoring():
    try:
        info = subprocess.run(["ompi_info", "--parsable"], stdout=subprocess.PIPE, text=True, check=False).stdout
    except FileNotFoundError:
        return False
    return "mca:pml:monitoring" in info


with scratch() as folder:
    large = os.path.join(folder, "larger")
    sizes = (os.path.getsize(os.path.join(MODEL, "model.safetensors")), larger_model(large))
    per_unit = []
    for name, model, size, ranks, more in (("tiny", MODEL, sizes[0], 3, []), ("larger", large, sizes[1], 3, []),
                                           ("many", MODEL, sizes[0], 13, []), ("moving", MODEL, sizes[0], 5, MOVING)):
        traffic, own, total = measure(model, os.path.join(folder, name), os.path.join(folder, "of-" + name), ranks, more)
        recorded = traffic["sent_bytes"] + traffic["received_bytes"]
        # Votes need to know which answers are equal: eight bytes for each answer of these phases.
        whole = recorded - 4 * traffic["score_count"] - 8 * traffic["answer_count"]
        of_units = whole - traffic["rank_bytes"] - traffic["again_bytes"] - traffic["coefficient_bytes"]
        bytes_each = of_units / traffic["unit_count"]
        per_unit.append(bytes_each)
        check(traffic["unit_count"] >= 180, f"only {traffic['unit_count']} units")
        check(20 <= bytes_each <= MOST_BYTES, f"{name}: {bytes_each:.1f} bytes per candidate and example batch")
        if more:  # The centre goes with a phase's order, so that what is left is its own rows on probe and at the gate.
            check(0 < traffic["coefficient_bytes"] < 40 * 5 * 12 * 12,
                  f"{traffic['coefficient_bytes']} bytes of seeds and amplitudes with {traffic['unit_count']} units")
        # At least ready and one order.
        per_rank = traffic["rank_bytes"] / (ranks - 1)
        check(20 <= per_rank, f"{name}: {per_rank:.1f} bytes for each rank")
        text = (f"weights of {size / 1e6:.1f} MB, {ranks} ranks: {bytes_each:.1f} bytes per candidate and batch, 4 per score; "
                f"{per_rank:.0f} for each rank, {traffic['again_bytes']} for units done twice; with these "
                f"{whole / traffic['unit_count']:.1f}")
        if monitoring():
            check(total > 0, "Open MPI's monitoring was asked for and wrote nothing that is understood here")
            # The count ends with the last checkpoint; what follows is the ranks' leave-taking.
            check(recorded <= own <= recorded + 600 * ranks,
                  f"{name}: Open MPI saw {own} bytes in messages, the run file says {recorded}")
            check(total <= recorded + traffic["collective_bytes"] + 4000 * ranks,
                  f"{name}: Open MPI saw {total} bytes in all")
            text += f"; Open MPI saw {own} bytes in messages, {total} with collectives, for {recorded} recorded"
        else:
            text += " (no Open MPI monitoring here)"
        print("* " + text)
        shown = coppice("inspect", os.path.join(folder, name))
        said = re.search(r"messages +([\d.]+) bytes for each of (\d+) candidates x batches and 4 per score", shown)
        check(said, "inspect does not show the traffic")
        check(int(said.group(2)) == traffic["unit_count"] and abs(float(said.group(1)) - bytes_each) < 0.1,
              f"inspect says {said.group(0)}")
        apart = re.search(r"(\d+) to and from ranks whatever they evaluate, (\d+) for units done twice", shown)
        check(apart and [int(n) for n in apart.groups()] == [traffic["rank_bytes"], traffic["again_bytes"]],
              "inspect does not show what ranks and repeated units take")
    check(abs(per_unit[0] - per_unit[1]) < 8, f"{per_unit} bytes: they depend on the model's size")
