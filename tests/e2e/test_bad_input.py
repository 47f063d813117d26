#!/usr/bin/env python3
"""Wrong input: a message that names file or key and remedy, the documented exit code, nothing lost."""
import json
import os
import resource
import shutil

from lib import (COPPICE, DATA, DEMO, MODEL, QUICK, check, coppice, json_lines, read, run_command, run_job, scratch, ENV, TOP)
import subprocess
import time

USAGE, CONFIG, FORMAT, UNSUPPORTED, IO, MEMORY, MISMATCH, NUMERIC = 2, 3, 4, 5, 6, 7, 8, 9
cases = 0


def refuses(code, words, *arguments, text_in=None):
    global cases
    cases += 1
    said = coppice(*arguments, text_in=text_in, code=code)
    for word in words:
        check(word in said, f"coppice {' '.join(map(str, arguments))} says {said!r}, without {word!r}")


def refuses_job(code, words, settings, out, job=DEMO):
    global cases
    cases += 1
    for ranks in (1, 2):
        done = subprocess.run(run_command(ranks, out, settings, job), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300, env=ENV, cwd=TOP)
        check(done.returncode == code, f"{settings}: exit code {done.returncode}, not {code}: {done.stdout}")
        for word in words:
            check(word in done.stdout, f"{settings}: says {done.stdout!r}, without {word!r}")


def refuses_full_output(*arguments, text_in=""):
    """What is printed last lies in a buffer until it is flushed: that it is lost must not go unsaid."""
    global cases
    cases += 1
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([COPPICE, *map(str, arguments)], input=text_in, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=300, env=ENV, cwd=TOP)
    check(done.returncode == IO and "standard output: No space left" in done.stderr,
          f"coppice {' '.join(map(str, arguments))} to a full disk: exit code {done.returncode}: {done.stderr}")


with scratch() as folder:
    out = os.path.join(folder, "out")
    prompt = json_lines([{"ids": [1, 2, 3]}])

    # Command line.
    refuses(USAGE, ["did you mean 'generate'"], "genarate")
    refuses(USAGE, ["--model"], "generate", text_in=prompt)
    refuses(USAGE, ["argument 2 is not UTF-8", "link"], "run", "n\udce9g.yaml")
    refuses(USAGE, ["unrecognized option"], "eval", "--modle", MODEL)
    refuses(USAGE, ["f64"], "generate", "--model", MODEL, "--compute", "f64", text_in=prompt)
    refuses(USAGE, ["-3"], "noise", "--seed", "-3", "--tensor", "x", "--count", 1)
    refuses(USAGE, ["--stream 10", "0 to 9"], "noise", "--seed", 3, "--tensor", "x", "--count", 1, "--stream", 10)
    refuses(USAGE, ["--only noise"], "bench", "--only", "noise", "--model", MODEL)
    refuses(CONFIG, ["gsm9k", "gsm8k"], "reward", "--task", "gsm9k", text_in="")

    # Output that cannot be written.
    text = os.path.join(folder, "text.txt")
    open(text, "w").write("One line of text.\n")
    few = ["--model", MODEL, "--task", "arith", "--data", DATA, "--limit", 2, "--max-new-tokens", 2]
    for json_too in ([], ["--json"]):
        refuses_full_output("eval", *few, *json_too)
        refuses_full_output("eval", "--model", MODEL, "--perplexity", text, *json_too)
        refuses_full_output("tasks", *json_too)
    refuses_full_output("generate", "--model", MODEL, "--max-new-tokens", 1, text_in=prompt)
    refuses(IO, ["/nowhere/a.jsonl: cannot create it: No such file or directory"], "eval", *few, "--answers", "/nowhere/a.jsonl")
    refuses(IO, ["/dev/full: cannot write it: No space left"], "eval", *few, "--answers", "/dev/full")

    # Model directories.
    def broken(name):
        path = os.path.join(folder, name)
        shutil.copytree(MODEL, path)
        return path

    refuses(FORMAT, ["nowhere"], "generate", "--model", os.path.join(folder, "nowhere"), text_in=prompt)
    model = broken("truncated")
    weights = os.path.join(model, "model.safetensors")
    data = read(weights)
    open(weights, "wb").write(data[:len(data) // 2])
    refuses(FORMAT, ["model.safetensors"], "generate", "--model", model, text_in=prompt)
    open(weights, "wb").write(data[:100])
    refuses(FORMAT, ["model.safetensors"], "generate", "--model", model, text_in=prompt)
    os.remove(weights)
    refuses(FORMAT, ["model.safetensors"], "generate", "--model", model, text_in=prompt)
    model = broken("shapes")
    config = json.loads(read(os.path.join(model, "config.json")))
    for key, value, code, words in (("hidden_size", 256, FORMAT, ["embed_tokens"]),
                                    ("num_attention_heads", 0, FORMAT, ["num_attention_heads"]),
                                    ("model_type", "mamba", UNSUPPORTED, ["mamba"]),
                                    ("num_hidden_layers", 5, FORMAT, ["layers.4"])):
        json.dump(dict(config, **{key: value}), open(os.path.join(model, "config.json"), "w"))
        refuses(code, words, "generate", "--model", model, text_in=prompt)
    open(os.path.join(model, "config.json"), "w").write("{")
    refuses(FORMAT, ["config.json"], "generate", "--model", model, text_in=prompt)
    model = broken("tokenizer")
    open(os.path.join(model, "tokenizer.json"), "w").write("{}")
    refuses(FORMAT, ["tokenizer.json"], "tokenize", "--model", model, text_in='"x"\n')
    model = broken("not-finite")
    damaged = bytearray(data)
    damaged[-4000:] = b"\xc0\x7f" * 2000  # bf16 NaN
    open(os.path.join(model, "model.safetensors"), "wb").write(damaged)
    line = json.loads(coppice("generate", "--model", model, text_in=prompt))
    check(line["finish"] == "not finite", f"NaN weights gave {line}")
    refuses(NUMERIC, [], "eval", "--model", model, "--task", "gsm8k", "--data", DATA, "--limit", 4)

    # Prompts and data.
    refuses(FORMAT, ["line 2"], "generate", "--model", MODEL, text_in=prompt + "{\n")
    refuses(FORMAT, ["99999"], "generate", "--model", MODEL, text_in=json_lines([{"ids": [99999]}]))
    refuses(CONFIG, ["1024"], "generate", "--model", MODEL, text_in=json_lines([{"ids": [5] * 2000}]))
    bad = os.path.join(folder, "bad.jsonl")
    open(bad, "w").write('{"question": "a", "answer": "1"}\n{"question": "b"\n')
    refuses(FORMAT, ["bad.jsonl", "2"], "eval", "--model", MODEL, "--task", "gsm8k", "--data", bad)
    open(bad, "w").write('{"query": "a", "answer": "1"}\n')
    refuses(CONFIG, ["question"], "eval", "--model", MODEL, "--task", "gsm8k", "--data", bad)

    # Job files.
    refuses_job(CONFIG, ["population.sgima", "population.sigma"], ["population.sgima=1"], out)
    refuses_job(CONFIG, ["population.size"], ["population.size=0"], out)
    refuses_job(CONFIG, ["population.noise", "rank-1 to rank-64"], ["population.noise=rank-0"], out)
    refuses_job(CONFIG, ["support", "arith.jsonl"], ["splits.support=100000"], out)
    refuses_job(FORMAT, ["missing.jsonl"], ["task.data=missing.jsonl"], out)
    check(not os.path.exists(os.path.join(out, "run.h5")), "a refused job left a run file")

    # The run directory of another job, model or data set; a damaged run file.
    small = QUICK + ["population.size=4", "recenter.rounds=0"]
    run_job(2, out, small)
    before = read(os.path.join(out, "run.h5"))
    refuses_job(MISMATCH, ["population.seed", "--out"], small + ["population.seed=77"], out)
    model = broken("other")
    damaged = bytearray(data)
    damaged[-2] ^= 1
    open(os.path.join(model, "model.safetensors"), "wb").write(damaged)
    refuses_job(MISMATCH, ["model", "--out"], small + [f"model={model}"], out)
    other = os.path.join(folder, "other.jsonl")
    open(other, "wb").write(read(DATA) + b'{"question": "x", "answer": "1"}\n')
    refuses_job(MISMATCH, ["data", "--out"], small + [f"task.data={other}"], out)
    check(read(os.path.join(out, "run.h5")) == before, "a refused job changed the run file")
    open(os.path.join(out, "run.h5"), "wb").write(before[:len(before) // 2])
    text = run_job(2, out, small)
    check("run.h5" in text and "generation before" in text, f"a damaged run file was not reported: {text}")

    # Two jobs in one directory.
    both = os.path.join(folder, "both")
    first = subprocess.Popen(run_command(1, both, ["recenter.size=2000"]), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=ENV, cwd=TOP)
    while not os.path.exists(os.path.join(both, "log")):
        time.sleep(0.05)
    refuses(13, ["another coppice", "--out"], "run", DEMO, "-s", "recenter.size=2000", "--out", both)
    first.kill()
    first.wait()

    # More tokens than the model has positions; memory that there is not.
    refuses_job(CONFIG, ["generation.max_new_tokens", "1024 positions"], ["generation.max_new_tokens=100000"],
                os.path.join(folder, "long"))
    refuses_job(MEMORY, ["GiB", "batch"], ["backend.arithmetic=library", "backend.batch=65536", "generation.max_new_tokens=890"],
                os.path.join(folder, "huge"))
    # --check refuses what the run would, and prints the keys all the same.
    for code, words, settings in (
            (CONFIG, ["partner"], ['task.prompt.user="{question"']),
            (CONFIG, ["no field \"x\""], ['task.prompt.system="{x}"']),
            (CONFIG, ["support 100000", "arith.jsonl"], ["splits.support=100000"]),
            (CONFIG, ["1024 positions"], ["generation.max_new_tokens=100000"]),
            (CONFIG, ["task.examples"], ["task.shots=2"]),
            (FORMAT, ["missing.jsonl"], ["task.data=missing.jsonl"]),
            (FORMAT, ["nowhere"], ["model=nowhere"]),
            (MEMORY, ["GiB", "es.iterations"], ["method=es", "population.size=100000", "es.iterations=100000"])):
        options = [word for setting in settings for word in ("-s", setting)]
        refuses(code, words, "run", DEMO, "--check", *options)

    # Candidates around a moved centre do not each hold all of it, so this much takes a gibibyte.
    coppice("run", DEMO, "--check", "-s", "method=es", "-s", "population.size=100000", "-s", "es.iterations=20",
            "-s", "splits.support=8")

    # A limit of file size is a failed write, and nothing is left of what was begun.
    recipe = os.path.join(folder, "base.json")
    with open(recipe, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "noise_version": 1, "base_sha256": "", "scope": ["*"], "scaling": "absolute", "components": []}, file)
    done = subprocess.run([COPPICE, "export", recipe, "--model", MODEL, "--out", os.path.join(folder, "limited")],
                          stderr=subprocess.PIPE, text=True, env=ENV,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)))
    check(done.returncode == IO and "File too large" in done.stderr, f"export: exit code {done.returncode}: {done.stderr}")
    check(not any(name.startswith("limited") for name in os.listdir(folder)), f"left: {os.listdir(folder)}")
    cases += 1

    checked = coppice("run", DEMO, "--check")
    check("gate.on: " in checked, "--check does not print the keys of the demo")
    check(checked.endswith("\n# run directory: runs/demo\n"), f"--check does not end with the run directory: {checked}")
    print(f"* {cases} kinds of wrong input")
