"""What passes between a judge and its guest: JSON in frames of a length and a text.

Plain data is passed by value, by its exact type, so that nothing a guest wrote takes part in a
comparison; of a subclass of such a type the plain part is passed. Whatever else a side has stays
there, and a tree of its own, which that side makes, stands for it.
"""
import array
import collections
import datetime
import decimal
import fractions
import json
import os
import struct

DEEPEST = 100
MOST_BYTES = 64 << 20
HEAD = struct.Struct("<I")
SMALL = 1 << 62

TYPES = {kind.__name__: kind for kind in (
    bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, str,
    tuple, type, type(None))}


class Link:
    """Frames over a descriptor."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def read(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = os.read(self.descriptor, min(count - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return parts

    def receive(self):
        (count,) = HEAD.unpack(self.read(HEAD.size))
        if count > MOST_BYTES:
            raise ValueError("a frame is too long")
        return json.loads(self.read(count))

    def send(self, value):
        text = json.dumps(value, separators=(",", ":")).encode("ascii")
        rest = memoryview(HEAD.pack(len(text)) + text)
        while rest:
            rest = rest[os.write(self.descriptor, rest):]


def pairs(items, inner):
    return [[inner(key), inner(value)] for key, value in items]


def listed(items, inner):
    return [inner(item) for item in items]


ENCODERS = {
    bytes: lambda v, f: ["bytes", v.hex()],
    bytearray: lambda v, f: ["bytearray", v.hex()],
    complex: lambda v, f: ["complex", v.real, v.imag],
    list: lambda v, f: ["list", listed(v, f)],
    tuple: lambda v, f: ["tuple", listed(v, f)],
    set: lambda v, f: ["set", listed(v, f)],
    frozenset: lambda v, f: ["frozenset", listed(v, f)],
    dict: lambda v, f: ["dict", pairs(v.items(), f)],
    range: lambda v, f: ["range", f(v.start), f(v.stop), f(v.step)],
    type({}.keys()): lambda v, f: ["keys", listed(v, f)],
    type({}.items()): lambda v, f: ["items", pairs(v, f)],
    array.array: lambda v, f: ["array", v.typecode, listed(v, f)],
    collections.Counter: lambda v, f: ["counter", pairs(v.items(), f)],
    collections.defaultdict: lambda v, f: ["dict", pairs(v.items(), f)],
    collections.OrderedDict: lambda v, f: ["ordered", pairs(v.items(), f)],
    collections.deque: lambda v, f: ["deque", v.maxlen, listed(v, f)],
    fractions.Fraction: lambda v, f: ["fraction", f(v.numerator), f(v.denominator)],
    decimal.Decimal: lambda v, f: ["decimal", str(v)],
    datetime.date: lambda v, f: ["date", v.year, v.month, v.day],
    datetime.datetime: lambda v, f: ["datetime", v.isoformat()] if v.tzinfo is None else None,
    datetime.time: lambda v, f: ["time", v.isoformat()] if v.tzinfo is None else None,
    datetime.timedelta: lambda v, f: ["timedelta", v.days, v.seconds, v.microseconds],
    type: lambda v, f: ["type", v.__name__] if TYPES.get(v.__name__) is v else None,
}

# The plain part of an instance of a subclass, through the methods of the plain type itself.
BASES = (
    (int, int.__pos__), (float, float.__pos__), (complex, complex.__pos__), (str, str.__str__),
    (bytes, lambda v: b"".join((v,))), (list, lambda v: list(list.__iter__(v))),
    (tuple, lambda v: tuple(tuple.__iter__(v))), (set, lambda v: set(set.__iter__(v))),
    (frozenset, lambda v: frozenset(frozenset.__iter__(v))),
    (dict, lambda v: {key: dict.__getitem__(v, key) for key in dict.__iter__(v)}),
)


def encode(value, hold, depth=0):
    """The tree of a value; hold(object) gives that of what is not plain data."""
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    if kind is int:
        return value if -SMALL < value < SMALL else ["int", hex(value)]
    if depth == DEEPEST:
        raise ValueError("a value is nested too deeply")
    encoder = ENCODERS.get(kind)
    tree = encoder and encoder(value, lambda item: encode(item, hold, depth + 1))
    if tree:
        return tree
    for base, plain in BASES:
        if issubclass(kind, base) and kind is not base:
            return encode(plain(value), hold, depth + 1)
    return hold(value)


DECODERS = {
    "int": lambda f, text: int(text, 16),
    "bytes": lambda f, text: bytes.fromhex(text),
    "bytearray": lambda f, text: bytearray.fromhex(text),
    "complex": lambda f, real, imaginary: complex(real, imaginary),
    "list": lambda f, items: [f(item) for item in items],
    "tuple": lambda f, items: tuple([f(item) for item in items]),
    "set": lambda f, items: {f(item) for item in items},
    "frozenset": lambda f, items: frozenset([f(item) for item in items]),
    "dict": lambda f, items: {f(key): f(value) for key, value in items},
    "range": lambda f, *bounds: range(*[f(bound) for bound in bounds]),
    "keys": lambda f, items: {f(item): None for item in items}.keys(),
    "items": lambda f, items: {f(key): f(value) for key, value in items}.items(),
    "array": lambda f, code, items: array.array(code, [f(item) for item in items]),
    "counter": lambda f, items: collections.Counter({f(key): f(value) for key, value in items}),
    "ordered": lambda f, items: collections.OrderedDict([(f(key), f(value)) for key, value in items]),
    "deque": lambda f, most, items: collections.deque([f(item) for item in items], most),
    "fraction": lambda f, above, below: fractions.Fraction(f(above), f(below)),
    "decimal": lambda f, text: decimal.Decimal(text),
    "date": lambda f, *parts: datetime.date(*parts),
    "datetime": lambda f, text: datetime.datetime.fromisoformat(text),
    "time": lambda f, text: datetime.time.fromisoformat(text),
    "timedelta": lambda f, *parts: datetime.timedelta(*parts),
    "type": lambda f, name: TYPES[name],
}


def decode(tree, resolve):
    """The value of a tree; resolve(kind, ...) gives that of one that hold() has made."""
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if type(tree) is not list:
        raise ValueError("not a value")
    decoder = DECODERS.get(tree[0])
    if decoder is None:
        return resolve(*tree)
    return decoder(lambda item: decode(item, resolve), *tree[1:])
