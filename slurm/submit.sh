#!/usr/bin/env bash
# Works out nodes, tasks and time of a job from its job file, prints that plan, and submits it.
#
#   slurm/submit.sh [options] JOB.yaml [coppice run options]
#
#   --dry-run        print the plan and the sbatch command, submit nothing
#   --workers W      ranks that compute (default: each gets 8 units of the population at least, as far
#                    as site.sh's site_nodes nodes reach); one more coordinates
#   --nodes N        take N whole nodes' worth of ranks instead
#   --time T         time of one start, as sbatch takes it (default: from the rate, else site_time)
#   --rate R         tokens per second of one worker, for the time
#   --measure        measure that rate here, on the job's model, before planning (half a minute or so)
#   --gpu            by coppice-gpu.sbatch
#   --sbatch OPTION  one more option for sbatch; may be given many times
#
# The tokens are the most that the job can generate, so the time is an upper bound; a run that goes on
# needs less. A job that does not finish in time goes on in the next start.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=slurm/plan.sh
. "$home/plan.sh"

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
    exit "$1"
}

dry_run=0 workers='' nodes='' time='' rate=$site_rate measure=0 script='coppice.sbatch' more=()
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry_run=1 ;;
        --measure) measure=1 ;;
        --gpu) script='coppice-gpu.sbatch' ;;
        --workers | --nodes | --time | --rate | --sbatch)
            [ $# -ge 2 ] || die "$1 needs a value"
            case $1 in
                --workers) workers=$(whole_number "$1" "$2") ;;
                --nodes) nodes=$(whole_number "$1" "$2") ;;
                --time) time=$2 ;;
                --rate) rate=$(whole_number "$1" "$2") ;;
                --sbatch) more+=("$2") ;;
            esac
            shift
            ;;
        -h | --help) usage 0 ;;
        -*) die "$1: no such option here (options of coppice run go after the job file); see --help" ;;
        *) break ;;
    esac
    shift
done
[ $# -ge 1 ] || usage 2

find_coppice
read_job "$@"
read_cluster "${more[@]}"
plan_ranks "$workers" "$nodes"
[ "$measure" = 0 ] || rate=$(measure_rate)
plan_time "$time" "$rate"
print_plan

command=(sbatch --job-name="$job_name" --output="$job_name-%j.out" --nodes="$plan_nodes" --ntasks="$plan_tasks"
    --cpus-per-task="$job_threads" --time="$plan_time" "${site_sbatch[@]}" "${more[@]}" "$home/$script" "$@")
printf '+'
printf ' %q' "${command[@]}"
printf '\n'
if [ "$dry_run" = 1 ]; then exit 0; fi
export COPPICE_HOME=$home
"${command[@]}"
