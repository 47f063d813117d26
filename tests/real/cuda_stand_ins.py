"""Makes the PyTorch wheel of the Python registry importable without its CUDA libraries.

The wheel for Linux is built for CUDA: `import torch` wants some two gigabytes of libraries that a
run on the processor never calls. This writes libraries of the same names whose every function
traps, beside the ones that are really there (the CUDA runtime, which is small).

  python cuda_stand_ins.py SITE_PACKAGES FOLDER     then: LD_LIBRARY_PATH=FOLDER python ...
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed_by(library):
    """Names of the libraries that one links to."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-dW", str(library)))


def undefined(library):
    """(symbol, version or "") that one takes from others."""
    for line in output("nm", "-D", "--undefined-only", str(library)).splitlines():
        symbol, _, version = line.split()[-1].partition("@")
        yield symbol, version.lstrip("@")


def version_files(library):
    """{version: file that it comes from}."""
    found, file = {}, None
    for line in output("readelf", "-VW", str(library)).splitlines():
        match = re.search(r"Version: 1 +File: (\S+) +Cnt", line)
        file = match.group(1) if match else file
        match = re.search(r"Name: (\S+) +Flags:", line)
        if match:
            found[match.group(1)] = file
    return found


def defined(libraries):
    names = set()
    for library in libraries:
        for line in output("nm", "-D", "--defined-only", str(library)).splitlines():
            names.add(line.split()[-1].partition("@")[0])
    return names


def build(path, versions, soname):
    """A shared library of traps: versions is {version or "": symbols}."""
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder, "s.c"), pathlib.Path(folder, "s.map")
        symbols = sorted({name for names in versions.values() for name in names})
        source.write_text("".join(f"void {s}(void);\nvoid {s}(void) {{ __builtin_trap(); }}\n"
                                  for s in symbols) or "typedef int none;\n")
        script.write_text("".join(f"{v} {{ global: {'; '.join(sorted(names))}; }};\n"
                                  for v, names in versions.items() if v))
        command = ["cc", "-w", "-shared", "-fPIC", "-fno-builtin", "-nostdlib",
                   f"-Wl,-soname,{soname}", "-o", str(path), str(source)]
        if script.stat().st_size:
            command.append(f"-Wl,--version-script={script}")
        subprocess.run(command, check=True)


def main():
    site, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    torch = sorted(site.glob("torch/lib/*.so"))
    there = sorted(site.glob("nvidia/**/lib/*.so*"))
    files = {path.name for path in torch + there}
    wanted = {name for library in torch for name in needed_by(library)
              if re.match(r"lib(cu|nccl|nv)", name) and name != "libcuda.so.1"} - files
    own = defined(torch + there)
    loose, by_file = set(), collections.defaultdict(lambda: collections.defaultdict(set))
    for library in torch:
        sources = version_files(library)
        for symbol, version in undefined(library):
            if sources.get(version) in wanted:
                by_file[sources[version]][version].add(symbol)
            elif not version and symbol not in own and re.match(r"cu|nccl|nv", symbol):
                loose.add(symbol)
    for name in sorted(wanted):
        build(folder / name, by_file.get(name) or {"": loose}, name)
    print(f"{len(wanted)} stand-ins in {folder}")


if __name__ == "__main__":
    main()
