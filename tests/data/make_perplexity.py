#!/usr/bin/env python3
"""Writes perplexity.json: log-likelihoods that transformers gives in binary32 to text from the demo's data, whole and
in windows. Needs torch and transformers; the result is in the repository.

  tests/data/make_perplexity.py
"""
import hashlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MODEL = os.path.join(TOP, "jobs", "demo", "model")


def texts():
    """One long text and eight short ones."""
    with open(os.path.join(TOP, "jobs", "demo", "arith.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:60]
    pieces = [row["question"] + "\n" + row["answer"] + "\n" for row in rows]
    return "\n".join(pieces), pieces[:8]


def digest():
    long_text, short = texts()
    return hashlib.sha256("\0".join([long_text] + short).encode()).hexdigest()


def measure(model, ids, window):
    """Sum over all tokens after the first; windows share a token where they meet."""
    import torch
    total = 0.0
    for start in range(0, len(ids) - 1, window - 1):
        piece = torch.tensor([ids[start:start + window]])
        with torch.no_grad():
            logits = model(piece).logits[0, :-1].double()
        total += torch.log_softmax(logits, -1).gather(1, piece[0, 1:, None]).sum().item()
    return total


def main():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    long_text, short = texts()
    ids = tokenizer(long_text)["input_ids"]
    context = model.config.max_position_embeddings
    found = {"digest": digest(), "tokens": len(ids) - 1, "context": context,
             "sums": {str(w): measure(model, ids, w) for w in (context, 1000, 64)}}
    parts = [tokenizer(text)["input_ids"] for text in short]
    found["short"] = {"tokens": sum(len(p) - 1 for p in parts), "sum": sum(measure(model, p, context) for p in parts)}
    with open(os.path.join(HERE, "perplexity.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    sys.exit(main())
