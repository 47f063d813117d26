#!/bin/sh
# EvalPlus: the sanitizer deletes functions that have a decorator, and generators, from solutions that are valid Python
# and right, and so makes them wrong.
#
#   version   evalplus 0.3.1 with tree-sitter 0.26.1 and tree-sitter-python 0.25.0
#   expected  sanitize takes the code out of a model's answer; a program that is nothing but code, compiles and needs
#             all of its functions comes out as a program that does the same. (It is meant to drop functions without a
#             return statement, which answers end in when they are cut off.)
#   seen      a helper under @lru_cache, which returns, and a generator, which yields, are gone and their calls are left:
#             NameError. The same helper without the decorator stays
#   so what   evalplus.codegen passes each answer through this before it is stored to be judged: HumanEval+ and MBPP+
#             are lower for a model that memoises or yields, and a reward built on it teaches not to
#
# (evalplus is installed without what it asks for beyond this: the clients of several vendors' services.)
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'tree-sitter==0.26.1' 'tree-sitter-python==0.25.0' 'datasets==5.2.0' \
    'termcolor==3.3.0' 'appdirs==1.4.4' 'multipledispatch==1.0.0' 'tempdir==0.7.1' 'wget==3.2'
"$folder/venv/bin/pip" install --quiet --no-deps 'evalplus==0.3.1'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from evalplus.sanitize import sanitize

PLAIN = "def ways(n):\n    return 1 if n < 2 else ways(n - 1) + ways(n - 2)\n\n"
CASES = {
    "plain helper": (PLAIN + "def solve(n):\n    return ways(n)\n", 89),
    "helper under @lru_cache": ("from functools import lru_cache\n\n@lru_cache(None)\n" + PLAIN
                                + "def solve(n):\n    return ways(n)\n", "NameError"),
    "generator": ("def squares(n):\n    for k in range(n):\n        yield k * k\n\n"
                  "def solve(n):\n    return sum(squares(n))\n", "NameError"),
}


def result(code):
    names = {}
    try:
        exec(code, names)
        return names["solve"](10)
    except NameError as error:
        return type(error).__name__


changed = 0
for what, (code, seen) in CASES.items():
    before, after = result(code), result(sanitize(code, "solve"))
    print(f"{what:25} solve(10) as written: {before:3}   sanitized: {after}")
    changed += before == "NameError" or after != seen
sys.exit(1 if changed else 0)
PYTHON
