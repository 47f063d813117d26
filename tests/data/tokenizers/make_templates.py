"""Writes templates.json: what tokenizers (0.23) makes of "ab" and "" with drawn post-processors.

  python3 make_templates.py > templates.json

Each case has "post_processor" and, for "plain" and "special" (add_special_tokens), the ids of both
texts, or null where the library panics: a template behind one that makes neither one nor two parts.
"""
import json
import random

from tokenizers import Tokenizer

BASE = {"added_tokens": [{"id": 2, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True},
                         {"id": 3, "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}],
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
TOKENS = {"<s>": [2], "</s>": [3], "two": [2, 3], "none": []}


def piece(names):
    if random.random() < 0.5:
        return {"Sequence": {"id": random.choice(names), "type_id": 0}}
    return {"SpecialToken": {"id": random.choice(list(TOKENS)), "type_id": 0}}


def processor(depth=0):
    draw = random.random()
    if draw < 0.6 or depth > 2:
        single = [piece("A") for _ in range(random.choice([0, 1, 1, 2, 2, 2, 3]))]
        pair = [piece("AB") for _ in range(random.choice([0, 1, 2, 2, 3]))]
        used = {item["SpecialToken"]["id"] for item in single + pair if "SpecialToken" in item}
        tokens = {name: {"id": name, "ids": TOKENS[name], "tokens": ["x"] * len(TOKENS[name])} for name in sorted(used)}
        return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}
    if draw < 0.7:
        return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {"type": "Sequence", "processors": [processor(depth + 1) for _ in range(random.choice([0, 1, 2, 2, 3]))]}


def encode(tokenizer, special):
    try:
        return [tokenizer.encode(text, add_special_tokens=special).ids for text in ("ab", "")]
    except BaseException:  # a panic of the library is not an Exception
        return None


random.seed(7)
cases = []
while len(cases) < 80:
    one = processor()
    if one["type"] != "Sequence" and len(cases) > 10:
        continue
    tokenizer = Tokenizer.from_str(json.dumps(dict(BASE, post_processor=one)))
    cases.append({"post_processor": one, "plain": encode(tokenizer, False), "special": encode(tokenizer, True)})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]")
