# shellcheck shell=bash disable=SC2034
# What is particular to this cluster: the only file here to edit. It is read on the login node
# (submit.sh, sweep.sh) and again at the start of every job. Everything has a default.

# What the program needs at run time, the MPI that it was built with first:
#   module load openmpi hdf5

# The program. Default: build/coppice beside this folder, else coppice in the PATH.
#   COPPICE=/shared/coppice/bin/coppice

# Options for every sbatch: account, partition, whole nodes, ...
site_sbatch=()
#   site_sbatch=(--account=physics --partition=cpu --exclusive)

# Cores to use on a node; empty: what sinfo says of the smallest node.
site_cores=
# Most nodes that submit.sh takes unless told otherwise.
site_nodes=4
# Time of one start where submit.sh has no rate to compute it from. A job that is not finished by then
# writes a checkpoint, goes back into the queue and goes on.
site_time=04:00:00
# Longest time of one start that submit.sh asks for; empty: the partition's limit.
site_longest=
# Tokens per second of one worker, for submit.sh; empty: give --rate or --measure.
site_rate=

# How to start the ranks: srun or mpirun; empty: srun where it speaks PMIx, else mpirun.
#   COPPICE_LAUNCHER=mpirun
# How often a job may go back into the queue by itself.
#   COPPICE_REQUEUES=100
