#!/usr/bin/env python3
"""The files beside a model's weights belong to the identity of a run and of its recipe."""
import gzip
import json
import os
import shlex
import shutil

from lib import DATA, MODEL, TOP, check, coppice, fail, inspect, read, run_job, scratch

# A job of a second.
SMALL = ["method=randopt", "population.size=4", "splits.support=8", "splits.probe=4", "splits.validate=4",
         "splits.test=4", "generation.max_new_tokens=80", "baselines.randopt=[1]", "baselines.self_consistency=[]",
         "analysis.split_half=false", "backend.arithmetic=library", "backend.compute=f32", "backend.threads=1", "backend.batch=8"]
MISMATCH = 8


def change(model, name, edit):
    """A copy of the model with a JSON file changed by edit(object); a file that is not there begins as {}."""
    copy = model + "-changed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(model, copy)
    path = os.path.join(copy, name)
    value = json.loads(read(path)) if os.path.exists(path) else {}
    edit(value)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    return copy


def drop_template(config):
    check(config.pop("chat_template", None) is not None, "the model has no chat template to take away")


# Changes that decide scores: file, what is done to it, and the name that the refusal has.
DECIDE = [("config.json", lambda c: c.update(rope_theta=9999.0), "config.json"),
          ("generation_config.json", lambda c: c.update(eos_token_id=[0, 1, 2]), "generation_config.json"),
          ("tokenizer.json", lambda c: c["added_tokens"].pop(), "tokenizer.json"),
          ("tokenizer_config.json", lambda c: c.update(eos_token="another"), "tokenizer_config.json"),
          ("tokenizer_config.json", drop_template, "chat_template"),
          ("special_tokens_map.json", lambda c: c.update(eos_token="another"), "special_tokens_map.json"),
          ("added_tokens.json", lambda c: c.update(more=5), "added_tokens.json")]


def harmless(config):
    config.update(transformers_version="99", torch_dtype="float16", _name_or_path="elsewhere")


def of_model(model):
    return SMALL + ["model=" + model]


def expect(text, name, what):
    check(name in text, f"{what}: the refusal does not name {name}: {text}")


def test_changes(place, model, out):
    recipe = os.path.join(out, "recipe.json")
    evaluate = ["eval", "--recipe", recipe, "--task", "gsm8k", "--data", DATA, "--limit", "4", "--max-new-tokens",
                "8", "--compute", "f32", "--json"]
    for name, edit, named in DECIDE:
        other = change(model, name, edit)
        expect(run_job(1, out, of_model(other), code=MISMATCH), named, "resume")
        expect(coppice(*evaluate, "--model", other, code=MISMATCH), named, "eval")
        expect(coppice("export", recipe, "--model", other, "--out", os.path.join(place, "no"), code=MISMATCH),
               named, "export")
        check(not os.path.exists(os.path.join(place, "no")), "a refused export left something")
        if named != "tokenizer.json":  # which does not fit the model then
            coppice("export", recipe, "--model", other, "--out", os.path.join(place, "taken-" + named),
                    "--accept", named)
    other = change(model, "config.json", harmless)
    run_job(1, out, of_model(other))
    coppice(*evaluate, "--model", other)


def test_accepted(place, model, out):
    """A run that goes on with another file says so, and keeps the new digest."""
    run = os.path.join(place, "accepted")
    shutil.copytree(out, run)
    before = inspect(run)["base"]["files"]["generation_config.json"]
    other = change(model, "generation_config.json", lambda c: c.update(eos_token_id=[0, 1, 2]))
    text = run_job(1, run, of_model(other) + ["checkpoint.accept_files=[generation_config.json]"])
    check("generation_config.json differs" in text, f"no warning: {text}")
    check(inspect(run)["base"]["files"]["generation_config.json"] != before, "the new digest is not on record")
    expect(run_job(1, run, of_model(model), code=MISMATCH), "generation_config.json", "resume")
    expect(run_job(1, run, of_model(model) + ["checkpoint.accept_files=[tokens.json]"], code=3),
           "checkpoint.accept_files", "an unknown file")


def test_copy(place, model, out):
    """Equal files elsewhere are the same model, and an export carries them."""
    other = os.path.join(place, "elsewhere", "model")
    shutil.copytree(model, other)
    run_job(1, out, of_model(other))
    exported = os.path.join(place, "exported")
    coppice("export", out, "--model", other, "--out", exported)
    for name in os.listdir(model):
        check(os.path.exists(os.path.join(exported, name)), f"the export lacks {name}")
        if name.endswith(".json") or name.endswith(".jinja"):
            check(read(os.path.join(exported, name)) == read(os.path.join(model, name)), f"{name} differs")


def test_old(place):
    """A run file from before there were digests goes on, and says that they cannot be checked."""
    run = os.path.join(place, "old")
    os.mkdir(run)
    with gzip.open(os.path.join(TOP, "tests", "data", "runs", "without-files.h5.gz")) as file:
        content = file.read()
    with open(os.path.join(run, "run.h5"), "wb") as file:
        file.write(content)
    check("files" not in inspect(run)["base"], "the old run file has digests")
    recipe = os.path.join(place, "old.json")
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(inspect(run)["final"]["recipe"])
    # It was begun with OpenBLAS, on another machine maybe.
    old = SMALL + ["backend.gemm=openblas", "backend.mixed=true", "population.scaling=absolute",
                   "population.sigma=[0.005, 0.01, 0.02]", "recenter.rounds=3", "recenter.size=100"]
    # Programs of that time added every seed by itself, compared right answers and knew no rules
    # of generation_config.json; each refusal says how to go on so.
    for then in ("generation.model_rules=false", "consolidate.sums=false", 'gate.on="correct"'):
        expect(run_job(1, run, old, code=MISMATCH), f"(-s {shlex.quote(then)})", "resume")
        old.append(then)
    text = run_job(1, run, old)
    check("cannot be checked" in text, f"no word on what cannot be checked: {text}")
    check("config.json" in inspect(run)["base"]["files"], "no digests after the resume")
    coppice("export", recipe, "--model", MODEL, "--out", os.path.join(place, "old-exported"))


def test_ends_of_answers(place):
    """Where an answer may end early is no matter, unless a budget counts tokens: it decides how many candidates there are."""
    free, counted = os.path.join(place, "free"), os.path.join(place, "counted")
    run_job(1, free, SMALL)
    run_job(1, free, [*SMALL, "generation.stop_decided=false"])
    budget = [*SMALL, "budget.tokens=20000"]
    run_job(1, counted, budget)
    expect(run_job(1, counted, [*budget, "generation.stop_decided=false"], code=MISMATCH),
           "(-s generation.stop_decided=true)", "resume")


def main():
    with scratch() as place:
        model = os.path.join(place, "model")
        out = os.path.join(place, "run")
        shutil.copytree(MODEL, model)
        run_job(1, out, of_model(model))
        files = json.loads(read(os.path.join(out, "recipe.json")))["files"]
        check(len(files) == 7 and files["added_tokens.json"] == "none", f"the recipe's files: {files}")
        check(inspect(out)["base"]["files"] == files, "run file and recipe differ")
        test_changes(place, model, out)
        test_accepted(place, model, out)
        test_copy(place, model, out)
        test_old(place)
        test_ends_of_answers(place)
    # A family that the job names stands for the template, which is not on record then.
    with scratch() as place:
        out = os.path.join(place, "run")
        run_job(1, out, SMALL + ["task.chat=chatml"])
        if "chat_template" in json.loads(read(os.path.join(out, "recipe.json")))["files"]:
            fail("a template that was not used is on record")


if __name__ == "__main__":
    main()
