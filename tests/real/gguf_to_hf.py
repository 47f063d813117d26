#!/usr/bin/env python3
"""A GGUF file of a Llama-shaped model -> a Hugging Face directory. Needs gguf and numpy.

  python gguf_to_hf.py MODEL.gguf OUT [--dtype bf16|f16|f32]

Quantised tensors are expanded, then rounded to the dtype. What has no counterpart here, another
architecture or another tokenizer, is refused by name.
"""
import argparse
import json
import os
import struct
import sys

import gguf
import numpy

# The split of each "tokenizer.ggml.pre", as a pre-tokenizer of tokenizer.json.
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLITS = {
    "smollm": {"type": "Sequence",
               "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]},
    "gpt-2": BYTE_LEVEL,
}
CONTROL, USER_DEFINED = 3, 4  # values of tokenizer.ggml.token_type

TENSORS = {"token_embd.weight": "model.embed_tokens.weight",
           "output_norm.weight": "model.norm.weight",
           "output.weight": "lm_head.weight"}
BLOCK_TENSORS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
                 "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
                 "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                 "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def refuse(message):
    sys.exit(f"gguf_to_hf: {message}")


class Fields:
    """The key-value part of a GGUF file."""

    def __init__(self, reader):
        self.fields = reader.fields

    def get(self, key, default=None):
        return self.fields[key].contents() if key in self.fields else default

    def need(self, key):
        if key not in self.fields:
            refuse(f"{key} is missing")
        return self.get(key)


# --- weights -----------------------------------------------------------------------------------

def hf_name(name):
    if name in TENSORS:
        return TENSORS[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in BLOCK_TENSORS:
        return f"model.layers.{parts[1]}.{BLOCK_TENSORS[parts[2]]}.{parts[3]}"
    return refuse(f"tensor {name} has no counterpart")


def undo_rope_order(rows, heads):
    """GGUF keeps the two halves of a head's q and k rows interleaved, Hugging Face apart."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def round_to(values, dtype):
    if dtype == "f32":
        return values.astype("<f4")
    if dtype == "f16":
        return values.astype("<f2")
    bits = values.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")  # to nearest, ties to even


def weights(reader, fields, dtype):
    """{Hugging Face name: array of the dtype's bits}"""
    heads = fields.need("llama.attention.head_count")
    kv_heads = fields.get("llama.attention.head_count_kv", heads)
    found = {}
    for tensor in reader.tensors:
        name = hf_name(tensor.name)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        if ".q_proj." in name or ".k_proj." in name:
            values = undo_rope_order(values, heads if ".q_proj." in name else kv_heads)
        found[name] = round_to(values, dtype)
    return found


def write_safetensors(path, tensors, dtype):
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, values in sorted(tensors.items()):
        header[name] = {"dtype": dtype.upper(), "shape": list(values.shape),
                        "data_offsets": [place, place + values.nbytes]}
        place += values.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in sorted(tensors.items()):
            file.write(numpy.ascontiguousarray(values).tobytes())


# --- everything else ---------------------------------------------------------------------------

def config(fields, tied, dtype):
    for key in ("llama.rope.scaling.type", "llama.expert_count"):
        if fields.get(key, "none") not in ("none", 0):
            refuse(f"{key} is not known here")
    width, heads = fields.need("llama.embedding_length"), fields.need("llama.attention.head_count")
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "vocab_size": len(fields.need("tokenizer.ggml.tokens")), "hidden_size": width,
            "intermediate_size": fields.need("llama.feed_forward_length"),
            "num_hidden_layers": fields.need("llama.block_count"), "num_attention_heads": heads,
            "num_key_value_heads": fields.get("llama.attention.head_count_kv", heads),
            "head_dim": fields.get("llama.rope.dimension_count", width // heads),
            "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
            "max_position_embeddings": fields.need("llama.context_length"),
            "rms_norm_eps": float(f'{fields.need("llama.attention.layer_norm_rms_epsilon"):.6g}'),
            "rope_theta": fields.get("llama.rope.freq_base", 10000.0), "rope_scaling": None,
            "tie_word_embeddings": tied,
            "torch_dtype": {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}[dtype],
            **special_ids(fields)}


def special_ids(fields):
    keys = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    ids = {key: fields.get(f"tokenizer.ggml.{word}_token_id") for key, word in keys.items()}
    return {key: int(value) for key, value in ids.items() if value is not None}


def tokenizer(fields):
    if fields.need("tokenizer.ggml.model") != "gpt2":
        refuse(f'tokenizer {fields.need("tokenizer.ggml.model")} is not known here (gpt2 is)')
    split = fields.need("tokenizer.ggml.pre")
    if split not in SPLITS:
        refuse(f"pre-tokenizer {split} is not known here ({', '.join(SPLITS)} are)")
    if fields.get("tokenizer.ggml.add_bos_token", False):
        refuse("tokenizer.ggml.add_bos_token is not known here")
    tokens, types = fields.need("tokenizer.ggml.tokens"), fields.need("tokenizer.ggml.token_type")
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": types[i] == CONTROL}
             for i in range(len(tokens)) if types[i] in (CONTROL, USER_DEFINED)]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "ignore_merges": False, "vocab": {token: i for i, token in enumerate(tokens)},
             "merges": [merge.split(" ") for merge in fields.need("tokenizer.ggml.merges")]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "pre_tokenizer": SPLITS[split], "post_processor": None,
            "decoder": {**BYTE_LEVEL, "add_prefix_space": True}, "model": model}


def tokenizer_config(fields):
    tokens = fields.need("tokenizer.ggml.tokens")
    names = {key[:-3]: tokens[i] for key, i in special_ids(fields).items()}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False,
            "clean_up_tokenization_spaces": False, **names,
            "model_max_length": fields.need("llama.context_length"),
            "chat_template": fields.need("tokenizer.chat_template")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf")
    parser.add_argument("out")
    parser.add_argument("--dtype", choices=("bf16", "f16", "f32"), default="bf16")
    options = parser.parse_args()
    reader = gguf.GGUFReader(options.gguf)
    fields = Fields(reader)
    if fields.need("general.architecture") != "llama":
        refuse(f'architecture {fields.need("general.architecture")} is not known here (llama is)')
    os.makedirs(options.out, exist_ok=True)
    tensors = weights(reader, fields, options.dtype)
    files = {"config.json": config(fields, "lm_head.weight" not in tensors, options.dtype),
             "generation_config.json": special_ids(fields),
             "tokenizer.json": tokenizer(fields),
             "tokenizer_config.json": tokenizer_config(fields)}
    for name, value in files.items():
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2)
    write_safetensors(os.path.join(options.out, "model.safetensors"), tensors, options.dtype)
    count = sum(values.size for values in tensors.values())
    print(f"{options.out}: {len(tensors)} tensors, {count / 1e6:.1f} M parameters, {options.dtype}")


if __name__ == "__main__":
    main()
