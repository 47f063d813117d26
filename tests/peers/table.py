#!/usr/bin/env python3
"""Medians of what engines.py printed, by number of rows and engine, and Coppice's beside each.

  python table.py RUNS.jsonl
"""
import json
import statistics
import sys


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def main(path):
    runs = {}
    with open(path, encoding="utf-8") as lines:
        for run in map(json.loads, lines):
            runs.setdefault((run["rows"], run["threads"]), {}).setdefault(run["engine"], []).append(run)
    print(f"{processor()}; tokens per second of processor time, median (least to most), Coppice's as a multiple")
    for (rows, threads), engines in sorted(runs.items()):
        for kind in ("prompt", "decode"):
            own = [run[kind] for run in engines.get("coppice", [])]
            for engine, found in engines.items():
                values = [run[kind] for run in found]
                median = statistics.median(values)
                ratio = f"{statistics.median(own) / median:6.2f}x" if own and engine != "coppice" else ""
                print(f"  {rows:4d} rows, {threads} threads, {kind}  {engine:8s} {median:7.0f} "
                      f"({min(values):.0f} to {max(values):.0f}, {len(values)} runs) {ratio}")


if __name__ == "__main__":
    main(*sys.argv[1:])
