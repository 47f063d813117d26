#!/bin/sh
# transformers: a token that tokenizer.json calls ordinary becomes special because the configuration names it
# as bos_token, and the ids of added_tokens_decoder are not looked at.
#
#   version   transformers 5.24.0, tokenizers 0.23.3, Python 3.11
#   expected  a token that tokenizer.json adds with "special": false stays in decoded text when special tokens are
#             skipped; an entry "900" of added_tokens_decoder has the id 900, or is refused
#   seen      "<z>" is dropped; the entry "900" gets the next free id, 5
#   so what   what a model's files say of its tokens is not what is decoded or encoded: a program that reads
#             tokenizer.json by itself gives other ids and texts for the same folder
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'transformers==5.24.0' 'tokenizers==0.23.3'
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import AutoTokenizer

base = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "c": 2, "[UNK]": 3}, "unk_token": "[UNK]"}}
plain = {"id": 4, "content": "<z>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": False}


def load(name, added, configuration):
    path = os.path.join(sys.argv[1], name)
    os.makedirs(path)
    for file, content in (("tokenizer.json", dict(base, added_tokens=added)),
                          ("tokenizer_config.json", dict(configuration, tokenizer_class="TokenizersBackend"))):
        with open(os.path.join(path, file), "w", encoding="utf-8") as out:
            json.dump(content, out)
    return AutoTokenizer.from_pretrained(path)


alone = load("alone", [plain], {})
named = load("named", [plain], {"bos_token": "<z>"})
entry = {key: plain[key] for key in plain if key != "id"} | {"content": "<y>"}
numbered = load("numbered", [plain], {"added_tokens_decoder": {"4": {k: plain[k] for k in plain if k != "id"}, "900": entry}})
seen = [alone.decode([0, 4, 1], skip_special_tokens=True), named.decode([0, 4, 1], skip_special_tokens=True),
        numbered.convert_tokens_to_ids("<y>")]
print("not named:     ", repr(seen[0]))
print("named bos:     ", repr(seen[1]))
print('entry "900":    id', seen[2])
sys.exit(0 if "<z>" in seen[0] and "<z>" not in seen[1] and seen[2] == 5 else 1)
PYTHON
