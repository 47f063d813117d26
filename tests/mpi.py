"""The variables that tests give to mpirun; slurm/mpirun.sh knows them."""
import os
import subprocess

MPIRUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "slurm", "mpirun.sh")


def environment():
    """For ranks that outnumber the cores of one machine."""
    done = subprocess.run([MPIRUN, "--environment", "crowded"], stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())
