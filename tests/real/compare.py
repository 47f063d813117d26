#!/usr/bin/env python3
"""Coppice against transformers on a real model: tokens, prompts, logits, answers, an export.

  python compare.py COPPICE MODEL WORK [--small DIR] [--tokens 96] [--generate]

Needs torch, transformers and tokenizers, which are the judges. A "* " line is a figure, a FAIL
line a disagreement; the exit code is 1 if there was one. WORK is a folder for the exported model.
"""
import argparse
import json
import os
import shutil
import sys

import torch
import transformers
from tokenizers import Tokenizer

import figures
from program import Program

TIE = 1e-2            # answers may part where the two best logits are this close
LOGIT_ERROR = 2e-3    # of a logit after the last prompt token, absolute
HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = {"version": 1, "noise_version": 1, "base_sha256": "", "scope": ["*"], "scaling": "absolute",
          "components": [{"seed": "11", "amplitude": 0.001},
                         {"seed": "18446744073709551615", "amplitude": -0.001}]}
HARD_TEXTS = ["", " ", "\n\n \t x", "a" * 3000, "1234567890 12,345.67", "don't DON'T we'll",
              "naïve Ünïcödé — 中文字符 かな 한국어 العربية", "👩‍👩‍👧 🇫🇷 e\u0301", "\u00a0\u2003x\u200b",
              "<|im_start|>user\nhi<|im_end|>\n", "<|im_start", "x <file_sep> y", "\x00\x01\x7f",
              "#### 42", "def f(x):\n    return x ** 2\n", "$\\frac{1}{2}$ < 3 > 2"]


class Tally:
    """What was checked, and what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, name, detail=""):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'}  {name}{'' if good else ': ' + str(detail)}", flush=True)


class Judge:
    """transformers in binary32."""

    def __init__(self, folder):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        stops = self.model.generation_config.eos_token_id
        self.stops = stops if isinstance(stops, list) else [stops]

    def has_template(self):
        return self.tokenizer.chat_template is not None

    def prompt_ids(self, messages):
        """By the model's template; of one that has none the contents as they are."""
        if not self.has_template():
            return self.tokenizer("".join(message["content"] for message in messages))["input_ids"]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def logits(self, ids):
        with torch.no_grad():
            return self.model(torch.tensor([ids])).logits[0, -1]

    def generated(self, ids, tokens):
        """Greedy ids, the stop token included, and the logits that each was chosen by."""
        with torch.no_grad():
            out = self.model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=int),
                                      max_new_tokens=tokens, do_sample=False, output_logits=True,
                                      return_dict_in_generate=True)
        return out.sequences[0, len(ids):].tolist(), [step[0] for step in out.logits]

    def followed(self, ids, answer, tokens):
        """The same from one pass along a given answer: up to the first token that is not the judge's
        own choice, these are its choices when it generates."""
        with torch.no_grad():
            logits = self.model(torch.tensor([ids + answer])).logits[0, len(ids) - 1:][:tokens]
        return logits.argmax(-1).tolist(), list(logits)


def first_difference(judge, judged, logits, answer):
    """None, or (place, gap): where an answer of the program leaves the judge's, and by how much the
    judge preferred its own token."""
    ids = answer["ids"]
    for place, (want, step) in enumerate(zip(judged, logits)):
        if place < len(ids):
            got = [ids[place]]
        elif answer["finish"] == "stop":
            got = judge.stops
        else:
            return place, float("inf")
        if want not in got:
            return place, float(step[want] - step[got].max())
    return None if len(ids) <= len(judged) else (len(judged), float("inf"))


def compare_answers(tally, name, judge, prompts, answers, options):
    same, worst_tie, parted, tokens = 0, 0.0, [], options.tokens
    for number, (ids, answer) in enumerate(zip(prompts, answers)):
        judged = (judge.generated(ids, tokens) if options.generate else
                  judge.followed(ids, answer["ids"], tokens))
        found = first_difference(judge, *judged, answer)
        if found is None:
            same += 1
        elif found[1] <= TIE:
            worst_tie = max(worst_tie, found[1])
        else:
            parted.append(f"question {number} at token {found[0]}, gap {found[1]:.4g}")
    tally.check(not parted and len(answers) == len(prompts), f"{name}: answers agree until a tie", parted)
    ties = len(prompts) - same - len(parted)
    print(f"* {name}: {same} of {len(prompts)} answers of up to {tokens} tokens identical, "
          f"{ties} part at a tie{f' (at most {worst_tie:.2g} apart)' if ties else ''}")


def compare_tokens(tally, program, folder, texts):
    judge = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    for special in (False, True):
        want = [judge.encode(text, add_special_tokens=special).ids for text in texts]
        got = program.tokenize(folder, texts, special)
        wrong = [repr(text[:60]) for text, a, b in zip(texts, want, got) if a != b]
        tally.check(not wrong and len(got) == len(texts), f"{len(texts)} texts encode as by tokenizers, "
                    f"{'with' if special else 'without'} special tokens", wrong[:5])
    for skip in (False, True):
        back = program.decode(folder, want, skip)
        judged = [judge.decode(ids, skip_special_tokens=skip) for ids in want]
        wrong = [repr(text[:60]) for text, a, b in zip(texts, judged, back) if a != b]
        tally.check(not wrong, f"and decode, special tokens {'left out' if skip else 'kept'}", wrong[:5])


def compare_prompts(tally, program, folder, judge, conversations):
    """The program does not print a prompt, but equal ids have equal logits, to the last bit, and
    equal log-probabilities."""
    prompts = [judge.prompt_ids(messages) for messages in conversations]
    by_ids = program.generate(folder, [{"ids": ids} for ids in prompts], 0, "--logits")
    by_chat = program.generate(folder, [{"messages": m} for m in conversations], 0, "--logits")
    wrong = [i for i, (a, b) in enumerate(zip(by_ids, by_chat)) if a != b]
    tally.check(not wrong, f"{len(prompts)} {'chat' if judge.has_template() else 'plain'} prompts as by transformers", wrong)
    errors = []
    for ids, answer in zip(prompts, by_ids):
        want, got = judge.logits(ids), torch.tensor(answer["logits"])
        errors.append(float((want - got).abs().max()) if len(want) == len(got) else float("inf"))
    tally.check(max(errors) < LOGIT_ERROR, f"logits after the prompt within {LOGIT_ERROR}", max(errors))
    print(f"* logits after {len(prompts)} prompts of {min(map(len, prompts))} to {max(map(len, prompts))} "
          f"tokens: at most {max(errors):.2g} off (f32)")


def compare_weights(tally, base, exported):
    """The exported weights as the usual library reads them: same names, shapes, types; moved."""
    from safetensors.torch import load_file
    before, after = (load_file(os.path.join(d, "model.safetensors")) for d in (base, exported))
    same_form = before.keys() == after.keys() and all(
        before[k].shape == after[k].shape and before[k].dtype == after[k].dtype for k in before)
    tally.check(same_form, "the export keeps names, shapes and types")
    if not same_form:
        return
    moved = sum(int((before[k] != after[k]).sum()) for k in before)
    total = sum(t.numel() for t in before.values())
    tally.check(all(torch.isfinite(t).all() for t in after.values()) and moved > 0, "and moves weights")
    print(f"* export: {100 * moved / total:.1f} % of {total / 1e6:.1f} M weights moved")


def compare_export(tally, program, options, prompts):
    recipe, out = os.path.join(options.work, "recipe.json"), os.path.join(options.work, "exported")
    shutil.rmtree(out, ignore_errors=True)
    with open(recipe, "w", encoding="utf-8") as file:
        json.dump(RECIPE, file)
    program.run("export", recipe, "--model", options.model, "--out", out)
    compare_weights(tally, options.model, out)
    rows = [{"ids": ids} for ids in prompts]
    by_recipe = program.generate(options.model, rows, options.tokens, "--recipe", recipe)
    base = program.generate(options.model, rows, options.tokens)
    tally.check(by_recipe == program.generate(out, rows, options.tokens),
                "the exported model answers as the base with the recipe, all alike")
    tally.check(by_recipe != base, "and not as the base")
    compare_answers(tally, "exported model in transformers", Judge(out), prompts, by_recipe, options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coppice")
    parser.add_argument("model")
    parser.add_argument("work")
    parser.add_argument("--small", help="models/small, to be timed")
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--generate", action="store_true",
                        help="let transformers generate by itself, which takes minutes")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    program, tally = Program(options.coppice), Tally()
    with open(os.path.join(HERE, "questions.jsonl"), encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in file]
    print(f"judges: transformers {transformers.__version__}, torch {torch.__version__}")

    english = figures.english_text(os.path.dirname(os.path.dirname(torch.__file__)), 8 << 20)
    texts = HARD_TEXTS + questions + [english[i:i + 2000] for i in range(0, 1 << 20, 2000)]
    compare_tokens(tally, program, options.model, texts)

    judge = Judge(options.model)
    users = [[{"role": "user", "content": question}] for question in questions]
    turns = [{"role": "user", "content": " a\n"}, {"role": "assistant", "content": "b"},
             {"role": "user", "content": "c"}]
    others = [[{"role": "system", "content": "Be brief."}] + users[0], turns,
              [{"role": "system", "content": ""}] + turns]
    compare_prompts(tally, program, options.model, judge, users + others)

    prompts = [judge.prompt_ids(messages) for messages in users]
    answers = program.generate(options.model, [{"messages": m} for m in users], options.tokens)
    compare_answers(tally, "base model", judge, prompts, answers, options)
    compare_export(tally, program, options, prompts)
    figures.print_all(tally, program, options, questions[0], english, judge.has_template())
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
