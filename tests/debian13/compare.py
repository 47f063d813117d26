#!/usr/bin/env python3
"""Compares what two systems see in the same runs, and the runs with each other.   compare.py HERE.json THERE.json"""
import json
import sys


def fail(message):
    sys.exit("FAIL: " + message)


here, there = [json.load(open(path, encoding="utf-8")) for path in sys.argv[1:]]
for run, seen in here.items():
    for part, value in seen.items():
        if part == "data sets" and None in (value, there[run][part]):
            print("skip: no h5py on one of the systems")
        elif value != there[run][part]:
            fail(f"run {run}: the systems see different {part}")
names = sorted(here)
whole = here[names[0]]
if json.loads(whole["recipe"])["components"] == []:
    fail("the recipe is empty and shows nothing")
for run in names[1:]:
    for part in ("recipe", "scores"):
        if here[run][part] != whole[part]:
            differ = [key for key in whole[part] if here[run][part].get(key) != whole[part][key]] \
                if part == "scores" else ""
            fail(f"runs {names[0]} and {run}: the {part} differ {differ}")
print(f"* {', '.join(names)}: one recipe, the same scores; both systems see the same in each file")
