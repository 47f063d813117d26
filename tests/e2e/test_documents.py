#!/usr/bin/env python3
"""Every document of the tree: its links lead somewhere, paths, keys and options that it names exist, and every command
that it shows is run: here, or by the test that ELSEWHERE names. Job files that it shows pass the check of a run."""
import glob
import os
import re
import shutil
import subprocess

from lib import BUILD, COPPICE, DATA, ENV, MODEL, TOP, check, coppice, fail, read, scratch

# Commands that take long or need a cluster, a GPU or rights: pattern, who runs them instead, and a word that proves it.
ELSEWHERE = [
    (r"sh \.ci/deps build && make( demo)?$", "tests/debian13/check.sh", "make demo"),
    (r"sh \.ci/deps check && make check$", "tests/debian13/check.sh", "make check"),
    (r"make reach$", "Makefile", ".ci/reach.sh"),
    (r"make check$", ".ci/run", "make check"),
    (r"make ASAN=1 .*check-san$", ".ci/run", "check-san"),
    (r"(make -j8 && )?make install PREFIX=\S+$", "tests/e2e/test_manual.py", '"install"'),
    (r"make HDF5_DIR=.* install$", "tests/prefix/check.sh", "PREFIX=\"$HOME/coppice\" install"),
    (r"make check-isa PROGRAMS=", "Makefile", "tests/isa/check.py"),
    (r"make info$", "tests/prefix/check.sh", "info |"),
    (r"make results", "tests/e2e/test_real_results.py", "results.__file__"),
    (r"python3 jobs/real/make_data\.py$", "tests/e2e/test_real_data.py", "make_data.py"),  # here it would fetch a package
    (r"python3 tests/run\.py ", "Makefile", "tests/run.py --build"),
    (r"slurm/submit\.sh ", "tests/slurm/test_submit.py", "submit.sh"),
    (r"slurm/sweep\.sh ", "tests/slurm/test_sweep.py", "sweep.sh"),
    (r"sbatch .*slurm/coppice\.sbatch ", "tests/slurm/jobs.py", "coppice.sbatch"),
    (r"slurm/mpirun\.sh -np 9 coppice run ", "tests/e2e/test_mpirun.py", "mpirun.sh"),
    (r"analysis/gradients/train\.py ", "tests/e2e/test_gradients.py", '"train.py"'),
    (r"analysis/coppice-report ", "tests/e2e/test_report.py", "coppice-report"),
    (r"coppice bench --backend cuda$", "tests/e2e/test_bench_gpu.py", "bench"),
    (r"coppice eval --model M .*--perplexity ", "tests/e2e/test_perplexity.py", '"--perplexity"'),
    (r"coppice status runs/demo$", "tests/e2e/test_status.py", '"status"'),  # its output: of a running job
    (r"coppice analyze runs/demo$", "tests/e2e/test_split_half.py", '"analyze"'),  # its output: of the whole demo
]
# Programs of this project; other lines of a block are output, files, or commands of a site.
OURS = re.compile(r"(coppice [a-z]+(?!\S)|make(?!\S)|sh \.ci/|sbatch |slurm/\S+\.sh |analysis/\S+ |build/|python3 (?!-c)|echo .*\| *build/)")
SMALL = ["method=randopt", "population.size=12", "splits.support=16", "splits.probe=2", "splits.validate=4", "splits.test=4",
         "baselines.randopt=[1]", "baselines.self_consistency=[]", "generation.max_new_tokens=8", "gate.allow_flat=true"]


def documents():
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=TOP, stdout=subprocess.PIPE, text=True)
    names = done.stdout.split() if done.returncode == 0 else []
    names = names or [os.path.relpath(path, TOP) for path in glob.glob(os.path.join(TOP, "**", "*.md"), recursive=True)]
    ours = re.compile(r"README\.md$|(analysis|findings|include|jobs|slurm|src|tests(?!/data))/")
    return {name: read(os.path.join(TOP, name), "r") for name in names
            if ours.match(name) and os.path.exists(os.path.join(TOP, name))}


def blocks(text):
    """The code blocks, as lists of lines."""
    found, now, fenced = [], [], False
    for line in text.split("\n") + [""]:
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            now.append(line if fenced else line[4:])
            continue
        elif line.strip() == "" and now and not fenced:
            now.append("")
            continue
        if now:
            found.append(now)
        now = []
    return [*found, now] if now else found


def prose(text):
    """The text without its code blocks."""
    return re.sub(r"(?m)^    .*$|^```(?s:.*?)^```", "", text)


def commands(lines):
    """(command, the output that is shown below it or None) of a block."""
    if any(line.startswith("$ ") for line in lines):
        starts = [i for i, line in enumerate(lines) if line.startswith("$ ")] + [len(lines)]
        for start, end in zip(starts, starts[1:]):
            rest = lines[start + 1:end]
            command = lines[start][2:]
            if command.endswith("<<END"):
                cut = rest.index("END")
                command, rest = "\n".join([command, *rest[:cut + 1]]), rest[cut + 1:]
            yield command, "\n".join(rest).strip()
        return
    for line in lines:
        if OURS.match(line):
            yield re.sub(r"\s+# .*", "", line).strip(), None


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_links(texts):
    anchors = {name: {slug(found) for found in re.findall(r"(?m)^#+ (.*)$", prose(text))} for name, text in texts.items()}
    count = 0
    for name, text in texts.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
            if re.match(r"https?://", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            check(os.path.exists(os.path.join(TOP, path)), f"{name}: the link {target} leads nowhere")
            check(not anchor or anchor in anchors.get(path, ()), f"{name}: {path} has no heading for {target}")
            count += 1
    return count


def check_options(where, command):
    """The options of a command of coppice are in its help."""
    found = re.match(r"coppice ([a-z]+)(.*?)( -- |$)", command)
    if found:
        check(f"\n  {found[1]} " in HELP, f"{where}: there is no command {found[1]}")
        known = coppice(found[1], "--help")
        for option in re.findall(r"\s(--[a-z-]+)", found[2]):
            check(option in known, f"{where}: coppice {found[1]} has no option {option}")


def check_names(texts):
    """What stands in code marks: files, keys, commands, targets."""
    keys = set(re.findall(r"(?m)^([a-z_]+(?:\.[a-z_]+)*) ", coppice("run", "--keys")))
    groups = "|".join(sorted({key.split(".")[0] for key in keys if "." in key}))
    targets = set(re.findall(r"(?m)^([a-z][\w-]*):(?!=)", read(os.path.join(TOP, "Makefile"), "r")))
    for name, text in texts.items():
        for mark in re.findall(r"`([^`\n]+)`", prose(text)):
            if re.fullmatch(r"(src|tests|jobs|slurm|analysis|include|\.ci)/[\w./*-]+", mark):
                check(glob.glob(os.path.join(TOP, mark)), f"{name}: there is no {mark}")
            if re.match(rf"({groups})\.[a-z_]+", mark) and os.path.splitext(mark)[1] not in (".py", ".sh", ".sbatch", ".json"):
                check(re.match(r"[a-z_.]+", mark)[0] in keys, f"{name}: {mark} is no key")
            for target in re.findall(r"^make ([a-z-]+)$", mark):
                check(target in targets, f"{name}: there is no make {target}")
            check_options(name, mark)


def check_repeats(texts):
    """Nothing is said twice: no run of 20 words stands in two places."""
    seen = {}
    for name, text in texts.items():
        words = re.findall(r"\w+", re.sub(r"(?m)^\|.*$", "", prose(text)).lower())
        for i in range(len(words) - 19):
            run = " ".join(words[i:i + 20])
            check(seen.setdefault(run, (name, i)) == (name, i), f"{name} and {seen[run][0]} both say: {run}")


def prepare(folder):
    """A folder in which the commands of the documents find what they name."""
    for name in ("analysis", "jobs", "slurm", "src", "tests"):
        os.symlink(os.path.join(TOP, name), os.path.join(folder, name))
    os.symlink(BUILD, os.path.join(folder, "build"))
    os.symlink(MODEL, os.path.join(folder, "BASE"))
    os.mkdir(os.path.join(folder, "bin"))
    os.symlink(COPPICE, os.path.join(folder, "bin", "coppice"))
    with open(DATA, encoding="utf-8") as data:
        rows = data.readlines()
    for name, count in (("test.jsonl", 4), ("gsm8k-train.jsonl", 1000), ("questions.jsonl", 1000)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.writelines(rows[:count])
    shutil.copy(os.path.join(TOP, "tests", "data", "math500.jsonl"), os.path.join(folder, "MATH-500.jsonl"))
    shutil.copy(os.path.join(TOP, "jobs", "reward_example.py"), os.path.join(folder, "reward.py"))
    with open(os.path.join(folder, "my.yaml"), "w", encoding="utf-8") as file:
        file.write(f"model: {MODEL}\ntask: {{name: arith, data: {DATA}, prompt: '{{question}}'}}\nbackend: {{batch: 16}}\n")
        file.writelines(f"{setting.replace('=', ': ', 1)}\n" for setting in SMALL)
    shell("coppice run my.yaml --out runs/my --quiet", folder)


def shell(command, folder):
    environment = dict(ENV, PATH=os.path.join(folder, "bin") + os.pathsep + ENV["PATH"])
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        fail(f"{command}: exit code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def run_command(where, command, output, folder):
    """Runs it, or finds who does; true if it was run here."""
    check_options(where, command)
    for pattern, other, word in ELSEWHERE:
        if re.match(pattern, command):
            check(word in read(os.path.join(TOP, other), "r"), f"{where}: {other} does not run '{command}'")
            USED.add(pattern)
            return False
    if "build/coppice-sandbox" in command and not os.path.exists(os.path.join(BUILD, "coppice-sandbox")):
        return False
    said = shell(command, folder)
    if output is not None:
        lines = [[line.rstrip() for line in text.strip().split("\n")] for text in (said, output)]
        check(lines[0] == lines[1], f"{where}: {command} says\n{said}\nnot\n{output}")
    return True


def check_job(where, lines, folder):
    """A job file, or the task of one, passes --check once its files are there."""
    text = "\n".join(lines).replace("/models/Qwen2.5-0.5B-Instruct", "BASE").replace("/data/", "")
    if not text.startswith("model:"):
        text = "model: BASE\n" + text
    settings = ["splits.support=20", "splits.probe=5", "splits.validate=5", "splits.test=5"]
    if "name:" not in text:
        settings += ["task.name=gsm8k", "task.data=gsm8k-train.jsonl"]
    with open(os.path.join(folder, "shown.yaml"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    shell("coppice run shown.yaml --check " + " ".join(f"-s {setting}" for setting in settings), folder)


TEXTS = documents()
HELP = coppice("--help")
USED = set()
check("README.md" in TEXTS and len(TEXTS) > 10, f"documents were not found: {sorted(TEXTS)}")
length = TEXTS["README.md"].count("\n")
check(length < 250, f"README.md has {length} lines: it is the way in, the rest has its own documents")
links = check_links(TEXTS)
check_names(TEXTS)
check_repeats(TEXTS)
here, there, jobs = 0, 0, 0
with scratch() as place:
    prepare(place)
    shown = re.search(r"\n    (\{\n.*?\n    \})\n", TEXTS["jobs/RECIPE.md"], re.S)[1]
    with open(os.path.join(place, "recipe.json"), "w", encoding="utf-8") as recipe:
        recipe.write(shown)
    for document, content in TEXTS.items():
        for block in blocks(content):
            for line, result in commands(block):
                if run_command(document, line, result, place):
                    here += 1
                else:
                    there += 1
            if re.match(r"(model|task):", block[0]):
                check_job(document, block, place)
                jobs += 1
            if block[0].startswith("import json, sys"):  # the smallest reward program
                with open(os.path.join(place, "reward.py"), "w", encoding="utf-8") as program:
                    program.write("\n".join(block))
                scored = shell("echo '{\"response\": \"is 5\", \"answer\": \"5\"}' | coppice reward --task exec -- python3 ./reward.py",
                               place)
                check('"reward":1.0' in scored, f"{document}: the reward program says {scored}")
idle = [pattern for pattern, _, _ in ELSEWHERE if pattern not in USED]
check(not idle, f"no document shows these any more: {idle}")
print(f"* {len(TEXTS)} documents, {links} links, {here} commands run here and {there} by other tests, {jobs} job files")
