#!/usr/bin/env python3
"""Tasks from the outside: the list of them, MATH-500 as published, renamed fields and few-shot
examples in `eval` and `run`, stories in ROCStories' format, and what is refused."""
import json
import os

from lib import (DATA, MODEL, QUICK, TOP, check, coppice, json_lines, run_job, same_result, scratch)

CONFIG, FORMAT, MISMATCH, USAGE = 3, 4, 8, 2
ARITH = [json.loads(line) for line in open(DATA, encoding="utf-8")]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json_lines(rows))
    return path


def refuses(code, words, *arguments, text_in=None):
    said = coppice(*arguments, text_in=text_in, code=code)
    for word in words:
        check(word in said, f"coppice {' '.join(map(str, arguments))} says {said!r}, without {word!r}")


def rewards(task, rows):
    text = coppice("reward", "--task", task, text_in=json_lines(rows))
    return [json.loads(line) for line in text.splitlines()]


def evaluate(*arguments):
    return json.loads(coppice("eval", "--model", MODEL, "--compute", "f32", "--json", *arguments))


# The list of tasks, and the help that is made from it.
tasks = json.loads(coppice("tasks", "--json"))
names = [task["name"] for task in tasks]
check({"gsm8k", "math", "countdown", "order", "choice", "contains", "regex", "exact", "json"} <= set(names), f"tasks: {names}")
check([task["name"] for task in tasks if task["max_reward"] is None] == ["exec"], "whose rewards are any numbers")
check("any finite number" in coppice("tasks", "exec") and "0 .. 1.1" in coppice("tasks", "countdown"), "ranges of rewards")
table, reward_help, eval_help = coppice("tasks"), coppice("reward", "--help"), coppice("eval", "--help")
for task in tasks:
    check(all(f"\n  {task['name']} " in text for text in (reward_help, eval_help)), f"--help without {task['name']}")
    check(f"\n{task['name']} " in "\n" + table, f"tasks without {task['name']}")
    page = coppice("tasks", task["name"])
    check(task["vote"].split()[0] in page and task["correct"].split()[0] in page, page)
    check(all(field["name"] in page for field in task["fields"]), page)
    check(json.loads(coppice("tasks", task["name"], "--json")) == task, task["name"])
refuses(CONFIG, ["did you mean \"math\""], "tasks", "mth")

# How much of a response's end counts is told, and is so.
for task, form, most in (("gsm8k", "#### 5", 300), ("arith", "#### 5", 300), ("math", "\\boxed{5}", 500),
                         ("math-strict", "\\boxed{5}", 4000)):
    check(f"last {most} characters" in " ".join(coppice("tasks", task).split()), f"{task}: nothing of {most} characters")
    got = rewards(task, [{"response": form.ljust(most + more, " "), "answer": "5"} for more in (0, len(form))])
    check([score["reward"] for score in got] == [1, 0], f"{task}: {got}")

# MATH-500 as published: every reference is right as a response, whatever it is wrapped in.
math500 = os.path.join(TOP, "tests", "data", "math500.jsonl")
answers = [json.loads(line)["answer"] for line in open(math500, encoding="utf-8")]
for form in ("\\boxed{%s}", "So the answer is $\\boxed{%s}$.", "The answer is $%s$."):
    scores = rewards("math", [{"response": form % answer, "answer": answer} for answer in answers])
    wrong = [answer for answer, score in zip(answers, scores) if score["reward"] != 1]
    print(f"* MATH-500, references as \"{form % '...'}\": {len(answers) - len(wrong)} of {len(answers)} right"
          + (f"; not {', '.join(wrong)}" if wrong else ""))
    check(len(wrong) <= (0 if "boxed" in form else 5), f"{form}: {wrong}")
other = rewards("math", [{"response": "\\boxed{%s}" % answers[i - 1], "answer": answers[i]} for i in range(len(answers))])
# Neighbours with the same answer pass, and those with the same numbers (the published rule).
lenient = sum(score["reward"] for score in other)
check(lenient <= 25, f"{lenient} of {len(answers)} answers of other problems are right")

# math-strict takes the same answers for right, and none that only has the same numbers.
for form in ("\\boxed{%s}", "So the answer is $\\boxed{%s}$.", "The answer is $%s$."):
    scores = rewards("math-strict", [{"response": form % answer, "answer": answer} for answer in answers])
    check(all(score["reward"] for score in scores), f"math-strict, {form}: "
          f"{[a for a, score in zip(answers, scores) if not score['reward']]}")
other = rewards("math-strict", [{"response": "\\boxed{%s}" % answers[i - 1], "answer": answers[i]} for i in range(len(answers))])
pairs = [(answers[i - 1], answers[i]) for i, score in enumerate(other) if score["reward"]]
check(all(a.replace("x=", "") == b.replace("x=", "") for a, b in pairs), f"math-strict takes these for equal: {pairs}")

with scratch() as folder:
    path = lambda name: os.path.join(folder, name)

    # The same examples with other names, one of them nested.
    renamed = write(path("renamed.jsonl"), [{"problem": row["question"], "meta": {"final": [row["answer"]]}, "number": row["answer"]} for row in ARITH])
    few = ["--task", "arith", "--limit", 40, "--max-new-tokens", 24]
    mapping = ["--field", "question=problem", "--field", "answer=meta.final.0"]
    plain = evaluate("--data", DATA, "--answers", path("plain"), *few)
    mapped = evaluate("--data", renamed, "--answers", path("mapped"), *few, *mapping)
    check(plain["reward"] == mapped["reward"] and open(path("plain")).read() == open(path("mapped")).read(),
          "renamed fields give other scores")

    # Texts that end an answer: each answer is cut at the first of them, and fewer tokens are generated.
    texts = ["is 1", "5"]
    stopped = evaluate("--data", DATA, "--answers", path("stopped"), *few, *[word for text in texts for word in ("--stop", text)])
    before, after = ([json.loads(line)["response"] for line in open(path(name), encoding="utf-8")] for name in ("plain", "stopped"))
    cut = [min(response.find(text) % (len(response) + 1) for text in texts) for response in before]
    check(after == [response[:end] for response, end in zip(before, cut)], f"{after} of {before}")
    check(all(any(response[end:].startswith(text) for response, end in zip(before, cut)) for text in texts), "a text ended nothing")
    check(stopped["generated_tokens"] < plain["generated_tokens"], f"{stopped['generated_tokens']} tokens generated")
    refuses(USAGE, ["--stop", "empty"], "eval", "--model", MODEL, "--data", DATA, *few, "--stop", "")
    refuses(FORMAT, ["renamed.jsonl:1: ", "did you mean \"problem\""], "eval", "--model", MODEL, "--data", renamed,
            *few, "--field", "question=problm", "--field", "answer=meta.final.0")
    refuses(FORMAT, ["answer", "task.fields"], "eval", "--model", MODEL, "--data", renamed, *few)
    refuses(USAGE, ["--field", "question=problem"], "eval", "--model", MODEL, "--data", renamed, *few, "--field", "question")
    refuses(USAGE, ["given twice"], "eval", "--model", MODEL, "--data", renamed, *few, *mapping, "--field", "answer=x")

    # Few-shot examples: the same answers as to the whole conversation, spelled out.
    shots = write(path("shots.jsonl"), ARITH[:5])
    evaluate("--data", DATA, "--answers", path("few-shot"), *few, "--examples", shots, "--shots", 2, "--shot-seed", -1,
             "--assistant", "The answer is {answer}.")
    got = [json.loads(line)["response"] for line in open(path("few-shot"), encoding="utf-8")]
    prompts = []
    for row in ARITH[:40]:
        chosen = [shot for shot in ARITH[:5] if shot["question"] != row["question"]][:2]
        messages = []
        for shot in chosen:
            messages += [{"role": "user", "content": shot["question"]},
                         {"role": "assistant", "content": f"The answer is {shot['answer']}."}]
        prompts.append({"messages": messages + [{"role": "user", "content": row["question"]}]})
    text = coppice("generate", "--model", MODEL, "--compute", "f32", "--max-new-tokens", 24, text_in=json_lines(prompts))
    wanted = [json.loads(line)["text"] for line in text.splitlines()]
    same = sum(a == b for a, b in zip(got, wanted))
    print(f"* few-shot: {same} of {len(wanted)} answers as to the conversation spelled out")
    check(same >= 38, f"only {same} answers are the same")
    refuses(CONFIG, ["--shots 2 needs --examples", "task.examples"], "eval", "--model", MODEL, "--data", DATA, *few, "--shots", 2)
    refuses(USAGE, ["--examples needs --shots"], "eval", "--model", MODEL, "--data", DATA, *few, "--examples", shots)
    refuses(CONFIG, ["asks for 9"], "eval", "--model", MODEL, "--data", DATA, *few, "--shots", 9, "--examples", shots)

    # A run on renamed data is the same run; another mapping, or other few-shot examples, another job.
    small = QUICK + ["population.size=6", "recenter.rounds=0", "generation.max_new_tokens=24", "splits.test=16", "gate.allow_flat=true"]
    run_job(1, path("plain-run"), small)
    fields = ["task.fields.question=problem", "task.fields={question: problem, answer: meta.final.0}"]
    run_job(2, path("mapped-run"), small + [f"task.data={renamed}"] + fields)
    same_result(path("plain-run"), path("mapped-run"), "renamed fields")
    said = run_job(1, path("mapped-run"), small + [f"task.data={renamed}", "task.fields={question: problem, answer: number}"],
                   code=MISMATCH)
    check("task.fields" in said and "meta.final.0" in said, said)
    few_run = small + [f"task.examples={shots}", "task.shots=1"]
    run_job(1, path("few-run"), few_run)
    write(shots, ARITH[:6])
    said = run_job(1, path("few-run"), few_run, code=MISMATCH)
    check("few-shot" in said, said)

    # Stories as ROCStories has them.
    story = {"storyid": "1", "storytitle": "The kettle", "sentence1": "Ann filled the kettle.", "sentence2": "She put it on the stove.",
             "sentence3": "Soon it began to whistle.", "sentence4": "Ann poured the tea.", "sentence5": "It was too hot to drink."}
    stories = write(path("stories.jsonl"), [dict(story, sentence1=f"Ann filled kettle {i}.") for i in range(6)])
    result = evaluate("--task", "order", "--data", stories, "--field", "title=storytitle", "--max-new-tokens", 8,
                      "--answers", path("orders"))
    check(result["examples"] == 6 and 0 <= result["reward"] <= 1, result)

    # Patterns that would never end are refused when the data are loaded, and by `reward`.
    hostile = write(path("hostile.jsonl"), [{"question": "?", "answer": "(a+)+$"}])
    refuses(FORMAT, ["hostile.jsonl:1: ", "backtracks"], "eval", "--model", MODEL, "--task", "regex", "--data", hostile)
    refuses(FORMAT, ["line 1", "backtracks"], "reward", "--task", "regex",
            text_in=json_lines([{"response": "a" * 200 + "!", "answer": "(a+)+$"}]))
