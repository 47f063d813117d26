#!/usr/bin/env python3
"""Runs programs on an emulated processor with AVX-512 and AMX, then prints "N passed, N failed, N skipped".

  tests/isa/check.py [--folder DIR] [--model NAME] [--limit SECONDS] [--at-once N] [--show] PROGRAM...

A PROGRAM is an x86-64 executable, in one word with its arguments ('build/tests/test_x 3'), static or with the libraries
that ldd shows. Each has a machine of its own: one processor of Bochs, Intel's sapphire_rapids (--model: see
`build/isa/bochs -help cpu`), 1.5 GB, Linux; this tree's tests/data, tests/fuzz/corpus and jobs, where it is started; and
the variables COPPICE_*, OMP_*, DNNL_* and ONEDNN_* of this environment. The machine starts in ten seconds and runs some
40 million instructions a second. What a cmocka program counts is counted; any other passes with status 0 and is skipped
with 77. --show prints all that they say. --limit is for one program; as many run at once as there are processors.

The emulator is built by machine.sh the first time (minutes) and kept in DIR (COPPICE_ISA_FOLDER, build/isa).
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests"))
import run as suite  # noqa: E402

# clearcpuid=580: Bochs has no IA32_MISC_ENABLE, so Linux takes ERMS away and leaves FSRM, and then its memmove() of a
# few bytes never ends. nopcid, no5lvl: Bochs does not come back from system management mode with either.
KERNEL = ("console=ttyS0,115200 rdinit=/init mitigations=off nokaslr nopcid no5lvl clearcpuid=580 "
          "panic=-1 reboot=triple")
VARIABLES = ("COPPICE_", "OMP_", "DNNL_", "ONEDNN_")
DATA = ("tests/data", "tests/fuzz/corpus", "jobs")
BOCHSRC = """display_library: nogui
romimage: file={folder}/bios
vgaromimage: file={folder}/vgabios
cpu: model={model}, count=1, ips=50000000, reset_on_triple_fault=0
memory: guest=1536, host=1536
ata0-master: type=cdrom, path={work}/machine.iso, status=inserted
boot: cdrom
clock: sync=none
com1: enabled=1, mode=file, dev={work}/console
com2: enabled=1, mode=file, dev={work}/output
log: {work}/log
panic: action=fatal
error: action=report
info: action=ignore
"""
ISOLINUX = "DEFAULT linux\nPROMPT 0\nLABEL linux\nKERNEL /vmlinuz\nAPPEND initrd=/initrd " + KERNEL + "\n"


class Archive:
    """A cpio archive (newc), which Linux unpacks as its first file system."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.have = set()

    def entry(self, name, mode, data=b""):
        if name in self.have:
            return
        if os.path.dirname(name):
            self.entry(os.path.dirname(name), 0o40755)
        self.have.add(name)
        path = name.encode() + b"\0"
        head = "070701" + "".join(f"{n:08x}" for n in (len(self.have), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                                                       len(path), 0))
        self.file.write((head.encode() + path).ljust((110 + len(path) + 3) // 4 * 4, b"\0"))
        self.file.write(data + b"\0" * (-len(data) % 4))

    def copy(self, path, name, mode=0):
        with open(path, "rb") as file:
            self.entry(name.lstrip("/"), mode or (0o100755 if os.access(path, os.X_OK) else 0o100644), file.read())

    def tree(self, folder, name):
        for at, _, files in os.walk(os.path.join(folder, name)):
            for file in files:
                path = os.path.join(at, file)
                self.copy(path, os.path.join("coppice", os.path.relpath(path, folder)))

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.file.close()


def libraries(program):
    """The shared libraries and the loader of a program, by the paths that it is going to look for."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    found = re.findall(r"(?:^|=> |\t)(/\S+) \(0x", text.stdout)
    # The C library loads this one itself when a thread ends early.
    beside = [os.path.join(os.path.dirname(path), "libgcc_s.so.1") for path in found if path.endswith("/libc.so.6")]
    return found + [path for path in beside if os.path.exists(path)]


def file_system(folder, path, words):
    """What the machine starts with: the program of these words, its libraries, data and environment."""
    archive = Archive(path)
    archive.copy(os.path.join(folder, "busybox"), "bin/busybox")
    archive.copy(os.path.join(HERE, "init.sh"), "init", 0o100755)
    program = f"coppice/build/tests/{os.path.basename(words[0])}"
    archive.copy(words[0], program)
    for library in libraries(words[0]):
        archive.copy(library, library)
    variables = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
    variables.update(HOME="/tmp", BUILD="/coppice/build")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(shlex.join(["exec", "/" + program, *words[1:]]))
    archive.entry("program", 0o100644, "\n".join([*lines, ""]).encode())
    for part in DATA:
        archive.tree(TOP, part)
    archive.close()


def disc(folder, work, words):
    """The disc that the machine starts from."""
    root = os.path.join(work, "disc")
    os.makedirs(os.path.join(root, "isolinux"))
    file_system(folder, os.path.join(root, "initrd"), words)
    shutil.copy(os.path.join(folder, "vmlinuz"), root)
    for name in ("isolinux.bin", "ldlinux.c32"):
        shutil.copy(os.path.join(folder, name), os.path.join(root, "isolinux"))
    with open(os.path.join(root, "isolinux", "isolinux.cfg"), "w", encoding="ascii") as file:
        file.write(ISOLINUX)
    subprocess.run([os.path.join(folder, "genisoimage"), "-quiet", "-o", os.path.join(work, "machine.iso"), "-b",
                    "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",
                    "-boot-info-table", root], env=dict(os.environ, LD_LIBRARY_PATH=folder), check=True)
    shutil.rmtree(root)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def emulate(folder, words, options):
    """What the program said, its status or None when it did not end, and the machine's console."""
    with tempfile.TemporaryDirectory(prefix="run.", dir=folder) as work:
        disc(folder, work, words)
        with open(os.path.join(work, "bochsrc"), "w", encoding="utf-8") as file:
            file.write(BOCHSRC.format(folder=folder, work=work, model=options.model))
        with open(os.path.join(work, "said"), "wb") as said:
            subprocess.run(["timeout", str(options.limit), os.path.join(folder, "bochs"), "-q", "-unlock", "-f",
                            os.path.join(work, "bochsrc")], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                           check=False)
        output = re.search(r"@begin\n(.*?)(?:@end (\d+)\n|\Z)", read(os.path.join(work, "output")), re.S)
        if not output:
            console = read(os.path.join(work, "console")).splitlines()[-20:]
            return "\n".join(["the machine did not start:", *console]), None
        return output.group(1), output.group(2) and int(output.group(2))


def check(folder, word, options):
    """The lines to print of a program, and how many of its tests passed, failed and were skipped."""
    start = time.monotonic()
    text, status = emulate(folder, word.split(), options)
    if status == 77:
        counts = (0, 0, 1)
    else:  # a program that counts nothing is one test
        counts = suite.count_unit(-1 if status is None else status, text)
        counts = counts if sum(counts) else (1, 0, 0)
    name = "FAIL" if counts[1] else "skip" if counts[2] and not counts[0] else "ok"
    ended = "" if status is not None else "  did not end"
    lines = text.splitlines()
    if not options.show:
        lines = lines[-60:] if counts[1] else [x for x in lines if x.startswith("* ") or x.lower().startswith("skip")]
    return [f"{name:4}  {word:44} {counts[0]:4} passed  {time.monotonic() - start:6.0f} s{ended}",
            *("      " + line for line in (lines if options.show else dict.fromkeys(lines)))], counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=os.environ.get("COPPICE_ISA_FOLDER", os.path.join(TOP, "build", "isa")))
    parser.add_argument("--model", default="sapphire_rapids")
    parser.add_argument("--limit", type=int, default=1800, help="seconds for one program")
    parser.add_argument("--at-once", type=int, default=os.cpu_count())
    parser.add_argument("--show", action="store_true")
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)

    made = subprocess.run(["bash", os.path.join(HERE, "machine.sh"), folder], check=False)
    if made.returncode:
        print("0 passed, 0 failed, 1 skipped" if made.returncode == 77 else "0 passed, 1 failed, 0 skipped")
        return made.returncode != 77
    total = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        for done in [pool.submit(check, folder, word, options) for word in options.programs]:
            lines, counts = done.result()
            print("\n".join(lines), flush=True)
            total = [a + b for a, b in zip(total, counts)]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not sum(total) else 0


if __name__ == "__main__":
    sys.exit(main())
