#!/usr/bin/env python3
"""Token ids of questions in SmolLM2's chat form, as JSON lines {"ids": [...]}.

  python prompts.py COPPICE MODEL_DIR QUESTIONS.jsonl
"""
import json
import subprocess
import sys

FORM = ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n")


def main(program, model, questions):
    with open(questions, encoding="utf-8") as lines:
        texts = [FORM.format(json.loads(line)["problem"]) for line in lines]
    done = subprocess.run([program, "tokenize", "--model", model], input="".join(json.dumps(text) + "\n" for text in texts),
                          stdout=subprocess.PIPE, text=True, check=True)
    prompts = [json.loads(line) for line in done.stdout.splitlines()]
    # Few are long, and would be most of the work of a batch.
    print("\n".join(json.dumps({"ids": ids}) for ids in prompts if len(ids) <= 200))


if __name__ == "__main__":
    main(*sys.argv[1:])
