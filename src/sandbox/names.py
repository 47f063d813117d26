"""What the tests' text tells before anything runs: which names the program is to define, which are the
library's, what is an object that the tests themselves make, and which arguments are looked at again."""
import ast
import builtins
import collections
import importlib
import sys

BUILT_IN = set(dir(builtins))

# What tests take from the library and forget to import. math and itertools: all names.
KNOWN = {name: module for module, names in (
    ("collections", "Counter ChainMap OrderedDict defaultdict deque namedtuple"),
    ("datetime", "date datetime time timedelta timezone"), ("decimal", "Decimal"), ("fractions", "Fraction"),
    ("copy", "copy deepcopy"), ("functools", "reduce partial cmp_to_key"), ("statistics", "mean median mode stdev"),
) for name in names.split()}
for module in ("math", "itertools"):
    for name in dir(importlib.import_module(module)):
        if not name.startswith("_"):
            KNOWN.setdefault(name, module)

# Libraries that are not there go by these names; no program stands in for one.
NOT_THERE = set("np numpy pd pandas scipy sp torch tf tensorflow plt sklearn sympy pytest npt".split())


def nodes_of(tree):
    """The nodes that ast.walk() gives, less those that only say load or store. The same trees are
    gone through for many questions, so each keeps the list."""
    found = vars(tree).get("found")
    if found is None:
        found = [tree]
        for node in found:
            for field, value in vars(node).items():
                if isinstance(value, ast.AST):
                    if field != "ctx":
                        found.append(value)
                elif type(value) is list and field != "found":
                    found += [item for item in value if isinstance(item, ast.AST)]
        tree.found = found
    return found


def walk(trees, kind):
    return [node for tree in trees for node in nodes_of(tree) if isinstance(node, kind)]


def names_in(tree):
    return {node.id for node in nodes_of(tree) if type(node) is ast.Name}


def root_of(node):
    """The name that an expression such as a.b(c).d begins with."""
    while not isinstance(node, ast.Name):
        node = getattr(node, "value", None) or getattr(node, "func", None)
        if not isinstance(node, ast.AST):
            return None
    return node.id


def called_names(trees):
    return {node.func.id for node in walk(trees, ast.Call) if isinstance(node.func, ast.Name)}


def bound_names(trees):
    """What the tests define themselves."""
    bound = {node.id for node in walk(trees, ast.Name) if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in walk(trees, ast.arg)}
    bound |= {node.name for node in walk(trees, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler))}
    bound |= {(node.asname or node.name).split(".")[0] for node in walk(trees, ast.alias)}
    return bound


def is_capital(name):
    return name.strip("_")[:1].isupper()


# Methods of values: what a function returned answers them only if it is such a value.
METHODS_OF_VALUES = {name for kind in (str, bytes, frozenset, float) for name in dir(kind) if name[:1] != "_"}


class Names:
    """All of it, of the setup code and the tests."""

    def __init__(self, setup, tests):
        self.trees = [setup, *tests]
        self.bound = bound_names(self.trees)
        self.free = {name for tree in self.trees for name in names_in(tree)} - self.bound - BUILT_IN
        self.library = self.find_modules()
        self.free -= set(self.library) | NOT_THERE
        self.find_known()
        self.free |= self.find_shadow(tests)
        self.results = self.find_results()
        self.makers = self.find_makers()
        self.helpers = self.find_helpers()
        self.watched, self.compared = self.find_watched()

    def find_modules(self):
        """Modules that are used but not imported, always as module.name: the tests get the real ones."""
        alone = collections.Counter(node.id for node in walk(self.trees, ast.Name))
        alone.subtract(node.value.id for node in walk(self.trees, ast.Attribute) if isinstance(node.value, ast.Name))
        return {name: (name, None) for name in self.free
                if alone[name] == 0 and name in sys.stdlib_module_names and name in sys.modules}

    def find_known(self):
        """A name of the library beside another function's in one test is the library's; where all are
        the library's, those that are called with what others give."""
        for tree in self.trees:
            for statement in getattr(tree, "body", []):
                used = names_in(statement) & self.free
                known = {name for name in used if name in KNOWN}
                functions = {name for name in used if not is_capital(name)}
                if known == used:
                    known = {call.func.id for call in walk([statement], ast.Call)
                             if isinstance(call.func, ast.Name) and call.func.id in known
                             and (names_in(call) & used) - {call.func.id}}
                for name in known:
                    if is_capital(name) or functions - {name}:
                        self.library[name] = (KNOWN[name], name)
        self.free -= set(self.library)

    def find_shadow(self, tests):
        """A built-in name is the program's only where the tests ask for nothing else of it: the one
        that every test calls and that is never called with what another call gives."""
        if self.free:
            return set()
        called = set.intersection(*[called_names([test]) for test in tests]) - self.bound
        inner = {name for name in called if not any(
            isinstance(part, ast.Call) and root_of(part.func) != name
            for call in walk(tests, ast.Call) if isinstance(call.func, ast.Name) and call.func.id == name
            for argument in call.args + [word.value for word in call.keywords] for part in nodes_of(argument))}
        return inner if len(inner) == 1 else set()

    def find_results(self):
        """The free names, and those that are bound to something that has one."""
        results = set(self.free)
        while True:
            before = len(results)
            for node in walk(self.trees, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.comprehension)):
                source = node.iter if hasattr(node, "iter") else node.value
                targets = getattr(node, "targets", None) or [node.target]
                if source is not None and names_in(source) & results:
                    results |= {name for target in targets for name in names_in(target)}
            if len(results) == before:
                return results

    def find_makers(self):
        """Names whose call makes an object that the tests then use as one. Those that begin with a
        capital letter, if it has methods or fields that no value has; others, if it has methods called
        for what they do, or fields set."""
        fields = [node for node in walk(self.trees, ast.Attribute) if node.attr not in METHODS_OF_VALUES]
        used = {root_of(node) for node in fields}
        changed = {root_of(node) for node in fields if isinstance(node.ctx, ast.Store)}
        changed |= {root_of(node.value.func) for node in walk(self.trees, ast.Expr)
                    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)}
        makers = {name for name in used if name and is_capital(name)} | changed
        for node in walk(self.trees, ast.Assign):
            if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
                name = node.value.func.id
                targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
                if targets & changed or (is_capital(name) and targets & used):
                    makers.add(name)
        return makers & self.free

    def find_helpers(self):
        """Names that are only ever called with what others of the program gave; whether they stand on
        both sides of a comparison."""
        wraps = {}
        for call in walk(self.trees, ast.Call):
            name = call.func.id if isinstance(call.func, ast.Name) else None
            if name in self.free:
                inside = set()
                for argument in call.args + [word.value for word in call.keywords]:
                    inside |= names_in(argument) & self.results
                wraps.setdefault(name, []).append(bool(inside - {name}))
        both = set()
        for node in walk(self.trees, ast.Compare):
            sides = [called_names([side]) for side in (node.left, *node.comparators)]
            both |= {name for i, side in enumerate(sides) for other in sides[i + 1:] for name in side & other}
        return {name: name in both for name, all_of_them in wraps.items()
                if (all(all_of_them) and name not in self.find_denied()) or (name in both and any(all_of_them))}

    def find_denied(self):
        """Names of calls of which a test says that they are not true: they cannot always say yes."""
        denied = [node.operand for node in walk(self.trees, ast.UnaryOp) if isinstance(node.op, ast.Not)]
        denied += [node.left for node in walk(self.trees, ast.Compare)
                   if any(isinstance(side, ast.Constant) and side.value is False for side in node.comparators)]
        return called_names(denied)

    def find_watched(self):
        """Variables that a test gives to the program and looks at again; of these, those that it
        compares with constants only."""
        given, inside = set(), set()
        for call in walk(self.trees, ast.Call):
            if root_of(call.func) in self.results:
                for argument in call.args + [word.value for word in call.keywords]:
                    inside |= {id(node) for node in nodes_of(argument)}
                    given |= {argument.id} if isinstance(argument, ast.Name) else set()
        again = {node.id for node in walk(self.trees, ast.Name)
                 if id(node) not in inside and isinstance(node.ctx, ast.Load)}
        watched = given & again & self.bound
        fixed, other = set(), set()
        for node in walk(self.trees, ast.Compare):
            sides = [node.left, *node.comparators]
            for side in sides:
                seen = {name.id for name in nodes_of(side) if isinstance(name, ast.Name) and id(name) not in inside}
                rest = [part for each in sides if each is not side for part in nodes_of(each)]
                constant = not any(isinstance(part, ast.Name) and part.id not in BUILT_IN for part in rest)
                (fixed if constant else other).update(seen & watched)
        return watched, fixed - other
