#!/usr/bin/env python3
"""Ordinary programs of every usual kind pass in the sandbox, wrong ones do not, and the reason is told."""
import lib
import sandbox

# name: (program, tests, setup); all must pass
SOUND = {
    "plain": ("def f(x): return x + 1", ["assert f(1) == 2", "assert f(-1) == 0"]),
    "lines that end in CR LF": ("def f(x):\r\n\treturn x + 1\r\n", ["assert f(1) == 2"]),
    "the usual imports": ("""
import math, cmath, re, collections, itertools, heapq, functools, datetime, random, string, sys, operator
import bisect, copy, typing, decimal, fractions, statistics, json, enum, dataclasses, array, struct, os, time
import hashlib, base64, textwrap, abc, io, contextlib, types, numbers, queue, threading, pickle, calendar
import unicodedata, zlib, binascii, secrets, uuid, pprint, logging, warnings, traceback, inspect, weakref, gc
import csv, html, difflib, graphlib, argparse, unittest, timeit, ast, tokenize, shlex, fnmatch, zoneinfo
from collections import Counter, defaultdict, deque, OrderedDict, namedtuple, ChainMap
from typing import List, Dict, Optional, Tuple, Union, Any, Callable
from itertools import permutations, combinations, groupby, accumulate, product
from functools import lru_cache, reduce, partial, cmp_to_key
from concurrent.futures import ThreadPoolExecutor
def f(): return math.floor(2.5)
""", ["assert f() == 2"]),
    "plain data of every type": ("""
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from fractions import Fraction
from decimal import Decimal
import array, datetime, enum
P = namedtuple('P', 'x y')
class Colour(enum.IntEnum): RED = 3
class Words(list): pass
def f(i):
    d = defaultdict(list); d[1].append(2)
    return [None, True, 5, 2.5, 'text \\u00e9 \\U0001f600 \\ud800', b'bytes', bytearray(b'x'), 1 + 2j, (1, (2,)),
            {1, 2}, frozenset({3}), {'a': [1], 2: 'b'}, range(3), Counter('aab'), OrderedDict(a=1), d,
            deque([1, 2]), Fraction(1, 3), Decimal('1.10'), datetime.date(2020, 2, 29), 10 ** 400, -10 ** 400,
            P(1, 2), Colour.RED, Words('ab'), array.array('i', [1, 2]), datetime.timedelta(1), float('inf'), -0.0,
            datetime.datetime(2020, 1, 2, 3, 4, 5, 6), int, {'k': 1}.keys(), {'k': 1}.items(), '', [], {}, (), 10 ** 18,
            2 ** 62, 2 ** 63, 2 ** 64, datetime.time(1, 2)][i]
""", ["assert f(0) is None", "assert f(1) is True", "assert f(2) == 5 and type(f(2)) is int", "assert f(3) == 2.5",
      "assert f(4) == 'text \\u00e9 \\U0001f600 \\ud800'", "assert f(5) == b'bytes'", "assert f(6) == bytearray(b'x')",
      "assert f(7) == 1 + 2j", "assert f(8) == (1, (2,))", "assert f(9) == {1, 2}", "assert f(10) == frozenset({3})",
      "assert f(11) == {'a': [1], 2: 'b'}", "assert f(12) == range(3)", "assert f(13) == {'a': 2, 'b': 1}",
      "assert f(14) == {'a': 1}", "assert f(15) == {1: [2]}", "assert list(f(16)) == [1, 2]", "assert f(17) * 3 == 1",
      "assert str(f(18)) == '1.10'", "assert f(19).day == 29", "assert f(20) == 10 ** 400", "assert f(21) == -10 ** 400",
      "assert f(22) == (1, 2)", "assert f(23) == 3", "assert f(24) == ['a', 'b']", "assert list(f(25)) == [1, 2]",
      "assert f(26).days == 1", "assert f(27) == float('inf')", "assert str(f(28)) == '-0.0'",
      "assert f(29).microsecond == 6", "assert f(30) is int", "assert f(31) == {'k'}", "assert f(32) == {('k', 1)}",
      "assert f(33) == '' and f(34) == [] and f(35) == {} and f(36) == ()", "assert f(37) == 10 ** 18",
      "assert [f(i) for i in (38, 39, 40)] == [2 ** 62, 2 ** 63, 2 ** 64]", "assert f(41).minute == 2"]),
    "arguments of every type": ("""
def f(*a, **k): return a, k
""", ["assert f(1, 'a', [2.5], (3,), {4: {5}}, None, key=range(2)) == "
      "((1, 'a', [2.5], (3,), {4: {5}}, None), {'key': range(2)})", "assert f(*[1], **{'a': int}) == ((1,), {'a': int})",
      "import collections, datetime\nassert f(collections.Counter('aa'), datetime.date(2020, 1, 1)) == "
      "((collections.Counter('aa'), datetime.date(2020, 1, 1)), {})"]),
    "objects built in the setup code": ("""
class Node:
    def __init__(self, value): self.value, self.left, self.right = value, None, None
def total(n): return 0 if n is None else n.value + total(n.left) + total(n.right)
class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
def best(pairs, n): return max(p.a * p.b for p in pairs[:n])
""", ["assert total(root) == 6", "assert total(root.left) == 2", "assert root.value == 1",
      "assert best([Pair(1, 2), Pair(3, 4)], 2) == 12"],
              "root = Node(1)\r\nroot.left = Node(2)\r\nroot.right = Node(3)"),
    "imports in the setup code": ("def f(x): return math.sqrt(x)", ["assert math.isclose(f(2), 1.41421356, rel_tol=1e-6)"],
                                  "import math"),
    "modules of the program in the tests": ("import sys, math\ndef f(x): return sys.getsizeof(x)",
                                            ["assert f((1, 2)) == sys.getsizeof((1, 2))", "assert math.isclose(f(()), f(()))"]),
    "functions of the setup code": ("def f(x): return [x, -x]", ["assert check(f(3), [-3, 3])"],
                                    "def check(a, b): return sorted(a) == sorted(b)"),
    "a function named as a built-in": ("def sum(a, b): return a * b", ["assert sum(2, 3) == 6"]),
    "a built-in around the function": ("def f(x): return '7'", ["assert int(f(1)) == 7", "assert str(f(1)) == '7'"]),
    "generators and iterators": ("""
def f(n):
    for i in range(n): yield i * i
def g(n): return map(str, range(n))
def forever():
    n = 0
    while True: yield n; n += 1
""", ["assert list(f(4)) == [0, 1, 4, 9]", "assert sum(f(2000)) == 2664667000", "assert sorted(g(3)) == ['0', '1', '2']",
      "a = f(3)\nassert next(a) == 0 and next(a) == 1", "b = forever()\nassert [next(b) for i in range(3)] == [0, 1, 2]",
      "assert [a for a, i in zip(forever(), range(3))] == [0, 1, 2]", "assert 9 in list(f(4))"]),
    "objects that come back": ("""
import re
class V:
    def __init__(self, n): self.n = n
    def __len__(self): return self.n
    def __str__(self): return f'V({self.n})'
    def __getitem__(self, i): return self.n * i
    def __contains__(self, i): return i == self.n
    def __bool__(self): return self.n > 0
    def __int__(self): return self.n
    def double(self, *, times=2): return V(self.n * times)
def f(n): return V(n)
def match(t): return re.match('a+', t)
""", ["assert len(f(3)) == 3", "assert str(f(3)) == 'V(3)'", "assert f(3)[4] == 12", "assert 3 in f(3) and 4 not in f(3)",
      "assert f(1) and not f(0)", "assert f(3).double().n == 6", "assert f(3).double(times=5).n == 15",
      "assert int(f(3)) == 3", "assert match('aab').group() == 'aa'", "assert not match('b')",
      "v = f(1)\nv.n = 9\nassert v.n == 9"]),
    "exceptions that a test expects": ("""
def f(x):
    if x < 0: raise ValueError('negative')
    return {}[x] if x > 9 else x
""", ["try:\n    f(-1)\n    assert False\nexcept ValueError as e:\n    assert 'negative' in str(e)",
      "try:\n    f(10)\n    assert False\nexcept KeyError:\n    pass"]),
    "recursion": ("import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)",
                  ["assert f(50000) == 50000"]),
    "dates": ("""
import datetime, time, calendar
def f():
    datetime.datetime.now(); time.localtime(); time.time(); time.strftime('%Y'); datetime.date.today()
    return datetime.datetime.strptime('2020-03-01', '%Y-%m-%d').strftime('%A %j'), calendar.monthrange(2024, 2)
""", ["assert f() == ('Sunday 061', (3, 29))"]),
    "random numbers, the same ones every time": ("""
import random
a = [random.random() for i in range(3)]
def f():
    random.seed(1); b = random.sample(range(100), 5); random.shuffle(b); return len(set(b)), a
""", ["assert f()[0] == 5", "assert f()[1][0] == 0.8444218515250481"]),
    "output of all kinds": ("""
import sys, logging, warnings, traceback
def f(x):
    print(x, 'é', '\\ud800'.encode('utf-8', 'replace'), file=sys.stderr); print('x' * 10 ** 7)
    sys.stdout.write('a'); sys.stdout.flush(); logging.warning('w'); warnings.warn('w')
    try: 1 / 0
    except ZeroDivisionError: traceback.print_exc()
    return sys.stdout.isatty()
""", ["assert f(1) == False"]),
    "code that checks for what may be missing": ("""
try:
    import numpy as np
except ImportError:
    np = None
try:
    import pandas
except ModuleNotFoundError:
    pass
def f(): return np
""", ["assert f() is None"]),
    "paths without files": ("""
import os, os.path
def f(p): return os.path.join('a', p), os.path.basename('/x/y.txt'), os.path.splitext('y.txt'), os.path.exists('/etc/passwd')
""", ["assert f('b') == ('a/b', 'y.txt', ('y', '.txt'), False)"]),
    "run as the main program": ("def f(): return __name__\nif __name__ == '__main__':\n    print(f())", ["assert f() == '__main__'"]),
    "dataclasses, typing, enum": ("""
from dataclasses import dataclass, field, asdict
from typing import NamedTuple, TypedDict, Generic, TypeVar
from enum import Enum
T = TypeVar('T')
class Box(Generic[T]):
    def __init__(self, v: T): self.v = v
class N(NamedTuple):
    a: int = 1
class C(Enum):
    A = 'a'
@dataclass(order=True)
class D:
    x: int
    y: list = field(default_factory=list)
def f(): return asdict(D(1, [2])), N(), C('a').value, Box(3).v, D(1) < D(2)
""", ["assert f() == ({'x': 1, 'y': [2]}, (1,), 'a', 3, True)"]),
    "copies and pickles of its own": ("""
import copy, pickle
class A:
    def __init__(self): self.x = [1]
def f(): return copy.deepcopy(A()).x, pickle.loads(pickle.dumps(A())).x
""", ["assert f() == ([1], [1])"]),
    "digests and encodings": ("""
import hashlib, base64, zlib, codecs, hmac
def f(): return (hashlib.md5(b'a').hexdigest()[:4], hashlib.sha256(b'').hexdigest()[:4], base64.b64encode(b'a'),
    zlib.decompress(zlib.compress(b'z')), codecs.encode('abc', 'rot13'), 'é'.encode('latin-1'), 'a'.encode('utf-16-le'),
    hmac.new(b'k', b'm', 'sha1').hexdigest()[:4], hashlib.sha3_256(b'').hexdigest()[:4], hashlib.blake2b(b'').hexdigest()[:4])
""", ["assert f() == ('0cc1', 'e3b0', b'YQ==', b'z', 'nop', b'\\xe9', b'a\\x00', '772b', 'a7ff', '786a')"]),
    "a lock, a short sleep, a timer": ("""
import threading, time, signal
lock = threading.Lock()
def f():
    with lock: time.sleep(0.01)
    signal.signal(signal.SIGALRM, lambda *a: None); signal.alarm(5); signal.alarm(0)
    return threading.current_thread() is threading.main_thread()
""", ["assert f()"]),
    "numbers from a word": ("import random\ndef f(): random.seed('word'); return random.randrange(2)", ["assert f() in (0, 1)"]),
    "long numbers": ("import sys\nsys.set_int_max_str_digits(0)\ndef f(n): return int('9' * n) % 10", ["assert f(20000) == 9"]),
    "long digits": ("import sys\nsys.set_int_max_str_digits(0)\ndef f(n): return len(str(2 ** n))", ["assert f(100000) == 30103"]),
    "exec and eval": ("def f(t):\n    d = {}\n    exec('y = ' + t, d)\n    return d['y'] + eval(t)", ["assert f('2 + 3') == 10"]),
    "a syntax error that it catches": ("def f(t):\n    try: return eval(t)\n    except SyntaxError: return None", ["assert f('1 +') is None"]),
    "a hundred megabytes": ("def f(): return len([0] * (10 ** 8 // 8))", ["assert f() == 12500000"]),
    "a long answer": ("def f(n): return list(range(n))", ["assert f(300000) == list(range(300000))"]),
}

# name: (program, tests, why)
WRONG = {
    "a wrong value": ("def f(x): return 3", ["assert f(1) == 2"], "assertion"),
    "one of three": ("def f(x): return 2", ["assert f(1) == 2", "assert f(2) == 2", "assert f(3) == 4"], "assertion"),
    "nothing returned": ("def f(x): pass", ["assert f(1) == 2"], "assertion"),
    "no such function": ("def g(x): return 2", ["assert f(1) == 2"], "exception"),
    "no program": ("", ["assert f(1) == 2"], "exception"),
    "syntax": ("def f(x: return 2", ["assert f(1) == 2"], "syntax"),
    "indentation": ("def f(x):\nreturn 2", ["assert f(1) == 2"], "syntax"),
    "a null character": ("def f(x): return 2\0", ["assert f(1) == 2"], "syntax"),
    "prose": ("Sure! Here is the function that you asked for.", ["assert f(1) == 2"], "syntax"),
    "an exception on loading": ("import nothing_of_this_name", ["assert f(1) == 2"], "exception"),
    "an exception in the function": ("def f(x): return 1 / 0", ["assert f(1) == 2"], "exception"),
    "exit": ("import sys\ndef f(x): sys.exit(0)", ["assert f(1) == 2"], "exit"),
    "time": ("def f(x):\n    while True: pass", ["assert f(1) == 2"], "time"),
    "memory": ("def f(x): return [0] * 10 ** 10", ["assert f(1) == 2"], "memory"),
    "a file": ("open('x')", ["assert f(1) == 2"], "exception"),
    "a signal to others": ("import os\nos.kill(os.getppid(), 0)", ["assert f(1) == 2"], "forbidden"),
    "an alarm": ("import signal, time\nsignal.alarm(1)\ndef f(x): time.sleep(1.5)", ["assert f(1) == 2"], "killed"),
    "equal to anything": ("class A:\n    __eq__ = lambda a, b: True\ndef f(x): return A()", ["assert f(1) == 2"], "exception"),
    "equal to anything, turned round": ("class A:\n    __eq__ = lambda a, b: True\ndef f(x): return A()", ["assert 2 == f(1)"],
                                        "exception"),
    "its own set around the function": ("set = lambda x: 1\ndef f(x): return 5", ["assert set(f(1)) == set([2])"], "exception"),
    "its own module math": ("class math:\n    isclose = lambda *a: True\ndef f(x): return 5",
                            ["assert math.isclose(f(1), 2)"], "assertion"),
}


def main():
    requests = [sandbox.request("sound " + name, *case[:2], timeout=20, setup=case[2] if len(case) > 2 else "")
                for name, case in SOUND.items()]
    requests += [sandbox.request("wrong " + name, *case[:2], timeout=1 if case[2] == "time" else 20)
                 for name, case in WRONG.items()]
    answers = sandbox.run(requests, ["--jobs", "2"])
    bad = [f"{key}: {answer}" for key, answer in answers.items()
           if answer.get("passed") != key.startswith("sound")
           or answer["why"] != ("passed" if answer["passed"] else WRONG[key[6:]][2])]
    lib.check(not bad, "\n".join(bad))
    again = sandbox.run(requests, ["--jobs", "1"])
    lib.check(again == answers, "a second time gave other answers")
    print(f"{len(SOUND)} sound and {len(WRONG)} wrong programs")


main()
