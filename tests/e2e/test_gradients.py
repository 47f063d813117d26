#!/usr/bin/env python3
"""Training by gradients beside the search (analysis/gradients): it has the run's splits, prompts, rewards and gate, it
never spends more than the search, and its rows stand in the table. The training itself needs PyTorch, in the Python that
COPPICE_TORCH_PYTHON names; without it that part is skipped."""
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys

from lib import COPPICE, DATA, DEMO, ENV, MODEL, TOP, check, coppice, inspect, json_lines, read, run_job, scratch

sys.dont_write_bytecode = True
GRADIENTS = os.path.join(TOP, "analysis", "gradients")
os.environ["COPPICE"] = COPPICE
sys.path.insert(0, GRADIENTS)
from course import Course, passes  # noqa: E402
from task import Task, results  # noqa: E402

PYTHON = results.TORCH[0]
SMALL = ["population.size=40", "splits.support=16", "splits.probe=16", "splits.validate=32", "splits.test=32",
         "consolidate.q=[0.7]", "consolidate.beta=[1]", "consolidate.scale=[1, 2]", "consolidate.max_scale=2",
         "recenter.rounds=0", "generation.max_new_tokens=80", "baselines.randopt=[]", "baselines.self_consistency=[]",
         "analysis.split_half=false"]
TRAIN = ["--batch", "16", "--checkpoints", "2", "--rate", "1e-3"]


def check_task(run, folder):
    """Splits, prompts, rewards and scores are those that the run has on file."""
    task, tree = Task(run, folder), inspect(run)
    order, lines = [int(number) for number in tree["base"]["examples"]], read(DATA, "r").splitlines()
    asked = [json.loads(lines[number]) for number in order]
    check([row for split in ("support", "probe", "validate", "test") for row in task.rows[split]] == asked, "other splits")
    plain = json_lines(f"<|im_start|>user\n{row['question']}<|im_end|>\n<|im_start|>assistant\n" for row in asked[:16])
    ids = [json.loads(line) for line in coppice("tokenize", "--model", MODEL, text_in=plain).splitlines()]
    questions = task.questions()
    check([prompt for prompt, _ in questions] == ids, "other prompts than the model's template makes")
    base, final = tree["base"]["scores"][0], tree["final"]["base"]["scores"]
    scored = task.score("validate")
    check(scored["rewards"] == scored["measure"] == base[32:64] and {0, 1} == set(base[32:64]), "other scores on validate")
    check(task.score("test")["rewards"] == final, "other scores on test")
    told = [{**known, "response": f"#### {known['answer']}" if i % 3 else "#### 0.5"}
            for i, (_, known) in enumerate(questions)]
    check(task.rewards(told) == [float(i % 3 > 0) for i in range(16)], "other rewards")
    check(task.budget() == tree["final"]["consolidated"]["search_tokens"] > 5000, "another budget")
    gated = tree["gate"]["decisions"]["01"]
    mine = passes(tree["gate"]["stage1"]["scores"][int(gated["try"]) - 1], base[32:64], gated["z"])
    check(abs(mine["bound"] - gated["bound"]) < 1e-6 and mine["accepted"] == bool(gated["accepted"]), f"{mine}, but {gated}")
    task.keys["gate.z"], task.tree["gate"]["on"] = 1, "reward"
    check(task._measure({"reward": 0.25, "correct": False}) == 0.25, "a gate on rewards goes by something else")


def check_prompted(run, folder):
    """With examples before the questions and a text that ends answers: the same answers as the run's."""
    task, tree = Task(run, folder), inspect(run)
    check(task.stops == ["9."], f"stop texts {task.stops}")
    base = tree["base"]["scores"][0]
    check(task.score("validate")["rewards"] == base[32:64], "other scores on validate")
    check(task.score("test")["rewards"] == tree["final"]["base"]["scores"], "other scores on test")
    check(len(task.questions()[0][0]) > 60, "prompts without examples")


def check_dropped(run, folder):
    """Where support examples were replaced the others are learnt from."""
    task, tree, lines = Task(run, folder), inspect(run), read(DATA, "r").splitlines()
    used, first = ([int(number) for number in tree[phase]["examples"]] for phase in ("population", "base"))
    check(set(used) != set(first[:16]), "nothing was replaced")
    check(task.rows["support"] == [json.loads(lines[number]) for number in used], "other support examples than the run's")
    check(task.rows["probe"] == [json.loads(lines[number]) for number in first[16:32]], "other probe examples than the run's")


class Script:
    """A task whose answers are as long as may be; `probe` and `validate` say what they earn."""

    limit = 10

    def __init__(self, probe, validate, least=0.0):
        self.least = least  # that an answer may earn
        self.rows = {"probe": [None] * 4, "validate": [None] * 8}
        self.earned = {"probe": list(probe), "validate": list(validate)}

    def score(self, split, _model=None):
        count, right = len(self.rows[split]), self.earned[split].pop(0)
        return {"measure": [self.least + (i < right) for i in range(count)], "answers": count, "tokens": count * self.limit}


def follow(folder, probe, validate, total=1000, least=0.0):
    """A course of steps of 5 answers, and its gate. What is exported is the number of the step."""
    course = Course(Script(probe, validate, least), total, 3, folder, 5)

    def export(out):
        os.makedirs(out)
        with open(os.path.join(out, "step"), "w", encoding="utf-8") as file:
            file.write(str(course.steps))
    while course.may_step():
        course.took(50, [0.0] * 5)
        course.stepped(export)
    return course, course.finish(export, 1.1), int(read(os.path.join(course.model, "step")))


def check_course(folder):
    """The whole budget and no more is spent; the best on probe is gated, of equals the later; no gain, no model."""
    for total, steps in ((1000, 14), (1049, 15), (250, 1)):
        course, gate, _ = follow(folder, [1, 1, 1, 1], [2, 6], total)
        spent = course.budget.tokens
        check(course.steps == steps and total - 130 < spent <= total, f"{total}: {spent} in {course.steps} steps")
        check(gate["accepted"] and gate["mean"] == 0.5, f"{gate}")
    _, _, best = follow(folder, [1, 3, 2], [2, 6])
    check(1 < best < 14, f"step {best} is not the best on probe")
    _, _, best = follow(folder, [3, 2, 3], [2, 6])
    check(best == 14, f"of equals not the last, but step {best}")
    shutil.rmtree(folder)
    check(follow(folder, [1, 1, 1], [2, 6], least=-5.0)[1]["accepted"], "rewards below -1")
    for after in (1, 2, 3):  # worse, equal, and better by no more than chance
        check(not follow(folder, [1, 1, 1], [2, after])[1]["accepted"], f"2 of 8 and then {after} pass the gate")
    check(not Course(Script([], [2]), 249, 3, folder, 5).may_step(), "a step for which there are no tokens")


def table(folder, *more, code=0, env=None):
    command = [sys.executable, results.__file__, "--job", DEMO, "--seeds", "1", "--shots", "0", "--ranks", "1"]
    command += [word for setting in SMALL for word in ("--set", setting)]
    return call([*command, "--out", folder, *more], code, dict(ENV, **(env or {})))


def call(command, code, env):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=env, check=False)
    check(done.returncode == code, f"{command}: exit code {done.returncode}, not {code}\n{done.stdout}")
    return done.stdout


def train(run, out, *more, code=0):
    return call([PYTHON, os.path.join(GRADIENTS, "train.py"), run, "--out", out, *TRAIN, *more], code, ENV)


def tensors(model):
    """Types and shapes of a model's weights, and their bytes."""
    data = read(os.path.join(model, "model.safetensors"))
    length = int.from_bytes(data[:8], "little")
    head = json.loads(data[8:8 + length])
    kinds = {name: (kind["dtype"], kind["shape"]) for name, kind in head.items() if name != "__metadata__"}
    places = {name: [8 + length + offset for offset in head[name]["data_offsets"]] for name in kinds}
    return kinds, {name: data[first:end] for name, (first, end) in places.items()}


def check_training(run, out, *options):
    """A training of its own: kept to its budget, and its weights are the base's but for their values."""
    budget = inspect(run)["final"]["consolidated"]["search_tokens"]
    said = train(run, out, *options)
    got = results.load(os.path.join(out, "result.json"))
    spent = got["search_tokens"]
    check(budget * 0.5 < spent <= budget and f"of {budget:.0f} tokens" in said, f"{spent} of {budget}")
    check(len(got["steps"]) >= 2 and got["search_evaluations"] >= 16 * len(got["steps"]) + 2 * 32 + 16, f"{got}")
    kinds, weights = tensors(os.path.join(out, "model"))
    before_kinds, before = tensors(MODEL)
    check(kinds == before_kinds, "other names, types or shapes than the base's")
    moved = [name for name in weights if weights[name] != before[name]]
    linear = [name for name in weights if "proj" in name and name.endswith("weight")]
    if "--lora" in options:
        check(set(linear) >= set(moved) and len(moved) > len(linear) / 2, f"adapters have moved {moved}")
    else:
        check(set(moved) > set(linear), f"only {moved} have moved")
    task = Task(run, os.path.join(out, "again"))
    check(task.score("test", os.path.join(out, "model") if got["improved"] else None)["rewards"] == got["scores"],
          "the scores are not those of the model that is there")
    check("is there already" in train(run, out, *options), "it was done again")
    check("other settings" in train(run, out, *options, "--seed", "7", code=1), "another seed in the same folder")
    return got


def check_advantages():
    """Of one answer of three tokens, and one of one: by hand."""
    said = subprocess.run([PYTHON, "-c", "import ppo, torch\n"
                           "found, returns = ppo.advantages(torch.tensor([[0., 0., 1.], [2., 0., 0.]]),\n"
                           "    torch.tensor([[0., .5, 0.], [1., 9., 9.]]), torch.tensor([[1., 1., 1.], [1., 0., 0.]]))\n"
                           "print([found.tolist(), returns.tolist()])"],
                          cwd=GRADIENTS, stdout=subprocess.PIPE, text=True, check=True).stdout
    found, returns = json.loads(said)
    want = [[0.5 + 0.95 * 0.45, -0.5 + 0.95, 1], [1, 0, 0]]
    check(all(abs(a - b) < 1e-5 for one, other in zip(found, want) for a, b in zip(one, other)), f"{found}, not {want}")
    check(abs(returns[0][1] - 0.95) < 1e-5 and returns[1][0] == 2, f"{returns}")


def check_rules(folder):
    """Answers are drawn as the steps take them to be, whatever the model's folder says of choosing tokens."""
    other = os.path.join(folder, "rules")
    shutil.copytree(MODEL, other)
    rules = results.load(os.path.join(MODEL, "generation_config.json"))
    results.store(os.path.join(other, "generation_config.json"),
                  {**rules, "repetition_penalty": 1.5, "min_p": 0.5, "num_return_sequences": 2, "do_sample": True})
    said = subprocess.run([PYTHON, "-c", "import json, torch, weights\n"
                           f"for model in ({MODEL!r}, {other!r}):\n"
                           "    policy = weights.Policy(model, 'cpu', False, [])\n"
                           "    prompt = policy.tokenizer('<|im_start|>user\\n12 + 35 - 8 = ?<|im_end|>\\n<|im_start|>assistant\\n').input_ids\n"
                           "    torch.manual_seed(1)\n"
                           "    print(json.dumps([policy.stops, policy.draw(policy.model, [prompt] * 16, 20, 1.0)]))"],
                          cwd=GRADIENTS, stdout=subprocess.PIPE, text=True, check=True).stdout
    plain, ruled = (json.loads(line) for line in said.splitlines()[-2:])
    check(plain == ruled, f"{len(ruled[1])} answers, not those of the plain model: {ruled}")


def check_stops():
    """Drawn answers end with the token that completes a stop text, which is no part of what they say."""
    said = subprocess.run([PYTHON, "-c", "import json, torch, weights\n"
                           "torch.manual_seed(1)\n"
                           f"policy = weights.Policy({MODEL!r}, 'cpu', False, ['7', '{'#' * 10}'])\n"
                           "prompt = policy.tokenizer('<|im_start|>user\\n12 + 35 - 8 = ?<|im_end|>\\n<|im_start|>assistant\\n').input_ids\n"
                           "drawn = policy.draw(policy.model, [prompt] * 64, 40, 1.0)\n"
                           "print(json.dumps([[policy.text(ids), policy.text(ids[:-1]), policy.response(ids), len(ids),\n"
                           "                   ids[-1] in policy.stops] for ids in drawn]))"],
                          cwd=GRADIENTS, stdout=subprocess.PIPE, text=True, check=True).stdout
    answers = json.loads(said.splitlines()[-1])

    def has(text):
        return "7" in text or "#" * 10 in text
    for text, before, response, count, ended in answers:
        check(not has(before) and not has(response) and text.startswith(response), f"{text!r} goes on behind a stop text")
        check(has(text) or ended or count == 40, f"{text!r} ends for no reason")
    stopped = sum(has(text) for text, *_ in answers)
    check(8 < stopped, f"{stopped} of 64 answers have a stop text: {answers[:5]}")


with scratch() as folder:
    source = os.path.join(folder, "search")
    run_job(1, source, SMALL)
    check_task(source, os.path.join(folder, "splits"))
    examples = os.path.join(folder, "examples.jsonl")
    with open(examples, "w", encoding="utf-8") as file:
        file.writelines(read(DATA, "r").splitlines(keepends=True)[-8:])
    prompted = [*SMALL, "task.shots=2", "generation.stop=['9.']", "population.size=8"]
    behind = os.path.join(folder, "prompted")
    run_job(1, behind, [*prompted, f"task.examples={examples}"])
    check_prompted(behind, os.path.join(folder, "prompted-splits"))
    refused = os.path.join(folder, "refused")
    run_job(1, refused, [*prompted, f"task.examples={DATA}", "gate.allow_flat=true"])
    said = subprocess.run([sys.executable, "-c", f"import task; task.Task({refused!r}, {refused!r} + '-splits')"],
                          cwd=GRADIENTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV, check=False)
    check(said.returncode == 1 and "from the data set itself" in said.stdout, said.stdout)
    dropped = os.path.join(folder, "dropped")
    run_job(1, dropped, [*SMALL, "population.size=8", "population.sigma=[1e-5]", "splits.drop_uninformative=true",
                         "splits.drop_after=4", "gate.allow_flat=true"])
    check_dropped(dropped, os.path.join(folder, "dropped-splits"))
    check("take a smaller --batch" in train(source, os.path.join(folder, "few"), "--batch", "256", code=1), "GRPO on no question")
    with contextlib.redirect_stdout(io.StringIO()):  # each step has a line
        check_course(os.path.join(folder, "course"))
    check("a search" in table(folder, "--methods", "grpo", code=2), "training without a search")
    without = table(folder, "--methods", "corp,grpo", code=2, env={"COPPICE_TORCH_PYTHON": "false"})
    check("requirements.txt" in without and "COPPICE_TORCH_PYTHON" in without, without)
    if not results.can_train():
        print(f"skip: {PYTHON} has no torch, trl, peft (COPPICE_TORCH_PYTHON): nothing was trained, the rest was tested")
        sys.exit(77)
    check("are needed at least" in train(source, os.path.join(folder, "none"), "--budget", "2000", code=1), "a budget of no step")
    check_advantages()
    check_stops()
    check_rules(folder)
    full = check_training(source, os.path.join(folder, "grpo"))
    lora = check_training(source, os.path.join(folder, "ppo-lora"), "--algorithm", "ppo", "--lora")
    given = [f"--train={word}" for word in TRAIN]
    shown = table(os.path.join(folder, "table"), "--methods", "ppo,corp,grpo-lora", *given)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("| demo | ")]
    rows = {row[1]: row for row in rows if len(row) > 5}
    check(list(rows) == ["base", "CoRP", "PPO", "GRPO, LoRA"], shown)
    for title in ("PPO", "GRPO, LoRA"):
        check(0 < float(rows[title][9]) <= float(rows["CoRP"][9]) and float(rows[title][12]) > 0, f"{rows[title]}")
    check("seed 1 ..." not in table(os.path.join(folder, "table"), "--methods", "corp,ppo,grpo-lora", *given), "trained again")
    check("other settings (--train)" in table(os.path.join(folder, "table"), "--methods", "ppo,corp,grpo-lora", *given[:-1],
                                              "--train=1e-4", code=1), "a table of trainings at two rates")
    print(f"* GRPO {sum(full['scores']) / 32:.3f}, PPO with LoRA {sum(lora['scores']) / 32:.3f}, base {rows['base'][2]}, "
          f"CoRP {rows['CoRP'][2]}")
