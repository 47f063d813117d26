#!/usr/bin/env python3
"""In bf16 compute the accuracies on 400 examples stay within 3 points of f32."""
import json
import os
import subprocess

from lib import COPPICE, DATA, ENV, MODEL, TOP, check, coppice

flags = open("/proc/cpuinfo", encoding="utf-8").read()
tried = subprocess.run([COPPICE, "eval", "--model", MODEL, "--task", "arith", "--data", DATA, "--limit", "1",
                        "--max-new-tokens", "1", "--compute", "bf16"], env=ENV, cwd=TOP, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
if tried.returncode == 5 and "does not multiply bf16" in tried.stdout:
    print("skipped: " + tried.stdout.strip())
    raise SystemExit(77)
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
