"""Runs in the process of the program that is tested: runs it, then does what the judge asks for.

Nothing here is trusted. A program can change all of it, and has won nothing by that: the judge sees
values only, and what it compares them with never comes here.
"""
import ast
import builtins
import linecache
import operator
import os
import random
import re
import sys
import types

import coppice_wire as wire

EXIT_MEMORY = 101
PLACE = "/program.py"


class Unjudged(Exception):
    """What is asked would let an object of the program give the verdict."""


class Lent:
    """Something of the tests that the program was given: a function, or an iterator."""

    def __init__(self, guest, number):
        self.__dict__.update(_guest=guest, _number=number)

    def __call__(self, *arguments, **named):
        return self._guest.borrow(self, "call", list(arguments), named)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._guest.borrow(self, "getattr", name)

    def __setattr__(self, name, value):
        self._guest.borrow(self, "setattr", name, value)


class LentIterator(Lent):
    def __iter__(self):
        return self

    def __next__(self):
        return self._guest.borrow(self, "next")


def is_own_class(kind):
    return kind.__module__ == "__main__"


def where_from(kind):
    """How the judge can know a class: by a name in Python's own library."""
    if getattr(builtins, kind.__name__, None) is kind:
        return ["library", "builtins", kind.__name__]
    module = sys.modules.get(kind.__module__)
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names and getattr(module, kind.__name__, None) is kind:
        return ["library", kind.__module__, kind.__name__]
    return None


class Guest:
    def __init__(self, link):
        self.link = link
        self.held = []
        self.numbers = {}
        self.globals = {}

    # --- values ---

    def number_of(self, thing):
        """Classes have one number each; of other objects it does not matter."""
        if isinstance(thing, type):
            number = self.numbers.get(id(thing))
            if number is not None:
                return number
            self.numbers[id(thing)] = len(self.held)
        self.held.append(thing)
        return len(self.held) - 1

    def family(self, kind):
        """An exception class and those that it stems from."""
        return [where_from(one) or ["own", self.number_of(one), one.__name__]
                for one in kind.__mro__ if issubclass(one, BaseException)]

    def hold(self, thing):
        kind = type(thing)
        if kind is Lent or kind is LentIterator:
            return ["lent", thing._number]
        if isinstance(thing, type) and issubclass(thing, BaseException):
            return ["kind", self.family(thing)]
        return ["handle", self.number_of(thing)]

    def resolve(self, kind, *rest):
        if kind == "handle":
            return self.held[rest[0]]
        if kind == "lent":
            return (LentIterator if rest[1] else Lent)(self, rest[0])
        if kind == "name":
            thing = sys.modules.get(rest[0]) or __import__(rest[0], fromlist=["*"])
            return operator.attrgetter(rest[1])(thing)
        return re.compile(wire.decode(rest[0], self.resolve), rest[1])

    def encode(self, value):
        return wire.encode(value, self.hold)

    def decode(self, tree):
        return wire.decode(tree, self.resolve)

    # --- what the judge asks for ---

    def run(self, program, imports):
        """Runs the program as __main__; the tests' own imports come before it."""
        module = types.ModuleType("__main__")
        module.__file__ = PLACE
        sys.modules["__main__"] = module
        sys.argv[:] = [PLACE]
        self.globals = module.__dict__
        linecache.cache[PLACE] = len(program), None, program.splitlines(True), PLACE
        random.seed(0)
        try:
            code = compile(without_guard(program), PLACE, "exec", dont_inherit=True)
        except MemoryError:
            raise
        except Exception as error:
            raise SyntaxError(str(error)) from None
        exec(imports, self.globals)
        exec(code, self.globals)

    def get(self, name):
        return self.globals[name]

    def eval(self, text):
        return eval(text, self.globals)

    def call(self, function, arguments, named, watched):
        """Calls it. Of arguments that the judge watches it learns what became of them."""
        before = [wire.encode(arguments[i], self.hold) for i in watched]
        result = function(*arguments, **named)
        after = [wire.encode(arguments[i], self.hold) for i in watched]
        return result, [[i, new] for i, old, new in zip(watched, before, after) if old != new]

    def step(self, iterator, most):
        """Up to `most` of what an iterator gives, and whether it has come to its end."""
        items = []
        for item in iterator:
            items.append(item)
            if len(items) == most:
                return items, False
        return items, True

    def truth(self, thing):
        """Whether it counts as true, as long as no method of the program's own says so."""
        for kind in type(thing).__mro__:
            if "__bool__" in kind.__dict__ or "__len__" in kind.__dict__:
                if is_own_class(kind):
                    raise Unjudged("the program's own object would say whether it is true")
                break
        return bool(thing)

    def do(self, action, arguments):
        """The tree of what comes of it."""
        if action == "run":
            return self.encode(self.run(*arguments))
        values = [self.decode(tree) for tree in arguments]
        if action == "call":
            result, changes = self.call(*values)
            return ["called", self.encode(result), changes] if changes else self.encode(result)
        if action in ("get", "eval", "step", "truth"):
            return self.encode(getattr(self, action)(*values))
        return self.encode(OPERATIONS[action](*values))

    def answer(self, request):
        try:
            return ["ok", self.do(request[0], request[1:])]
        except BaseException as error:
            return self.tell(request[0], error)

    def tell(self, action, error):
        kind = type(error)
        why = ("memory" if issubclass(kind, MemoryError) else "unjudged" if kind is Unjudged else
               "exit" if issubclass(kind, SystemExit) else "exception")
        if action == "run" and kind is SyntaxError:
            why = "syntax"
        try:
            text = str(error)[:200]
        except BaseException:
            text = ""
        try:
            arguments = self.encode(list(error.args))
        except BaseException:
            arguments = self.encode([text])
        return ["error", why, self.family(kind), text, arguments, self.number_of(error)]

    # --- what the program asks for ---

    def borrow(self, lent, action, *values):
        """Has the judge use something of the tests, and does meanwhile what that asks for."""
        self.link.send(["lent", lent._number, action, *[self.encode(value) for value in values]])
        while True:
            message = self.link.receive()
            if message[0] == "given":
                return self.decode(message[1])
            if message[0] == "refused":
                raise getattr(builtins, message[1], RuntimeError)(message[2])
            self.link.send(self.answer(message))


def without_guard(program):
    """A program without what it does only when it is run by itself: tests import it."""
    if "__main__" not in program:
        return program
    tree = ast.parse(program, PLACE)
    body = []
    for node in tree.body:
        body += node.orelse if isinstance(node, ast.If) and is_guard(node.test) else [node]
    tree.body = body
    return tree


def is_guard(test):
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [test.left, test.comparators[0]]
    return (any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
            and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides))


OPERATIONS = {
    "getattr": getattr, "setattr": setattr, "delattr": delattr,
    "getitem": lambda thing, key: thing[key],
    "setitem": lambda thing, key, value: operator.setitem(thing, key, value),
    "delitem": lambda thing, key: operator.delitem(thing, key),
    "contains": lambda thing, item: item in thing,
    "len": len, "bool": bool, "int": int, "float": float, "str": str, "repr": repr,
    "isinstance": isinstance, "issubclass": issubclass,
    "operator": lambda name, *values: getattr(operator, name)(*values),
    # An iterator is an object like any other, so that the judge gets a handle of it.
    "iter": lambda thing: Iterator(thing),
    "next": next,
}


class Iterator:
    def __init__(self, thing):
        self.inner = iter(thing)

    def __iter__(self):
        return self.inner


def main(descriptor):
    link = wire.Link(descriptor)
    guest = Guest(link)
    try:
        while True:
            link.send(guest.answer(link.receive()))
    except EOFError:
        os._exit(0)
    except MemoryError:
        os._exit(EXIT_MEMORY)
