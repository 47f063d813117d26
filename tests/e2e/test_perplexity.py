#!/usr/bin/env python3
"""`eval --perplexity` gives the log-likelihoods that transformers gives, to a text longer than the model's context and
to lines of text; under a recipe it gives the exported model's; and it says what is wrong with a file."""
import json
import os
import sys

from lib import DATA, MODEL, TOP, check, coppice, json_lines, scratch

sys.path.insert(0, os.path.join(TOP, "tests", "data"))
import make_perplexity  # noqa: E402


def measure(path, *arguments, model=MODEL):
    return json.loads(coppice("eval", "--model", model, "--perplexity", path, "--compute", "f32", "--json", *arguments))


def near(got, want, what):
    check(abs(got - want) <= 2e-5 * abs(want), f"{what}: {got}, not {want}")


def write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


golden = json.load(open(os.path.join(TOP, "tests", "data", "perplexity.json"), encoding="utf-8"))
check(make_perplexity.digest() == golden["digest"], "the text is not what perplexity.json was made from")
long_text, short = make_perplexity.texts()
with scratch() as folder:
    text = write(folder, "text.txt", long_text)
    lines = write(folder, "text.jsonl", json_lines([{"text": t, "more": 1} for t in short]))
    for window, want in golden["sums"].items():
        whole = int(window) == golden["context"]
        got = measure(text, *([] if whole else ["--window", window]))
        near(got["log_likelihood_sum"], want, f"window {window}")
        near(got["log_likelihood"], want / golden["tokens"], f"window {window}, mean")
        near(got["perplexity"], 2.718281828459045 ** (-want / golden["tokens"]), f"window {window}, perplexity")
        check((got["tokens"], got["window"], got["texts"]) == (golden["tokens"], int(window), 1), f"{window}: {got}")
        check(got["windows"] == -(-golden["tokens"] // (int(window) - 1)), f"{window}: {got}")
    check(golden["tokens"] > 2 * golden["context"], "the text is no longer than a window")
    got = measure(lines)
    near(got["log_likelihood_sum"], golden["short"]["sum"], "lines of text")
    check((got["tokens"], got["texts"], got["windows"]) == (golden["short"]["tokens"], len(short), len(short)), got)
    print(f"* {golden['tokens']} tokens: perplexity {measure(text)['perplexity']:.3f} as transformers has it")

    said = coppice("eval", "--model", MODEL, "--perplexity", text, "--window", 64)
    check("of 64 tokens at most" in said and "perplexity  " in said, said)

    # A recipe, and the model that is exported by it.
    recipe = write(folder, "recipe.json", json.dumps(
        {"version": 1, "noise_version": 1, "base_sha256": "", "scope": ["*"], "scaling": "absolute",
         "components": [{"seed": "7", "amplitude": 0.01}]}))
    exported = os.path.join(folder, "exported")
    coppice("export", recipe, "--model", MODEL, "--out", exported)
    under = measure(text, "--recipe", recipe)["log_likelihood_sum"]
    check(under == measure(text, model=exported)["log_likelihood_sum"], "the exported model gives other likelihoods")
    check(under != golden["sums"][str(golden["context"])], "the recipe changed nothing")

    refused = [("empty.txt", b"", 4, "empty"), ("latin.txt", b"a\nb\xe4\n", 4, "latin.txt:2: not text in UTF-8"),
               ("long.txt", b"x" * (16 << 20) + b"y", 4, "long.txt:1: a line of more than 16 MiB"),
               ("one.txt", b"a", 4, "no text has a second token"),
               ("none.jsonl", b'{"text": "a b"}\n{"txt": 1}\n', 4, 'none.jsonl:2: it has no field "text"')]
    for name, content, code, words in refused:
        said = coppice("eval", "--model", MODEL, "--perplexity", write(folder, name, content), code=code)
        check(words in said, f"{name}: {said}")
    for arguments, words in ((["--task", "arith"], "--task has no meaning"), (["--data", DATA], "--data has no meaning"),
                             (["--chat", "plain"], "--chat has no meaning"), (["--date", "2026-01-01"], "--date has no meaning"),
                             (["--window", 1], "from 2 to"), (["--window", golden["context"] + 1], "from 2 to")):
        said = coppice("eval", "--model", MODEL, "--perplexity", text, *arguments, code=2)
        check(words in said, f"{arguments}: {said}")
    said = coppice("eval", "--model", MODEL, "--task", "arith", "--data", DATA, "--window", 9, code=2)
    check("--window needs --perplexity" in said, said)
