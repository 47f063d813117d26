#!/usr/bin/env python3
"""What a job leaves when mpirun is told to end it, with periodic checkpoints off: slurm/mpirun.sh gives exit code
75 and a checkpoint whatever the signal and the version of Open MPI, and so does plain mpirun at SIGUSR1. Plain
mpirun at SIGTERM and SIGINT has an exit code of its own, and a checkpoint if it can be written in half a second."""
# Alone: mpirun gives ranks a quarter of a second.
import os
import signal
import subprocess
import time

from lib import COPPICE, ENV, QUICK, TOP, check, inspect, mpi, run_command, run_job, same_result, scratch

CONFIG = 3
ENOUGH = 3  # units scored before a signal
SETTINGS = QUICK + ["population.size=600", "splits.support=24", "splits.probe=8", "splits.validate=16", "splits.test=8",
                    "backend.batch=24", "checkpoint.interval=100000", "consolidate.q=[0.5]", "consolidate.beta=[1]",
                    "consolidate.scale=[1]", "recenter.rounds=0", "baselines.randopt=[]",
                    "baselines.self_consistency=[]", "analysis.split_half=false"]
SMALL = SETTINGS + ["population.size=4"]
SCRIPT = ["slurm/mpirun.sh", "--oversubscribe"]


def start(out, launcher):
    command = run_command(3, out, SETTINGS)
    return subprocess.Popen(launcher + command[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL, env=ENV, cwd=TOP, start_new_session=True)


def wait_units(job, out, units):
    """Until that many units of the population are scored; none is in the run file then."""
    until = time.monotonic() + 120
    while True:
        check(job.poll() is None and time.monotonic() < until, f"no job at work: {job.returncode}")
        text = subprocess.run([COPPICE, "status", out], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=ENV, check=False).stdout
        words = text.partition("population: ")[2].split()
        if words and words[0].isdigit() and int(words[0]) >= units:
            return
        time.sleep(0.2)


def kept(out):
    return sum(map(sum, inspect(out).get("population", {}).get("status", [[0]])))


def interrupt(out, launcher, name):
    """Exit code of a job that is told to leave as from a terminal, and units of the population that it kept."""
    job = start(out, launcher)
    wait_units(job, out, ENOUGH)
    began = time.monotonic()
    os.killpg(job.pid, getattr(signal, name))
    text = job.communicate(timeout=60)[0]
    units = kept(out)
    what = f"{name} to {'mpirun.sh' if launcher is SCRIPT else 'mpirun'}"
    print(f"* {what}: code {job.returncode} after {time.monotonic() - began:.1f} s, {units} units kept")
    check(launcher is not SCRIPT or "a checkpoint is written" in text, f"{what}: {text}")
    return job.returncode, units


def test_script(folder, whole):
    for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"):
        out = os.path.join(folder, name)
        code, units = interrupt(out, SCRIPT, name)
        check(code == 75 and units >= ENOUGH, f"{name} to mpirun.sh: code {code}, {units} units kept")
    run_job(2, out, SETTINGS)
    same_result(whole, out, "after a signal to mpirun.sh")


def test_plain(folder, whole):
    code, units = interrupt(os.path.join(folder, "usr1"), ["mpirun"], "SIGUSR1")
    check(code == 75 and units >= ENOUGH, f"SIGUSR1 to mpirun: code {code}, {units} units kept")
    for name in ("SIGTERM", "SIGINT"):
        for attempt in range(4):  # a busy machine may need more than the half second of Open MPI 5
            out = os.path.join(folder, f"plain{name}{attempt}")
            code, units = interrupt(out, ["mpirun"], name)
            check(code not in (0, 75), f"{name} to mpirun: code {code}")
            if units >= ENOUGH:
                break
        check(units >= ENOUGH, f"{name} to mpirun: {units} units kept")
    run_job(2, out, SETTINGS)
    same_result(whole, out, "after a signal to mpirun")


def test_impatience():
    """Ranks that do not listen are killed at the second time; where none has begun there is nothing to wait for."""
    for after_s in (0, 2):
        deaf = subprocess.Popen(SCRIPT + ["-np", "2", "sh", "-c", "trap '' USR1; echo ready; exec sleep 50"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP,
                                stdin=subprocess.DEVNULL)
        if after_s:
            for _ in range(2):
                check(deaf.stdout.readline() == "ready\n", "not all ranks have begun")
        deaf.terminate()
        if after_s:
            time.sleep(after_s + 0.5)
            check(deaf.poll() is None, f"mpirun.sh left its ranks: {deaf.returncode}")
            deaf.terminate()
        text = deaf.communicate(timeout=30)[0]
        codes = [137] if after_s else [75, -signal.SIGTERM]  # the script itself may not have begun
        check(deaf.returncode in codes, f"code {deaf.returncode} after {after_s} s: {text}")


def test_oversubscribing(folder):
    """Told by an option alone, and seen by every version's ranks."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMPI_MCA_", "PRTE_MCA_"))}
    clean.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", HWLOC_SYNTHETIC="core:2 pu:1")
    for option, code, words in ((["--oversubscribe"], 0, "oversubscribed, as was asked for: 3 computing threads"),
                                (["--host", "localhost:4"], CONFIG, "3 computing threads")):
        out = os.path.join(folder, "four" + option[0])
        command = [word for word in run_command(4, out, SMALL) if word != "--oversubscribe"]
        done = subprocess.run(["mpirun", *option, "--bind-to", "none", *command[1:]], env=clean, cwd=TOP, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        check(done.returncode == code and words in done.stdout, f"mpirun {option}: {done.returncode}: {done.stdout}")


def test_slots():
    """A worker for each processor, and a slot for rank 0."""
    processors = len(os.sched_getaffinity(0))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMPI_MCA_", "PRTE_MCA_"))}
    installed = int(subprocess.run(["nproc", "--all"], stdout=subprocess.PIPE, text=True, check=True).stdout)
    for ranks, fits in ((processors + 1, True), (installed + 2, False)):
        done = subprocess.run([mpi.MPIRUN, "-np", str(ranks), "true"], env=clean, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check((done.returncode == 0) == fits, f"{ranks} ranks, {processors} processors: {done.returncode}, {done.stdout}")


def test_sbatch_alone():
    """Batch scripts that are started without Slurm say so."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "COPPICE_HOME"))}
    for script in ("coppice.sbatch", "coppice-gpu.sbatch"):
        done = subprocess.run(["bash", os.path.join(TOP, "slurm", script), "job.yaml"], env=clean, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode == 2 and f"{script}: this is for sbatch" in done.stdout, f"{done.returncode}: {done.stdout}")


def test_meanings():
    meanings = {"done": [0], "stopped": [75], "failed": [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 126, 127], "busy": [13],
                "lost": [11, 14, 16, 17, 77, 137, 143, 205], "crashed": [134, 135, 136, 139], "unknown": [1, 131, 183]}
    for meaning, codes in meanings.items():
        for code in codes:
            said = subprocess.run([mpi.MPIRUN, "--meaning", str(code)], stdout=subprocess.PIPE, text=True, check=True)
            check(said.stdout.strip() == meaning, f"exit code {code} means {said.stdout}")


def test_disbelief(folder, whole):
    """Open MPI 5 ends with 0 when it has lost a daemon, too; the run itself knows whether it is done."""
    fake = os.path.join(folder, "mpirun")
    with open(fake, "w") as file:
        file.write('#!/bin/sh\n[ "$1" != --version ] || echo "mpirun (Open MPI) 5.0.7"\nexit 0\n')
    os.chmod(fake, 0o755)
    stopped = os.path.join(folder, "SIGTERM-stopped")
    job = start(stopped, SCRIPT)
    wait_units(job, stopped, 1)
    job.terminate()
    check(job.wait(60) == 75, f"the job ended with {job.returncode}")
    for out, code in ((whole, 0), (stopped, 11), (os.path.join(folder, "none"), 1)):
        done = subprocess.run(["slurm/mpirun.sh", *run_command(3, out, SETTINGS)[1:]], cwd=TOP, text=True, check=False,
                              env=dict(ENV, PATH=folder + ":" + ENV["PATH"]), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        check(done.returncode == code and ("the run is not done" in done.stdout) == (code != 0),
              f"0 for {out}: {done.returncode}, {done.stdout}")
    for words in (["-np", "2", "hostname"], [*run_command(2, os.path.join(folder, "none"))[1:], "--check"]):
        other = subprocess.run(["slurm/mpirun.sh", *words], cwd=TOP, check=False,
                               env=dict(ENV, PATH=folder + ":" + ENV["PATH"]))
        check(other.returncode == 0, f"the 0 of {words} is not believed")


# Under nohup it is ignored, and a shell cannot trap what was ignored when it began.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with scratch() as scratch_folder:
    test_meanings()
    test_slots()
    test_sbatch_alone()
    test_impatience()
    undisturbed = os.path.join(scratch_folder, "whole")
    run_job(3, undisturbed, SETTINGS)
    test_script(scratch_folder, undisturbed)
    test_disbelief(scratch_folder, undisturbed)
    test_plain(scratch_folder, undisturbed)
    test_oversubscribing(scratch_folder)
