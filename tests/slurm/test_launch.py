#!/usr/bin/env python3
"""The quick job through sbatch, started by srun and by mpirun, gives the bytes of a plain local run, also where it is
submitted from within a step of another job. Whatever sbatch exports, ranks get what the job script sets. A wrong job
ends at once with the program's own exit code and is not tried again. A launcher's 0 is not believed while the run is
not done."""
import os
import stat

from jobs import LAUNCHERS, QUICK, Job, check, command, inspect, reference, scratch
# In place of the program: a launcher that ends with 0 before the run is done, or has begun.
UNFINISHED = """#!/bin/sh
case "$*" in
    *--check) echo "# run directory: $0.out" ;;
    status*) [ ! -e "$0.out" ] || echo '{"coppice_status":1,"state":"running"}' ;;
    *) [ -e "$0.never" ] || : >"$0.out" ;;
esac
"""


# ... and one whose ranks say what they were handed.
HANDED = """#!/bin/sh
case "$*" in
    *--check) ;;
    status*) echo '{"coppice_status":1,"state":"done"}' ;;
    *) echo "yields: $OMPI_MCA_mpi_yield_when_idle" ;;
esac
"""


# ... and one that takes its time over the job file.
SLOW = UNFINISHED.replace("--check) ", '--check) : >"$0.checks"; sleep 3; ')


def start_double(folder, name, text, export="ALL", options=()):
    double = os.path.join(folder, name)
    with open(double, "w") as file:
        file.write(text)
    os.chmod(double, stat.S_IRWXU)
    return double, Job(folder, "job-" + name, program=double,
                       options=[f"--export={export},COPPICE={double},COPPICE_REQUEUES=0", *options])


def check_export(folder):
    """What srun would take for its own."""
    job = start_double(folder, "exported", HANDED, export="NIL,COPPICE_LAUNCHER=srun")[1].wait()
    check(job.text().count("yields: 1") == 3, job.text())


def check_parts(folder):
    job = start_double(folder, "parts", HANDED, options=[":", "--ntasks=1"])[1]
    job.until(60, "refusal of a heterogeneous job", lambda: "ask for one part" in job.text())


def check_early(folder):
    """Told to leave before there are ranks."""
    double, job = start_double(folder, "early", SLOW)
    job.until(60, "the check of the job file", lambda: os.path.exists(double + ".checks"))
    command("scancel", "--signal=USR1", "--batch", job.id)
    job.wait("FAILED")
    check(job.fact("ExitCode") == "75:0" and "requeued 0 times already" in job.text() and
          not os.path.exists(double + ".out"), f"{job.fact('ExitCode')}: {job.text()}")


def check_unfinished(folder, name, code, words, never=False):
    if never:
        open(os.path.join(folder, name + ".never"), "w").close()
    job = start_double(folder, name, UNFINISHED)[1].wait("FAILED")
    check(job.fact("ExitCode") == f"{code}:0" and words in job.text(), f"{job.fact('ExitCode')}: {job.text()}")


with scratch() as folder:
    whole = reference()
    options = ["--nodes=3", "--ntasks-per-node=1", "--export=ALL,PMIX_HOSTNAME=node1"]
    jobs = {launcher: Job(folder, launcher, launcher=launcher, options=options) for launcher in LAUNCHERS}
    for launcher, job in jobs.items():
        job.wait()
        job.check_result(whole, "by " + launcher)
        tree = inspect(job.out)
        hosts = {text.split(" on ")[1].split(";")[0] for text in tree["job"]["rank_backends"]}
        check(hosts == {"node1", "node2", "node3"}, f"{launcher}: ranks on {hosts}")
        check(tree["job"]["ranks"] == 3, f"{launcher}: {tree['job']['ranks']} ranks")

    wrong = Job(folder, "wrong", QUICK + ["population.sise=3"])
    wrong.wait("FAILED")
    check(wrong.fact("ExitCode") == "3:0" and wrong.restarts() == 0, "a wrong job file: " + wrong.fact("ExitCode"))
    check('population.sise' in wrong.text() and "start 1" not in wrong.text(), "no word about the wrong key, or late")

    missing = Job(folder, "missing", program=os.path.join(folder, "nothing"))
    missing.wait("FAILED")
    check("is not there; build it first" in missing.text(), "no word about a missing program")

    check_unfinished(folder, "cut-short", 11, "ranks or nodes lost (exit code 11), and the job was requeued 0 times")
    check_unfinished(folder, "not-begun", 1, "could not be started", never=True)
    check_early(folder)
    check_export(folder)
    check_parts(folder)
