#!/usr/bin/env python3
"""The run file's schema, analysis/SCHEMA.md: whatever small jobs of every method write is in its table with that
type, rank and unit, and whatever the table promises of them is in their files."""
import os
import re
import subprocess
import sys

from lib import DATA, ENV, QUICK, TOP, check, run_job, scratch

if "--look" not in sys.argv:
    # The interpreter that runs the tests need not be the one that Debian's h5py belongs to.
    if subprocess.run(["/usr/bin/python3", "-c", "import h5py"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: python3-h5py is not installed")
        raise SystemExit(77)
    raise SystemExit(subprocess.run(["/usr/bin/python3", os.path.abspath(__file__), "--look"], env=ENV).returncode)

import h5py  # noqa: E402

COUNTDOWN = os.path.join(TOP, "tests", "data", "countdown-small.jsonl")
DOCUMENT = os.path.join(TOP, "analysis", "SCHEMA.md")
HOLES = {"n": r"\d+", "file": r"[a-z_.]+", "k": r"\d+", "key": r"[a-z0-9_.]+", "sigma": r"[0-9.e-]+"}
CONDITIONS = {"always", "corp", "rounds", "es", "merging", "antithetic", "test", "candidates", "ensemble", "self-consistency",
              "analysis", "skipped", "race", "candidate-race", "screen", "budget", "guard"}
SMALL = [*QUICK, "population.size=12", "splits.support=16", "splits.probe=8", "splits.validate=16", "splits.test=8"]

# What each job is, and which conditions of the table it meets.
JOBS = [
    (2, QUICK, "corp merging test candidates ensemble self-consistency analysis"),
    (1, [*SMALL, "splits.test=0", "recenter.rounds=0", "analysis.split_half=false"], "corp merging"),
    (1, [*SMALL, "method=rounds", "rounds.count=2", "population.antithetic=true", "baselines.self_consistency=[]",
         "consolidate.race=2"],
     "rounds merging antithetic test candidates ensemble analysis race"),
    (1, [*QUICK, "recenter.rounds=1", "consolidate.race=3", "recenter.race=3", "splits.test=0", "analysis.split_half=false"],
     "corp merging race"),
    (1, [*SMALL, "method=es", "es.iterations=2", "population.antithetic=true", "baselines.randopt=[]"],
     "es merging antithetic test self-consistency analysis"),
    (1, [*QUICK, "recenter.rounds=0", "splits.test=0", "analysis.split_half=false", "backend.arithmetic=defined",
         "backend.compute=auto", f"guard=[{{task: countdown, data: {COUNTDOWN}, examples: 100, loss: 0.25}}]"],
     "corp merging guard"),
    (1, [*SMALL, "method=randopt", "splits.test=0", "splits.drop_uninformative=true", "splits.drop_after=3",
         "analysis.split_half=false"], "screen"),
    (1, [*SMALL, "method=randopt", "splits.test=0", "population.race=2", "analysis.split_half=false"], "candidate-race"),
    (1, [*SMALL, "method=randopt", "population.size=3", "baselines.self_consistency=[]", "budget.answers=1000"],
     "test candidates ensemble skipped budget"),
]


class Row:
    """A line of the table; `shape` is a list of letters, None for a group."""

    def __init__(self, path, kind, unit, when):
        self.path, self.unit, self.seen = path, unit, 0
        words = when.split()
        self.may, self.conditions = "may" in words, {word for word in words if word != "may"}
        check(self.conditions and self.conditions <= CONDITIONS, f"{path}: unknown condition in '{when}'")
        group = re.fullmatch(r"group(?: of ((?:\{\w+\} ?)+))?", kind)
        array = re.fullmatch(r"(f32|f64|i64|u64|u8|text)(?: \[([A-Z](?:, [A-Z])*)\])?", kind)
        check(group or array, f"{path}: '{kind}' is no type")
        self.holds = re.findall(r"\{(\w+)\}", group[1] or "") if group else []
        self.type = "group" if group else array[1]
        self.shape = None if group else re.findall("[A-Z]", array[2] or "")
        pattern = re.sub(r"\\\{(\w+)\\\}", lambda hole: HOLES[hole[1]], re.escape(path))
        self.pattern = re.compile(pattern + r"\Z")

    def holds_in(self, conditions):
        """All of the row's conditions are met; of analysis and skipped one is enough."""
        either = self.conditions & {"analysis", "skipped"}
        return (not either or bool(either & conditions)) and self.conditions - {"always"} - either <= conditions


def read_table():
    """The rows of the document, those of kinds of groups put in their places."""
    lines = [line for line in open(DOCUMENT, encoding="utf-8") if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    check(all(len(row) == 5 for row in cells), "a line of the table has not five cells")
    kinds, rows = {}, []
    for path, kind, unit, when, _ in cells:
        path = path.strip("`")
        if path.startswith("{"):
            kinds.setdefault(path[1:path.index("}")], []).append((path[path.index("/"):], kind, unit, when))
        else:
            rows.append(Row(path, kind, unit, when))
    for row in list(rows):
        for name in row.holds:
            check(name in kinds, f"{row.path}: no rows for {{{name}}}")
            rows += [Row(row.path + leaf, kind, unit, " ".join(sorted(row.conditions | set(when.split()))))
                     for leaf, kind, unit, when in kinds[name]]
    names = [row.path for row in rows]
    check(len(names) == len(set(names)) > 200, "a path stands twice in the table, or it is not all read")
    return rows


def type_of(dtype):
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    return {"float32": "f32", "float64": "f64", "int64": "i64", "uint64": "u64", "uint8": "u8"}.get(dtype.name, dtype.name)


def check_object(row, path, item, letters):
    """A group or dataset against its row; `letters` are the lengths known in its group."""
    if isinstance(item, h5py.Group):
        check(row.shape is None, f"{path} is a group, in the table it is {row.type}")
        return
    check(type_of(item.dtype) == row.type, f"{path} is {type_of(item.dtype)}, in the table {row.type}")
    check(row.shape is not None and len(item.shape) == len(row.shape),
          f"{path} has shape {item.shape}, in the table [{', '.join(row.shape or [])}]")
    for letter, length in zip(row.shape, item.shape):
        check(letters.setdefault(letter, length) == length, f"{path}: {letter} is {length}, beside it {letters[letter]}")
    check(item.attrs.get("unit", "") == row.unit, f"{path}: unit '{item.attrs.get('unit', '')}', in the table '{row.unit}'")
    check(item.attrs.get("meaning", "") != "", f"{path} has no meaning")
    check(set(item.attrs) <= {"unit", "meaning"}, f"{path}: attributes {sorted(item.attrs)}")


def check_there(file, row, conditions):
    """What the row promises is in the file: in every group that its parent's row stands for."""
    parent = row.path.rsplit("/", 1)[0]
    folders = re.compile(re.sub(r"\\\{(\w+)\\\}", lambda hole: HOLES[hole[1]], re.escape(parent)) + r"\Z")
    found = [path for path in file if folders.match(path)]
    check(found or row.may or parent_may(row), f"{row.path}: the file has no {parent}")
    for folder in found:
        leaf = [path for path in file if path.rsplit("/", 1)[0] == folder and row.pattern.match(path)]
        check(bool(leaf), f"{row.path}: not in {folder} of a run with {sorted(conditions)}")


def parent_may(row):
    return any(row.path.startswith(other.path + "/") and other.may for other in TABLE)


def check_root(file):
    wanted = {row.path[2:]: row for row in TABLE if row.path.startswith("/@")}
    check(set(file.attrs) == set(wanted), f"attributes of the root: {sorted(file.attrs)}")
    for name, row in wanted.items():
        value = file.attrs[name]
        check(isinstance(value, str) if row.type == "text" else value.dtype.name == "int64", f"/@{name} is no {row.type}")
        row.seen += 1


def check_file(path, conditions):
    objects = {}
    with h5py.File(path) as file:
        check_root(file)
        file.visititems(lambda name, item: objects.__setitem__("/" + name, item))
        lengths = {}
        for name, item in objects.items():
            rows = [row for row in TABLE if row.pattern.match(name)]
            check(len(rows) == 1, f"{name} is {len(rows)} times in the table")
            check(rows[0].holds_in(conditions), f"{name} is in a run with {sorted(conditions)} only, which the table denies")
            check_object(rows[0], name, item, lengths.setdefault(name.rsplit("/", 1)[0], {}))
            rows[0].seen += 1
        check(sum(isinstance(item, h5py.Dataset) for item in objects.values()) == file.attrs["arrays"], "/@arrays")
        everything = {"": file, **objects}
        for row in TABLE:
            if not row.path.startswith("/@") and not row.may and row.holds_in(conditions):
                check_there(everything, row, conditions)
    return len(objects)


TABLE = read_table()
with scratch() as folder:
    count = 0
    for place, (ranks, settings, conditions) in enumerate(JOBS):
        out = os.path.join(folder, str(place))
        run_job(ranks, out, settings)
        count += check_file(os.path.join(out, "run.h5"), set(conditions.split()))
    unseen = [row.path for row in TABLE if row.seen == 0]
    check(not unseen, f"in the table, but in none of {len(JOBS)} run files: {unseen}")
    print(f"* {len(TABLE)} rows of the schema, {count} objects in {len(JOBS)} run files")
