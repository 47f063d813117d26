#!/usr/bin/env python3
"""A GGUF file of a Llama-shaped or Gemma 3 model -> a Hugging Face directory. Needs gguf and numpy.

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
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # values of tokenizer.ggml.token_type
SPACE = "\u2581"  # what stands for a space in SentencePiece's tokens

TENSORS = {"token_embd.weight": "model.embed_tokens.weight",
           "output_norm.weight": "model.norm.weight",
           "output.weight": "lm_head.weight"}
BLOCK_TENSORS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
                 "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
                 "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                 "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
GEMMA3_TENSORS = {**BLOCK_TENSORS, "ffn_norm": "pre_feedforward_layernorm",
                  "post_attention_norm": "post_attention_layernorm",
                  "post_ffw_norm": "post_feedforward_layernorm",
                  "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}


def refuse(message):
    sys.exit(f"gguf_to_hf: {message}")


class Fields:
    """The key-value part of a GGUF file."""

    def __init__(self, reader):
        self.fields = reader.fields
        self.family = self.get("general.architecture")

    def get(self, key, default=None):
        """`key` may begin with a dot: then it is one of the architecture's own."""
        key = self.family + key if key.startswith(".") else key
        return self.fields[key].contents() if key in self.fields else default

    def need(self, key):
        value = self.get(key)
        return refuse(f"{key} is missing") if value is None else value


# --- weights -----------------------------------------------------------------------------------

def hf_name(name, block_tensors):
    if name in TENSORS:
        return TENSORS[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in block_tensors:
        return f"model.layers.{parts[1]}.{block_tensors[parts[2]]}.{parts[3]}"
    return refuse(f"tensor {name} has no counterpart")


def undo_rope_order(rows, heads):
    """Of Llama GGUF keeps the two halves of a head's q and k rows interleaved, Hugging Face apart."""
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
    heads = fields.need(".attention.head_count")
    kv_heads = fields.get(".attention.head_count_kv", heads)
    gemma, found = fields.family == "gemma3", {}
    for tensor in reader.tensors:
        name = hf_name(tensor.name, GEMMA3_TENSORS if gemma else BLOCK_TENSORS)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        if gemma and "norm." in name:
            values = values - 1  # GGUF has what a norm multiplies by, Hugging Face that less one
        if not gemma and (".q_proj." in name or ".k_proj." in name):
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

# Of each architecture: its class, its model_type, the size of a head, keys of the block, keys of the rope.

def llama(fields, width, heads):
    return ("LlamaForCausalLM", "llama", fields.get(".rope.dimension_count", width // heads),
            {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
            {"rope_theta": fields.get(".rope.freq_base", 10000.0), "rope_scaling": None})


def gemma3(fields, *_):
    """What GGUF does not say is fixed for its readers too: a window in all but every sixth layer, 10000
    as the base of the rope there, scores divided by the root of a head (but for the 27B)."""
    for key in (".attention.scale", ".attention.sliding_window_pattern", ".rope.freq_base_swa",
                ".final_logit_softcapping"):
        if fields.get(key) is not None:
            refuse(f"{key} is not known here")
    if fields.need(".block_count") == 62:
        refuse("the 27B is not known here")
    size = fields.need(".attention.key_length")
    return ("Gemma3ForCausalLM", "gemma3_text", size,
            {"hidden_activation": "gelu_pytorch_tanh", "attention_bias": False, "query_pre_attn_scalar": size,
             "sliding_window": fields.need(".attention.sliding_window"), "sliding_window_pattern": 6},
            {"rope_theta": fields.need(".rope.freq_base"), "rope_local_base_freq": 10000.0, "rope_scaling": None})


FAMILIES = {"llama": llama, "gemma3": gemma3}


def config(fields, tied, dtype):
    for key in (".rope.scaling.type", ".expert_count"):
        if fields.get(key, "none") not in ("none", 0):
            refuse(f"{key} is not known here")
    width, heads = fields.need(".embedding_length"), fields.need(".attention.head_count")
    name, model_type, head_size, block, rope = FAMILIES[fields.family](fields, width, heads)
    return {"architectures": [name], "model_type": model_type,
            "vocab_size": len(fields.need("tokenizer.ggml.tokens")), "hidden_size": width,
            "intermediate_size": fields.need(".feed_forward_length"),
            "num_hidden_layers": fields.need(".block_count"), "num_attention_heads": heads,
            "num_key_value_heads": fields.get(".attention.head_count_kv", heads), "head_dim": head_size,
            **block, "max_position_embeddings": fields.need(".context_length"),
            "rms_norm_eps": float(f'{fields.need(".attention.layer_norm_rms_epsilon"):.6g}'),
            **rope, "tie_word_embeddings": tied,
            "torch_dtype": {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}[dtype],
            **special_ids(fields)}


def special_ids(fields):
    keys = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    ids = {key: fields.get(f"tokenizer.ggml.{word}_token_id") for key, word in keys.items()}
    return {key: int(value) for key, value in ids.items() if value is not None}


def added_tokens(tokens, types):
    return [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": types[i] == CONTROL}
            for i in range(len(tokens)) if types[i] in (CONTROL, USER_DEFINED)]


def tokenizer_file(added, vocab, merges, unknown, **parts):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **parts,
            "model": {"type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": unknown is not None,
                      "byte_fallback": unknown is not None, "ignore_merges": False, "vocab": vocab,
                      "merges": merges}}


def byte_level_tokenizer(fields, tokens, types):
    split = fields.need("tokenizer.ggml.pre")
    if split not in SPLITS:
        refuse(f"pre-tokenizer {split} is not known here ({', '.join(SPLITS)} are)")
    if fields.get("tokenizer.ggml.add_bos_token", False):
        refuse("tokenizer.ggml.add_bos_token is not known here")
    vocab = {token: i for i, token in enumerate(tokens)}
    merges = [merge.split(" ") for merge in fields.need("tokenizer.ggml.merges")]
    return tokenizer_file(added_tokens(tokens, types), vocab, merges, None, normalizer=None,
                          pre_tokenizer=SPLITS[split], post_processor=None,
                          decoder={**BYTE_LEVEL, "add_prefix_space": True})


def merges_by_score(vocab, types, scores):
    """SentencePiece joins the two neighbours whose token has the best score: every way to cut a token in
    two others is a merge of its rank. Runs that users defined come before all, the longest at last."""
    found = []
    for token, i in vocab.items():
        if types[i] not in (NORMAL, USER_DEFINED):
            continue
        score = 1.0 if types[i] == USER_DEFINED else scores[i]
        for cut in range(1, len(token)):
            if token[:cut] in vocab and token[cut:] in vocab:
                found.append((-score, vocab[token[:cut]], vocab[token[cut:]], token[:cut], token[cut:]))
    return [[left, right] for _, _, _, left, right in sorted(found)]


def scored_tokenizer(fields, tokens, types):
    """As SentencePiece's BPE with byte fallback; GGUF writes the spaces of defined runs as such."""
    if fields.get("tokenizer.ggml.add_space_prefix", True):
        refuse("tokenizer.ggml.add_space_prefix is not known here")
    tokens = [token.replace(" ", SPACE) if kind == USER_DEFINED else token for token, kind in zip(tokens, types)]
    vocab = {token: i for i, token in enumerate(tokens)}
    unknown, bos = (tokens[fields.need(f"tokenizer.ggml.{word}_token_id")] for word in ("unknown", "bos"))
    one = {"id": "A", "type_id": 0}
    before = [{"SpecialToken": {"id": bos, "type_id": 0}}] * bool(fields.get("tokenizer.ggml.add_bos_token"))
    merges = merges_by_score(vocab, types, fields.need("tokenizer.ggml.scores"))
    return tokenizer_file(
        added_tokens(tokens, types), vocab, merges, unknown,
        normalizer={"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        post_processor={"type": "TemplateProcessing", "single": before + [{"Sequence": one}],
                        "pair": before + [{"Sequence": one}, {"Sequence": {"id": "B", "type_id": 1}}],
                        "special_tokens": {bos: {"id": bos, "ids": [vocab[bos]], "tokens": [bos]}}},
        decoder={"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]})


def tokenizer(fields):
    kinds = {"gpt2": byte_level_tokenizer, "llama": scored_tokenizer}
    kind = fields.need("tokenizer.ggml.model")
    if kind not in kinds:
        refuse(f"tokenizer {kind} is not known here ({', '.join(kinds)} are)")
    return kinds[kind](fields, fields.need("tokenizer.ggml.tokens"), fields.need("tokenizer.ggml.token_type"))


def tokenizer_config(fields):
    tokens = fields.need("tokenizer.ggml.tokens")
    names = {key[:-3]: tokens[i] for key, i in special_ids(fields).items()}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False,
            "clean_up_tokenization_spaces": False, **names,
            "model_max_length": fields.need(".context_length"),
            "chat_template": fields.get("tokenizer.chat_template")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf")
    parser.add_argument("out")
    parser.add_argument("--dtype", choices=("bf16", "f16", "f32"), default="bf16")
    options = parser.parse_args()
    reader = gguf.GGUFReader(options.gguf)
    fields = Fields(reader)
    if fields.family not in FAMILIES:
        refuse(f"architecture {fields.family} is not known here ({', '.join(FAMILIES)} are)")
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
