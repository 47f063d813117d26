#!/usr/bin/env python3
"""A population of one model, evaluated: one JSON line with the models evaluated for each second of processor time.

  python population.py coppice PROGRAM MODEL_DIR QUESTIONS.jsonl RUN_DIR    [options]
  python population.py vllm    PROGRAM MODEL_DIR PROMPTS.jsonl   RUN_DIR    [options]   in a Python that has vllm

Coppice runs one job: the base and its candidates answer the questions, and everything that the process does counts.
The other engine evaluates the very same models: PROGRAM exports what RUN_DIR has evaluated, one after the other, the
engine reads these weights from disk into the model that it holds, and answers. Only reading and answering count
there, not exporting, starting and compiling, and the files are in the page cache.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile

from engines import Clock, Vllm, take_standard_output

CHECKED = 8  # So many answers of the first candidate are held against Coppice's from the same weights.

JOB = """
model: {model}
method: randopt
task: {{name: math, data: {data}, fields: {{question: problem}}, prompt: {{system: "", user: "{{problem}}"}}}}
splits: {{support: {rows}, probe: 1, validate: 2, test: 0, seed: -1}}
population: {{size: {candidates}, sigma: [0.001]}}
generation: {{max_new_tokens: {new}, stop_tokens: [none]}}
gate: {{allow_flat: true}}
analysis: {{split_half: false}}
backend: {{kind: cpu, arithmetic: {arithmetic}, threads: {threads}, batch: {rows}}}
"""


def inspect(options):
    done = subprocess.run([options.program, "inspect", "--json", options.run], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def run_job(options):
    """Processor and wall seconds, and how many tokens the candidates answered."""
    shutil.rmtree(options.run, ignore_errors=True)
    os.makedirs(options.run)
    path = os.path.join(options.run, "job.yaml")
    values = dict(vars(options), model=json.dumps(os.path.abspath(options.model)), data=json.dumps(os.path.abspath(options.texts)))
    with open(path, "w", encoding="utf-8") as file:
        file.write(JOB.format(**values))
    clock = Clock(resource.RUSAGE_CHILDREN)
    subprocess.run([options.program, "run", path, "--out", options.run, "--progress", "never"], stdout=subprocess.DEVNULL, check=True)
    times = clock.read()
    return times, sum(int(tokens) for row in inspect(options)["population"]["tokens"] for tokens in row)


def recipes(run):
    """The base's and each candidate's."""
    same = {"version": 1, "noise_version": 1, "base_sha256": run["base"]["model_sha256"], "scope": ["*"], "scaling": "absolute"}
    yield dict(same, components=[])
    for seed, sigma in zip(run["population"]["seed"], run["population"]["sigma"]):
        yield dict(same, components=[{"seed": seed, "amplitude": sigma}])


def export(options, recipe, folder):
    path = os.path.join(folder, "recipe.json")
    model = os.path.join(folder, "model")
    shutil.rmtree(model, ignore_errors=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(recipe, file)
    subprocess.run([options.program, "export", path, "--model", options.model, "--out", model], stdout=subprocess.DEVNULL, check=True)
    return model


def shared(some, others):
    """Share of the tokens of some answers that others have too, up to where two part."""
    same = total = 0
    for one, other in zip(some, others):
        total += len(one)
        same += next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return same / total


def own_answers(options, model):
    """Coppice's to the first questions, which end where the model ends them."""
    text = "".join(json.dumps({"ids": ids}) + "\n" for ids in options.prompts[:CHECKED])
    done = subprocess.run([options.program, "generate", "--model", model, "--max-new-tokens", str(options.new), "--backend", "cpu"],
                          input=text, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line)["ids"] for line in done.stdout.splitlines()]


def reload_each(options):
    with open(options.texts, encoding="utf-8") as lines:
        options.prompts = [json.loads(line)["ids"] for line in lines][:options.rows]
    engine = Vllm(options)
    sums, tokens, reading, alike, first = [0, 0], 0, 0, [], None
    with tempfile.TemporaryDirectory(dir=options.run) as folder:
        for number, recipe in enumerate(recipes(inspect(options))):
            model = export(options, recipe, folder)
            loading = engine.reload(model)
            answering, answers = engine.answer(options.prompts, options.new, to_the_end=True)
            sums = [a + b + c for a, b, c in zip(sums, loading, answering)]
            reading += loading[0]
            if number:
                tokens += sum(map(len, answers))
            if number < 2:
                alike.append(shared(own_answers(options, model), answers))
            first = first or answers
            if number == 1:
                alike.append(shared(first, answers))
    return sums, tokens, {"reading": reading / (options.candidates + 1), "alike": alike}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=["coppice", "vllm"])
    for name in ("program", "model", "texts", "run"):
        parser.add_argument(name)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arithmetic", default="library", help="Coppice's")
    parser.add_argument("--type", default="bfloat16", help="the other engine's")
    options = parser.parse_args()
    options.what = [options.model]
    result = take_standard_output()
    more = {}
    if options.who == "coppice":
        (processor, wall), tokens = run_job(options)
    else:
        (processor, wall), tokens, more = reload_each(options)
    wanted = options.candidates * options.rows * options.new
    if tokens != wanted:
        raise SystemExit(f"population: {options.who} answered {tokens} tokens, not {wanted}")
    name = f"coppice {options.arithmetic}" if options.who == "coppice" else f"{options.who} {options.type}"
    print(json.dumps({"engine": name, "candidates": options.candidates, "rows": options.rows, "new": options.new,
                      "threads": options.threads, "processor_s": processor, "wall_s": wall,
                      "rate": (options.candidates + 1) / processor, **more}), file=result)


if __name__ == "__main__":
    main()
