#!/usr/bin/env python3
"""PPO and GRPO beside a search: trains the model of a finished run on its support split, from the same prompts, for the
rewards of `coppice reward`, with the generated tokens that the search has spent.

  analysis/gradients/train.py RUN --out DIR [--algorithm grpo|ppo] [--lora] [--seed S] [--budget TOKENS] [--rate R] ...

Checkpoints are scored on the probe split; the best is put to the run's gate on validate, where the base stands if it does
not pass, and `coppice eval` scores the test split. DIR/result.json has scores, tokens and seconds, DIR/model the weights.
What is done is not done again. Needs the packages of requirements.txt."""
import argparse
import os
import resource
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from course import Course  # noqa: E402
from task import Task, results  # noqa: E402

RATES = {("grpo", False): 1e-5, ("grpo", True): 2e-4, ("ppo", False): 1e-5, ("ppo", True): 2e-4}
DIVERGENCE = {"grpo": 0.0, "ppo": 0.05}


class Rollouts:
    """Answers to support questions, and what they earn."""

    def __init__(self, task, policy, course, temperature):
        self.task, self.policy, self.course, self.temperature = task, policy, course, temperature
        self.prompts, self.known = zip(*task.questions())

    def answer(self, model, numbers):
        return self.policy.draw(model, [self.prompts[number] for number in numbers], self.task.limit, self.temperature)

    def reward(self, numbers, answers):
        said = [self.policy.said(answer) for answer in answers]
        rewards = self.task.rewards([
            {**self.known[number], "prompt": self.policy.text(self.prompts[number]), "response": self.policy.response(ids)}
            for number, ids in zip(numbers, said)])
        self.course.took(sum(map(len, said)), rewards)
        return rewards


def processor_seconds():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def learn(task, options):
    """Trains and gates. Returns the course and the gate's decision."""
    course = Course(task, options.budget, options.checkpoints, options.out, options.batch)
    if not course.may_step():
        sys.exit(f"gradients: {options.budget} tokens do not allow one step of {options.batch} answers, its checkpoint on "
                 f"probe and the gate on validate: {course.need()} are needed at least")
    import torch
    import weights
    import importlib
    import warnings
    warnings.filterwarnings("ignore", category=FutureWarning)  # of the libraries about each other
    torch.manual_seed(options.seed)
    policy = weights.Policy(task.keys["model"], "cuda" if torch.cuda.is_available() else "cpu", options.bf16,
                            task.stops)
    model = weights.with_lora(policy.model) if options.lora else policy.model
    rollouts = Rollouts(task, policy, course, options.temperature)

    def export(folder):
        policy.export(model, folder)
    importlib.import_module(options.algorithm).train(policy, model, rollouts, course, options, export)
    return course, course.finish(export, task.keys["gate.z"])


def settings_of(options):
    names = ("algorithm", "lora", "seed", "budget", "rate", "batch", "group", "kl", "checkpoints", "temperature", "bf16")
    return {name: getattr(options, name) for name in names}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="a finished run of `coppice run`")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--algorithm", choices=["grpo", "ppo"], default="grpo")
    parser.add_argument("--lora", action="store_true", help="adapters of rank 16 on all linear layers, not all weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="generated tokens (what the search has spent)")
    parser.add_argument("--rate", type=float, help="learning rate, constant (1e-5; with --lora 2e-4)")
    parser.add_argument("--batch", type=int, default=32, help="answers of a step (32)")
    parser.add_argument("--group", type=int, default=8, help="GRPO: answers to one question (8)")
    parser.add_argument("--kl", type=float, help="weight of the divergence from the base (GRPO 0, PPO 0.05)")
    parser.add_argument("--temperature", type=float, help="that answers are drawn at (the run's baselines.temperature)")
    parser.add_argument("--checkpoints", type=int, default=4, help="models scored on probe, evenly over the budget (4)")
    parser.add_argument("--part", type=int, default=16, help="answers in memory at a time (16); changes no result")
    parser.add_argument("--bf16", action="store_true", help="compute in bf16; weights stay in float32")
    parser.add_argument("--discard", action="store_true", help="keep no weights")
    options = parser.parse_args()
    for name in ("budget", "rate", "batch", "group", "temperature", "checkpoints", "part"):
        if getattr(options, name) is not None and not getattr(options, name) > 0:
            parser.error(f"--{name} {getattr(options, name):g}: must be above 0")
    options.rate = options.rate or RATES[options.algorithm, options.lora]
    options.kl = DIVERGENCE[options.algorithm] if options.kl is None else options.kl
    if options.batch % options.group or options.batch % min(options.batch, options.part):
        parser.error(f"--batch {options.batch} must be a multiple of --group {options.group} and of --part {options.part}")
    return options


def main():
    options, start, used = parse(), time.monotonic(), processor_seconds()
    path = os.path.join(options.out, "result.json")
    task = Task(options.run, os.path.join(options.out, "splits"))
    asked = options.batch // options.group
    if options.algorithm == "grpo" and len(task.rows["support"]) < asked:
        sys.exit(f"gradients: a step asks {asked} questions, --batch {options.batch} by --group {options.group}, and support "
                 f"has {len(task.rows['support'])}: take a smaller --batch")
    options.budget = options.budget or task.budget()
    options.temperature = options.temperature or task.keys["baselines.temperature"]
    if os.path.exists(path):
        if results.load(path)["settings"] != settings_of(options):
            sys.exit(f"gradients: {options.out} has a result with other settings: choose another --out, or remove it")
        print(f"{path} is there already")
        return
    course, gate = learn(task, options)
    spent, budget = processor_seconds() - used, course.budget
    test = task.score("test", course.model if gate["accepted"] else None)
    results.store(path, {
        "scores": test["rewards"], "answers": 1, "test_tokens": test["tokens"], "test_evaluations": test["answers"],
        "search_evaluations": budget.answers, "search_tokens": budget.tokens, "improved": gate["accepted"], "gate": gate,
        "settings": settings_of(options), "steps": course.curve, "probe": course.best,
        "seconds": time.monotonic() - start, "training_processor_seconds": spent})
    shutil.rmtree(os.path.join(options.out, "splits"))
    if options.discard:
        shutil.rmtree(course.model)
    print(f"test {sum(test['rewards']) / len(test['rewards']):.3f}{'' if gate['accepted'] else ' (base)'}, "
          f"{budget.tokens} tokens, {time.monotonic() - start:.0f} s, {spent:.0f} processor seconds; {path}")


if __name__ == "__main__":
    main()
