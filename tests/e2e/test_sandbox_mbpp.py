#!/usr/bin/env python3
"""Every reference solution of MBPP passes its own asserts in the sandbox; with a wrong return value, or
one that calls itself equal to anything, none does."""
# Alone: it has a limit in seconds.
import ast
import collections
import json
import os
import time

import lib
import sandbox

LIMIT_S = 60
# The function's own values are computed first, so that what it does is as before.
LIAR = """
class Liar:
    def __init__(self, value=None): pass
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
"""


class Replaced(ast.NodeTransformer):
    def __init__(self, value):
        self.value = value

    def visit_Return(self, node):
        return [ast.Expr(node.value or ast.Constant(None)), ast.Return(ast.parse(self.value, mode="eval").body)]


def mutated(code, value, before=""):
    return before + ast.unparse(ast.fix_missing_locations(Replaced(value).visit(ast.parse(code))))


def main():
    with open(os.path.join(lib.TOP, "tests", "data", "mbpp.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    start, before = time.monotonic(), os.times()
    answers = sandbox.run([sandbox.request(r["task_id"], r["code"], r["test_list"], setup=r["test_setup_code"])
                           for r in rows], ["--jobs", "2"])
    took, after = time.monotonic() - start, os.times()
    # Two cores' share of the processor time: a busy machine does not count against it.
    own = (after.children_user - before.children_user + after.children_system - before.children_system) / 2
    failed = [f"{number}: {answer}" for number, answer in answers.items() if not answer.get("passed")]
    lib.check(not failed, "references that fail: " + ", ".join(failed))
    lib.check(own < LIMIT_S, f"{len(rows)} references took two cores {own:.1f} s, over {LIMIT_S} s")
    print(f"* {len(rows)} reference solutions of MBPP pass: {took:.1f} s, {len(rows) / took:.0f} programs a second "
          f"({own:.1f} s of two cores)")

    for name, value, before in (("a wrong value", "'neither this nor that'", ""), ("no value", "None", ""),
                                ("an object equal to anything", "Liar()", LIAR)):
        answers = sandbox.run([sandbox.request(r["task_id"], mutated(r["code"], value, before), r["test_list"],
                                               setup=r["test_setup_code"], timeout=2) for r in rows], ["--jobs", "2"])
        passed = [number for number, answer in answers.items() if answer.get("passed") is not False]
        lib.check(not passed, f"with {name} these pass: {passed}")
        print(f"with {name}: none passes;", dict(collections.Counter(answer["why"] for answer in answers.values())))


main()
