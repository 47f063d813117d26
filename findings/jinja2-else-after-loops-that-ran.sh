#!/bin/sh
# Jinja2: the else of a for, which is for "no iteration took place", also runs after loops whose every pass ended by
# continue, or whose first by break.
#
#   version   jinja2 3.1.6 with its extension jinja2.ext.loopcontrols, which transformers' chat templates have
#   expected  the documentation: else renders a block if no iteration took place, since the sequence was empty or
#             the filter removed all items; two items are neither
#   seen      a loop over two items with {% continue %}, and one with {% break %}, render the else, also behind text that
#             the passes have written; once a single pass reaches the body's end, it does not
#   so what   a chat template with "else: raise_exception('no messages')" refuses a conversation whose messages are
#             all skipped; an evaluator that follows the documentation renders other prompts than transformers
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jinja2==3.1.6'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from jinja2 import Environment

LOOP = "{%% for x in [1, 2] %%}%s{%% else %%}ELSE{%% endfor %%}"
CASES = [("{% continue %}", "ELSE"), ("{% break %}", "ELSE"), ("a{% continue %}", "aaELSE"),
         ("{% if x == 1 %}{% continue %}{% endif %}b", "b"), ("c", "cc")]
environment = Environment(extensions=["jinja2.ext.loopcontrols"])
changed = 0
for body, seen in CASES:
    got = environment.from_string(LOOP % body).render()
    print(f"two items, {body:42} renders {got!r}")
    changed += got != seen
sys.exit(1 if changed else 0)
PYTHON
