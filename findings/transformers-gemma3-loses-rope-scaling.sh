#!/bin/sh
# transformers: a Gemma 3 configuration that spells its rope scaling in the older way, "type", is read as unscaled,
# where that of a Llama is read as it was meant.
#
#   version   transformers 5.24.0
#   expected  rope_scaling {"type": "linear", "factor": 8.0} means the same for every family: "type" is what "rope_type"
#             was called before, and is still taken for it
#   seen      LlamaConfig makes rope_type "linear" of it. Gemma3TextConfig leaves rope_type at "default" for the layers
#             that attend to everything and keeps "type" and "factor" beside it, where nothing reads them; the rotary
#             embedding that is made of it has the frequencies of a model without scaling (8 times those of "linear",
#             with torch 2.15.0). It loads, and says no more than that "factor" is a key it does not know
#   so what   positions beyond the first few thousand, which the scaling is for, are turned otherwise than the model was
#             trained for; another program that takes the file at its word disagrees with transformers about it
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'transformers==5.24.0'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from transformers import Gemma3TextConfig, LlamaConfig

OLD, NEW = {"type": "linear", "factor": 8.0}, {"rope_type": "linear", "factor": 8.0}
got = {"Llama, type": LlamaConfig(rope_scaling=dict(OLD)).rope_parameters["rope_type"],
       "Gemma 3, type": Gemma3TextConfig(rope_scaling=dict(OLD)).rope_parameters["full_attention"]["rope_type"],
       "Gemma 3, rope_type": Gemma3TextConfig(rope_scaling=dict(NEW)).rope_parameters["full_attention"]["rope_type"]}
for spelling, kind in got.items():
    print(f"{spelling:20} rope_type is {kind!r}")
sys.exit(got != {"Llama, type": "linear", "Gemma 3, type": "default", "Gemma 3, rope_type": "linear"})
PYTHON
