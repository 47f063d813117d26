#!/usr/bin/env python3
"""What honest programs do passes, and no form of the tests lets a program be its own judge."""
import sys

import lib
import sandbox

F = "def f(x): return x + 1\n"
GUARD = "if __name__ == '__main__':\n    "

# name: (program, tests, setup); all must pass
HONEST = {
    "guard with doctest": (F + GUARD + "import doctest\n    doctest.testmod()", ["assert f(1) == 2"]),
    "guard with unittest": ("import unittest\n" + F + "class T(unittest.TestCase):\n    def test(self): self.fail()\n"
                            + GUARD + "unittest.main()", ["assert f(1) == 2"]),
    "guard with exit": ("import sys\n" + F + "def main(): return 0\n" + GUARD + "sys.exit(main())", ["assert f(1) == 2"]),
    "guard with input": (F + GUARD + "n = int(input())\n    print(f(n))", ["assert f(1) == 2"]),
    "guard that loops": (F + GUARD + "while True:\n        try: input()\n        except BaseException: pass", ["assert f(1) == 2"]),
    "guard turned round": (F + "if '__main__' == __name__:\n    raise ValueError\nelse:\n    y = 3", ["assert f(1) == 2", "assert y == 3"]),
    "imports for nothing": ("import asyncio, multiprocessing, subprocess, socket, http.client, threading, ssl, select, sqlite3\n"
                            "import concurrent.futures, urllib.request, tempfile, resource, fcntl, mmap, pty, signal, ftplib\n"
                            "import doctest, importlib.util, gzip, bz2, lzma, email.utils, tracemalloc, cProfile, pstats, timeit\n"
                            "import xml.dom.minidom, xmlrpc.client, wave, sched, cmd, code, codeop, trace, zipfile, tarfile\n"
                            "import multiprocessing.pool, asyncio.subprocess, concurrent.futures.process\n" + F, ["assert f(1) == 2"]),
    "modules at work": ("""
import gzip, bz2, lzma, email.utils, tracemalloc, cProfile, importlib.util, sqlite3, colorsys, xml.dom.minidom, zipfile, io
def f():
    tracemalloc.start(); tracemalloc.stop()
    cProfile.Profile().runcall(len, [])
    base = sqlite3.connect(':memory:'); base.execute('create table t (a)'); base.execute('insert into t values (3)')
    box = io.BytesIO()
    with zipfile.ZipFile(box, 'w') as z: z.writestr('a', b'x')
    return (gzip.decompress(gzip.compress(b'a')), bz2.decompress(bz2.compress(b'a')), lzma.decompress(lzma.compress(b'a')),
            email.utils.parseaddr('A <a@b.c>')[1], importlib.util.find_spec('json') is not None, base.execute('select a from t').fetchone(),
            xml.dom.minidom.parseString('<a/>').documentElement.tagName, zipfile.ZipFile(box).namelist())
""", ["assert f() == (b'a', b'a', b'a', 'a@b.c', True, (3,), 'a', ['a'])"]),
    "what is not there": ("""
def f():
    found = []
    for name in ('numpy', 'tkinter', 'ctypes', 'nothing_of_this_name', 'winreg'):
        try: __import__(name); found.append(name)
        except ImportError: pass
    return found
""", ["assert f() == []"]),
    "files that are not there": ("""
import os, pathlib, tempfile, subprocess, socket, threading, os.path
def f():
    found = []
    for what in (lambda: open('data.txt'), lambda: open('out.txt', 'w'), lambda: os.listdir('.'), lambda: os.mkdir('d'),
                 lambda: os.remove('x'), lambda: pathlib.Path('a').read_text(), lambda: tempfile.mkdtemp(), lambda: os.stat('/etc'),
                 lambda: subprocess.run(['ls']), lambda: socket.socket(), lambda: os.fork(), lambda: os.pipe(),
                 lambda: os.execv('/bin/ls', ['ls'])):
        try: what(); found.append('done')
        except OSError as error: found.append(type(error).__name__)
    try: threading.Thread(target=print).start()
    except RuntimeError: found.append('RuntimeError')
    return found
""", ["assert f()[:2] == ['FileNotFoundError', 'PermissionError'] and 'done' not in f() and len(f()) == 14"]),
    "a file or a default": ("def f():\n    try:\n        with open('cache.json') as file: return file.read()\n"
                            "    except FileNotFoundError:\n        return 7", ["assert f() == 7"]),
    "places": ("import os, platform, pathlib\ndef f(): return (os.path.abspath('a'), os.path.basename(os.path.abspath(__file__)),"
               " os.getcwd(), platform.system(), str(pathlib.Path.cwd()), os.path.isdir('/etc'))",
               ["assert f() == ('/a', 'program.py', '/', 'Linux', '/', False)"]),
    "time zones": ("from zoneinfo import ZoneInfo\nfrom datetime import datetime\ndef f(): return datetime(2020, 1, 2, tzinfo=ZoneInfo('UTC')).isoformat()",
                   ["assert f() == '2020-01-02T00:00:00+00:00'"]),
    "an event loop": ("import asyncio\nasync def g(x):\n    await asyncio.sleep(0.001)\n    return x\nasync def h():\n"
                      "    return await asyncio.gather(g(1), g(2))\ndef f(): return asyncio.run(h())", ["assert f() == [1, 2]"]),
    "its own text": ("import inspect\ndef f(): return 3\ndef g(): return inspect.getsource(f)", ["assert g() == 'def f(): return 3\\n'"]),
    "lambdas as arguments": ("def f(g, xs): return [g(x) for x in xs]\ndef h(g): return lambda x: g(g(x))",
                             ["assert f(lambda x: x * 2, [1, 2]) == [2, 4]", "k = 3\nassert f(lambda x: x + k, [1]) == [4]",
                              "assert h(lambda x: x + 1)(5) == 7", "def double(x): return 2 * x\nassert f(double, [4]) == [8]"]),
    "built-ins as arguments": ("def f(g, xs): return [g(x) for x in xs]\ndef same(g): return g",
                               ["assert f(len, ['ab', '']) == [2, 0]", "assert f(str.upper, ['a']) == ['A']", "assert f(int, ['3']) == [3]",
                                "import operator, math\nassert f(operator.neg, [1]) == [-1] and f(math.sqrt, [4]) == [2]",
                                "from decimal import Decimal\nassert f(Decimal, ['1']) == [1]", "assert same(int) is int",
                                "import functools\nassert f(functools.partial(max, 3), [1, 5]) == [3, 5]"]),
    "a lambda that fails, one that calls the program": (
        "def f(g, x):\n    try: return g(x)\n    except ZeroDivisionError: return 'zero'\ndef one(): return 1",
        ["assert f(lambda x: 1 / x, 0) == 'zero'", "assert f(lambda x: x + one(), 1) == 2"]),
    "iterators and patterns as arguments": ("def f(xs): return list(xs)\ndef first(xs, n): return [next(xs) for i in range(n)]\n"
                                            "def m(p, t): return bool(p.match(t))",
                                            ["assert f(x * x for x in [1, 2]) == [1, 4]", "assert f(map(str, [1])) == ['1']",
                                             "import itertools\nassert first(itertools.count(3), 2) == [3, 4]",
                                             "import re\nassert m(re.compile('a+'), 'aa')"]),
    "sorting in place": ("def f(a): a.sort()\ndef g(a, i, j): a[i], a[j] = a[j], a[i]\n    \ndef h(m):\n    for row in m: row.reverse()\n    m.reverse()\n"
                         "def d(x): x['k'] = 1\ndef u(a):\n    n = sorted(set(a)); a[:len(n)] = n\n    return len(n)",
                         ["a = [3, 1, 2]\nf(a)\nassert a == [1, 2, 3]", "b = [1, 2]\nassert g(b, 0, 1) is None and b == [2, 1]",
                          "m = [[1, 2], [3, 4]]\nh(m)\nassert m == [[4, 3], [2, 1]]", "x = {}\nd(x)\nassert x == {'k': 1}",
                          "n = [1, 1, 2]\nk = u(n)\nassert k == 2 and n[:2] == [1, 2]",
                          "def check():\n    c = [2, 1]\n    f(c)\n    assert c == [1, 2]\ncheck()"]),
    "a program's own exception": ("""
class Base(Exception): pass
class Empty(Base):
    def __init__(self, code):
        super().__init__('empty: ' + str(code)); self.code = code
class Bad(ValueError): pass
def f(x):
    if x == 0: raise Empty(7)
    if x == 1: raise Bad('bad')
    if x == 2: raise KeyError('k')
    import json; json.loads('{')
""", ["try:\n    f(0)\n    assert False\nexcept Empty as e:\n    assert e.code == 7 and str(e) == 'empty: 7'",
      "try:\n    f(0)\n    assert False\nexcept Base:\n    pass", "try:\n    f(1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'bad'",
      "try:\n    f(1)\n    assert False\nexcept Bad:\n    pass", "try:\n    f(2)\n    assert False\nexcept KeyError as e:\n    assert e.args == ('k',)",
      "import json\ntry:\n    f(3)\n    assert False\nexcept json.JSONDecodeError:\n    pass", "assert issubclass(Bad, ValueError)",
      "def raises(kind, call, *a):\n    try: call(*a)\n    except kind: return True\n    return False\nassert raises(Empty, f, 0) and raises((Bad, KeyError), f, 2)"]),
    "classes": ("""
class Stack:
    def __init__(self): self.items = []
    def push(self, x): self.items.append(x); return self
    def pop(self): return self.items.pop()
    def is_empty(self): return not self.items
    def has(self, x): return x in self.items
    def __len__(self): return len(self.items)
    def __contains__(self, x): return x in self.items
    def __add__(self, other): s = Stack(); s.items = self.items + other.items; return s
    def __enter__(self): return self
    def __exit__(self, *a): self.items.clear()
class Sub(Stack): pass
def make(): return Stack()
""", ["s = Stack()\ns.push(1).push(2)\nassert s.pop() == 2 and 1 in s and 5 not in s and len(s) == 1 and not s.is_empty()",
      "s = Stack()\ns.push(1)\nassert s.has(1) and not s.has(2) and bool(s)", "assert isinstance(make(), Stack) and not isinstance(3, Stack)",
      "assert issubclass(Sub, Stack) and isinstance(Sub(), Stack)", "t = Stack()\nt.push(1)\nassert (t + t).items == [1, 1]",
      "with Stack() as w:\n    w.push(3)\n    assert w.items == [3]\nassert w.items == []",
      "q = make()\nq.push(4)\nassert q.is_empty() == False and q.has(4)"]),
    "small classes with a small letter": ("class counter:\n    n = 0\n    def up(self): self.n += 1\n    def at(self, n): return self.n == n",
                                          ["c = counter()\nc.up()\nc.up()\nassert c.n == 2 and c.at(2)"]),
    "closures and generators": ("def counter():\n    n = 0\n    def up(k=1):\n        nonlocal n\n        n += k\n        return n\n    return up\n"
                                "def g():\n    got = yield 1\n    yield got\ndef squares(n):\n    for i in range(n): yield i * i",
                                ["c = counter()\nassert c() == 1 and c(5) == 6", "assert list(squares(3)) == [0, 1, 4] and 4 in squares(3)",
                                 "h = g()\nassert next(h) == 1 and h.send(8) == 8", "it = squares(1)\nnext(it)\ntry:\n    next(it)\n    assert False\nexcept StopIteration:\n    pass",
                                 "assert next(squares(0), 'end') == 'end'"]),
    "truth of what comes back": ("import re\nclass N: pass\ndef m(t): return re.search('a', t)\ndef n(x): return N() if x else None",
                                 ["assert m('cat') and not m('dog')", "assert n(1) and not n(0)", "assert n(0) is None"]),
    "helpers of the library": ("import math\ndef f(x): return math.sqrt(x)\ndef g(x): return list(x)",
                               ["assert isclose(f(2), sqrt(2))", "assert Counter(g('aab')) == Counter('aba')", "assert math.floor(f(5)) == 2",
                                "assert f(4) == Decimal(2)", "assert deepcopy(g([1])) == [1]"]),
    "functions named as the library's": ("def gcd(a, b): return a if b == 0 else gcd(b, a % b)\ndef sqrt(x): return x ** 0.5",
                                         ["assert gcd(12, 8) == 4", "assert isclose(sqrt(4), 2.0)"]),
    "distance of points": ("class Point:\n    def __init__(self, x, y): self.x, self.y = x, y\ndef dist(a, b): return abs(a.x - b.x) + abs(a.y - b.y)",
                           ["assert dist(Point(0, 0), Point(3, 4)) == 7", "assert Point(1, 2).x == 1"]),
    "two functions, there and back": ("def enc(s): return s[::-1]\ndef dec(s): return s[::-1]\ndef check(h, s): return dec(h) == s\n",
                                      ["assert dec(enc('abc')) == 'abc'", "h = enc('ab')\nassert check(h, 'ab')\nassert not check(h, 'b')"]),
    "a predicate over objects": ("class Node:\n    def __init__(self, v, l=None, r=None): self.v, self.l, self.r = v, l, r\n"
                                 "def tree(*v): return Node(*v)\ndef is_leaf(n): return n.l is None and n.r is None",
                                 ["assert is_leaf(Node(1))", "assert is_leaf(tree(1)) == True", "root = Node(1, Node(2))\nassert not is_leaf(root) and is_leaf(root.l)"]),
    "a text that the test evaluates": ("def f(a, b): return f'{a} + {b}'", ["assert eval(f(2, 3)) == 5"]),
    "built-ins under their names": ("def max(a): return -1\ndef f(x): return x", ["assert max([f(1), f(3)]) == 3"]),
}

LIAR = """
class Liar:
    def __getattr__(self, name): return lambda *a, **k: True
    def __init__(self, *a): pass
    def __contains__(self, x): return True
    def __bool__(self): return True
    def __len__(self): return 1
    def __sub__(self, o): return 0
    __add__ = __radd__ = __rsub__ = __sub__
    def __iter__(self): return iter([1])
    def __eq__(self, o): return True
"""
LIES = LIAR + "def f(*a): return Liar()\nFind = Liar\n"

# name: (program, tests, setup); none may pass
CHEATS = {
    "in": (LIES, ["assert 3 in f(3)"]), "in, capital": (LIES, ["assert 3 in Find(3)"]),
    "truth by its own method": (LIES, ["assert f(3)"]), "not by its own method": (LIES, ["assert bool(f(3)) == True"]),
    "methods of values": (LIES, ["assert f(3).startswith('abc')"]), "methods of values, capital": (LIES, ["assert Find(3).isupper()"]),
    "methods of sets": (LIES, ["assert f(3).issubset({1, 2})"]), "a method with the answer": (LIES, ["assert f(3).equals(5)"]),
    "an item found": (LIES.replace("return lambda *a, **k: True", "return lambda *a, **k: 0"), ["assert f('abc').find('needle') == 0"]),
    "arithmetic": (LIES, ["assert abs(f(3) - 3.5) < 1e-6"]), "arithmetic, turned round": (LIES, ["assert abs(3.5 - f(3)) < 1e-6"]),
    "arithmetic, capital": (LIES, ["assert abs(Find(3) - 3.5) < 1e-6"]),
    "its own len": ("x = None\ndef len(x): return 3", ["assert len(x) == 3"]),
    "its own len and more": ("x = 1\nlen = set = sorted = list = lambda *a: 0", ["assert len(set(x)) == len({1, 2})"]),
    "its own isinstance": ("isinstance = lambda *a: True\nx = 3", ["assert isinstance(x, str)"]),
    "its own all and any": ("all = any = lambda *a: True", ["assert all([1 == 2]) and any([])"]),
    "its own sorted, nothing else": ("sorted = set = lambda *a: 0", ["assert sorted(set([1])) == sorted(set([2]))"]),
    "its own abs": ("abs = lambda x: 0", ["assert abs(1 - 2) < max(0, 0.5)"]),
    "helper with a verdict": ("def f(x): return 0\ndef check(*a): return True", ["assert check(f(3), [3])", "assert check(f(1), [2])"]),
    "helper by way of a variable": ("def f(x): return 0\ndef check(*a): return True", ["r = f(3)\nassert check(r, 3)"]),
    "helper on both sides": ("def f(x): return 0\ndef norm(*a): return 0", ["assert norm(f(3)) == norm([3])"]),
    "isclose": ("def f(x): return 0\ndef isclose(*a, **k): return True", ["assert isclose(f(2), 1.41)"]),
    "Counter": ("def f(x): return 0\nCounter = lambda *a: 0", ["assert Counter(f('ab')) == Counter('ab')"]),
    "datetime": ("def f(x): return 0\ndatetime = lambda *a: 0", ["assert f(1) == datetime(2020, 1, 1)"]),
    "pi": ("def f(): return 0\npi = 0", ["assert f() == pi"]),
    "sqrt": ("def f(x): return 0\nsqrt = lambda x: 0", ["assert f(2) == sqrt(2)"]),
    "numpy": ("def f(x): return 0\nclass np:\n    allclose = array = lambda *a, **k: True", ["assert np.allclose(f(2), np.array([2]))"]),
    "a helper's method": ("def f(x): return 0\nclass h: pass\nh = h()\nh.check = lambda *a: True", ["assert h.check(f(2), 5)"]),
    "its own math": ("class math:\n    isclose = lambda *a: True\ndef f(x): return 5", ["assert math.isclose(f(1), 2)"]),
    "StopIteration in map": ("def f(x): raise StopIteration", ["assert all(map(f, [1, 2]))", "assert list(map(f, [1])) == []"]),
    "StopIteration in filter": ("def f(x): raise StopIteration", ["assert list(filter(f, [1])) == []"]),
    "StopIteration in a loop": ("def f(x): raise StopIteration", ["for r in map(f, [1, 2]):\n    assert r == 7"]),
    "StopIteration of its own kind": ("class S(StopIteration): pass\ndef f(x): raise S", ["for r in map(f, [1, 2]):\n    assert r == 7"]),
    "StopIteration in iter()": ("def f(): raise StopIteration", ["for r in iter(f, 5):\n    assert r == 7\n"]),
    "GeneratorExit": ("def f(x): raise GeneratorExit", ["for r in map(f, [1]):\n    assert r == 7"]),
    "StopIteration by an attribute": ("class A:\n    @property\n    def x(self): raise StopIteration\ndef f(): return A()",
                                      ["for r in map(lambda a: f().x, [1]):\n    assert r == 7"]),
    "exit where any exception is passed over": ("import os\ndef f(x): os._exit(0)", ["try:\n    f(1)\nexcept BaseException:\n    pass"]),
    "exit where anything is passed over": ("import os\ndef f(x): os._exit(0)", ["ok = False\ntry:\n    f(1)\nexcept:\n    ok = True\nassert ok"]),
    "comparison passed over": (LIES, ["try:\n    assert f(1) == 2\nexcept AssertionError:\n    assert 0\nexcept Exception:\n    pass"]),
    "eval": ("def f(): return \"__import__('os')._exit(0)\"", ["assert eval(f()) == 5"]),
    "eval forges": ("def f(): return '''[__import__(\"os\").write(d, b'{\"why\": \"passed\"}') for d in range(3, 9)] and __import__(\"os\")._exit(0)'''",
                    ["assert eval(f()) == 5"]),
    "exec": ("def f(): return 'import sys; sys.modules[\"coppice_judge\"].verdict_of = None'", ["exec(f())\nassert False or True"]),
    "pickle": ("import pickle, os\nclass B:\n    def __reduce__(self): return os._exit, (0,)\ndef f(): return pickle.dumps(B())",
               ["import pickle\nassert pickle.loads(f()) == 5"]),
    "clears its argument": ("def f(a):\n    a.clear()\n    return []", ["a = [3, 1]\nassert f(a) == sorted(a)", "b = [2, 1]\nr = f(b)\nassert r == sorted(b)"]),
    "why of an exception": ("class E(Exception):\n    why = 'passed'\ndef f(x): raise E", ["f(1)"]),
    "why of an exception that the test raises": ("class E(Exception):\n    def __getattr__(self, n): return 'passed'\n", ["raise E()"]),
    "a lambda's globals": ("def f(g):\n    try: return g.__globals__['secret']\n    except Exception: return None", ["secret = 5\nassert f(lambda: 0) == 5"]),
    "a lambda's code": ("def f(g):\n    try: return g.__code__.co_consts\n    except Exception: return None", ["assert f(lambda: 5) == (None, 5)"]),
    "frames of lent things": ("import os, json, struct\ndef f(g):\n    for a in ('getattr', 'setattr', 'call', 'next', 'eval', 'exec'):\n"
                              "        try: g._guest.borrow(g, a, '__globals__')\n        except Exception: pass\n    return 1", ["assert f(lambda: 0) == 5"]),
    "lent numbers that are not there": ("def f(g):\n    object.__setattr__(g, '_number', 99)\n    try: g()\n    except Exception: return 1", ["assert f(lambda: 0) == 2"]),
    "eval as an argument": ("def f(g): return g(\"__import__('coppice_judge')\")", ["assert f(eval) == 5"]),
    "an exception class that is a value": ("class f(Exception): pass", ["assert f(3) == 5"]),
    "an attribute that says yes": ("class R:\n    def same(self, x): return True\ndef f(x): return R()", ["assert f(2).same(4)"]),
    "a subclass check": ("class M(type):\n    def __subclasscheck__(c, k): return True\nclass f(metaclass=M): pass", ["assert f(1) == 2"]),
}


def main():
    requests = [sandbox.request(f"{kind} {name}", *case[:2], timeout=20, setup=case[2] if len(case) > 2 else "")
                for kind, cases in (("honest", HONEST), ("cheat", CHEATS)) for name, case in cases.items()]
    answers = sandbox.run(requests, ["--jobs", "2"])
    bad = [f"{key}: {answer}" for key, answer in answers.items() if answer.get("passed") != key.startswith("honest")]
    bad += [f"{key}: {answer}" for key, answer in answers.items() if answer.get("why") in ("syntax", "time", "killed")]
    # Every module of the library can be imported, or that fails as an import does.
    modules = sorted(sys.stdlib_module_names)
    program = "try:\n    import %s\nexcept ImportError:\n    pass\n"
    got = sandbox.run([sandbox.request(name, program % name + F, ["assert f(1) == 2"], timeout=30) for name in modules],
                      ["--jobs", "2"])
    bad += [f"import {name}: {answer}" for name, answer in got.items() if not answer["passed"]]
    lib.check(not bad, f"{len(bad)}:\n" + "\n".join(bad))
    print(f"* {len(HONEST)} honest programs, {len(CHEATS)} that would be their own judge, {len(modules)} modules")


main()
