#!/usr/bin/env python3
"""Cores and memory of the ranks of a node: the plan is printed once, more threads than cores are refused
unless asked for, so is a model that does not fit once for every rank; base weights are in memory once.
Ranks that are not those that Slurm started stop."""
# Alone: it asks which cores are free.
import glob
import os
import re
import signal
import subprocess
import sys
import time

from lib import ENV, MODEL, QUICK, TOP, check, run_command, run_job, same_result, scratch

USAGE, CONFIG, MEMORY = 2, 3, 7
SMALL = QUICK + ["population.size=4", "recenter.rounds=0"]


def run(out, ranks, settings, code, words, env=(), prefix=(), options=()):
    """Runs a job without the --oversubscribe of other tests; what it says."""
    command = [word for word in run_command(ranks, out, SMALL + list(settings)) if word != "--oversubscribe"]
    done = subprocess.run([*prefix, *command, *options], env=dict(ENV, **dict(env)), cwd=TOP, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    check(done.returncode == code, f"{ranks} ranks, {settings}, {dict(env)}: exit code {done.returncode}, not {code}: "
                                   f"{done.stdout}")
    for word in words:
        check(word in done.stdout, f"{ranks} ranks, {settings}, {dict(env)}: without {word!r}: {done.stdout}")
    return done.stdout


def cores(folder, whole):
    out = os.path.join(folder, "cores")
    four = {"HWLOC_SYNTHETIC": "pack:1 core:4 pu:1"}  # a machine that hwloc is told of
    text = run(out, 3, ["backend.threads=2"], 0, ["4 computing threads on 4 of 4 cores, each its own"], four)
    check(len(re.findall("computing threads on", text)) == 1, f"the plan of a node is not printed once: {text}")
    run(out, 3, ["backend.threads=3"], CONFIG,
        ["6 computing threads", "4 of 4 cores", "--oversubscribe", "backend.threads"], four)
    run(out, 3, ["backend.threads=3"], 0, ["oversubscribed, as was asked for"], four, options=["--oversubscribe"])
    # mpirun was told to start more ranks than cores: that is asked for, more threads are not
    two = {"HWLOC_SYNTHETIC": "core:2 pu:1"}
    run(out, 4, [], 0, ["oversubscribed, as was asked for: 3 computing threads"], two)
    run(out, 4, ["backend.threads=2"], CONFIG, ["6 computing threads", "2 of 2 cores"], two)
    # real processors: one is left
    run(out, 1, ["backend.threads=2"], CONFIG, ["2 computing threads", "where 1 of"], prefix=["taskset", "-c", "0"])
    run(out, 1, [], 0, ["1 computing thread on 1 of"], prefix=["taskset", "-c", "0"])
    same_result(whole, out, "whatever the cores")


def widened(folder):
    """mpirun's own binding gives a rank cores that taskset has taken from mpirun: that is warned about."""
    if len(os.sched_getaffinity(0)) < 2:
        print("* not tested: a launcher that widens its ranks' processors (one processor)")
        return
    out = os.path.join(folder, "widened")
    word = "--bind-to none"
    core = {"OMPI_MCA_hwloc_base_binding_policy": "core", "PRTE_MCA_hwloc_default_binding_policy": "core"}
    none = {"OMPI_MCA_hwloc_base_binding_policy": "none", "PRTE_MCA_hwloc_default_binding_policy": "none"}
    cpu = str(max(os.sched_getaffinity(0)))
    command = ["taskset", "-c", cpu, "mpirun", "-np", "1"]
    shown = subprocess.run([*command, sys.executable, "-c", "import os; print(*sorted(os.sched_getaffinity(0)))"],
                           env=dict(ENV, **core), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    ours = shown.stdout.split()
    check(shown.returncode == 0 and ours, f"mpirun: {shown.stdout}")
    if ours == [cpu]:
        print("* this mpirun leaves a rank the processors that it was left: nothing to warn about")
        text = run(out, 1, [], 0, ["on 1 of"], core, command)
        check(word not in text, f"warned about without a reason: {text}")
        return
    text = run(out, 1, [], 0, [word, f"was left processors {cpu}"], core, command)
    check(text.count(word) == 1, f"warned about more than once: {text}")
    text = run(out, 1, [], 0, ["on 1 of"], none, command)
    check(word not in text, f"warned about without a reason: {text}")


def remove_group(group):
    """Its last process may take a moment to be gone."""
    end = time.monotonic() + 20
    while True:
        try:
            os.rmdir(group)
            return
        except OSError:
            check(time.monotonic() < end, f"{group} cannot be removed")
            time.sleep(0.2)


def quota(folder):
    """A control group of one core's time, where groups can be made."""
    out = os.path.join(folder, "quota")
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    group = ("/sys/fs/cgroup" if unified else "/sys/fs/cgroup/cpu") + f"/coppice-test-{os.getpid()}"
    limits = {"cpu.max": "100000 100000"} if unified else {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}
    try:
        os.mkdir(group)
    except OSError as why:
        print(f"* not tested: a control group's quota ({why.strerror}); the unit tests have made-up ones")
        return
    try:
        for name, value in limits.items():
            with open(os.path.join(group, name), "w") as file:
                file.write(value)
        join = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        env = {"HWLOC_SYNTHETIC": "core:4 pu:1"}
        run(out, 1, ["backend.threads=2"], CONFIG, ["control group allows 1 cores' time"], env, join)
        run(out, 1, [], 0, ["1 computing thread"], env, join)
        print("* a control group of one core's time: two threads are refused")
    except OSError as why:
        print(f"* not tested: a control group's quota ({why.strerror}); the unit tests have made-up ones")
    finally:
        remove_group(group)


def memory(folder):
    """A batch that fits for one rank, but not once for each of two."""
    out = os.path.join(folder, "memory")
    long = ["generation.max_new_tokens=890"]
    text = run(out, 2, long + ["backend.batch=65536"], MEMORY, ["GiB", "batch"])
    fits = int(re.search(r"a batch of (\d+) would fit", text).group(1))
    two = run(out, 3, long + [f"backend.batch={fits * 4 // 5}"], MEMORY, ["each of the 2 computing ranks", "GiB"])
    each = int(re.search(r"a batch of (\d+) would fit", two).group(1))
    check(each < fits * 2 // 3, f"one rank could take a batch of {fits}, each of two {each}")
    print(f"* largest batch that fits: {fits} for one computing rank, {each} for each of two")


def shared_weights(folder):
    """Sums of the mapping of the base's file over all ranks: resident, and proportional."""
    out = os.path.join(folder, "shared")
    weights = os.path.realpath(os.path.join(MODEL, "model.safetensors"))
    job = subprocess.Popen(run_command(3, out, QUICK + ["population.size=3000"]), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=ENV, cwd=TOP,
                           start_new_session=True)
    end = time.monotonic() + 120
    while not os.path.exists(os.path.join(out, "run.h5")):
        check(time.monotonic() < end and job.poll() is None, "no run file appears")
        time.sleep(0.1)
    ranks, resident, proportional = 0, 0, 0
    for path in glob.glob("/proc/[0-9]*/smaps"):
        try:
            if os.getsid(int(path.split("/")[2])) != os.getsid(job.pid):
                continue
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        parts = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)
        mine = [part for part in parts if weights in part.split("\n", 1)[0]]
        ranks += bool(mine)
        for part in mine:
            resident += int(re.search(r"^Rss: +(\d+)", part, re.M).group(1))
            proportional += int(re.search(r"^Pss: +(\d+)", part, re.M).group(1))
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    size = os.path.getsize(weights) / 1024
    check(ranks == 3, f"{ranks} processes map the weights, not 3")
    check(resident > 1.9 * size, f"only {resident} KiB of {size:.0f} are mapped by the ranks: nothing is shown")
    check(proportional < 1.05 * size + 16, f"the base's {size:.0f} KiB take {proportional} KiB in 3 ranks")
    print(f"* base weights of {size:.0f} KiB in 3 ranks: {resident} KiB mapped, {proportional} KiB of memory")


def slurm(folder):
    """Without PMI, srun's tasks do not find each other."""
    out = os.path.join(folder, "slurm")
    step = {"SLURM_JOB_ID": "1", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "3"}
    run(out, 1, [], USAGE, ["srun started 3 tasks", "1 rank", "--mpi=pmix"], step)
    text = run(out, 1, [], USAGE, [], dict(step, SLURM_PROCID="2"))
    check(text == "", f"every task says the same: {text}")
    run(out, 2, [], USAGE, ["has 5 tasks", "mpirun -np 5"], {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "5"})
    check(not os.path.exists(out), "a job that was started wrongly has made its run directory")


with scratch() as folder:
    whole = os.path.join(folder, "whole")
    run_job(2, whole, SMALL)
    cores(folder, whole)
    widened(folder)
    quota(folder)
    memory(folder)
    shared_weights(folder)
    slurm(folder)
