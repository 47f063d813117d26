"""Runs in a process of its own: evaluates the tests, and asks the guest for what its program defines.

The tests never leave this process. A name that the program defines is here a handle of something in
the guest; what a call gives comes back as plain data and is compared here. So no object of the
program, whatever its __eq__ says, takes part in a verdict.
"""
import ast
import builtins
import importlib
import json
import operator
import os
import pickle
import re
import sys
import types

import coppice_names as names
import coppice_wire as wire

FIRST_STEP, LARGEST_STEP = 1, 4096
# They would end a loop of the judge's as if it were done.
LOOP_ENDS = (StopIteration, StopAsyncIteration, GeneratorExit)


class Broken(Exception):
    """The tests themselves are no Python."""


class Gone(BaseException):
    """The guest has ended, or no longer talks."""


class GuestError(Exception):
    """Something failed in the guest; `why` is its word for it."""
    why = "exception"


class Unjudged(Exception):
    """A test would have to trust an object of the program."""


def exact(kind, value):
    if type(value) is not kind:
        raise ValueError("not what was asked for")
    return value


class Guest:
    """The process of the program, as far as it can be talked to."""

    def __init__(self, link):
        self.link = link
        self.lent = []
        self.kinds = {}
        self.spoiled = None  # what no test may pass over, whatever it catches

    def unjudged(self, text):
        self.spoiled = self.spoiled or "exception"
        return Unjudged(text)

    # --- values ---

    def hold(self, thing):
        """The tree of what is not plain data, so that the program can use it."""
        kind = type(thing)
        if kind is Remote:
            return ["handle", thing._handle]
        if kind is Kind:
            return ["handle", thing.number] if "number" in vars(thing) else ["name", thing.__module__, thing.__qualname__]
        if isinstance(thing, BaseException) and vars(thing).get("remote") is not None:
            return ["handle", thing.remote._handle]
        if kind is re.Pattern:
            return ["pattern", wire.encode(thing.pattern, self.hold), thing.flags & ~re.DEBUG]
        name = name_of(thing)
        if name:
            return name
        if callable(thing) or hasattr(kind, "__next__") or kind.__module__ == "tests":
            for number, other in enumerate(self.lent):
                if other is thing:
                    break
            else:
                number = len(self.lent)
                self.lent.append(thing)
            return ["lent", number, hasattr(kind, "__next__")]
        raise self.unjudged(f"a test passes a {kind.__name__}, which cannot be sent to the program")

    def resolve(self, made, kind, *rest):
        if kind == "handle":
            return Remote(self, rest[0], made)
        if kind == "lent":
            return self.lent[exact(int, rest[0])]
        if kind == "kind":
            return self.kind_of(rest[0])
        raise ValueError("not a value")

    def decode(self, tree, made=None):
        return wire.decode(tree, lambda *parts: self.resolve(made, *parts))

    def encode(self, value):
        return wire.encode(value, self.hold)

    # --- exceptions ---

    def kind_of(self, family):
        """The class of an exception: a built-in one, or one that stands for the program's."""
        first = family[0]
        if first[0] == "library":
            return library_class(str(first[1]), str(first[2])) or self.kind_of(family[1:])
        number = exact(int, first[1])
        if number not in self.kinds:
            base = self.kind_of(family[1:]) if len(family) > 1 else Exception
            kind = Kind(str(first[2]), (base,), {"__str__": lambda error: vars(error).get("text", "")})
            kind.number, kind.guest = number, self
            self.kinds[number] = kind
        return self.kinds[number]

    def error_of(self, action, why, family, text, arguments, handle):
        if why == "unjudged":
            return self.unjudged(text)
        kind = self.kind_of(family)
        values = exact(list, self.decode(arguments))
        if issubclass(kind, LOOP_ENDS) and not (action == "next" and kind is StopIteration):
            error = GuestError(kind.__name__)
        elif isinstance(kind, Kind):
            error = kind.__new__(kind, *values)
            error.args = tuple(values)
            vars(error).update(remote=Remote(self, handle, True), text=text)
        else:
            error = made_error(kind, values)
        try:
            error.why = why if why in ("memory", "exit", "syntax") else "exception"
        except Exception:
            pass
        return error

    # --- questions ---

    def exchange(self, message):
        try:
            self.link.send(message)
            return self.link.receive()
        except (EOFError, OSError):
            self.spoiled = "gone"
            raise Gone from None

    def ask(self, action, *trees, made=None):
        """What the guest answers. Meanwhile it may use what it was lent."""
        reply = self.exchange([action, *trees])
        while type(reply) is list and reply and reply[0] == "lent":
            reply = self.exchange(self.lend(*reply[1:]))
        if type(reply) is not list or not reply or reply[0] not in ("ok", "error"):
            raise ValueError("no reply")
        if reply[0] == "error":
            why, family, text, arguments, handle = reply[1:]
            raise self.error_of(action, str(why), family, str(text), arguments, handle)
        tree = reply[1]
        if action == "call" and type(tree) is list and tree and tree[0] == "called":
            return Called(self.decode(tree[1], made), [(i, self.decode(new, made)) for i, new in tree[2]])
        return self.decode(tree, made)

    def ask_values(self, action, *values, made=None):
        return self.ask(action, *[self.encode(value) for value in values], made=made)

    def lend(self, number, action, *trees):
        """Uses something of the tests' for the program."""
        try:
            thing = self.lent[exact(int, number)]
            return ["given", self.encode(use_lent(thing, action, [self.decode(tree) for tree in trees]))]
        except Exception as error:
            if isinstance(error, Unjudged):
                raise
            return ["refused", type(error).__name__, str(error)[:200]]


def made_error(kind, values):
    """An exception of the library as it was raised, whatever its class wants to be made from."""
    try:
        return kind(*values)
    except Exception:
        error = kind.__new__(kind)
        error.args = tuple(values)
        return error


def use_lent(thing, action, values):
    if action == "call" and callable(thing):
        return thing(*exact(list, values[0]), **exact(dict, values[1]))
    if action == "next" and hasattr(type(thing), "__next__"):
        return next(thing)
    if action in ("getattr", "setattr") and type(thing).__module__ == "tests" and str(values[0])[:1] != "_":
        return (getattr if action == "getattr" else setattr)(thing, *values)
    raise TypeError("this cannot be done with something of the tests")


def name_of(thing):
    """How the guest finds what Python's own library has: a class, or a function that is not Python's
    own text. Such a one works on the guest's side, with what it has there."""
    kind = type(thing)
    if kind is types.MethodDescriptorType or kind is types.ClassMethodDescriptorType:
        return ["name", thing.__objclass__.__module__, thing.__objclass__.__qualname__ + "." + thing.__name__]
    if not isinstance(thing, (type, types.FunctionType, types.BuiltinFunctionType)):
        return None
    module, name = getattr(thing, "__module__", None), thing.__qualname__
    if type(module) is not str or module.partition(".")[0] not in sys.stdlib_module_names or "<" in name:
        return None
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (AttributeError, KeyError):
        return None
    return ["name", module, name] if found is thing else None


def library_class(module, name):
    """An exception class of Python's own library."""
    known = module.partition(".")[0] in sys.stdlib_module_names
    kind = getattr(sys.modules.get(module), name, None) if known else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseException) else None


class Kind(type):
    """Classes that stand for exception classes of the program."""

    def __call__(cls, *arguments, **named):
        remote = cls.guest.ask_values("call", cls, list(arguments), named, [], made=True)
        error = cls.__new__(cls, *arguments)
        vars(error).update(remote=remote, text=cls.guest.ask_values("str", remote))
        return error

    def __instancecheck__(cls, thing):
        if type(thing) is Remote:
            return exact(bool, cls.guest.ask_values("isinstance", thing, cls))
        return super().__instancecheck__(thing)

    def __new__(meta, name, bases, fields):
        fields["__getattr__"] = attribute_of_error
        return super().__new__(meta, name, bases, fields)


def attribute_of_error(error, name):
    remote = vars(error).get("remote")
    if remote is None or name.startswith("__"):
        raise AttributeError(name)
    return getattr(remote, name)


class Called:
    """A result, and what became of arguments: their numbers and values."""

    def __init__(self, result, changes):
        self.result, self.changes = result, changes


class Remote:
    """An object of the guest. Comparing it would ask the program for a verdict, so that fails. `made`
    is true where the tests made it themselves, from a class that they name, so that its methods are
    what they test; else it is what a function returned where a value may have been expected."""
    __slots__ = ("_guest", "_handle", "_made", "_name", "_method")

    def __init__(self, guest, handle, made=None, name=None, method=None):
        for slot, value in (("_guest", guest), ("_handle", exact(int, handle)), ("_made", made), ("_name", name),
                            ("_method", method)):
            object.__setattr__(self, slot, value)

    def _ask(self, action, *values):
        return self._guest.ask_values(action, self, *values, made=self._made)

    def __call__(self, *arguments, **named):
        guest, tests = self._guest, self._guest.names
        if self._method in names.METHODS_OF_VALUES and not self._made:
            raise guest.unjudged(f"a test asks for {self._method}() of what is no plain value")
        watched = watched_of(tests, arguments, sys._getframe(1))
        result = guest.ask_values("call", self, list(arguments), named, [i for i, _ in watched], made=self._made)
        if type(result) is Called:
            result = apply_changes(result, dict(watched), arguments, tests)
        if type(result) is bool and self._method and not self._made and (arguments or named):
            raise guest.unjudged("a method of what is no plain value gives a verdict")
        if self._name in tests.helpers and (type(result) is bool or tests.helpers[self._name]):
            if type(result) is not Remote and not any(has_remote(one) for one in (*arguments, *named.values())):
                raise guest.unjudged(f"{self._name}() of the program judges what the program gave")
        return result

    def __getattr__(self, name):
        value = self._ask("getattr", name)
        if type(value) is Remote:
            object.__setattr__(value, "_method", name)
        return value

    def __setattr__(self, name, value):
        self._ask("setattr", name, value)

    def __delattr__(self, name):
        self._ask("delattr", name)

    def __getitem__(self, key):
        return self._ask("getitem", key)

    def __setitem__(self, key, value):
        self._ask("setitem", key, value)

    def __delitem__(self, key):
        self._ask("delitem", key)

    def __contains__(self, item):
        if self._made:
            return exact(bool, self._ask("contains", item))
        return any(each is item or each == item for each in self)

    def __len__(self):
        return exact(int, self._ask("len"))

    def __bool__(self):
        return exact(bool, self._ask("bool" if self._made else "truth"))

    def __int__(self):
        return exact(int, self._ask("int"))

    def __float__(self):
        return exact(float, self._ask("float"))

    def __str__(self):
        return exact(str, self._ask("str"))

    def __repr__(self):
        return exact(str, self._ask("repr"))

    def __iter__(self):
        iterator = self._ask("iter")
        step, done = FIRST_STEP, False
        while not done:
            items, done = self._guest.ask_values("step", iterator, step, made=self._made)
            yield from exact(list, items)
            step = min(2 * step, LARGEST_STEP)

    def __next__(self):
        return self._ask("next")

    def __enter__(self):
        return self._guest.ask_values("call", self._ask("getattr", "__enter__"), [], {}, [], made=self._made)

    def __exit__(self, kind, error, trace):
        leave = self._ask("getattr", "__exit__")
        self._guest.ask_values("call", leave, [None, None, None], {}, [])
        return False

    def __instancecheck__(self, thing):
        return exact(bool, self._guest.ask_values("isinstance", thing, self))

    def __subclasscheck__(self, kind):
        return exact(bool, self._guest.ask_values("issubclass", kind, self))

    def refuse(self, other):
        raise self._guest.unjudged("an object of the program cannot be compared")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = refuse
    __hash__ = object.__hash__


def make_operator(name, turned):
    def operate(self, *others):
        # A value of the tests beside it would go to the program, which would say what comes of it.
        if not all(type(one) is Remote and one._made for one in (self, *others)):
            return NotImplemented
        values = others + (self,) if turned else (self, *others)
        return self._guest.ask_values("operator", name, *values, made=self._made)
    return operate


for word in "add sub mul matmul truediv floordiv mod pow and_ or_ xor lshift rshift".split():
    setattr(Remote, f"__{word.rstrip('_')}__", make_operator(word, False))
    setattr(Remote, f"__r{word.rstrip('_')}__", make_operator(word, True))
for word in "neg pos invert".split():
    setattr(Remote, f"__{word}__", make_operator(word, False))


def has_remote(value):
    """Whether something of the program is in a value."""
    if type(value) in (list, tuple, set, frozenset):
        return any(has_remote(item) for item in value)
    if type(value) is dict:
        return any(has_remote(item) for item in value.values())
    return type(value) is Remote


# --- arguments that a function changes ---

def watched_of(tests, arguments, frame):
    """(number, names) of the arguments that are variables of the tests and looked at again."""
    if not tests.watched:
        return []
    places = (frame.f_locals, frame.f_globals)
    found = []
    for i, value in enumerate(arguments):
        of_it = {name for place in places for name in tests.watched if place.get(name) is value}
        if of_it and type(value) in (list, dict, set, bytearray) or type(value).__name__ in ("deque", "defaultdict"):
            found.append((i, of_it))
    return found


def apply_changes(called, watched, arguments, tests):
    """Where a function returned nothing, or a test compares the variable with constants, the variable
    is now what the function made of it. Else `f(a) == sorted(a)` would be the program's to decide."""
    for i, new in called.changes:
        if called.result is None or watched.get(i, set()) & tests.compared:
            change(arguments[i], new)
    return called.result


def change(old, new):
    """Makes a value the same as another one, in its place."""
    if type(new) is not type(old) and not isinstance(old, type(new)):
        raise ValueError("not what was asked for")
    if isinstance(old, (list, bytearray)) or type(old).__name__ == "deque":
        items = list(new)
        if isinstance(old, list):
            for i, (before, after) in enumerate(zip(old, items)):
                if type(before) is type(after) and type(before) in (list, dict, set):
                    change(before, after)
                    items[i] = before
        old.clear()
        old.extend(items)
    else:
        old.clear()
        old.update(new)


# --- the tests ---

def parse(text):
    try:
        return ast.parse(text, "<tests>")
    except (SyntaxError, ValueError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None


def imports_of(tree):
    """The import statements of the setup code, which the program may count on."""
    return "\n".join(ast.unparse(node) for node in tree.body
                     if isinstance(node, (ast.Import, ast.ImportFrom)))


def safe_builtins(guest):
    """The built-in names, but for those that would run what the program gives in this process."""
    def refuse(*arguments, **named):
        raise guest.unjudged("a test would run what the program gives")

    def evaluate(text, *spaces):
        return eval_in_guest(guest, text)

    pickle.load = pickle.loads = pickle.Unpickler = refuse
    return dict(vars(builtins), eval=evaluate, exec=refuse, compile=refuse)


def eval_in_guest(guest, text):
    return guest.ask_values("eval", exact(str, text))


def space_of(guest):
    """What the tests see."""
    space = {"__name__": "tests", "__builtins__": safe_builtins(guest)}
    for name, (module, attribute) in guest.names.library.items():
        found = importlib.import_module(module)
        space[name] = getattr(found, attribute) if attribute else found
    for name in sorted(guest.names.free):
        try:
            thing = guest.ask("get", name)
        except KeyError:
            continue
        if type(thing) is Remote:
            thing = Remote(guest, thing._handle, name in guest.names.makers or None, name)
        space[name] = thing
    return space


def run_tests(job, guest):
    setup = parse(job.get("setup") or "")
    tests = [parse(test) for test in job["tests"]]
    guest.names = names.Names(setup, tests)
    guest.ask("run", job["program"], imports_of(setup))
    space = space_of(guest)
    sys.modules["tests"] = types.ModuleType("tests")
    for tree in (setup, *tests):
        exec(compile(tree, "<tests>", "exec", dont_inherit=True, optimize=0), space)


def verdict_of(job, guest):
    try:
        run_tests(job, guest)
    except Broken as error:
        return {"error": "the tests are no Python: " + str(error)}
    except Gone:
        return {"why": "gone"}
    except AssertionError:
        return {"why": "assertion"}
    except MemoryError:
        return {"why": "memory"}
    except BaseException as error:
        return {"why": vars(error).get("why", "exception")}
    return {"why": guest.spoiled or "passed"}


def main(link, order, verdict):
    """Descriptors: to the guest, of the request (a file), for the verdict."""
    parts = []
    while not parts or parts[-1]:
        parts.append(os.read(order, 1 << 20))
    job = json.loads(b"".join(parts))
    os.write(verdict, json.dumps(verdict_of(job, Guest(wire.Link(link)))).encode("ascii"))
