#!/usr/bin/env python3
"""Token ids of questions in SmolLM2's chat form, as JSON lines {"ids": [...]}.

  python prompts.py COPPICE MODEL_DIR QUESTIONS.jsonl KEPT.jsonl

KEPT gets the questions of those lines, for jobs that make the same prompts of them.
"""
import json
import subprocess
import sys

FORM = ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n")
LONGEST = 200  # Few are longer, and would be most of the work of a batch.


def main(program, model, questions, kept):
    with open(questions, encoding="utf-8") as lines:
        asked = [json.loads(line) for line in lines]
    text = "".join(json.dumps(FORM.format(one["problem"])) + "\n" for one in asked)
    done = subprocess.run([program, "tokenize", "--model", model], input=text, stdout=subprocess.PIPE, text=True, check=True)
    prompts = [json.loads(line) for line in done.stdout.splitlines()]
    with open(kept, "w", encoding="utf-8") as file:
        for one, ids in zip(asked, prompts):
            if len(ids) <= LONGEST:
                print(json.dumps({"ids": ids}))
                file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
