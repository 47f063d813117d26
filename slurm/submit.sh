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

script='coppice.sbatch' words=1
while [ $# -gt 0 ]; do
    case $1 in
        --gpu) script='coppice-gpu.sbatch' words=1 ;;
        -h | --help) usage 0 ;;
        -*) take_option "$@" ;;
        *) break ;;
    esac
    shift "$words"
done
[ $# -ge 1 ] || usage 2

find_coppice
make_plan "$@"
print_plan

command=(sbatch --job-name="$job_name" --output="$job_name-%j.out" "${plan_sbatch[@]}" "$home/$script" "$@")
show_command "${command[@]}"
if [ "$dry_run" = 1 ]; then exit 0; fi
export COPPICE_HOME=$home
"${command[@]}"
