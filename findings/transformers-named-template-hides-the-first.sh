#!/bin/sh
# transformers: one more chat template, in a file of its own, hides the model's first one.
#
#   version   transformers 5.24.0, tokenizers 0.23.3, Python 3.11
#   expected  additional_chat_templates/tool_use.jinja is a template more, to be asked for by its name; the one in
#             tokenizer_config.json stays what apply_chat_template takes by itself
#   seen      ValueError: multiple chat templates with no default; the model's own is gone, also where it
#             is a list with the entry "default". With a file chat_template.jinja all is as expected
#   so what   a model whose configuration holds its template answers no chat once a named template is put beside it
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'transformers==5.24.0' 'tokenizers==0.23.3' 'jinja2==3.1.6'
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import AutoTokenizer

TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
words = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "added_tokens": [],
         "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
         "model": {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"}}


def ask(name, template, file=None, more=True):
    path = os.path.join(sys.argv[1], name)
    os.makedirs(os.path.join(path, "additional_chat_templates"))
    configuration = {"tokenizer_class": "TokenizersBackend", "chat_template": template}
    texts = {"tokenizer.json": json.dumps(words), "tokenizer_config.json": json.dumps(configuration)}
    if file is not None:
        texts["chat_template.jinja"] = file
    if more:
        texts["additional_chat_templates/tool_use.jinja"] = "tools"
    for of, text in texts.items():
        with open(os.path.join(path, of), "w", encoding="utf-8") as out:
            out.write(text)
    try:
        said = AutoTokenizer.from_pretrained(path).apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    except ValueError as problem:
        said = f"ValueError: {str(problem)[:70]}"
    print(f"{name:20} {said}")
    return said


right = "[user] Hi"
seen = [ask("alone", TEMPLATE, more=False) == right,
        ask("with-another", TEMPLATE).startswith("ValueError"),
        ask("list-with-another", [{"name": "default", "template": TEMPLATE}]).startswith("ValueError"),
        ask("file-with-another", None, file=TEMPLATE) == right]
sys.exit(0 if all(seen) else 1)
PYTHON
