#!/usr/bin/env python3
"""Medians of what engines.py or population.py printed, by what was asked and engine, and Coppice's beside each.

  python table.py RUNS.jsonl
"""
import json
import statistics
import sys


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def show(title, rates, digits):
    """rates: of each engine's runs. The first engine is Coppice's."""
    own = statistics.median(next(iter(rates.values())))
    for engine, found in rates.items():
        median = statistics.median(found)
        ratio = "" if engine.startswith("coppice") else f" {own / median:6.2f}x"
        print(f"  {title}  {engine:17s} {median:9.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f},"
              f" {len(found)} runs){ratio}")


def collect(runs, keys, value):
    """Each engine's values, by what was asked."""
    groups = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in keys), {}).setdefault(run["engine"], []).append(run[value])
    return sorted(groups.items())


def main(path):
    with open(path, encoding="utf-8") as lines:
        runs = [json.loads(line) for line in lines]
    if any("rate" in run for run in runs):
        print(f"{processor()}; models evaluated for a second of processor time, median (least to most), "
              "the first as a multiple")
        for asked, rates in collect(runs, ("candidates", "rows", "new", "threads"), "rate"):
            show("the base and {} candidates, {} questions of {} tokens, {} threads".format(*asked), rates, 4)
        for run in runs:
            if "alike" in run:
                base, candidate, both = run["alike"]
                print(f"  {run['engine']}: reading weights {run['reading']:.2f} processor seconds a model; tokens as Coppice's from "
                      f"the same weights: base {base:.0%}, first candidate {candidate:.0%}; candidate as base {both:.0%}")
        return
    print(f"{processor()}; tokens per second of processor time, median (least to most), Coppice's as a multiple")
    for kind in ("prompt", "decode"):
        for asked, rates in collect(runs, ("rows", "threads"), kind):
            show("{:4d} rows, {} threads, {}".format(*asked, kind), rates, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
