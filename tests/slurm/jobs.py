"""What the cluster's tests share: submitting, watching and harming jobs, comparing what they leave."""
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from cluster import DISK, FOLDER, alive, node_names, node_pid, power_off, power_on, ready, until  # noqa: E402,F401
from lib import (COPPICE, DEMO, ENV, QUICK, TOP, check, check_demo_recipe, fail, inspect, read,  # noqa: E402,F401
                 run_job, same_result)
from lib import scratch as plain_scratch  # noqa: E402

SCRIPTS = os.path.join(TOP, "slurm")
# What the job script must set by itself is not handed to it.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("OMPI_", "PRTE_", "SBATCH_"))}
CLEAN["COPPICE"] = COPPICE
CLEAN["TMPDIR"] = os.path.join(FOLDER, "local")  # each node's own
LAUNCHERS = ("srun", "mpirun")
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")

# A job with a population that takes a while and little after it: long enough to be disturbed.
LONGER = QUICK + ["population.size=200", "splits.support=24", "splits.validate=32", "splits.test=16",
                  "backend.batch=24", "consolidate.q=[0.5]", "recenter.rounds=1", "checkpoint.interval=0.2"]


def command(*words, env=None, code=0):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=env or CLEAN, cwd=TOP, timeout=300, stdin=subprocess.DEVNULL)
    check(code is None or done.returncode == code,
          f"{' '.join(map(str, words))}: exit code {done.returncode}, not {code}\n{done.stdout}")
    return done.stdout


# A node of the cluster has one real processor, whatever Slurm thinks.
CROWDED = ["--oversubscribe"]


def set_keys(settings):
    return [word for setting in settings for word in ("-s", setting)]


class Job:
    """A job of coppice.sbatch; what it prints is in .log, the run in .out."""

    def __init__(self, folder, name, settings=QUICK, options=(), launcher="srun", script="coppice.sbatch",
                 program=None, job=DEMO, out=None):
        self.out = out or os.path.join(folder, name)
        self.log = os.path.join(folder, name + ".log")
        environment = dict(CLEAN, COPPICE_LAUNCHER=launcher)
        if program:
            environment["COPPICE"] = program
        self.id = command("sbatch", "--parsable", "--output", self.log, "--ntasks=3", "--nodes=2", *options,
                          os.path.join(SCRIPTS, script), job, "--out", self.out, "--progress", "never",
                          *CROWDED, *set_keys(settings), env=environment).strip()
        every_job.append(self)

    def state(self):
        return command("squeue", "-h", "-j", self.id, "-t", "all", "-o", "%T").strip()

    def fact(self, name):
        """A field of `scontrol show job`."""
        for word in command("scontrol", "show", "job", self.id).split():
            if word.startswith(name + "="):
                return word[len(name) + 1:]
        return ""

    def starts(self):
        """Of the script, as far as it has said so."""
        return self.text().count(", start ")

    def restarts(self):
        return int(self.fact("Restarts"))

    def nodes(self):
        return command("scontrol", "show", "hostnames", self.fact("NodeList")).split()

    def check_resumed(self, whole, what):
        """It ended after one requeue, did not begin anew, and left the bytes of an undisturbed run."""
        self.wait()
        if self.restarts() != 1:
            self.fail(f"{what}: {self.restarts()} restarts")
        if "going on with the run" not in self.text():
            self.fail(f"{what}: the run began anew")
        self.check_result(whole, what)

    def check_result(self, whole, what):
        """It left the bytes of an undisturbed run."""
        if not os.path.exists(os.path.join(self.out, "recipe.json")):
            self.fail(f"{what}: no recipe in {os.listdir(self.out)}")
        same_result(whole, self.out, what)

    def text(self):
        try:
            return read(self.log, "r")
        except OSError:
            return ""

    def fail(self, message):
        fail(f"{message}\njob {self.id} is {self.state()}\n{self.text()[-3000:]}\n"
             f"{command('scontrol', 'show', 'job', self.id, code=None)}"
             f"{command('sinfo', '-N', '-o', '%N %T %E')}{command('squeue')}")

    def until(self, seconds, what, condition):
        try:
            until(seconds, what, condition)
        except TimeoutError as late:
            self.fail(str(late))

    def wait(self, state="COMPLETED", seconds=300):
        """Waits for the end of the job, which must be this one."""
        self.until(seconds, "end of the job", lambda: self.state() in ENDED)
        if self.state() != state:
            self.fail(f"the job is not {state}")
        return self

    def at_work(self):
        """Whether the ranks of its last start are computing."""
        begun = self.text().rpartition(": job ")[2]
        return "rank 0 coordinates" in begun and "coppice.sbatch: " not in begun and self.state() == "RUNNING"

    def wait_work(self, seconds=120):
        """Until there is something to lose: scores in a checkpoint."""
        def something():
            return os.path.exists(os.path.join(self.out, "run.h5")) and self.at_work()
        self.until(seconds, "ranks at work", lambda: something() or self.state() in ENDED)
        if self.state() in ENDED:
            self.fail("the job ended before anything was done to it")


every_job = []


def cancel_all():
    """Nothing of a test stays in the queue for the next one; dead nodes come back."""
    if not every_job:
        return
    subprocess.run(["scancel", *(job.id for job in every_job)], stderr=subprocess.DEVNULL)
    bring_back()
    try:
        until(60, "an empty queue", lambda: not command("squeue", "-h", code=None).strip())
    except TimeoutError as late:
        print(f"{late}\n{command('squeue', code=None)}")


@contextlib.contextmanager
def scratch():
    """A folder for the jobs of a test; they go before it does."""
    with plain_scratch() as folder:
        try:
            yield folder
        finally:
            cancel_all()


def mark_down(name):
    """What Slurm finds out by itself after SlurmdTimeout, at once."""
    command("scontrol", "update", "nodename=" + name, "state=down", "reason=lost")


def bring_back():
    for name in node_names():
        if not node_pid(name):
            mark_down(name)  # else its last job would wait for a node that is back but knows nothing of it
            power_on(name)
    until(60, "all nodes up", lambda: ready(node_names()))


def reference(settings=QUICK):
    """The run directory of a plain run of the job on this machine, without Slurm; made once for all tests."""
    folder = os.environ.get("COPPICE_REFERENCES", FOLDER)
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    out = os.path.join(folder, key)
    with open(out + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(out, "summary.json")):
            run_job(3, out, settings)
    return out


def ranks_of(job):
    """Process id by rank of a job's program, as the head sees them."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = read(f"/proc/{pid}/cmdline").split(b"\0")
            if words[0] != COPPICE.encode() or not alive(pid):
                continue
            variables = dict(item.partition(b"=")[::2] for item in read(f"/proc/{pid}/environ").split(b"\0"))
        except OSError:
            continue
        if variables.get(b"SLURM_JOB_ID") == job.id.encode() and b"PMIX_RANK" in variables:
            found[int(variables[b"PMIX_RANK"])] = int(pid)
    return found
