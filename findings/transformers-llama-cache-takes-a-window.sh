#!/bin/sh
# transformers: a Llama whose config.json has a sliding_window, which a Llama does not have, attends to everything, but
# what generate() keeps for it is cut to that window, so that its answers change.
#
#   version   transformers 5.24.0 (torch 2.15.0, on the CPU)
#   expected  keys that a family does not know change nothing. Models that were a Mistral once have this one. What is kept
#             of earlier tokens saves time: greedy answers with and without it are the same
#   seen      the model's own pass over a whole text, and generate(use_cache=False), attend to everything. generate() as
#             it comes makes its cache by the configuration's sliding_window, whatever the family, and forgets older
#             tokens: of 12 greedy tokens behind 20 with a window of 4 all but the first differ. Without the key they
#             are the same. Nothing is said
#   so what   a model answers otherwise than its logits say; a log-probability that is computed over the whole answer, as
#             in training by rewards, is not that of the tokens that were drawn
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'transformers==5.24.0' 'torch==2.15.0'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import torch
from transformers import LlamaConfig, LlamaForCausalLM

PROMPT = torch.arange(5, 25)[None]


def answers(**more):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
                                         num_attention_heads=2, initializer_range=0.3, eos_token_id=None,
                                         pad_token_id=0, **more)).eval()
    how = {"attention_mask": torch.ones_like(PROMPT), "max_new_tokens": 12, "do_sample": False}
    made = {"cache": model.generate(PROMPT, **how), "no cache": model.generate(PROMPT, use_cache=False, **how)}
    whole = PROMPT
    with torch.no_grad():
        for _ in range(12):
            whole = torch.cat([whole, model(whole).logits[:, -1:].argmax(-1)], 1)
    made["by logits"] = whole
    return {way: ids[0, PROMPT.shape[1]:].tolist() for way, ids in made.items()}


plain, windowed = answers(), answers(sliding_window=4)
for name, made in (("plain", plain), ("sliding_window", windowed)):
    for way, ids in made.items():
        print(f"{name:15} {way:10} {ids}")
as_described = (plain["cache"] == plain["no cache"] == plain["by logits"] == windowed["no cache"] == windowed["by logits"]
                and windowed["cache"] != windowed["no cache"])
sys.exit(not as_described)
PYTHON
