#!/usr/bin/env python3
"""Checks that the source keeps to the table of src/README.md: includes only go downward, each third-party header stays
in its place, every folder has a row, a header lies where its guard says, and no files call each other in a circle.

  .ci/layers.py [TOP]
"""
import os
import re
import sys

# Third-party header (regular expression) -> where it may appear.
FENCED = [
    (r"mpi\.h", r"src/queue/"),
    (r"hdf5.*\.h", r"src/store/"),
    (r"cblas.*\.h", r"src/backend/cpu/|src/search/dense\.c"),
    (r"lapacke.*\.h", r"src/search/dense\.c"),
    (r"(oneapi/dnnl/)?dnnl.*\.h", r"src/backend/cpu/"),
    (r"cuda\w*\.h|cublas.*\.h", r"src/backend/cuda/"),
    (r"hwloc\.h", r"src/base/affinity(_plan)?\.c"),
    (r"Python\.h|seccomp\.h", r"src/sandbox/"),
]
SOURCE = (".c", ".h", ".cu", ".cuh")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
# A function begins at the left edge and its declaration ends in a body.
DEFINED = re.compile(r"^(?!static|typedef|struct|enum|union)[A-Za-z][^;{}=]*?\b(cop_\w+)\([^;{}]*\)\s*\{", re.M)


def read_table(path):
    """Folder -> folders whose headers it may include, in the order of the table."""
    allowed = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = re.match(r"\| `(\w+)/` \|.*\| *([^|]*?) *\|$", line)
            if not row:
                continue
            below = set(re.findall(r"\w+", row[2]))
            allowed[row[1]] = set(allowed) if below == {"all"} else below
    return allowed


def read_sources(top):
    """Path -> text, of everything under src/ and include/."""
    texts = {}
    for root in ("src", "include"):
        for folder, _, names in os.walk(os.path.join(top, root)):
            for name in sorted(names):
                if name.endswith(SOURCE):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        texts[os.path.relpath(path, top)] = file.read()
    return texts


def layer_of(path):
    parts = path.split("/")
    return parts[2] if parts[0] == "include" else parts[1]


def guard_of(path):
    inside = path.removeprefix("include/coppice/").removeprefix("src/")
    return ("COPPICE_" if path.startswith("include/") else "COP_") + re.sub(r"\W", "_", inside).upper()


def check_includes(texts, allowed):
    for path, text in texts.items():
        layer = layer_of(path)
        if layer not in allowed:
            continue
        for header in INCLUDE.findall(text):
            folders = header.split("/")
            public = folders[0] == "coppice"
            target = folders[1] if public else folders[0]
            if public and len(folders) != 3:
                yield f"{path}: {header} belongs to no layer: public headers are coppice/LAYER/NAME.h"
            elif public or (len(folders) > 1 and target in allowed):
                if target not in allowed:
                    yield f"{path}: {header} is of no layer of the table"
                elif target != layer and not public:
                    yield f"{path}: private header {header} of {target}/"
                elif target != layer and target not in allowed[layer]:
                    yield f"{path}: {layer}/ must not include {header}"
            for pattern, home in FENCED:
                if re.fullmatch(pattern, header) and not re.match(home, path):
                    yield f"{path}: {header} may only be included in {home}"


def check_guards(texts):
    for path, text in texts.items():
        if path.endswith((".h", ".cuh")) and f"#ifndef {guard_of(path)}\n" not in text:
            yield f"{path}: its guard is not {guard_of(path)}"


def calls(texts):
    """File -> files that define functions which it names, of the .c files."""
    code = {path: NOT_CODE.sub("", text) for path, text in texts.items() if path.endswith(".c")}
    home = {}
    for path, text in code.items():
        for name in DEFINED.findall(text):
            home.setdefault(name, set()).add(path)
    graph = {}
    for path, text in code.items():
        graph[path] = set()
        for name in set(re.findall(r"\bcop_\w+", text)):
            # What several files define is one of them in each build: nobody's.
            if len(home.get(name, ())) == 1:
                graph[path] |= home[name] - {path}
    return graph


def circles(graph):
    """The strongly connected components of more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            cut = stack.index(node)
            if len(stack) - cut > 1:
                found.append(sorted(stack[cut:]))
            del stack[cut:]

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def check_folders(top, texts, allowed):
    folders = {layer_of(path) for path in texts}
    for folder in sorted(folders - set(allowed)):
        yield f"src/{folder}: has no row in the table of src/README.md"
    for folder in sorted(set(allowed) - folders):
        yield f"src/README.md: {folder}/ is not there"
    for layer, below in allowed.items():
        order = list(allowed)
        for other in sorted(below):
            if other not in allowed:
                yield f"src/README.md: {layer}/ may include {other}/, which has no row"
            elif order.index(other) > order.index(layer):
                yield f"src/README.md: {layer}/ is above {other}/ in the table, which it may include"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    allowed = read_table(os.path.join(top, "src", "README.md"))
    texts = read_sources(top)
    bad = [*check_folders(top, texts, allowed), *check_includes(texts, allowed), *check_guards(texts)]
    for circle in circles(calls(texts)):
        bad.append("a circle of files that call each other: " + " ".join(circle))
    for line in bad:
        print(line)
    print(f"check-layers: {len(texts)} files in {len(allowed)} layers, {len(bad)} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
