#!/bin/sh
# transformers: generate() with a generation configuration of the caller's own goes by the model's for all that it leaves
# unset: its repetition penalty, its min_p, the number of answers.
#
#   version   transformers 5.24.0 (torch 2.15.0, on the CPU)
#   expected  as the documentation of the argument says: the model's configuration counts where none is given, and what a
#             given one does not specify has GenerationConfig's default values
#   seen      unset values of the given one are filled from the model's, and only then by defaults: greedy answers under
#             GenerationConfig(do_sample=False, max_new_tokens=12) are those of a repetition penalty that the model's
#             folder has, and a model with num_return_sequences 2 gives two answers to one prompt. Who passes
#             repetition_penalty=1.0 beside it is safe
#   so what   in training by rewards, tokens are drawn from another distribution than the one whose log-probabilities
#             train it, with models whose folder has such rules, and answers and prompts may not be as many
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
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

PROMPT = torch.arange(5, 25)[None]
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
                                     num_attention_heads=2, initializer_range=0.3, eos_token_id=None, pad_token_id=0)).eval()


def draw(own, **given):
    """By a given configuration, where the model's own is `own`."""
    model.generation_config = GenerationConfig(pad_token_id=0, **own)
    return model.generate(PROMPT, attention_mask=torch.ones_like(PROMPT),
                          generation_config=GenerationConfig(max_new_tokens=12, **given))[:, PROMPT.shape[1]:].tolist()


plain = draw({}, do_sample=False)
penalised = draw({"repetition_penalty": 3.0}, do_sample=False)
asked = draw({}, do_sample=False, repetition_penalty=3.0)
unset = draw({"repetition_penalty": 3.0}, do_sample=False, repetition_penalty=1.0)
counts = [len(draw(own, do_sample=True)) for own in ({}, {"do_sample": True, "num_return_sequences": 2})]
print(f"no penalty                      {plain}")
print(f"the model's own is 3            {penalised}")
print(f"3 is given                      {asked}")
print(f"the model's own is 3, 1 given   {unset}")
print(f"answers to a prompt, without and with num_return_sequences 2 of the model's own: {counts}")
sys.exit(not (penalised == asked != plain == unset and counts == [1, 2]))
PYTHON
