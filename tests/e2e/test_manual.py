#!/usr/bin/env python3
"""The manual page: every command and exit code of the program is in it, it renders without warnings,
and make install brings it along."""
import os
import re
import shutil
import subprocess

from lib import BUILD, TOP, check, coppice, fail, read, scratch

PAGE = os.path.join(TOP, "src", "app", "coppice.1")


def section(text, start):
    """The indented lines of a help text below the line `start`."""
    return re.search(re.escape(start) + r"\n((?: +.*\n)+)", text).group(1)


def output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP)
    # The machine's index of pages need not know the pages that this one points to.
    return "".join(line + "\n" for line in done.stdout.splitlines() if "mandoc.db" not in line)


page = read(PAGE, "r")
said = coppice("--help")
commands = [line.split()[0] for line in section(said, "Commands:").splitlines()]
codes = [line.split()[0] for line in section(said, "Exit codes:").splitlines()]
check(len(commands) >= 10 and len(codes) >= 15, f"the help was not understood: {commands}, {codes}")
for command in commands:
    check(re.search(rf"^\.It Ic {command}\b", page, re.M), f"the manual does not have the command {command}")
for code in codes:
    check(re.search(rf"^\.It {code}$", page, re.M), f"the manual does not have the exit status {code}")
for key in re.findall(r"^\.Cm (task\.\w+)", page, re.M):
    check("\n" + key + " " in coppice("run", "--keys"), f"the manual speaks of {key}, which is no key")

tools = {"mandoc": ["mandoc", "-Tlint", PAGE], "groff": ["groff", "-mdoc", "-ww", "-Tutf8", "-z", PAGE]}
there = [name for name in tools if shutil.which(name)]
if not there:
    fail("neither groff (package groff-base) nor mandoc is installed")
for name in there:
    warnings = output(tools[name])
    check(warnings == "", f"{name} warns:\n{warnings}")

with scratch() as folder:
    text = output(["make", "-s", "install", f"BUILD={BUILD}", f"DESTDIR={folder}", "PREFIX=/opt"])
    for path in ("bin/coppice", "share/man/man1/coppice.1", "share/coppice/jobs/reward_example.py"):
        check(os.path.isfile(os.path.join(folder, "opt", path)), f"make install brought no {path}: {text}")
    check(not os.path.exists(os.path.join(folder, "opt/share/coppice/jobs/real/data")), "make install brought data that was made here")
    output(["make", "-s", "uninstall", f"BUILD={BUILD}", f"DESTDIR={folder}", "PREFIX=/opt"])
    left = [name for _, _, names in os.walk(folder) for name in names]
    check(left == [], f"make uninstall left {left}")

    # What is closed to others in the source, as where a umask says so, is open where it is installed.
    tree = os.path.join(folder, "tree")
    os.makedirs(os.path.join(tree, "src", "app"))
    for part in ("Makefile", ".ci", "jobs/reward_example.py", "src/app/coppice.1"):
        output(["cp", "-a", "--parents", part, tree])
    output(["chmod", "-R", "a-w,go=", os.path.join(tree, "jobs")])
    build = os.path.abspath(BUILD)
    built = [f"-o{build}/{name}" for name in ("coppice", "coppice-reaper", "coppice-sandbox")]
    output(["make", "-s", "-C", tree, "install", *built, f"BUILD={build}", f"DESTDIR={folder}", "PREFIX=/opt", "NVCC="])
    jobs = os.path.join(folder, "opt/share/coppice/jobs")
    modes = [os.stat(os.path.join(jobs, name)).st_mode & 0o777 for name in (".", "reward_example.py")]
    check(modes == [0o755, 0o644], f"the installed job folder and file have modes {[oct(mode) for mode in modes]}")
for name in ("install", "uninstall"):
    refused = subprocess.run(["make", "-n", name, "PREFIX=/x/my apps"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP)
    check(refused.returncode != 0 and "must not have a space" in refused.stdout, f"a prefix of two words: {refused.stdout}")
print(f"* {len(commands)} commands, {len(codes)} exit codes, without a warning by {' and '.join(there)}")
