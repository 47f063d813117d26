"""What the end-to-end tests share: running the program, small jobs, comparing runs."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPPICE = os.environ.get("COPPICE", os.path.join(TOP, "build", "coppice"))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
DEMO = os.path.join(TOP, "jobs", "demo.yaml")
DEMO_RECIPE = "2f339ae03f3a8a231acf48ca21f3d9b2be0cd3814572afa68f06b3d0ceae9d87"  # sha256, on every processor
MODEL = os.path.join(TOP, "jobs", "demo", "model")
DATA = os.path.join(TOP, "jobs", "demo", "arith.jsonl")
sys.path.insert(0, os.path.join(TOP, "tests"))

import mpi  # noqa: E402

ENV = dict(os.environ, **mpi.environment())

PLUGIN = "libcoppice_cuda.so"


def emulated_plugin():
    """The plug-in for a device that is emulated on the processor, None if it was not built. From here on
    programs look for one although the machine may have no device file."""
    ENV["COPPICE_GPU_FILE"] = os.devnull
    path = os.path.join(BUILD, "cuda_host", PLUGIN)
    return path if os.path.exists(path) else None


def need_emulated_plugin():
    path = emulated_plugin()
    if path is None:
        print("skip: the emulated plug-in was not built (make unit)")
        sys.exit(77)
    return path


# A job of seconds that goes through every phase: this seed's population has a merge that passes the
# gate, at the end of its grid of steps, and a recentring round follows.
QUICK = ["population.size=48", "population.seed=4", "population.scaling=absolute", "population.sigma=[0.01, 0.02]",
         "splits.support=48",
         "splits.probe=24", "splits.validate=64", "splits.test=48", "consolidate.q=[0.5, 0.8]",
         "consolidate.beta=[1, 20]", "consolidate.scale=[0.5, 1, 2]", "consolidate.max_scale=8",
         "recenter.rounds=1", "recenter.size=8", "generation.max_new_tokens=80", "backend.batch=48",
         "backend.arithmetic=library", "backend.compute=f32", "gate.z=0.1", "baselines.randopt=[1, 3]", "baselines.self_consistency=[4]"]

# Without what rank 0 does with the scores at the end, and sampled answers: a quarter of the time, of which test_ranks,
# test_baselines and test_split_half see that ranks and kills change nothing.
BARE = [*QUICK, "analysis.split_half=false", "baselines.self_consistency=[]"]


def fail(message):
    print("FAIL: " + message)
    sys.exit(1)


def check(condition, message):
    if not condition:
        fail(message)


def coppice(*arguments, text_in=None, code=0, timeout=600, env=None, cwd=TOP):
    """Runs the program; returns its standard output. `code`: the exit code that it must have."""
    done = subprocess.run([COPPICE, *map(str, arguments)], input=text_in, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, env=env or ENV, cwd=cwd)
    if done.returncode != code:
        fail(f"coppice {' '.join(map(str, arguments))}: exit code {done.returncode}, not {code}\n"
             f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout if code == 0 else done.stderr


def run_command(ranks, out, settings=(), job=DEMO):
    command = [] if ranks == 1 else ["mpirun", "-np", str(ranks)]
    # Machines for tests may have fewer cores than the tests have ranks.
    command += [COPPICE, "run", job, "--out", out, "--progress", "never", "--oversubscribe"]
    for setting in settings:
        command += ["-s", setting]
    return command


def run_job(ranks, out, settings=(), code=0, job=DEMO, timeout=900):
    done = subprocess.run(run_command(ranks, out, settings, job), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, env=ENV, cwd=TOP,
                          stdin=subprocess.DEVNULL)
    if done.returncode != code:
        fail(f"job with {ranks} ranks: exit code {done.returncode}, not {code}\n{done.stdout[-3000:]}")
    return done.stdout


def wait_for_log(job, out, words):
    """Waits until the run's log says so, which it does at once; status.json and run.h5 tell of a short phase late."""
    path = os.path.join(out, "log")
    end = time.monotonic() + 120
    while time.monotonic() < end and job.poll() is None:
        if os.path.exists(path) and words in read(path, "r"):
            return
        time.sleep(0.02)
    job.kill()
    fail(f"the job ended, or 120 s have passed, and the log never said {words!r}")


def kill_job(ranks, out, settings, seconds):
    """Starts a job and kills all of it after that time; whether it was still there."""
    job = subprocess.Popen(run_command(ranks, out, settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL, env=ENV, cwd=TOP, start_new_session=True)
    try:
        job.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        return True


def run_shared_job(ranks, out, settings=()):
    """A job whose population all workers scored a part of. On a busy machine one may come when the others are done,
    which is nobody's fault: then it is run again, twice at most."""
    for _ in range(3):
        shutil.rmtree(out, ignore_errors=True)
        text = run_job(ranks, out, settings)
        used = {rank for row in inspect(out)["population"]["rank"] for rank in row}
        if used == set(range(1, ranks)):
            return text
    return fail(f"the population was scored by ranks {used} alone, three times")


def read(path, mode="rb"):
    with open(path, mode) as file:
        return file.read()


def inspect(out):
    return json.loads(coppice("inspect", out, "--json"))


def scores(out):
    """All scores of a run by path: what must not depend on ranks or interruptions."""
    found = {}

    def walk(node, path):
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, path + "/" + key)
            elif key in ("scores", "status", "tokens", "row_digest", "answers"):
                found[path + "/" + key] = value
    walk(inspect(out), "")
    return found


def same_result(a, b, what):
    check(read(os.path.join(a, "recipe.json")) == read(os.path.join(b, "recipe.json")),
          f"{what}: the recipes differ")
    check(scores(a) == scores(b), f"{what}: the scores differ")


def check_demo_recipe(out, what):
    found = hashlib.sha256(read(os.path.join(out, "recipe.json"))).hexdigest()
    check(found == DEMO_RECIPE, f"{what}: the recipe's digest is {found}, not the demo's {DEMO_RECIPE}")


def scratch():
    """A folder that goes away with the object."""
    return tempfile.TemporaryDirectory(prefix="coppice-test-")


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)
