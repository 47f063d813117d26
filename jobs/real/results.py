#!/usr/bin/env python3
"""Every method beside every other on real models: runs the jobs of this folder and writes a table.

  jobs/real/results.py [--model NAME[=DIR] ...] [--task TASK,...] [--job JOB.yaml ...] [--seeds 1,2,3] [--scale S]
                       [--methods corp,operators,rounds,es] [--shots 4] [--set KEY=VALUE ...] [--train OPTION ...]
                       [--out DIR] [--plan]

For each model, task and population seed: the base, the base with few-shot examples, RandOpt and self-consistency with
K = 1, 10, 50, CoRP, CoRP with all operators, rounds and es. A model NAME has job files NAME-TASK.yaml here, or runs
those of smollm2 from DIR; --job takes any other job. What it will cost is said first, from --check and a measured rate;
--plan ends there. Runs that --out (runs/results) holds are not made again and unfinished ones go on, so stop it as you
like. --scale 0.1 has populations, budgets and splits of a tenth. The table is DIR/table.md.

Where PyTorch is (analysis/gradients/README.md), --methods corp,grpo,grpo-lora,ppo,ppo-lora also trains by gradients,
with the splits of the first search method's run and the tokens that it has spent."""
import argparse
import json
import math
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
COPPICE = os.path.abspath(os.environ.get("COPPICE", os.path.join(TOP, "build", "coppice")))
CACHE = os.environ.get("COPPICE_REAL_DIR", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                        "coppice-real"))
MPIRUN = os.path.join(TOP, "slurm", "mpirun.sh")
MADE = {"smollm2": "SmolLM2-135M-Instruct", "gemma3": "gemma-3-270m"}  # by tests/real/model.sh
TASKS = ["arithmetic", "glosses", "json", "words"]
NO_BASELINES = ["baselines.randopt=[]", "baselines.self_consistency=[]"]
METHODS = {
    "corp": ("CoRP", ["method=corp"]),
    "operators": ("CoRP, all operators", ["method=corp", "consolidate.operators=[two-pass, z-score, rank, precision]", *NO_BASELINES]),
    "rounds": ("rounds", ["method=rounds", *NO_BASELINES]),
    "es": ("es", ["method=es", "population.antithetic=true", *NO_BASELINES]),
}
GRADIENTS = {
    "grpo": ("GRPO", ["--algorithm", "grpo"]),
    "grpo-lora": ("GRPO, LoRA", ["--algorithm", "grpo", "--lora"]),
    "ppo": ("PPO", ["--algorithm", "ppo"]),
    "ppo-lora": ("PPO, LoRA", ["--algorithm", "ppo", "--lora"]),
}
TORCH = [os.environ.get("COPPICE_TORCH_PYTHON", sys.executable), os.path.join(TOP, "analysis", "gradients", "train.py")]
# `coppice eval` and training have no such options, so jobs that set these keys are not asked alike there.
PLAIN = {"generation.stop_tokens": [], "generation.repetition_penalty": 0, "generation.no_repeat_ngram_size": 0,
         "generation.min_new_tokens": 0, "generation.model_rules": True}
SHARES = {"rounds": 0.4, "es": 0.32}  # of the population's size: what one of many populations has
SCALED = {"population.size": 8, "recenter.size": 4, "splits.support": 16, "splits.probe": 16, "splits.validate": 16,
          "splits.test": 16, "budget.answers": 1, "budget.tokens": 1}  # and the least of each
RESAMPLES = 4000
STOPPED = 75


# --- jobs ---

class Job:
    """A model and a task: the job file and what is set in it."""

    def __init__(self, label, path, settings, options):
        self.label, self.path, self.folder = label, path, os.path.join(options.out, label)
        self.settings = [*settings, *options.set]
        self.keys = read_keys(re.findall(r"^([a-z_.]+): (.*)$", check(path, self.settings), re.M))
        for key, least in SCALED.items():
            value = self.keys.get(key)
            if options.scale != 1 and isinstance(value, int):
                self.settings.append(f"{key}={max(least, round(value * options.scale))}")
                self.keys[key] = max(least, round(value * options.scale))
        if options.search != options.methods:
            self.keys.update({"--train": options.train, "--methods, whose first search has the budget": options.search[0]})

    def all_settings(self, method, seed):
        size = max(4, round(self.keys["population.size"] * SHARES.get(method, 1)))
        if method == "es" or self.keys["population.antithetic"]:  # in pairs
            size += size % 2
        own = [f"population.seed={seed}", f"population.size={size}", *METHODS[method][1]]
        sigmas = self.keys["population.sigma"]
        if method == "es":  # one sigma, the middle one
            own.append(f"population.sigma=[{sigmas[len(sigmas) // 2]}]")
        return self.settings + own

    def out(self, method, seed):
        return os.path.join(self.folder, f"{method}-{seed}")


def check(path, settings):
    command = [COPPICE, "run", path, "--check"] + [word for setting in settings for word in ("-s", setting)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"results: {path} with {settings}: {done.stderr.strip()}")
    return done.stdout


def read_keys(pairs):
    """Keys and their values as YAML, which but for words is JSON."""
    keys = {}
    for key, value in pairs:
        try:
            keys[key] = json.loads(value)
        except ValueError:
            keys[key] = value
    return keys


def make_model(name):
    folder = os.path.join(CACHE, MADE[name])
    if not os.path.isdir(folder):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(["sh", "-euc", '. "$here/model.sh"; choose_model "$1"; need_model', "sh", name], check=True,
                       env=dict(os.environ, here=os.path.join(TOP, "tests", "real"), root=CACHE,
                                python=os.environ.get("PYTHON", "python3")))
    return folder


def make_data(task):
    path, examples = (os.path.join(HERE, "data", name + ".jsonl") for name in (task, task + "-examples"))
    if not (os.path.exists(path) and os.path.exists(examples)):
        subprocess.run([sys.executable, os.path.join(HERE, "make_data.py"), task], check=True)
    return path


def can_train():
    """Whether the Python for that has the packages. To import them all would take seconds."""
    code = "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in ('torch', 'trl', 'peft')))"
    return subprocess.run([TORCH[0], "-c", code], check=False).returncode == 0


def find_jobs(options):
    jobs = [Job(os.path.splitext(os.path.basename(path))[0], os.path.abspath(path), [], options) for path in options.job]
    for model in options.model if options.model or jobs else ["smollm2"]:
        name, _, folder = model.partition("=")
        if not folder and name not in MADE:
            sys.exit(f"results: where is the model {name}? --model {name}=DIR; made by itself: {', '.join(MADE)}")
        folder = os.path.abspath(folder) if folder else make_model(name)
        for task in options.task.split(","):
            if task not in TASKS:
                sys.exit(f"results: no task {task}; there are {', '.join(TASKS)}")
            path = os.path.join(HERE, f"{name}-{task}.yaml")
            settings = [f"model={folder}", f"task.data={make_data(task)}"]
            jobs.append(Job(f"{name}-{task}", path if os.path.exists(path) else os.path.join(HERE, f"smollm2-{task}.yaml"),
                            settings, options))
    return jobs


# --- what it will cost ---

def evaluate(job, data, arguments):
    """`coppice eval` with the job's prompts."""
    keys = job.keys
    command = [COPPICE, "eval", "--model", keys["model"], "--task", keys["task.name"], "--data", data, "--json",
               "--max-new-tokens", str(keys["generation.max_new_tokens"]), "--batch", str(keys["backend.batch"]),
               "--backend", keys["backend.kind"], "--compute", keys["backend.compute"],
               "--arithmetic", keys["backend.arithmetic"]]
    for key, option in (("task.prompt.system", "--system"), ("task.prompt.user", "--user"),
                        ("task.prompt.assistant", "--assistant"), ("task.prompt.date", "--date")):
        command += [option, keys[key]] if keys.get(key) is not None else []
    command += [word for pair in keys["task.fields"].items() for word in ("--field", "=".join(pair))]
    command += [] if keys["task.chat"] == "auto" else ["--chat", keys["task.chat"]]
    command += ["--stop=" + text for text in keys["generation.stop"]]
    command += ["--timeout", str(keys["task.timeout"])] if keys["task.timeout"] else []
    if keys["task.shots"] > 0:
        command += ["--examples", keys["task.examples"], "--shots", str(keys["task.shots"]),
                    "--shot-seed", str(keys["splits.seed"])]
    command += arguments + (["--", *keys["task.command"]] if keys.get("task.command") else [])
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"results: {' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def store(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def check_claim(job):
    """The folder is of this job, or of none yet: runs of other settings would stand in one table with it."""
    path = os.path.join(job.folder, "keys.json")
    before = load(path) if os.path.exists(path) else job.keys
    other = [key for key in job.keys if job.keys[key] != before.get(key, job.keys[key])]
    if other:
        sys.exit(f"results: {job.folder} has runs with other settings ({', '.join(other)}): choose another --out, or remove it")


def claim(job):
    check_claim(job)
    os.makedirs(job.folder, exist_ok=True)
    path = os.path.join(job.folder, "keys.json")
    store(path, {**(load(path) if os.path.exists(path) else {}), **job.keys})


def measure(job):
    """Answers a second of the base on this machine, and tokens an answer."""
    path = os.path.join(job.folder, "rate.json")
    keys = {key: value for key, value in job.keys.items() if re.match(r"model$|task\.|generation\.|backend\.", key)}
    if not os.path.exists(path) or load(path).get("keys", keys) != keys:
        os.makedirs(job.folder, exist_ok=True)
        got = evaluate(job, job.keys["task.data"], ["--limit", "32"])
        store(path, {"rate": got["examples"] / got["seconds"], "tokens": got["generated_tokens"] / got["examples"],
                     "keys": keys})
    return load(path)


def result_of(job, method, seed):
    """The file that says that a run is done."""
    return os.path.join(job.out(method, seed), "result.json" if method in GRADIENTS else "summary.json")


def is_done(job, method, seed):
    return os.path.exists(result_of(job, method, seed))


def count_answers(job, method, seed, options):
    """At most. Training has the budget of the search that it is held against, and no votes on test."""
    settings = job.all_settings(options.search[0] if method in GRADIENTS else method, seed)
    work = dict(re.findall(r"(\w+) (\d+)", re.search(r"^# work: (.*)$", check(job.path, settings), re.M).group(1)))
    if method in GRADIENTS:
        work["test"] = job.keys["splits.test"]
    return sum(map(int, work.values()))


def plan(jobs, options):
    """Says what is left to do; nothing of it is done yet."""
    total_h = 0.0
    print("| job | runs left | answers at most | M tokens, about | hours, about |\n|---|---|---|---|---|")
    for job in jobs:
        check_claim(job)
        left = [(method, seed) for seed in options.seeds for method in options.methods if not is_done(job, method, seed)]
        answers = len(options.seeds) * job.keys["splits.test"] if can_show(job, options) and left else 0
        answers += sum(count_answers(job, method, seed, options) for method, seed in left)
        rate = measure(job)
        hours = answers / rate["rate"] / 3600
        total_h += hours
        print(f"| {job.label} | {len(left)} | {answers} | {answers * rate['tokens'] / 1e6:.2f} | {hours:.2f} |", flush=True)
    for job in jobs:
        if options.shots > 0 and other_rules(job.keys):
            print(f"\n{job.label}: no row with few-shot examples, for coppice eval knows nothing of "
                  f"{', '.join(other_rules(job.keys))}")
    print(f"\nAbout {total_h:.1f} hours on {machine()}, at the base's rate; more where models are slower to make than to "
          f"ask, and for training, less where answers get shorter.\n", flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {len(os.sched_getaffinity(0))} cores"


# --- running ---

def crowded():
    """The environment in which mpirun starts a rank more than there are cores: rank 0 only coordinates."""
    said = subprocess.run([MPIRUN, "--environment", "crowded"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(os.environ, **dict(line.split("=", 1) for line in said.splitlines()))


def wait(command, log):
    """The exit code of a job. Signals are passed on to it, so that it ends with a checkpoint."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=crowded(),
                          start_new_session=True) as process:
        stopped = []

        def stop(*_):
            stopped.append(True)
            process.send_signal(signal.SIGTERM)
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            code = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return STOPPED if stopped else code


def command_of(job, method, seed, options):
    out = job.out(method, seed)
    if method in GRADIENTS:
        return [*TORCH, job.out(options.search[0], seed), "--out", out, "--seed", str(seed), "--discard",
                *GRADIENTS[method][1], *options.train]
    launch = [] if options.ranks == 1 else [MPIRUN, "-np", str(options.ranks + 1)]
    command = launch + [COPPICE, "run", job.path, "--out", out, "--progress", "never", "--oversubscribe"]
    return command + [word for setting in job.all_settings(method, seed) for word in ("-s", setting)]


def clocks():
    """Seconds on the wall, and of processors in the processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": time.monotonic(), "processor": ended.ru_utime + ended.ru_stime}


def add_clocks(out, start):
    """What a run took in all its starts."""
    for name, now in clocks().items():
        path = f"{out}.{name}"
        store(path, (load(path) if os.path.exists(path) else 0) + now - start[name])


def run(job, method, seed, options):
    """One run, or what is left of it. Returns why there is no result, None where there is one."""
    out = job.out(method, seed)
    if is_done(job, method, seed):
        return None
    if method in GRADIENTS and not is_done(job, options.search[0], seed):
        return f"{out}: {options.search[0]}, whose splits and budget it has, has no result"
    start = clocks()
    print(f"{job.label}, {method}, seed {seed} ...", flush=True)
    with open(out + ".log", "a", encoding="utf-8") as log:
        code = wait(command_of(job, method, seed, options), log)
    add_clocks(out, start)
    if code == STOPPED:
        print("results: stopped; the same command goes on")
        sys.exit(STOPPED)
    if code == 0 and is_done(job, method, seed):
        return None
    with open(out + ".log", encoding="utf-8") as log:
        return f"{out}.log, exit code {code}: {log.read().strip().splitlines()[-1:]}"


def inspect(out):
    done = subprocess.run([COPPICE, "inspect", out, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def outcome(job, method, seed):
    """What a run has in the end: scores and costs, and whether that is another model than the base."""
    if method not in GRADIENTS:
        return inspect(job.out(method, seed))
    found = load(result_of(job, method, seed))
    return {"final": {"consolidated": found, "improved": found["improved"]}}


def cut(tree, keys, folder):
    """The examples of a run, a file for each of its splits in the folder; returns their rows."""
    with open(keys["task.data"], encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    order, rows = [int(number) for number in tree["base"]["examples"]], {}
    if keys["splits.drop_uninformative"]:  # support is what came in the place of its first examples
        order[:keys["splits.support"]] = [int(number) for number in tree["population"]["examples"]]
    for split in ("support", "probe", "validate", "test"):
        count = keys["splits." + split]
        chosen, order = [lines[number].rstrip("\n") for number in order[:count]], order[count:]
        rows[split] = [json.loads(line) for line in chosen]
        with open(os.path.join(folder, split + ".jsonl"), "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in chosen)
    return rows


def evaluate_split(job, folder, split, arguments):
    """What `coppice eval` says of a split that cut() has written, and each answer."""
    path = os.path.join(folder, "answers.jsonl")
    got = evaluate(job, os.path.join(folder, split + ".jsonl"), [*arguments, "--answers", path])
    with open(path, encoding="utf-8") as lines:
        return got, [json.loads(line) for line in lines]


def other_rules(keys):
    """Keys by which a job's answers come about otherwise than `coppice eval` can be told."""
    return [key for key, value in PLAIN.items() if keys.get(key, value) != value]


def can_show(job, options):
    """Whether there is a row with few-shot examples: not for jobs that have their own, or other rules."""
    return options.shots > 0 and job.keys["task.shots"] == 0 and not other_rules(job.keys)


def few_shot(job, tree, seed, options):
    """Scores of the base with examples from the support set before each question of test."""
    path = os.path.join(job.folder, f"shots{options.shots}-{seed}.json")
    if not os.path.exists(path):
        cut(tree, job.keys, job.folder)
        got, answers = evaluate_split(job, job.folder, "test", [
            "--examples", os.path.join(job.folder, "support.jsonl"), "--shots", str(options.shots), "--shot-seed",
            str(seed)])
        store(path, {"scores": [answer["reward"] for answer in answers], "answers": 1, "search_evaluations": 0,
                     "test_tokens": got["generated_tokens"], "test_evaluations": len(answers), "search_tokens": 0})
    return load(path)


# --- the table ---

def quantiles(values):
    """95% interval of the mean of one value a question, by drawing questions."""
    chance, count = random.Random(1), len(values)
    means = sorted(math.fsum(chance.choices(values, k=count)) / count for _ in range(RESAMPLES))
    return means[RESAMPLES // 40], means[-RESAMPLES // 40]


def sign_test(differences):
    """Two-sided p of a mean difference of zero, by giving the questions' differences random signs."""
    chance, least = random.Random(2), abs(math.fsum(differences)) - 1e-9
    nonzero = [difference for difference in differences if difference]
    if not nonzero:
        return 1.0
    extreme = 0
    for _ in range(RESAMPLES):
        bits = chance.getrandbits(len(nonzero))
        extreme += abs(math.fsum(d if bits >> i & 1 else -d for i, d in enumerate(nonzero))) >= least
    return (extreme + 1) / (RESAMPLES + 1)


def average(groups, name="scores"):
    """The mean over seeds, question by question."""
    return [math.fsum(column) / len(column) for column in zip(*(group[name] for group in groups))]


def against(values, other):
    differences = [a - b for a, b in zip(values, other)]
    low, high = quantiles(differences)
    return f"{math.fsum(differences) / len(differences):+.3f} ({low:+.3f} .. {high:+.3f})", sign_test(differences)


def row(job, title, groups, base, vote, notes=None, clock=(None, None)):
    """`groups`: of each seed scores and costs; `notes`: of each seed what stands behind its accuracy;
    `clock`: seconds on the wall and of processors."""
    values, count = average(groups), len(groups[0]["scores"])
    low, high = quantiles(values)
    means = [math.fsum(group["scores"]) / count for group in groups]
    gain, p = against(values, base) if title != "base" else ("", None)
    beside = against(values, vote)[0] if vote and values != vote else ""
    cost = [sum(group[name] for group in groups) / len(groups) for name in ("search_evaluations", "search_tokens")]
    # Of the base all splits are counted: what an answer takes, times the answers to a question.
    spent = sum(group["test_tokens"] / group["test_evaluations"] * group["answers"] for group in groups) / len(groups)
    seeds = " ".join(f"{mean:.3f}{note}" for mean, note in zip(means, notes or [""] * len(means)))
    return (f"| {job.label} | {title} | {sum(means) / len(means):.3f} | {low:.3f} .. {high:.3f} | {seeds} | {gain} | "
            f"{'' if p is None else f'{p:.4f}'} | {beside} | {cost[0]:.0f} | {cost[1] / 1e6:.2f} | "
            f"{spent:.0f} | {' | '.join('' if seconds is None else f'{seconds / 60:.1f}' for seconds in clock)} |")


def average_clock(job, method, seeds, name):
    """Seconds of a run, the mean over seeds; None where an older results.py ran one of them without that clock."""
    paths = [f"{job.out(method, seed)}.{name}" for seed in seeds]
    return sum(map(load, paths)) / len(paths) if all(map(os.path.exists, paths)) else None


def tell(job, results, options):
    """The rows of a job. `results`: trees by method and seed."""
    seeds = [seed for seed in options.seeds if all((method, seed) in results for method in options.methods)]
    if not seeds:
        return
    first = [results[options.search[0], seed] for seed in seeds]
    base = [first[0]["final"]["base"]]
    scores = base[0]["scores"]
    rows = [("base", base)]
    if can_show(job, options):
        rows.append((f"base, {options.shots} examples before", [few_shot(job, first[0], seed, options) for seed in seeds]))
    vote = None
    if "corp" in options.methods:
        trees = [results["corp", seed] for seed in seeds]
        baselines = trees[0].get("baselines", {})  # a job may have none
        for group in [name for name in baselines if re.search(r"_k\d+$", name)]:
            rows.append((baselines[group]["title"], [tree["baselines"][group] for tree in trees]))
        votes = [name for name in baselines if name.startswith("randopt_k")]
        if votes:
            largest = max(votes, key=lambda name: int(name.removeprefix("randopt_k")))
            vote = average([tree["baselines"][largest] for tree in trees])
    for method in options.methods:
        trees = [results[method, seed] for seed in seeds]
        rows.append(((METHODS | GRADIENTS)[method][0], [tree["final"]["consolidated"] for tree in trees],
                     ["" if tree["final"]["improved"] else " (base)" for tree in trees],
                     [average_clock(job, method, seeds, name) for name in ("seconds", "processor")]))
    for title, groups, *more in rows:
        yield row(job, title, groups, scores, vote, *more)


HEAD = ("| job | method | mean | 95% interval | by seed | gain on the base (95%, paired) | p | on RandOpt's largest vote (95%, paired) | "
        "search, answers | search, M tokens | test, tokens an item | wall, minutes | processor, minutes |\n" + "|---" * 13 + "|")
TAIL = """
Mean reward on test, which is the accuracy where rewards are 0 or 1; means over the population seeds {seeds}. Intervals
by a bootstrap over the questions, p by random signs of their differences ({resamples} draws each). (base): nothing passed
the gate. Minutes are of the whole run, CoRP's with the votes on test. Search of GRPO and PPO is what they were trained
with. {machine}; {version}."""


def numbers(parser, option, text):
    """Different whole numbers with commas between them."""
    if not re.fullmatch(r"\d+(,\d+)*", text) or len(set(text.split(","))) < len(text.split(",")):
        parser.error(f"{option} {text}: must be different whole numbers, for example 1,2,3")
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[], metavar="NAME[=DIR]")
    parser.add_argument("--task", default=",".join(TASKS), metavar="TASK,...")
    parser.add_argument("--job", action="append", default=[], metavar="JOB.yaml")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--methods", default=",".join(METHODS), metavar="METHOD,...",
                        help=f"of {', '.join(METHODS)} (all of these) and, where PyTorch is, {', '.join(GRADIENTS)}")
    parser.add_argument("--train", action="append", default=[], metavar="OPTION",
                        help="for analysis/gradients/train.py, for example --train=--bf16")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--shots", type=int, default=4, help="few-shot examples; 0: no such row")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in every run")
    parser.add_argument("--ranks", type=int, default=len(os.sched_getaffinity(0)), help="that compute (all cores)")
    parser.add_argument("--out", default=os.path.join("runs", "results"))
    parser.add_argument("--plan", action="store_true", help="only say what it will cost")
    options = parser.parse_args()
    options.seeds = numbers(parser, "--seeds", options.seeds)
    if options.shots < 0 or options.ranks < 1:
        parser.error(f"--shots {options.shots} --ranks {options.ranks}: must be at least 0 and 1")
    if not 0 < options.scale < math.inf:
        parser.error(f"--scale {options.scale:g}: must be above 0, and a number")
    options.methods = options.methods.split(",")
    if len(set(options.methods)) < len(options.methods):
        parser.error(f"--methods {','.join(options.methods)}: each once")
    options.out = os.path.abspath(options.out)
    for method in options.methods:
        if method not in METHODS | GRADIENTS:
            parser.error(f"no method {method}; there are {', '.join(METHODS | GRADIENTS)}")
    options.search = [method for method in options.methods if method in METHODS]
    options.methods.sort(key=lambda method: method in GRADIENTS)  # those need the run of a search
    if not options.search:
        parser.error(f"{options.methods[0]} has the splits and the budget of a search: --methods corp,{options.methods[0]}")
    if options.search != options.methods and not can_train():
        parser.error(f"{TORCH[0]} has no torch, trl and peft: install what analysis/gradients/requirements.txt lists, and "
                     f"name its Python in COPPICE_TORCH_PYTHON")
    try:
        os.makedirs(options.out, exist_ok=True)
    except OSError as problem:
        parser.error(f"--out {options.out}: {problem}")
    jobs = find_jobs(options)
    for job in jobs:
        if [other.label for other in jobs].count(job.label) > 1:
            parser.error(f"{job.label} is asked for twice")
        if job.keys["splits.test"] == 0:
            parser.error(f"{job.label} has no test examples (splits.test), on which methods are compared")
        if can_show(job, options) and options.shots > job.keys["splits.support"]:
            parser.error(f"--shots {options.shots}: {job.label} has {job.keys['splits.support']} support examples to take "
                         f"them from")
    plan(jobs, options)
    if options.plan:
        return
    for job in jobs:
        claim(job)
    failures, rows = [], []
    for job in jobs:
        results = {}
        for seed in options.seeds:
            for method in options.methods:
                why = run(job, method, seed, options)
                if why is None:
                    results[method, seed] = outcome(job, method, seed)
                else:
                    failures.append(why)
        rows += tell(job, results, options)
        version = subprocess.run([COPPICE, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]
        text = "\n".join([HEAD, *rows]) + "\n" + TAIL.format(seeds=", ".join(map(str, options.seeds)), resamples=RESAMPLES,
                                                              machine=machine(), version=version) + "\n"
        text += "".join(f"\nWithout a result, so a seed that no row of the job has: {why}\n" for why in failures)
        with open(os.path.join(options.out, "table.md"), "w", encoding="utf-8") as file:
            file.write(text)
    print(text)
    if failures:
        sys.exit("results: without a result: " + "; ".join(failures))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("results: stopped; the same command goes on")
