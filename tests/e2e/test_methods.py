#!/usr/bin/env python3
"""Every way to use a population - operators, antithetic pairs, scaling, noise of low rank with races, a guard and a
budget, rounds, es - gives the same bytes with 1 and 3 ranks and after a kill, and another result than the others; what
scaling found survives an export."""
# Takes long.
import json
import os
import shutil
import time

from lib import MODEL, QUICK, TOP, check, coppice, kill_job, run_job, same_result, scratch

RMS = ["population.scaling=rms", "population.sigma=[0.1, 0.2]"]
SMALL = ["population.size=16", "splits.support=32"]
COUNTDOWN = os.path.join(TOP, "tests", "data", "countdown-small.jsonl")
LIMIT = 1500  # answers; there is no room for all that the grid asks for
BOUND = ["consolidate.race=4", "recenter.race=4", "backend.batch=8", f"budget.answers={LIMIT}",
         f"guard=[{{task: countdown, data: {COUNTDOWN}, examples: 10, loss: 1}}]"]
WAYS = {
    "operators": RMS + SMALL + ["consolidate.operators=[two-pass, precision, z-score, rank]", "recenter.rounds=1"],
    "antithetic": RMS + SMALL + ["population.antithetic=true", "recenter.rounds=1"],
    "scaling": SMALL + ["population.scaling=modular", "population.sigma=[0.4, 0.8]", "recenter.rounds=1"],
    "rounds": RMS + SMALL + ["method=rounds", "rounds.count=3", "consolidate.operators=[precision]"],
    "low rank": RMS + SMALL + ["population.noise=rank-3", "recenter.rounds=1"] + BOUND,
    "es": RMS + SMALL + ["method=es", "es.iterations=4", "population.antithetic=true"],
}


def check_bound(out):
    """Races, guard and budget each had something to do."""
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        told = json.load(file)
    budget = told["budget"]
    check(budget["answers"] == LIMIT and LIMIT // 2 < budget["spent_answers"] <= LIMIT, f"the budget: {budget}")
    check(told["answers_saved_by_races"] > 0, "nobody left a race")
    check([guard["accepted"] for guard in told["guards"]] == [True], f"guards: {told['guards']}")


recipes = {}
with scratch() as folder:
    for name, settings in WAYS.items():
        job = QUICK + settings + ["checkpoint.interval=0.2", "analysis.split_half=false", "baselines.self_consistency=[]"]
        alone, three, killed = (os.path.join(folder, f"{name}-{which}") for which in ("1", "3", "killed"))
        began = time.monotonic()
        run_job(1, alone, job)
        seconds = time.monotonic() - began
        run_job(3, three, job)
        same_result(alone, three, f"{name}: 1 and 3 ranks")
        # Late enough to be past the population, early enough to be in the midst of the method; earlier if it had ended.
        for share in (0.6, 0.4, 0.25, 0.1):
            shutil.rmtree(killed, ignore_errors=True)
            if kill_job(1, killed, job, share * seconds):
                break
        else:
            check(False, f"{name}: ended four times before it could be killed")
        run_job(2, killed, job)
        same_result(alone, killed, f"{name}: after a kill")
        with open(os.path.join(alone, "recipe.json"), encoding="utf-8") as file:
            recipe = json.load(file)
        wanted = [setting[len("population.scaling="):] for setting in settings if setting.startswith("population.scaling=")]
        check([recipe["scaling"]] == wanted, f"{name}: the recipe's scaling is {recipe['scaling']}")
        kinds = [setting[len("population.noise="):] for setting in settings if setting.startswith("population.noise=")]
        check(recipe.get("noise") == (kinds or [None])[0], f"{name}: the recipe's noise is {recipe.get('noise')}")
        recipes[name] = json.dumps(recipe["components"])
        accuracy = json.load(open(os.path.join(alone, "summary.json"), encoding="utf-8"))["test"]["consolidated"]
        print(f"* {name}: {len(recipe['components'])} components, test accuracy {accuracy['accuracy']:.3f}, {seconds:.0f} s")
    check_bound(os.path.join(folder, "low rank-1"))
    check("[]" not in recipes.values(), "a method found nothing, so nothing is shown")
    check(len(set(recipes.values())) == len(recipes), "two ways gave the same recipe")

    # The exported model says what the recipe on the base says.
    for way in ("es", "low rank"):
        run = os.path.join(folder, f"{way}-1")
        model = os.path.join(folder, f"{way}-model")
        coppice("export", run, "--model", MODEL, "--out", model)
        prompt = json.dumps({"messages": [{"role": "user", "content": "A shop has 3 boxes with 12 pens each. How many pens?"}]})
        by_recipe = coppice("generate", "--model", MODEL, "--recipe", run, text_in=prompt + "\n")
        by_export = coppice("generate", "--model", model, text_in=prompt + "\n")
        check(json.loads(by_recipe)["ids"] and by_recipe == by_export, f"recipe and export differ: {by_recipe} {by_export}")
