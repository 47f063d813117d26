#!/bin/sh
# The first process of a node: sets the machine up around itself, then keeps slurmd.
#   node.sh NAME FOLDER
set -eu
name=$1 folder=$2
hostname "$name"
mount -t proc proc /proc
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs "$folder/local"
mkdir "$folder/local/spool"
# the network comes from outside
until ip -o -4 address show dev eth0 2>/dev/null | grep -q inet; do sleep 0.02; done
# A shell stays process 1 and collects what the job steps orphan. Open MPI keeps its scratch here.
export OMPI_MCA_orte_tmpdir_base="$folder/local"
slurmd -D -N "$name" &
wait $!
