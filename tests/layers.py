#!/usr/bin/env python3
"""Checks that includes only go downward (the table of layers in src/README.md) and that each
third-party header stays in its folder."""
import os
import re
import sys

# Folder under src/ -> layers whose public headers it may include besides its own.
ALLOWED = {
    "base": set(),
    "formats": {"base", "noise"},
    "noise": {"base"},
    "perturb": {"formats", "noise", "base"},
    "backend": {"noise", "base"},
    "model": {"backend", "formats", "noise", "base"},
    "search": {"base", "noise"},
    "task": {"formats", "base"},
    "evaluate": {"task", "model", "perturb", "backend", "formats", "noise", "base"},
    "store": {"base"},
    "dist": {"base"},
    "sandbox": {"base"},
    "run": {"evaluate", "task", "model", "perturb", "backend", "formats", "noise", "search", "store", "dist", "base"},
}
ALLOWED["app"] = set(ALLOWED) | {"run"}

# Public header -> layer.
HEADERS = {
    "base": "status memory dtype cpu timer log digest text file affinity build_info",
    "noise": "noise rebuild",
    "formats": "recipe checkpoint tokenizer chat identity dataset fields job json",
    "perturb": "export",
    "backend": "backend draw gemm_measure",
    "model": "model",
    "search": "search operators compare split_half",
    "task": "task scorer",
    "evaluate": "evaluate",
    "store": "store",
    "dist": "dist schedule",
    "run": "run",
}
LAYER_OF = {name: layer for layer, names in HEADERS.items() for name in names.split()}

# Third-party header (regular expression) -> where it may appear under src/.
FENCED = [
    (r"mpi\.h", r"dist/"),
    (r"hdf5.*\.h", r"store/"),
    (r"cblas.*\.h", r"backend/cpu/|search/dense\.c"),
    (r"lapacke.*\.h", r"search/dense\.c"),
    (r"(oneapi/dnnl/)?dnnl.*\.h", r"backend/cpu/"),
    (r"cuda\w*\.h|cublas.*\.h", r"backend/cuda/"),
    (r"hwloc\.h", r"base/affinity(_plan)?\.c"),
    (r"Python\.h|seccomp\.h", r"sandbox/"),
]

# Private header -> files of another layer that compile it too: one definition, two processors.
SHARED = {"noise/gaussian.h": r"backend/cuda/", "noise/philox.h": r"backend/cuda/"}


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    bad, files = [], 0
    for folder, _, names in os.walk(os.path.join(top, "src")):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".cu", ".cuh")):
                continue
            path = os.path.relpath(os.path.join(folder, name), os.path.join(top, "src"))
            layer = path.split(os.sep)[0]
            files += 1
            for number, line in enumerate(open(os.path.join(top, "src", path), encoding="utf-8"), 1):
                found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
                if not found:
                    continue
                header = found.group(1)
                where = f"src/{path}:{number}: "
                if header.startswith("coppice/"):
                    target = LAYER_OF.get(header[8:-2])
                    if target is None:
                        bad.append(where + f"{header} belongs to no layer: add it to tests/layers.py")
                    elif target != layer and target not in ALLOWED.get(layer, set()):
                        bad.append(where + f"{layer} must not include {header} (layer {target})")
                elif "/" in header and header.split("/")[0] in ALLOWED:
                    target = header.split("/")[0]
                    if target != layer and not re.match(SHARED.get(header, "$^"), path):
                        bad.append(where + f"private header {header} of {target} included from {layer}")
                for pattern, home in FENCED:
                    if re.fullmatch(pattern, header) and not re.match(home, path):
                        bad.append(where + f"{header} may only be included in src/{home}")
    for line in bad:
        print(line)
    print(f"check-layers: {files} files, {len(bad)} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
