#!/usr/bin/env python3
"""bench on the processor: a peak for each instruction set that it has and for no other, by one thread and by
all, and products beside what the peaks allow, as a table and as JSON. Not how fast they are."""
import json
import os

from lib import ENV, check, coppice

# Of each set: its name, and what the system calls what it needs.
SETS = [("baseline, f32", set()), ("AVX2, f32", {"avx2", "fma", "f16c"}),
        ("AVX-512, f32", {"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
        ("AVX-512, bf16", {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"}),
        ("AMX, bf16", {"avx512f", "avx512bw", "avx512dq", "avx512vl", "amx_tile", "amx_bf16"})]


def bench(*arguments, **environment):
    free = {name: value for name, value in ENV.items() if name != "COPPICE_ISA"}
    return coppice("bench", "--quick", *arguments, env=dict(free, **environment))


with open("/proc/cpuinfo", encoding="utf-8") as lines:
    flags = set(next((line.split(":")[1].split() for line in lines if line.startswith("flags")), []))
there = [name for name, needed in SETS if needed <= flags]
peaks = json.loads(bench("--only", "peaks", "--json", "--threads", "2"))["peaks"]
names = [row["what"] for row in peaks]
# The system may refuse tiles that the processor has.
check(names in (there + ["reading memory"], [n for n in there if "AMX" not in n] + ["reading memory"]),
      f"peaks of {names}, the processor has {there}")
check(all(row["one_thread"] > 1e7 and row["all_threads"] > 1e7 for row in peaks), f"{peaks}")
least = json.loads(bench("--only", "peaks", "--json", COPPICE_ISA="scalar"))["peaks"]
check([row["what"] for row in least] == ["baseline, f32", "reading memory"], f"COPPICE_ISA does not hold: {least}")
table = bench("--only", "peaks")
check(all(name in table for name in names), table)

rows = json.loads(bench("--only", "gemm", "--json", "--threads", str(min(2, os.cpu_count()))))["gemm"]
check(len(rows) >= 18 and all(row["flops"] > 0 and 0 < row["share"] < 20 for row in rows), f"{rows}")
print(f"* {len(there)} instruction sets, each with its peak: {', '.join(there)}")
