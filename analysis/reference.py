#!/usr/bin/env python3
"""The noise and the recipe in plain Python, written from src/noise/NOISE.md and jobs/RECIPE.md alone.

  analysis/reference.py noise SEED TENSOR FIRST COUNT      bit patterns, as coppice noise prints them
  analysis/reference.py apply RECIPE MODEL.safetensors TENSOR...   the rebuilt tensors' bytes, in hexadecimal

It is for reading and for checking other implementations: some 20,000 numbers a second. tests/e2e/test_reference.py
holds it against the program, bit for bit.
"""
import ctypes
import hashlib
import json
import math
import re
import struct
import sys

WORD = 0xFFFFFFFF
LOG = [float.fromhex(c) for c in ("0x1.fffff8p-1 -0x1.555550p-1 0x1.000438p-1 -0x1.99a41cp-2 0x1.5423e8p-2 "
                                  "-0x1.226c84p-2 0x1.0f5208p-2 -0x1.087500p-2 0x1.38138ep-3").split()]
SIN = [float.fromhex(c) for c in "-0x1.a32bd2p-25 -0x1.4abbbap-1 0x1.465eeap-4 -0x1.2da156p-8".split()]
COS = [float.fromhex(c) for c in "-0x1.3bd3ccp+0 0x1.03c1b0p-2 -0x1.55b2b6p-6 0x1.d4f7eep-11".split()]
HALF_PI, MINUS_TWO_LN_2 = float.fromhex("0x1.921fb6p+0"), float.fromhex("-0x1.62e430p+0")


def f32(x):
    """Rounds a binary64 number to binary32. That also rounds +, -, *, / and sqrt of binary32 numbers correctly."""
    return ctypes.c_float(x).value


def fma(a, b, c):
    """a b + c of binary32 numbers, rounded once. The product is exact in binary64; the sum is rounded to odd there
    (its error is known), so that rounding it again to binary32 is right."""
    product = a * b
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    if error != 0 and math.isfinite(total):
        bits = struct.unpack("<q", struct.pack("<d", total))[0]
        if bits & 1 == 0:
            bits += 1 if (error > 0) == (total > 0) else -1
            total = struct.unpack("<d", struct.pack("<q", bits))[0]
    return f32(total)


def horner(coefficients, x):
    value = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = fma(value, x, coefficient)
    return value


def tensor_id(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & WORD
    return value


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & WORD, (p0 >> 32) ^ c3 ^ k1, p0 & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


def minus_two_log(u):
    shifted = struct.unpack("<i", struct.pack("<f", u))[0] - 0x3F3504F3
    e = float(shifted >> 23)
    f = struct.unpack("<f", struct.pack("<i", (shifted & 0x007FFFFF) + 0x3F3504F3))[0] - 1.0
    return fma(e, MINUS_TWO_LN_2, fma(f32(f * f), horner(LOG, f), -2.0 * f))


def gaussian_pair(x, y):
    u = f32((x + 0.5) / 2**32)
    radius = f32(math.sqrt(minus_two_log(u)))
    offset = (y & 0x3FFFFFFF) - (0x40000000 if y & 0x20000000 else 0)
    t = f32(f32(offset) * 2.0**-30)
    s = f32(t * t)
    sine, cosine = fma(t, HALF_PI, f32(t * horner(SIN, s))), fma(s, horner(COS, s), 1.0)
    quadrant = (y + 0x20000000 & WORD) >> 30
    cosine, sine = [(cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine)][quadrant]
    return f32(radius * cosine), f32(radius * sine)


def noise(seed, tensor, first, count, stream=0):
    """Elements first .. first + count - 1 of the noise of a tensor's id."""
    values = []
    for block in range(first // 4, (first + count + 3) // 4):
        w = philox((block & WORD, block >> 32, tensor, stream), (seed & WORD, seed >> 32))
        values += gaussian_pair(w[0], w[1]) + gaussian_pair(w[2], w[3])
    return values[first % 4:first % 4 + count]


def widen(data, dtype):
    """Stored elements as binary32 numbers."""
    if dtype == "BF16":
        data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    return [value[0] for value in struct.iter_unpack("<e" if dtype == "F16" else "<f", data)]


def narrow(values, dtype):
    """Binary32 numbers as stored elements: to the nearest, ties to even. (Finite ones; F16 must not overflow.)"""
    if dtype != "BF16":
        return b"".join(struct.pack("<e" if dtype == "F16" else "<f", value) for value in values)
    bits = [struct.unpack("<I", struct.pack("<f", value))[0] for value in values]
    return b"".join(struct.pack("<H", (b + 0x7FFF + (b >> 16 & 1)) >> 16) for b in bits)


def rms(values):
    total = 0.0
    for first in range(0, len(values), 4096):
        part = 0.0
        for value in values[first:first + 4096]:
            part += value * value
        total += part
    return f32(math.sqrt(total / len(values)))


def add_products(values, seed, factor, name, shape, rank):
    """The products of noise of a rank, one by one."""
    columns = shape[-1]
    rows = len(values) // columns
    factor = f32(factor / f32(math.sqrt(rank)))
    left = [f32(factor * z) for z in noise(seed, tensor_id(name), 0, rank * rows, 8)]
    right = noise(seed, tensor_id(name), 0, rank * columns, 9)
    for k in range(rank):
        values = [fma(left[k * rows + i // columns], right[k * columns + i % columns], value)
                  for i, value in enumerate(values)]
    return values


def add_noise(values, component, scale, name, shape, rank):
    factor = f32(f32(component["amplitude"]) * scale)
    if rank > 0 and len(shape) > 1:
        return add_products(values, int(component["seed"]), factor, name, shape, rank)
    drawn = noise(int(component["seed"]), tensor_id(name), 0, len(values))
    return [fma(factor, z, value) for z, value in zip(drawn, values)]


def matches(pattern, name):
    """fnmatch(3) itself: Python's module of that name knows no classes and no backslash."""
    return ctypes.CDLL(None).fnmatch(pattern.encode(), name.encode(), 0) == 0


def rebuild(recipe, name, dtype, shape, data):
    """The bytes of a tensor that the model uses, rebuilt by a recipe (as json.load gives it)."""
    values = widen(data, dtype)
    scale = 0.0
    if any(matches(pattern, name) for pattern in recipe["scope"]):
        scale = rms(values) if recipe["scaling"] == "rms" else f32(recipe.get("scales", {name: 1.0}).get(name, 0.0))
    if scale == 0 or not recipe["components"]:
        return data
    rank = int(recipe.get("noise", "rank-0")[5:])
    for component in recipe["components"]:
        if "sum" in component:
            own = [0.0] * len(values)
            for part in component["sum"]:
                own = add_noise(own, part, 1.0, name, shape, rank)
            factor = f32(f32(component["factor"]) * scale)
            values = [fma(factor, z, value) for z, value in zip(own, values)]
        else:
            values = add_noise(values, component, scale, name, shape, rank)
    return narrow(values, dtype)


def read_tensors(path):
    """The tensors of a safetensors file: {name: (dtype, shape, bytes)}."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


def base_digest(tensors):
    """base_sha256 of a recipe: tensors as read_tensors gives them, all shards together, without aliases."""
    digest = hashlib.sha256()
    for name in sorted(tensors, key=str.encode):
        dtype, shape, data = tensors[name]
        digest.update(b"\0".join([name.encode(), dtype.encode(), ",".join(map(str, shape)).encode(), data]))
    return digest.hexdigest()


def canonical(value):
    """JSON as the digests of a base's files take it."""
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: item[0].encode())
        return "{" + ",".join(canonical(key) + ":" + canonical(entry) for key, entry in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = re.sub(r"e([+-]?)0*(\d)", lambda sign: "e" + sign[1].strip("+") + sign[2], "%.17g" % value)
        return text if "." in text or "e" in text else text + ".0"
    return json.dumps(value, ensure_ascii=False)


def file_digest(text, idle):
    """The digest of a file of keys, those of `idle` left out."""
    kept = {key: value for key, value in json.loads(text).items() if key not in idle}
    return hashlib.sha256(canonical(kept).encode()).hexdigest()


def main(arguments):
    if len(arguments) == 5 and arguments[0] == "noise":
        for z in noise(int(arguments[1]), tensor_id(arguments[2]), int(arguments[3]), int(arguments[4])):
            print(struct.pack(">f", z).hex())
    elif len(arguments) > 3 and arguments[0] == "apply":
        with open(arguments[1], encoding="utf-8") as file:
            recipe = json.load(file)
        tensors = read_tensors(arguments[2])
        for name in arguments[3:]:
            print(name, rebuild(recipe, name, *tensors[name]).hex())
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
