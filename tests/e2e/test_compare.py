#!/usr/bin/env python3
"""What changed between two models: `eval --answers` has every answer with what it earned and whether it has the
form of its task; `coppice compare` counts by two models what Python counts by two such files, asks a run's own
test examples and none that the run was made with, and refuses what cannot be compared; the report shows answers
as they are."""
import html
import json
import math
import os
import re
import shutil
import subprocess

from lib import DATA, ENV, COPPICE, MODEL, QUICK, TOP, check, coppice, inspect, json_lines, read, run_job, scratch

LIMIT = 48
SETTINGS = ["--model", MODEL, "--compute", "f32", "--max-new-tokens", 80]
AS_RUN = ["--arithmetic", "library", "--batch", 48, "--threads", 1, "--system", "", "--user", "{question}", "--stop", "9."]
PROMPTS = ["What is the capital of France?", "Tom has 3 pens. How many pens does Tom have?", "Say \"yes\" & no more.", "red"]
QUESTION = ("example", "prompt_ids", "reference")  # what eval also says of each
CONFIG, FORMAT, USAGE, IO, MISMATCH = 3, 4, 2, 6, 8


def rows_of(path):
    return [json.loads(line) for line in read(path, "r").splitlines()]


def evaluate(path, task, *more, option="--answers", data=DATA):
    """Answers of the demo's model, held against what eval says in sum."""
    said = json.loads(coppice("eval", *SETTINGS, "--task", task, "--data", data, "--limit", LIMIT, "--json", option, path, *more))
    rows = rows_of(path)
    check([row["example"] for row in rows] == list(range(LIMIT)), f"{task}: not an answer for each example")
    check(sum(row["tokens"] for row in rows) == said["generated_tokens"], f"{task}: tokens do not add up to {said}")
    check(sum(row["correct"] for row in rows) == said["correct"], f"{task}: right answers do not add up to {said}")
    return rows


def check_answers(folder):
    path = os.path.join(folder, "answers")
    rows = evaluate(path, "arith")
    marked = [re.search(r"#### -?[0-9.,]*[0-9]", row["response"][-300:]) is not None for row in rows]
    check([row["form"] for row in rows] == marked, "the form is not what is there")
    check(evaluate(os.path.join(folder, "old"), "arith", option="--responses") == rows, "--responses is another thing")
    check(all(row["form"] is None for row in evaluate(path, "contains")), "contains has a form")
    asked = [json.loads(line)["question"] for line in read(DATA, "r").splitlines()[:LIMIT]]
    as_asked = evaluate(path, "arith", "--system", "", "--user", "{question}")
    plain = json_lines(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n" for question in asked)
    check([row["prompt_ids"] for row in as_asked] ==
          [json.loads(line) for line in coppice("tokenize", "--model", MODEL, text_in=plain).splitlines()], "other prompts")
    given = json_lines({"response": row["response"], "answer": row["reference"]} for row in rows)
    check([json.loads(line)["reward"] for line in coppice("reward", "--task", "arith", text_in=given).splitlines()] ==
          [row["reward"] for row in rows] and {row["reward"] for row in rows} == {0, 1}, "other rewards by reference and response")
    alone = [json.loads(line) for line in coppice("reward", "--task", "arith", text_in=json_lines(
        {"response": "#### 5" if i % 2 else "it is 5", "answer": 4 + i % 3} for i in range(12))).splitlines()]
    check([(row["form"], row["correct"]) for row in alone] == [(i % 2 == 1, i % 3 == 1) for i in range(12)], f"reward: {alone}")


def compare(path, *arguments):
    """The summary and the lines of a comparison, of which the summary is the last."""
    summary = json.loads(coppice("compare", *arguments, "--json", "--answers", path))
    rows = rows_of(path)
    check(rows[-1] == {"summary": summary}, "the file does not end with what --json prints")
    return summary, rows[:-1]


def count_by_hand(base, result):
    """The figures of a comparison, from the files of two evals."""
    fixed = [b["example"] for b, r in zip(base, result) if r["correct"] and not b["correct"]]
    broken = [b["example"] for b, r in zip(base, result) if b["correct"] and not r["correct"]]
    n, k = len(fixed) + len(broken), min(len(fixed), len(broken))
    p = min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2 ** n)

    def side(rows):
        formed = [row for row in rows if row["form"]]
        return {"correct": sum(row["correct"] for row in rows), "tokens": sum(row["tokens"] for row in rows) / len(rows),
                "in_form": len(formed), "form_share": len(formed) / len(rows),
                "content_share": sum(row["correct"] for row in formed) / len(formed) if formed else None}
    by = {"content": 0, "form": 0, "other": 0}
    for i in fixed:
        by["content" if base[i]["form"] else "form" if result[i]["form"] else "other"] += 1
    return fixed, broken, p, side(base), side(result), by


def close(got, wanted):
    return got == wanted or None not in (got, wanted) and abs(got - wanted) < 1e-9


def check_figures(folder, run, data):
    """What compare says of the run's own test is what two evals of those examples say, and what the run said."""
    summary, rows = compare(os.path.join(folder, "changed"), run)
    splits = inspect(run)["base"]["examples"]
    tested = [int(i) for i in splits[-48:]]
    check([row["example"] for row in rows] == tested, "not the run's test examples")
    asked = read(data, "r").splitlines()
    alone = os.path.join(folder, "test.jsonl")
    open(alone, "w").write("".join(asked[i] + "\n" for i in tested))
    base = evaluate(os.path.join(folder, "base"), "arith", *AS_RUN, data=alone)
    check(evaluate(os.path.join(folder, "unstopped"), "arith", *AS_RUN[:-2], data=alone) != base, "--stop ended no answer")
    result = evaluate(os.path.join(folder, "result"), "arith", *AS_RUN, "--recipe", run, data=alone)
    for name, sides in (("base", base), ("result", result)):
        check([row[name] for row in rows] == [{k: v for k, v in row.items() if k not in QUESTION} for row in sides],
              f"the answers of {name} are not eval's")
    fixed, broken, p, by_base, by_result, by = count_by_hand(base, result)
    check([i for i, row in enumerate(rows) if row["change"] == "fixed"] == fixed, "other examples were fixed")
    check([i for i, row in enumerate(rows) if row["change"] == "broken"] == broken, "other examples were broken")
    check(len(fixed) > 0 and (summary["fixed"], summary["broken"]) == (len(fixed), len(broken)), f"counts: {summary}")
    check(abs(summary["mcnemar_p"] - p) < 1e-12 and summary["fixed_by"] == by, f"p {p}, {by}: {summary}")
    for wanted, got in ((by_base, summary["base"]), (by_result, summary["result"])):
        check(all(close(got[key], wanted[key]) for key in wanted), f"{got} is not {wanted}")
    table = inspect(run)["final"]
    ours = [summary["base"]["accuracy"], summary["result"]["accuracy"], summary["gain"], *summary["gain_95"], summary["mcnemar_p"]]
    theirs = [table["base"]["accuracy"]] + [table["consolidated"][k] for k in ("accuracy", "gain", "gain_low", "gain_high", "p_base")]
    check(all(abs(a - b) < 1e-9 for a, b in zip(ours, theirs)), f"the run's table has {theirs}, compare {ours}")
    said = coppice("compare", run, "--show", 1)
    first = f"example {tested[fixed[0]] + 1} "
    for words in (f"{len(fixed)} fixed, {len(broken)} broken", f"fixed, 1 of {len(fixed)}:", first):
        check(words in said, f"{words!r} is not in {said}")
    check("example" not in coppice("compare", run, "--show", 0).split("exact test", 1)[1], "--show 0 shows examples")
    return summary, rows, splits


def check_operands(folder, run, data, rows):
    """A run, its recipe, and a model made of it are the same result."""
    path = os.path.join(folder, "again")
    made = os.path.join(folder, "made")
    coppice("export", run, "--model", MODEL, "--out", made)
    models = [MODEL, made, "--task", "arith", "--data", os.path.join(folder, "test.jsonl"), "--max-new-tokens", 80, "--compute", "f32"]
    for arguments in ([MODEL, run], [os.path.join(run, "recipe.json"), "--model", MODEL, *models[2:], *AS_RUN], models + AS_RUN):
        got = compare(path, *arguments)[1]
        check([(row["change"], row["base"], row["result"]) for row in got] == [(row["change"], row["base"], row["result"]) for row in rows],
              f"{arguments}: other answers")
    back = compare(path, run, MODEL)[0]
    forth = compare(path, MODEL, run)[0]
    check((back["fixed"], back["gain"]) == (forth["broken"], -forth["gain"]), "base and result exchanged are not the reverse")
    same = compare(path, run, run)[0]
    check((same["fixed"], same["broken"], same["gain"], same["mcnemar_p"]) == (0, 0, 0, 1), f"a run against itself: {same}")
    judged = ["--task", "exec", "--limit", 4, "--user", "{question}", "--"]
    command = ["python3", os.path.join(TOP, "jobs", "reward_example.py")]
    said = json.loads(coppice("compare", *models[:2], "--json", "--data", DATA, "--max-new-tokens", 8, *judged, *command))
    check(said["examples"] == 4, f"a command behind --: {said}")
    other = compare(path, run, "--task", "contains", "--limit", 20)[0]
    check(other["form"] is None and other["base"]["form_share"] is None, f"contains has a form: {other}")
    check("no form" in coppice("compare", run, "--task", "contains", "--limit", 4), "it is not said that there is no form")


def check_prompts(folder, run):
    """Agreement off the task is what two generates say; plain lines and JSON lines are the same prompts."""
    plain, lines = os.path.join(folder, "prompts.txt"), os.path.join(folder, "prompts.jsonl")
    open(plain, "w").write("\n\n".join(PROMPTS))
    open(lines, "w").write(json_lines({"prompt": prompt, "id": 1} for prompt in PROMPTS))
    path = os.path.join(folder, "off")
    summary, rows = compare(path, run, "--limit", 4, "--prompts", plain)
    check(compare(path, run, "--limit", 4, "--prompts", lines) == (summary, rows), "plain lines are other prompts than JSON lines")
    rows = [row for row in rows if "off_task" in row]
    asked = json_lines({"messages": [{"role": "user", "content": prompt}]} for prompt in PROMPTS)
    base, result = ([json.loads(line) for line in coppice("generate", *SETTINGS, "--arithmetic", "library", "--batch", 48, *more,
                                                          text_in=asked).splitlines()] for more in ([], ["--recipe", run]))
    check([(row["prompt"], row["base"]["response"], row["result"]["response"]) for row in rows]
          == [(p, b["text"], r["text"]) for p, b, r in zip(PROMPTS, base, result)], "other answers off the task than generate's")
    prefixes = [len(os.path.commonprefix([b["ids"], r["ids"]])) for b, r in zip(base, result)]
    same = [b["text"] == r["text"] for b, r in zip(base, result)]
    off = summary["off_task"]
    check(off["identical"] == sum(same) and [row["identical"] for row in rows] == same, f"identical: {off}, not {same}")
    check(close(off["common_prefix_tokens"], sum(prefixes) / len(prefixes)), f"{off}, not {prefixes}")


def check_seen(folder, run, data, splits):
    """Of another file what the run has chosen by is left out, unless it is asked for."""
    path = os.path.join(folder, "seen")
    seen = {int(i) for i in splits[:-48]}
    moved = os.path.join(folder, "moved.jsonl")
    rows = read(data, "r").splitlines()[:200]
    open(moved, "w").write("".join(row + "\n" for row in reversed(rows)))
    wanted = [i for i in range(200) if 199 - i not in seen]
    check(0 < len(wanted) < 200, "no such case")
    summary, got = compare(path, run, "--data", moved)
    check([row["example"] for row in got] == wanted, "examples that the run was made with were asked, or others left out")
    check(f"without {200 - len(wanted)} that" in summary["data"], f"it is not said: {summary['data']}")
    check([row["example"] for row in compare(path, run, "--data", moved, "--limit", 5)[1]] == wanted[:5], "--limit counts others")
    check(len(compare(path, run, "--data", moved, "--split", "all")[1]) == 200, "--split all leaves some out")
    check([row["example"] for row in compare(path, run, "--split", "probe")[1]] == [int(i) for i in splits[48:72]], "not the probe split")


def check_refusals(folder, run, data):
    nothing = os.path.join(folder, "nothing")
    run_job(1, nothing, QUICK + ["gate.z=10", "splits.validate=8", "population.size=8", "consolidate.operators=[two-pass]", "baselines.randopt=[]", "baselines.self_consistency=[]",
                                 "analysis.split_half=false"])
    early = os.path.join(folder, "early")
    shutil.copytree(run, early)
    os.truncate(os.path.join(early, "run.h5"), 1000)
    if os.path.exists(os.path.join(early, "run.h5.prev")):
        os.remove(os.path.join(early, "run.h5.prev"))
    cases = [(FORMAT, ["nothing passed"], nothing), (FORMAT, ["run.h5"], early), (FORMAT, ["neither a run", "config.json"], folder),
             (FORMAT, ["absent"], os.path.join(folder, "absent")), (USAGE, ["BASE"], MODEL), (USAGE, ["--task"], MODEL, MODEL),
             (USAGE, ["--data"], MODEL, MODEL, "--task", "arith"),
             (USAGE, ["--split"], MODEL, MODEL, "--task", "arith", "--data", DATA, "--split", "test"),
             (USAGE, ["support, probe"], run, "--split", "tests"), (USAGE, ["--split all"], run, "--data", DATA, "--split", "test"),
             (USAGE, ["--model"], os.path.join(run, "recipe.json")), (USAGE, ["BASE"], run, "--recipe", run),
             (USAGE, ["more than"], run, run, run), (FORMAT, ["prompts.none"], run, "--limit", 1, "--prompts", os.path.join(folder, "prompts.none")),
             (FORMAT, ["answer"], run, "--data", os.path.join(folder, "off")),
             (IO, ["cannot create it"], run, "--answers", os.path.join(folder, "nowhere", "answers"))]
    open(os.path.join(folder, "prompts.none"), "w").write("\n")
    for code, words, *arguments in cases:
        said = coppice("compare", *arguments, code=code)
        check(all(word in said for word in words), f"compare {arguments}: {said!r} lacks one of {words}")
    was = read(data)
    open(data, "ab").write(b'{"question": "1?", "answer": "1"}\n')
    check("restore it" in coppice("compare", run, code=MISMATCH), "other data under the run's name")
    open(data, "wb").write(was)
    os.rename(data, data + ".gone")
    done = subprocess.run([COPPICE, "compare", run, "--data", DATA, "--limit", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
    check(done.returncode == 0 and "cannot be told" in done.stderr, f"the run's data are gone: {done.stderr}")
    os.rename(data + ".gone", data)
    return len(cases) + 1


def check_processes(folder, run):
    """What is the work of one process is refused to several, before any of it; one may be started by mpirun."""
    made = os.path.join(folder, "by-two")
    commands = (["compare", run], ["eval", "--model", MODEL, "--task", "arith", "--data", DATA], ["generate", "--model", MODEL],
                ["export", run, "--model", MODEL, "--out", made], ["analyze", run])

    def start(count, words):
        return subprocess.run(["mpirun", "-np", str(count), COPPICE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=ENV, check=False)
    for words in commands:
        done = start(2, words)
        check(done.returncode == USAGE and done.stdout == "" and done.stderr.count("2 processes were started") == 1,
              f"two of {words}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    check(not os.path.exists(made), "a model was written")
    done = start(1, ["compare", run, "--limit", "4", "--json"])
    check(done.returncode == 0 and json.loads(done.stdout)["examples"] == 4, f"one by mpirun: {done.stdout}{done.stderr}")


def report(*arguments, code=0):
    done = subprocess.run([os.path.join(TOP, "analysis", "coppice-report"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=ENV, timeout=300)
    check(done.returncode == code, f"coppice-report {arguments}: exit code {done.returncode}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


def check_page(folder, run):
    """Answers come into the page as text, whatever they are; a file that is not whole is refused."""
    path, out = os.path.join(folder, "hostile.jsonl"), os.path.join(folder, "page")
    compare(path, run, "--prompts", os.path.join(folder, "prompts.txt"))
    rows = rows_of(path)
    evil = "<script>alert(1)</script> & </pre><img src=x onerror='y'> \x1b[2J\x00 \u2028 \U0001f600"
    changed = [row for row in rows if row.get("change") == "fixed"]
    off = [row for row in rows if "off_task" in row]
    for row in (changed[0], off[0]):
        row["prompt"], row["base"]["response"], row["result"]["response"] = evil + "1", evil + "2", evil + "3"
    changed[0]["reference"], rows[-1]["summary"]["models"]["base"]["model"] = evil + "4", evil + "5"
    open(path, "w").write(json_lines(rows))
    for arguments in ([], [run]):
        report(*arguments, "--compare", path, "-o", out)
        page = open(os.path.join(out, "report.html"), encoding="utf-8").read()
        check("<script" not in page.lower() and "<img src=x" not in page and "\x1b" not in page and "\x00" not in page, "the page is not safe")
        shown = [html.escape("<script>alert(1)</script> & </pre><img src=x onerror='y'> ") in part for part in re.findall("<pre[^>]*>(.*?)</pre>", page, re.S)]
        check(sum(shown) == 4, f"{sum(shown)} of the four answers are shown as they are")
        check("What changed" in page and f"Fixed, {len(changed)}" in page, "the page does not tell what was fixed")
        check(("rank seconds" in page) == bool(arguments), "the run's own part")
    whole = read(path, "r").splitlines(keepends=True)
    for text, word in (("".join(whole[:-1]), "not whole"), (whole[0].replace('"response": "', '"response": 1, "was": "', 1) + whole[-1], ":1"), ("".join(whole[:2]) + '{"example": 1}\n', ":3"), ("nonsense\n", "hostile.jsonl"), ("", "not whole")):
        open(path, "w").write(text)
        check(word in report("--compare", path, "-o", out, code=1), f"{word!r} is not said")
    check("--compare" in report("-o", out, code=2), "neither a run nor a comparison")


with scratch() as folder:
    check_answers(folder)
    own = os.path.join(folder, "own.jsonl")
    shutil.copyfile(DATA, own)
    run = os.path.join(folder, "run")
    run_job(1, run, QUICK + [f"task.data={own}", "generation.stop=['9.']"])
    summary, rows, splits = check_figures(folder, run, own)
    check_operands(folder, run, own, rows)
    check_prompts(folder, run)
    check_seen(folder, run, own, splits)
    check_processes(folder, run)
    refused = check_refusals(folder, run, own)
    if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
        check_page(folder, run)
    print(f"* {summary['fixed']} fixed, {summary['broken']} broken of {summary['examples']}, {summary['base']['in_form']} of the base's answers "
          f"and {summary['result']['in_form']} of the result's in form; {refused} refusals")
