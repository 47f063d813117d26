#!/usr/bin/env python3
"""The specifications of noise and recipe: a Python program written from them gives the bits of the program, and the
numbers that they show are right."""
import glob
import json
import os
import re
import struct
import sys

from lib import DATA, ENV, MODEL, TOP, check, coppice, read, run_job, scratch

sys.path.insert(0, os.path.join(TOP, "analysis"))
import reference  # noqa: E402

NOISE = os.path.join(TOP, "src", "noise", "NOISE.md")
RECIPE = os.path.join(TOP, "jobs", "RECIPE.md")
BASE = reference.read_tensors(os.path.join(MODEL, "model.safetensors"))
TENSORS = ["model.norm.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.1.self_attn.q_proj.bias"]


def bits(values):
    return [struct.pack(">f", value).hex() for value in values]


def table(document, first):
    """The cells of the row of a table that begins with `first`."""
    return re.search(rf"^\| {re.escape(first)} \|(.*)\|$", read(document, "r"), re.M)[1].split("|")


def check_noise():
    count = 0
    for line in read(os.path.join(TOP, "tests", "data", "noise-vectors.txt"), "r").splitlines():
        if not line.startswith("#"):
            seed, tensor, stream, element, wanted = line.split()
            z = reference.noise(int(seed), int(tensor), int(element), 1, int(stream))
            check(bits(z) == [wanted], f"noise vector {line}: {bits(z)}")
            count += 1
    check(count > 100, "the noise vectors were not read")
    for seed, name, first, length, stream in ((1, "model.norm.weight", 0, 4000, 0), (2**64 - 1, "lm_head.weight", 2**34 - 3, 4000, 0),
                                              (2**32, "model.layers.11.mlp.up_proj.weight", 5, 2001, 8), (7, "a", 0, 99, 9)):
        said = coppice("noise", "--seed", seed, "--tensor", name, "--offset", first, "--count", length, "--stream", stream).split()
        z = reference.noise(seed, reference.tensor_id(name), first, length, stream)
        check(bits(z) == said, f"noise of seed {seed}, {name} from {first} differs")
    text = read(NOISE, "r")
    for name, value in re.findall(r"^\| `([\w.]+)` \| (0x[0-9a-f]{8}) \|$", text, re.M):
        check(reference.tensor_id(name) == int(value, 16), f"NOISE.md: the number of {name}")
    shown = re.search(r"--count 4\n((?: +[0-9a-f]{8}\n){4})", text)[1].split()
    check(shown == bits(reference.noise(1, reference.tensor_id("model.norm.weight"), 0, 4)), "NOISE.md: the example")
    first, second = (re.findall(r"\(([0-9a-f]{8})\)", "|".join(table(NOISE, row))) for row in ("first element", "second element"))
    check([first[0], second[0], first[1], second[1]] == shown, "NOISE.md: the table of the example")
    words = reference.philox((0, 0, reference.tensor_id("model.norm.weight"), 0), (1, 0))
    check(" ".join(f"{word:08x}" for word in words) in text.replace("\n", " "), "NOISE.md: the words of the example")
    return count


def check_recipe(folder):
    text = read(RECIPE, "r")
    recipe = json.loads(re.search(r"\n    (\{\n.*?\n    \})\n", text, re.S)[1])
    for scaling in ("absolute", "rms", "sums", "modular", "rank-3"):
        if not scaling.startswith("rank-"):
            recipe["scaling"] = "rms" if scaling == "sums" else scaling
        else:
            recipe.update({"version": 3, "noise": scaling})
        if scaling == "sums":
            recipe["version"] = 2
            recipe["components"].insert(1, {"factor": 0.7, "sum": [{"seed": str(s), "amplitude": 0.01 * (s - 4.5)} for s in range(9)]})
        if scaling == "modular":
            recipe["scales"] = {name: 0.3 + 0.1 * i for i, name in enumerate(TENSORS)}
        path, out = os.path.join(folder, scaling + ".json"), os.path.join(folder, scaling)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(recipe, file)
        coppice("export", path, "--model", MODEL, "--out", out)
        exported = reference.read_tensors(os.path.join(out, "model.safetensors"))
        for name in TENSORS:
            dtype, shape, data = BASE[name]
            rebuilt = reference.rebuild(recipe, name, dtype, shape, data)
            check(rebuilt == exported[name][2] and rebuilt != data, f"{name} differs ({scaling})")
        start = [f"{value:04x}" for value in struct.unpack("<4H", exported[TENSORS[0]][2][:8])]
        if scaling == "rank-3":
            for isa in ("scalar", "avx2", "avx512"):  # a higher one than this processor has is what it has
                coppice("export", path, "--model", MODEL, "--out", f"{out}-{isa}", env=dict(ENV, COPPICE_ISA=isa))
                check(reference.read_tensors(os.path.join(f"{out}-{isa}", "model.safetensors")) == exported, f"{isa} differs")
        if scaling == "absolute":
            check(start == re.findall(r"\((\w{4})\)", "|".join(table(RECIPE, "result"))), "RECIPE.md: the example")
        elif scaling == "rms":
            check(" ".join(start) in text, "RECIPE.md: the example with rms")
    check(recipe["base_sha256"] == reference.base_digest(BASE), "RECIPE.md: the digest of the demo's model")


def check_scopes(folder):
    """Patterns of all kinds match what the program has in scope."""
    name = "model.norm.weight"
    dtype, shape, data = BASE[name]
    patterns = (("*", True), ("model.nor?.*", True), ("m*t", True), ("model", False), ("[!a-l]odel.norm.weight", True),
                           ("[!m]*", False), ("model.[[:alpha:]]orm.weight", True), ("model.[[:digit:]]*", False),
                           ("model\\.norm.weight", True), ("model.norm\\.*", True), ("model.norm.weigh[", False))
    for i, (pattern, takes) in enumerate(patterns):
        recipe = {"version": 1, "noise_version": 1, "base_sha256": "", "scope": ["none.of.this", pattern],
                  "scaling": "absolute", "components": [{"seed": "1", "amplitude": 0.5}]}
        path, out = os.path.join(folder, "scope.json"), os.path.join(folder, f"scope{i}")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(recipe, file)
        coppice("export", path, "--model", MODEL, "--out", out)
        exported = reference.read_tensors(os.path.join(out, "model.safetensors"))[name][2]
        check(exported == reference.rebuild(recipe, name, dtype, shape, data) and (exported != data) == takes, f"scope {pattern}")


def check_digests(folder):
    """What a job records of its base is what the specification says."""
    out = os.path.join(folder, "run")
    run_job(1, out, ["method=randopt", "population.size=1", "splits.support=2", "splits.probe=1", "splits.validate=2",
                     "splits.test=1", "baselines.randopt=[]", "baselines.self_consistency=[]", "generation.max_new_tokens=2",
                     "gate.allow_flat=true"])
    recipe = json.loads(read(os.path.join(out, "recipe.json")))
    check(recipe["base_sha256"] == reference.base_digest(BASE), "the recorded digest of the tensors differs")
    source = read(glob.glob(os.path.join(TOP, "src", "*", "identity.c"))[0], "r")
    lists = re.findall(r"idle_in_\w+\[\] = \{(.*?)NULL\}", source, re.S)
    names = ["config.json", "generation_config.json", "tokenizer_config.json"]
    for name, idle in zip(names, lists):
        wanted = reference.file_digest(read(os.path.join(MODEL, name), "r"), re.findall(r'"(\w+)"', idle))
        check(recipe["files"][name] == wanted, f"the recorded digest of {name} differs")
    check(len(lists) == 3 and recipe["files"]["added_tokens.json"] == "none", f"the digests: {recipe['files']}")
    coppice("eval", "--model", MODEL, "--recipe", out, "--task", "arith", "--data", DATA, "--limit", 2, "--max-new-tokens", 2)


vectors = check_noise()
with scratch() as folder:
    check_scopes(folder)
    check_recipe(folder)
    check_digests(folder)
print(f"* {vectors} noise vectors, {len(TENSORS)} tensors rebuilt, all digests as specified")
