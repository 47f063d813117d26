#!/usr/bin/env python3
"""In bf16 compute the accuracies on 400 examples stay within 3 points of f32."""
import json
import os

from lib import DATA, MODEL, TOP, check, coppice

flags = open("/proc/cpuinfo", encoding="utf-8").read()
if "avx512_bf16" not in flags and "amx_bf16" not in flags:
    print("note: this processor emulates bf16 products")
for task, data, tokens in (("arith", DATA, 96),
                           ("countdown", os.path.join(TOP, "tests", "data", "countdown-small.jsonl"), 96)):
    accuracy = {}
    for compute in ("f32", "bf16"):
        text = coppice("eval", "--model", MODEL, "--task", task, "--data", data, "--limit", 400,
                       "--max-new-tokens", tokens, "--compute", compute, "--json")
        accuracy[compute] = json.loads(text)["accuracy"]
    print(f"* {task}: f32 {accuracy['f32']:.4f}, bf16 {accuracy['bf16']:.4f}")
    check(abs(accuracy["f32"] - accuracy["bf16"]) <= 0.03, f"{task}: {accuracy}")
