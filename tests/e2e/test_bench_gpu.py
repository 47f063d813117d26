#!/usr/bin/env python3
"""bench on a GPU, which is emulated on the processor: its peaks, a model's figures beside their bounds as a
table and as JSON, shapes and batches that do not fit, and what is said where there is no GPU. Not its speed."""
import json
import os
import shutil
import subprocess

from lib import COPPICE, ENV, PLUGIN, TOP, check, need_emulated_plugin, scratch

EMULATED = need_emulated_plugin()
SMALL = ["--quick", "--model", os.path.join("tests", "data", "arch", "qwen2-sliding")]
USAGE, UNSUPPORTED = 2, 5
# Room for a small model's largest batch, but for no shape and no large copy.
MEMORY = str(384 << 20)


def bench(program, *arguments, code=0, **environment):
    done = subprocess.run([program, "bench", "--backend", "cuda", *arguments], capture_output=True, text=True,
                          timeout=600, cwd=TOP, env=dict(ENV, COPPICE_CUDA_HOST_BYTES=MEMORY, **environment))
    check(done.returncode == code, f"{arguments}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if code else "")


with scratch() as folder:
    beside, alone = os.path.join(folder, "beside", "coppice"), os.path.join(folder, "alone", "coppice")
    for program in (beside, alone):
        os.makedirs(os.path.dirname(program))
        shutil.copy(COPPICE, program)
    shutil.copy(EMULATED, os.path.join(folder, "beside", PLUGIN))

    tree = json.loads(bench(beside, *SMALL, "--json"))
    device, (model,) = tree["device"], tree["models"]
    check("emulated" in device["name"] and device["bytes_per_second"] > 0 and device["flops"] > 0, f"{device}")
    check(model["batch"] == 16, f"the largest batch is not taken: {model}")
    figures = {row["what"]: row for row in model["figures"]}
    rebuilds = [f"rebuild, {n} component{'s' * (n > 1)}" for n in (1, 16, 150)]
    rebuilds += [f"rebuild, {n} component{'s' * (n > 1)} (rank-{rank})" for n, rank in ((1, 1), (150, 1), (150, 4))]
    steps = [f"decode step, batch {n}" for n in (1, 4, 16)]
    check(list(figures) == [*rebuilds, "prefill, 16 x 56 tokens", *steps, "unit: rebuild, prefill, 16 steps"],
          f"other figures: {list(figures)}")
    for what, row in figures.items():
        check(row["bound_seconds"] > 0 and abs(row["ratio"] * row["bound_seconds"] - row["seconds"]) <= 1e-9 +
              1e-6 * abs(row["seconds"]), f"{what}: {row}")

    for what in steps:
        row = figures[what]
        check(abs(row["one_by_one_ratio"] * row["seconds"] - row["one_by_one_seconds"]) <= 1e-9 +
              1e-6 * abs(row["one_by_one_seconds"]), f"{what}, with a graph and without: {row}")

    # The bounds, from the model's description.
    config = json.load(open(os.path.join(TOP, SMALL[2], "config.json"), encoding="utf-8"))
    width, inner, layers = (config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or width // heads
    head = width * config["vocab_size"]
    weights = layers * ((heads + 2 * groups) * size * width + heads * size * width + 3 * inner * width)
    wide, window = config["layer_types"].count("full_attention"), config["sliding_window"]

    def seen(first, last):
        return sum(wide * (p + 1) + (layers - wide) * min(p + 1, window) for p in range(first, last))

    for batch in (1, 4, 16):
        elements = weights + head + 2 * groups * size * batch * seen(56, 72) / 16
        expected = 2 * elements / device["bytes_per_second"]
        got = figures[f"decode step, batch {batch}"]["bound_seconds"]
        check(abs(got / expected - 1) < 1e-5, f"a step of {batch} rows is bound by {got}, not {expected}")
    expected = 16 * (2 * (56 * weights + head) + 4 * heads * size * seen(0, 56)) / device["flops"]
    got = figures["prefill, 16 x 56 tokens"]["bound_seconds"]
    check(abs(got / expected - 1) < 1e-5, f"a prefill is bound by {got}, not {expected}")
    bounds = {row["bound_seconds"] for row in (figures[what] for what in rebuilds)}
    check(len(bounds) == 1, f"a rebuild's bound is a copy, whatever the components: {bounds}")
    print(f"* {len(figures)} figures of a small model on the emulated device, each beside its bound")

    # Several candidates side by side: their rate beside that of one.
    beside_one = model["side_by_side"]
    check(2 <= beside_one["candidates"] <= 16, f"{beside_one}")
    ratio = beside_one["units_per_second"] / model["units_per_second"]
    check(abs(beside_one["ratio"] / ratio - 1) < 1e-6, f"{beside_one} beside {model['units_per_second']}")

    # Shapes that do not fit are said, before their weights are made.
    text = bench(beside, "--quick")
    check(text.count("does not fit") == 4 and "the device has" in text, text)
    (model,) = json.loads(bench(beside, "--quick", "--only", "8B", "--json"))["models"]
    check("8B" in model["name"] and "GiB" in model["does_not_fit"], f"{model}")

    # No GPU, no plug-in, wrong words.
    check("no usable GPU" in bench(beside, code=UNSUPPORTED, COPPICE_CUDA_HOST_DEVICES="0"), "no GPU: not said")
    check("make info" in bench(alone, code=UNSUPPORTED), "no plug-in: not said")
    check("0.5B, 1.5B, 3B or 8B" in bench(beside, "--only", "gemm", code=USAGE), "the shapes are not named")
    check("cpu or cuda" in bench(beside, "--backend", "auto", code=USAGE), "the backends are not named")
