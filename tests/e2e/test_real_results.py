#!/usr/bin/env python3
"""jobs/real/results.py whole, on the demo's model: what it will cost, every method's row, a stop on the way, what is done
is not done again; and its statistics."""
import os
import re
import signal
import subprocess
import sys
import time
import types

from lib import COPPICE, DATA, DEMO, ENV, TOP, check, inspect, read, scratch

sys.dont_write_bytecode = True
os.environ["COPPICE"] = COPPICE
sys.path.insert(0, os.path.join(TOP, "jobs", "real"))
import results  # noqa: E402

STOPPED = 75
ROWS = ["base", "base, 2 examples before", "RandOpt, K = 1", "RandOpt, K = 40", "self-consistency, K = 1",
        "self-consistency, K = 4", "CoRP", "CoRP, all operators", "rounds", "es"]
SMALL = ["population.size=50", "splits.support=16", "splits.probe=16", "splits.validate=32", "splits.test=32",
         "consolidate.q=[0.7]", "consolidate.beta=[1]", "consolidate.scale=[1, 2]", "consolidate.max_scale=2",
         "recenter.rounds=0", "rounds.count=1", "es.iterations=2", "generation.max_new_tokens=80", "generation.stop=['9.']",
         "baselines.randopt=[1, 40]", "baselines.self_consistency=[1, 4]", "analysis.split_half=false"]


def command(folder, *more):
    words = [sys.executable, results.__file__, "--job", DEMO, "--seeds", "1,2", "--shots", "2", "--out", folder, "--ranks", "1"]
    return words + [word for setting in SMALL for word in ("--set", setting)] + list(more)


def run(folder, *more, code=0):
    done = subprocess.run(command(folder, *more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=ENV, check=False)
    check(done.returncode == code, f"results {more}: exit code {done.returncode}, not {code}\n{done.stdout}")
    return done.stdout


def stop_on_the_way(folder):
    """SIGTERM in the middle of the first run."""
    with subprocess.Popen(command(folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=ENV) as process:
        while not os.path.exists(os.path.join(folder, "demo", "corp-1", "run.h5")) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[0]
    check(process.returncode == STOPPED and "goes on" in said, f"stopped: exit code {process.returncode}\n{said}")
    check(not os.path.exists(os.path.join(folder, "demo", "corp-1", "summary.json")), "the run was not stopped")


def left(said):
    """Runs and answers that are left, as the plan says."""
    return tuple(map(int, re.search(r"^\| demo \| (\d+) \| (\d+) \|", said, re.M).groups()))


# Ten questions that are all better by one: the interval is a point, and chance gives such signs twice in 1,024 draws.
text, p = results.against([1.0] * 10, [0.0] * 10)
check(text == "+1.000 (+1.000 .. +1.000)" and p < 0.006, f"{text}, p {p}")
text, p = results.against([1.0, 0.0] * 20, [0.0, 1.0] * 20)
check(p > 0.9 and text.startswith("+0.000 (-0."), f"{text}, p {p}")
check(results.against([1.0, 0.5], [1.0, 0.5])[1] == 1.0, "equal scores differ")
low, high = results.quantiles([1.0] * 50 + [0.0] * 50)
check(0.38 < low < 0.42 and 0.58 < high < 0.62, f"{low} .. {high} for 50 of 100")

with scratch() as folder:
    check(left(run(folder, "--plan"))[0] == 8, "eight runs are to be made")
    check(not os.path.exists(os.path.join(folder, "demo", "corp-1")), "--plan has begun")
    said = run(folder, "--plan", "--scale", "0.9", "--set", "generation.min_new_tokens=3")
    check("no row with few-shot examples, for coppice eval knows nothing of generation.min_new_tokens" in said, said)
    for wrong in (["--seeds", "a"], ["--seeds", "1,1"], ["--shots", "-1"], ["--shots", "17"], ["--ranks", "0"], ["--job", DEMO],
                  ["--scale", "0"], ["--scale", "nan"], ["--methods", "es,es"], ["--set", "splits.test=0"],
                  ["--out", results.__file__]):
        said = run(folder, "--plan", *wrong, code=2)
        check("Traceback" not in said and (wrong[0] in said or "twice" in said), f"{wrong}: {said}")
    stop_on_the_way(folder)
    said = run(folder)
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| demo | ")]
    rows = {row[1]: row for row in table if len(row) > 5}
    check(list(rows) == ROWS, f"{list(rows)}\n{said}")
    for title, row in rows.items():
        low, high = map(float, row[3].split(" .. "))
        seeds = [float(value) for value in re.findall(r"\d\.\d+", row[4])]
        check(low <= float(row[2]) <= high and len(seeds) == (1 if title == "base" else 2), f"{title}: {row}")
        check(abs(sum(seeds) / len(seeds) - float(row[2])) < 0.001, f"{title}: {row}")
        check((title == "base") == (row[5] == "") and (title == "RandOpt, K = 40") == (row[7] == ""), f"{title}: {row}")
        check((title in ROWS[6:]) == (row[11] != ""), f"{title} took {row[11]} minutes")
    shown = read(os.path.join(folder, "demo", "answers.jsonl"), "r")
    check("response" in shown and "9." not in shown, "answers after examples go on behind generation.stop")
    check("(base)" in "".join(row[4] for row in rows.values()) or float(rows["CoRP"][2]) != float(rows["base"][2]), said)
    kept = read(os.path.join(folder, "table.md"))
    again = run(folder)
    check(left(again) == (0, 0) and "seed 1 ..." not in again, f"finished runs were made again\n{again}")
    check(read(os.path.join(folder, "table.md")) == kept, "the table of the same runs differs")
    print(f"* {len(rows)} rows from 8 runs; CoRP with all operators {rows['CoRP, all operators'][2]}, base {rows['base'][2]}")
    said = run(folder, "--set", "splits.test=33", code=1)
    check("other settings" in said and "splits.test" in said, f"another test set in the same folder: {said}")

    # A job with examples of its own has no row with others, and its rate is measured with them.
    others = left(run(folder + "/plain", "--plan"))[1] - left(run(folder + "/shots", "--plan", "--set", f"task.examples={DATA}",
                                                                  "--set", "task.shots=2"))[1]
    check(others == 2 * 32, f"{others} answers to questions behind examples")
    rates = [results.load(os.path.join(folder, name, "demo", "rate.json"))["tokens"] for name in ("plain", "shots")]
    check(rates[0] != rates[1], f"{rates}: the rate is that of other prompts")

    # A row is of the method that it names, whatever the job's own is, and of as many candidates as are asked for.
    run(folder + "/own", "--methods", "corp", "--seeds", "1", "--set", "method=es", "--set", "baselines.randopt=[]",
        "--set", "population.size=9")
    keys = inspect(folder + "/own/demo/corp-1")["job"]["keys"]
    check(keys["method"] == '"corp"', "CoRP is another method")
    check(keys["population.size"] == "9", f"{keys['population.size']} candidates")

    # What a judge may take is the job's to say where `coppice eval` asks it, too.
    keys = results.load(folder + "/own/demo/keys.json")
    keys.update({"task.name": "exec", "task.command": [sys.executable, "-c", "import time; time.sleep(2)"], "task.timeout": 0.2})
    try:
        results.evaluate(types.SimpleNamespace(keys=keys), DATA, ["--limit", "1"])
        check(False, "a judge that was silent for two seconds was waited for")
    except SystemExit as said:
        check("silent for 0.2 s" in str(said), str(said))

    # A job without a result is named, also in the table, and the others are there.
    said = run(folder + "/bad", "--set", "generation.max_new_tokens=1", "--methods", "es", code=1)
    check("without a result" in said and "es-1.log" in said, said)
    check("es-1.log" in read(folder + "/bad/table.md", "r"), "a table that does not say what it lacks")
