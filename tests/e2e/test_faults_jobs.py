#!/usr/bin/env python3
"""Models of tests/data/faults through eval and whole jobs: a padded vocabulary in drawn answers and votes, templates
that end answers by a token which stops none."""
import json
import os
import random
import shutil

from lib import COPPICE, ENV, TOP, check, coppice, inspect, json_lines, read, run_job, same_result, scratch

import subprocess

FAULTS = os.path.join(TOP, "tests", "data", "faults")
PADDED = os.path.join(FAULTS, "01-padded-vocabulary", "model")
TOKENS = 258  # of its tokenizer, of these 256 bytes and two that are special; the embedding has 300
SMALL = ["population.size=24", "population.sigma=[0.3, 1]", "splits.support=48", "splits.probe=24", "splits.validate=32",
         "splits.test=32", "generation.max_new_tokens=12", "gate.allow_flat=true", "gate.z=0", "recenter.rounds=0",
         "baselines.randopt=[1, 3]", "baselines.self_consistency=[4]", "baselines.temperature=3", "backend.arithmetic=library", "backend.compute=f32",
         "analysis.split_half=false"]
WARNING = "warning: the chat template ends an answer by <|im_end|>, which is no stop token"


def write_data(folder):
    chance = random.Random(5)
    path = os.path.join(folder, "data.jsonl")
    rows = [{"question": f"{chance.randrange(10 ** 6)} - ?", "answer": str(chance.randrange(10))} for _ in range(136)]
    with open(path, "w", encoding="utf-8") as file:
        file.write(json_lines(rows))
    return path, rows


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def text_of(ids):
    """What the bytes and the two special tokens among them say; padding says nothing."""
    parts = [bytes([i]) if i < 256 else {256: b"<s>", 257: b"</s>"}.get(i, b"") for i in ids]
    return b"".join(parts).decode("utf-8", "replace")


def check_texts(rows, what):
    for row in rows:
        check(row["text"] == text_of(row["ids"]), f"{what}: ids {row['ids']} give {row['text']!r}")


def refused(arguments, text_in, word, what):
    done = subprocess.run([COPPICE, *arguments], input=text_in, capture_output=True, text=True, env=ENV, cwd=TOP, timeout=60)
    check(done.returncode in (3, 4, 5, 8) and word in done.stderr, f"{what}: {done.returncode} {done.stdout} {done.stderr}")


def says_nothing(model, data, *more):
    done = subprocess.run([COPPICE, "eval", "--model", model, "-t", "arith", "--data", data, "--limit", "3",
                           "--max-new-tokens", "4", *more], capture_output=True, text=True, env=ENV, cwd=TOP, timeout=60)
    check(done.returncode == 0, f"eval: {done.stderr}")
    return done.stderr


def copy_of(folder, fault, name):
    model = os.path.join(folder, name)
    shutil.copytree(os.path.join(FAULTS, fault, "model"), model)
    return model


def edit(path, **fields):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    content.update(fields)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)


def padded_answers(folder, data, rows):
    """generate and eval: greedy and drawn, alone and side by side."""
    asked = json_lines([{"prompt": row["question"]} for row in rows])
    limits = ["--model", PADDED, "--max-new-tokens", 12, "--compute", "f32"]
    greedy = rows_of(coppice("generate", *limits, text_in=asked))
    check_texts(greedy, "greedy")
    check(any(max(row["ids"]) >= TOKENS for row in greedy), "no greedy answer has an id that no token has")
    for temperature, seed in ((1, 0), (3, 7)):
        drawn = [rows_of(coppice("generate", *limits, "--temperature", temperature, "--seed", seed, "--batch", batch,
                                 text_in=asked)) for batch in (1, 50)]
        check_texts(drawn[0], f"temperature {temperature}")
        check(drawn[0] == drawn[1], f"temperature {temperature}: batches give other answers")
        ids = [i for row in drawn[0] for i in row["ids"]]
        check(any(i >= TOKENS for i in ids), f"temperature {temperature}: no id that no token has")
        check(temperature < 3 or any(i < 256 for i in ids), f"temperature {temperature}: no text at all")
    responses = os.path.join(folder, "responses.jsonl")
    coppice("eval", "--model", PADDED, "-t", "arith", "--data", data, "--max-new-tokens", 12, "--compute", "f32",
            "--user", "{question}", "--system", "", "--responses", responses)
    said = [row["response"] for row in rows_of(read(responses, "r"))]
    check(said == [row["text"] for row in greedy], "eval and generate answer differently")
    print(f"* {len(rows)} prompts greedily and drawn: padded ids are no text and no failure")


def padded_job(folder, data, rows):
    """A whole job, votes of candidates and of drawn answers included, alone and on three ranks."""
    settings = [f"model={PADDED}", f"task.data={data}", *SMALL]
    outs = [os.path.join(folder, f"ranks{ranks}") for ranks in (1, 3)]
    run_job(1, outs[0], settings)
    run_job(3, outs[1], settings)
    same_result(*outs, "a padded vocabulary on 1 and 3 ranks")
    tree = inspect(outs[0])
    for name, count in (("randopt", 3), ("self_consistency", 4)):
        phase = tree["baselines"][name]
        check(len(phase["status"]) == count and all(s == 1 for row in phase["status"] for s in row), f"{name}: {phase['status']}")
    votes = tree["baselines"]["self_consistency"]["answers"]
    check(any(int(a) != 0 for row in votes for a in row), "nobody of those who vote says anything")
    check(any(int(a) == 0 for row in votes for a in row), "everybody who votes says something")
    check_votes(tree, rows)
    # What was found answers as the job says it does, and so does its export.
    out = outs[0]
    exported = os.path.join(folder, "exported")
    coppice("export", out, "--model", PADDED, "--out", exported)
    asked = json_lines([{"prompt": row["question"]} for row in rows])
    answers = [rows_of(coppice("generate", "--max-new-tokens", 12, "--compute", "f32", *which, text_in=asked))
               for which in (("--model", PADDED, "--recipe", out), ("--model", exported))]
    check_texts(answers[0], "with the recipe")
    check(answers[0] == answers[1], "the export answers differently")
    print("* a whole job on 1 and 3 ranks, with votes")


def check_votes(tree, rows):
    """The reward of four drawn answers from their digests and scores: most votes, then the earliest."""
    phase = tree["baselines"]["self_consistency"]
    want = []
    for example in range(len(phase["examples"])):
        answers = [int(row[example]) for row in phase["answers"]]
        scored = [row[example] for row in phase["scores"]]
        given = [a for a in answers if a != 0]
        if not given:
            want.append(0.0)
            continue
        best = max(given, key=lambda a: (given.count(a), -given.index(a)))
        want.append(scored[answers.index(best)])
    got = tree["baselines"]["self_consistency_k4"]["scores"]
    check([float(s) for s in got] == want, f"votes: {got}, not {want}")
    check(len(rows) >= len(want) > 0, "no votes")


def padded_edges(folder):
    """Stop tokens and prompts among the padded ids; beyond the embedding nothing is."""
    model = copy_of(folder, "01-padded-vocabulary", "stops")
    edit(os.path.join(model, "generation_config.json"), eos_token_id=[2, 293])
    ask = ["generate", "--model", model, "--max-new-tokens", "5", "--compute", "f32"]
    row = json.loads(coppice(*ask, text_in='{"prompt":"hello"}\n'))
    check(row["finish"] == "stop" and row["ids"][:2] == [290, 290] and len(row["ids"]) <= 3, f"a padded stop token: {row}")
    check(json.loads(coppice(*ask, text_in='{"ids":[299, 290]}\n'))["text"] is not None, "padded ids in a prompt")
    refused(ask, '{"ids":[300]}\n', "300", "an id beyond the embedding in a prompt")
    edit(os.path.join(model, "generation_config.json"), eos_token_id=300)
    row = json.loads(coppice(*ask, text_in='{"prompt":"hello"}\n'))
    check(row["finish"] == "length" and len(row["ids"]) == 5, f"a stop token beyond the embedding, which never comes: {row}")
    # Two halves of a letter with a padded id between them are that letter, as tokenizers has it.
    tokenizer = os.path.join(PADDED, "tokenizer.json")
    text = coppice("tokenize", "--decode", "--tokenizer", tokenizer, text_in="[97,195,290,169]\n")
    check(json.loads(text) == "a\u00e9", f"a letter around a padded id: {text}")
    print("* padded ids stop, may be asked with, and end at the embedding")


def zero_bytes(folder, data):
    """An answer may be U+0000 alone: it is written whole."""
    model = copy_of(folder, "01-padded-vocabulary", "zeros")
    edit(os.path.join(model, "generation_config.json"), suppress_tokens=list(range(1, 300)))
    path = os.path.join(folder, "zeros.jsonl")
    says_nothing(model, data, "--answers", path)
    check([row["response"] for row in rows_of(read(path, "r"))] == ["\0" * 4] * 3, f"zero bytes: {read(path)}")
    print("* zero bytes in answers are written")


def stop_tokens(folder, data):
    """A template's last token that stops none is warned of, by eval and by a job; one that stops is not."""
    model = copy_of(folder, "05a-chatml-no-line-feed", "unstopped")
    check(WARNING in says_nothing(model, data), "eval says nothing of an end that stops none")
    settings = [f"model={model}", f"task.data={data}", *SMALL, "population.size=4", "splits.support=8", "splits.test=8",
                "baselines.self_consistency=[]", "baselines.randopt=[1]"]
    out = os.path.join(folder, "unstopped-run")
    said = run_job(1, out, settings)
    check("<|im_end|>" in said and "stop" in said, f"a job says nothing of an end that stops none: {said}")
    for name, file, fields in (("list", "generation_config.json", {"eos_token_id": [2, 259]}),
                               ("config", "config.json", {"eos_token_id": 259}),
                               ("plain", "tokenizer_config.json", {"chat_template": None}),
                               ("refuses", "tokenizer_config.json",
                                {"chat_template": "{% if messages | length > 1 %}{{ raise_exception('one') }}{% endif %}"
                                                  "{{ messages[0]['content'] }}<|im_end|>"})):
        good = copy_of(folder, "05a-chatml-no-line-feed", "stopped-" + name)
        if name == "config":
            os.remove(os.path.join(good, "generation_config.json"))
        edit(os.path.join(good, file), **fields)
        said = says_nothing(good, data, *(["--system", ""] if name == "refuses" else []))
        check("no stop token" not in said, f"{name}: {said}")
        check(("no chat template" in said) == (name == "plain"), f"{name}: {said}")
    bare = os.path.join(folder, "stopped-plain")
    check("no chat template" not in says_nothing(bare, data, "--chat", "plain"), "a warning of what was asked for")
    done = subprocess.run([COPPICE, "generate", "--model", bare, "--max-new-tokens", "1"], capture_output=True, text=True, env=ENV,
                          input='{"messages":[{"role":"user","content":"a"}]}\n', timeout=60)
    check(done.returncode == 0 and "no chat template" in done.stderr, f"generate: {done.stderr}")
    good = os.path.join(folder, "stopped-list")
    said = run_job(1, os.path.join(folder, "stopped-run"), [f"model={good}", *settings[1:]])
    check("<|im_end|>" not in said, f"a job warns of an end that stops: {said}")
    print("* an end of answers that stops none is warned of, others are not")


with scratch() as folder:
    data, rows = write_data(folder)
    padded_answers(folder, data, rows)
    padded_job(folder, data, rows)
    padded_edges(folder)
    zero_bytes(folder, data)
    stop_tokens(folder, data)
