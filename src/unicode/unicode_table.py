#!/usr/bin/env python3
"""Writes unicode_table.c: the general categories of Unicode 16.0.0, which tokenizers 0.23 uses for
\\p{L} and the like, and where Unicode 14.0.0, that of PCRE2 10.42, has others.

  python3.11 -m venv v; v/bin/pip install unicodedata2==16.0.0; v/bin/python unicode_table.py > unicode_table.c

Python 3.11 has Unicode 14.0.0 itself.
"""
import unicodedata as old
import unicodedata2 as new

assert (old.unidata_version, new.unidata_version) == ("14.0.0", "16.0.0")
LAST = 0x10FFFF


def runs(value):
    """[(first code point, value)], each up to the next."""
    found = []
    for code in range(LAST + 1):
        v = value(chr(code))
        if not found or found[-1][1] != v:
            found.append((code, v))
    return found


def enum(category):
    return "COP_CATEGORY_" + category.upper()


def short(category):
    return category.upper()


def rows(items):
    line = "   "
    for item in items:
        if len(line) + len(item) > 95:
            print(line)
            line = "   "
        line += " " + item
    print(line)


def changed(c):
    a, b = old.category(c), new.category(c)
    return (a, b) if a != b or b == "Cn" else None


print("/* Written by unicode_table.py: general categories of Unicode 16.0.0. */")
print('#include "coppice/unicode/unicode_table.h"\n')
print("/* clang-format off */")
names = sorted({new.category(chr(code)) for code in range(LAST + 1)})
print("enum {")
rows(f"{short(n)} = {enum(n)}," for n in names)
print("};\n")
categories = runs(new.category)
print("const cop_unicode_run cop_unicode_runs[] = {")
rows(f"{{0x{first:x}, {short(v)}}}," for first, v in categories)
print("};\nconst size_t cop_unicode_run_count = sizeof cop_unicode_runs / sizeof *cop_unicode_runs;\n")
print("/* Those that another version of Unicode has, or may have, in another category. */")
print("const cop_unicode_change cop_unicode_changes[] = {")
marks = runs(changed)
items = []
for i, (first, v) in enumerate(marks):
    if v is not None:
        last = (marks[i + 1][0] if i + 1 < len(marks) else LAST + 1) - 1
        items.append(f"{{0x{first:x}, 0x{last:x}, {short(v[0])}, {short(v[1])}}},")
rows(items)
print("};\nconst size_t cop_unicode_change_count =\n    sizeof cop_unicode_changes / sizeof *cop_unicode_changes;")
