#!/usr/bin/env python3
"""Tiny random Gemma 3 models with logits and greedy answers from transformers in float32:

  python tests/data/make_gemma3.py tests/data/arch

Needs torch and transformers (5.24 made what is there). Each model's config.json is in another of
the spellings that are about; transformers reads the file that lies beside the weights.
"""
import json
import os
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig

SIZES = {"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "vocab_size": 160,
         "hidden_size": 36, "intermediate_size": 48, "rms_norm_eps": 1e-6,
         "max_position_embeddings": 512, "bos_token_id": 2, "eos_token_id": [1, 106],
         "pad_token_id": 0, "dtype": "bfloat16"}
MODELS = {
    # As Google published it in 2025: flat keys, the pattern as a number, a scaled global rope.
    "gemma3-flat": {"hidden_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4,
                    "num_key_value_heads": 2, "head_dim": 16, "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 8,
                    "sliding_window_pattern": 3, "rope_theta": 1000000.0,
                    "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 24,
                    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                    "attn_logit_softcapping": None, "final_logit_softcapping": None,
                    "attention_bias": False, "cache_implementation": "hybrid"},
    # As transformers 5 writes it: rope by the type of layer, one KV head.
    "gemma3-mqa": {"num_hidden_layers": 3, "num_attention_heads": 3, "num_key_value_heads": 1,
                   "head_dim": 32, "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 5,
                   "_sliding_window_pattern": 6, "query_pre_attn_scalar": 256,
                   "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
                   "rope_parameters": {
                       "full_attention": {"rope_type": "linear", "rope_theta": 500000.0, "factor": 2.0},
                       "sliding_attention": {"rope_type": "default", "rope_theta": 2000.0}},
                   "tie_word_embeddings": True, "use_bidirectional_attention": False},
    # What may be left out is; biases, a head of its own, as many KV heads as heads.
    "gemma3-bare": {"hidden_size": 44, "num_hidden_layers": 7, "num_attention_heads": 2,
                    "num_key_value_heads": 2, "head_dim": 10, "sliding_window": 24, "attention_bias": True,
                    "tie_word_embeddings": False},
}
PROMPTS, NEW_TOKENS = (1, 5, 17, 60, 130), 24


def write_json(path, value, **how):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, **how)


def draw(name, values):
    """As small embeddings as leave the answers to the layers, where the head is tied."""
    mean, size = ((3.0, 0.3) if name == "model.norm.weight" else (0.2, 0.2) if "norm" in name else
                  (0.0, 0.1) if "bias" in name or "embed" in name else (0.0, 0.25))
    return (mean + size * torch.randn_like(values)).bfloat16()


def make(folder, config, seed):
    os.makedirs(folder, exist_ok=True)
    transformers.set_seed(seed)
    model = Gemma3ForCausalLM(Gemma3TextConfig(**config)).float()
    with torch.no_grad():
        for name, values in model.named_parameters():
            values.copy_(draw(name, values))
    model.bfloat16().save_pretrained(folder)
    write_json(os.path.join(folder, "config.json"), config, indent=2)
    write_json(os.path.join(folder, "generation_config.json"), {"eos_token_id": config["eos_token_id"]}, indent=2)


def judge(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    generator, cases = torch.Generator().manual_seed(5), []
    for count in PROMPTS:
        ids = torch.randint(3, SIZES["vocab_size"], (count,), generator=generator).tolist()
        all_ids = list(ids)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
            for _ in range(NEW_TOKENS):
                all_ids.append(int(model(torch.tensor([all_ids])).logits[0, -1].argmax()))
        found = torch.log_softmax(logits[:-1].double(), -1)
        cases.append({"ids": ids, "last_logits": [round(float(v), 6) for v in logits[-1]],
                      "nll_sum": -found[range(count - 1), ids[1:]].sum().item() if count > 1 else 0.0,
                      "greedy": all_ids[count:]})
    write_json(os.path.join(folder, "golden.json"), {"cases": cases})


def main():
    transformers.logging.set_verbosity_error()
    for seed, (name, config) in enumerate(MODELS.items()):
        folder = os.path.join(sys.argv[1], name)
        make(folder, {**SIZES, **config}, seed)
        judge(folder)
        print(name, sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder)), "bytes")


if __name__ == "__main__":
    main()
