#!/usr/bin/env bash
# mpirun for Coppice, whatever the version of Open MPI: what differs between them stands here alone.
#
#   slurm/mpirun.sh -np 9 coppice run JOB.yaml
#       SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGUSR1 make the job write a checkpoint and leave with exit code 75;
#       SIGTERM or SIGINT once more, two seconds later, ends it at once.
#   slurm/mpirun.sh --environment [crowded]
#       prints the variables that it sets, NAME=VALUE; crowded: with more ranks than cores on one machine.
#   slurm/mpirun.sh --meaning CODE [COPPICE DIR]
#       prints what it means that ranks, started by mpirun or srun, ended with an exit code:
#       done stopped failed busy lost crashed unknown
#       With the program and a run directory, 0 is not believed while that run is not done.
set -u

# 4, 5, ...; 0: not Open MPI, or no mpirun at all.
version() {
    local found
    found=$(mpirun --version 2>/dev/null | sed -n 's/^mpirun (Open MPI) \([0-9]*\)\..*/\1/p')
    echo "${found:-0}"
}

environment() { # VERSION [crowded]
    # Neither spinning while they wait nor refused as root. Bound by mpirun, the first ranks of every job would
    # share core 0; ranks bind themselves.
    echo OMPI_ALLOW_RUN_AS_ROOT=1
    echo OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    echo OMPI_MCA_mpi_yield_when_idle=1
    if [ "$1" -ge 5 ]; then
        echo PRTE_MCA_hwloc_default_binding_policy=none
    else
        echo OMPI_MCA_hwloc_base_binding_policy=none
        # Slurm signals the daemons of other nodes, too. Twice that many seconds are rank 0's time for a
        # checkpoint then, four times are what the end takes when a rank has died. From 5 on it is half a second,
        # whatever is set.
        [ -z "${SLURM_JOB_ID:-}" ] || echo OMPI_MCA_odls_base_sigkill_timeout=5
    fi
    [ "${2:-}" = crowded ] || return 0
    if [ "$1" -ge 5 ]; then
        # Without a word before the colon all ranks of a job go to the first node.
        echo PRTE_MCA_rmaps_default_mapping_policy=slot:oversubscribe
        # TCP tries its paths even where nobody takes them, and complains of IPv6 by another way of asking.
        echo OMPI_MCA_reachable=weighted
    else
        echo OMPI_MCA_rmaps_base_oversubscribe=1
        # Containers do not let processes read each other's memory.
        echo OMPI_MCA_btl_vader_single_copy_mechanism=none
    fi
}

# Up to 13, and 75, are the program's own and documented in jobs/RUNNING.md. 131 and 183 are those of mpirun of 4 and 5
# for a program that is not there, 1 of a launcher that was disturbed before there were ranks. From 14 on they are
# MPI's own errors, which end a rank where the program cannot catch them, as when a peer is gone; 126 and 127 are
# the shell's. From 128 on ranks were killed or the launcher lost a node, but 134 to 136 and 139 are crashes.
meaning() { # CODE
    case $1 in
        0) echo "done" ;;
        75) echo stopped ;;
        13) echo busy ;;
        1 | 131 | 183) echo unknown ;;
        11) echo lost ;;
        [2-9] | 10 | 12 | 126 | 127) echo failed ;;
        134 | 135 | 136 | 139) echo crashed ;;
        *) echo lost ;;
    esac
}

# What a launcher's 0 means. That all went well only the run itself knows: mpirun of 5 also ends with 0 when it has lost
# its daemon on a node.
believe() { # COPPICE DIR
    case $("$1" status --json "$2" 2>/dev/null | sed -n 's/^{.*"state":"\([a-z]*\)".*/\1/p') in
        done) echo "done" ;;
        "") echo unknown ;;
        *) echo lost ;;
    esac
}

# The same by the words of mpirun; where they start no job it is believed.
believe_words() { # WORDS
    case " $* " in *" --check "* | *" --keys "* | *" --help "* | *" --usage "* | *" --version "*) set -- ;; esac
    while [ $# -ge 3 ]; do
        if [ "$2" = run ] && [ "${1##*/}" = coppice ]; then
            believe "$1" "$("$@" --check </dev/null 2>/dev/null | sed -n 's/^# run directory: //p')"
            return
        fi
        shift
    done
    echo "done"
}

case ${1:-} in
    --environment)
        environment "$(version)" "${2:-}"
        exit 0
        ;;
    --meaning)
        said=$(meaning "${2:?which exit code?}")
        if [ "$said" = "done" ] && [ -n "${4:-}" ]; then said=$(believe "$3" "$4"); fi
        echo "$said"
        exit 0
        ;;
    "" | -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac

# A signal is passed on as SIGUSR1, which mpirun of every version hands to its ranks and waits for them.
declare -A first=()
ranks='' woken=0
# shellcheck disable=SC2317,SC2329 # called by traps
pass_on() { # SIGNAL
    [ -n "$ranks" ] || exit 75 # nothing has begun
    woken=1
    first[$1]=${first[$1]:-$SECONDS}
    if [ "$1" = USR1 ] || [ "$1" = HUP ] || [ $((SECONDS - first[$1])) -lt 2 ]; then
        kill -USR1 "$ranks" 2>/dev/null
    else
        echo "mpirun.sh: SIG$1 once more: the job is killed" >&2
        # Its ranks; when they are gone it ends, and so do those of other nodes.
        # shellcheck disable=SC2046
        kill -KILL $(cat "/proc/$ranks/task/$ranks/children") 2>/dev/null
    fi
}
trap 'pass_on TERM' TERM
trap 'pass_on INT' INT
trap 'pass_on HUP' HUP
trap 'pass_on USR1' USR1

mpi=$(version)
[ "$mpi" != 0 ] || exec mpirun "$@"
while IFS= read -r setting; do export "${setting?}"; done < <(environment "$mpi")
# A step of srun has the name of its node, which ranks on other nodes would take for their own.
unset PMIX_HOSTNAME
# Rank 0 only coordinates, but takes a slot: on a machine of its own there is one more than it has processors, so that
# each core gets a worker. More computing threads than cores the program refuses itself.
case " $* " in
    *hostfile* | *machinefile*) ;;
    *)
        slots=$(($(nproc --all) + 1))
        export OMPI_MCA_orte_set_default_slots=$slots PRTE_MCA_prte_set_default_slots=$slots
        ;;
esac

# mpirun itself never gets a signal of those that it would end its ranks at, wherever they come from: a terminal
# sends them to all that runs in it, Slurm to every process of a job.
own=(env --block-signal=TERM --block-signal=INT --block-signal=HUP)
"${own[@]}" true 2>/dev/null || own=(setsid)
"${own[@]}" mpirun "$@" <&0 &
ranks=$!
while
    woken=0 code=0
    wait "$ranks" || code=$?
    [ "$woken" = 1 ]
do :; done
# Before a rank listens the signal kills it, and nothing is lost.
[ ${#first[@]} = 0 ] || [ "$code" != $((128 + $(kill -l USR1))) ] || code=75
if [ "$code" = 0 ] && [ "$mpi" -ge 5 ]; then
    case $(believe_words "$@") in
        lost) code=11 ;;
        unknown) code=1 ;;
    esac
    [ "$code" = 0 ] || echo "mpirun.sh: mpirun ended with 0, but the run is not done; run the same command again" >&2
fi
exit "$code"
