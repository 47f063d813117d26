#!/usr/bin/env bash
# Submits one job for each of several seeds or job files, as an array, and one more that gathers their
# results in a table when the last has ended.
#
#   slurm/sweep.sh [options] --seeds 1-8 JOB.yaml [coppice run options]
#   slurm/sweep.sh [options] --jobs A.yaml B.yaml ... [-- coppice run options]
#
#   --seeds LIST     population seeds: 1-8, or 1,5,9
#   --out DIR        folder of the sweep (default: runs/sweep-NAME, NAME that of the first job file); a
#                    member's run directory is DIR/NAME-SEED or DIR/NAME
#   --at-once N      most members that run at the same time
#   --dry-run, --workers, --nodes, --time, --rate, --measure, --sbatch: as for submit.sh, for each member;
#                    the first member's job file makes the plan
#
# The same command again goes on with members that did not finish. The table is DIR/table.tsv; beside it
# lie members.tsv, a line of arguments for each member, and the logs.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=slurm/plan.sh
. "$home/plan.sh"

seed_list() { # 1-8 or 1,5,9: one a line
    local part
    for part in ${1//,/ }; do
        [[ $part =~ ^[0-9]{1,9}(-[0-9]{1,9})?$ ]] || die "--seeds $part: must be numbers such as 1-8 or 0,5,9"
        [ "${part%-*}" -le "${part#*-}" ] || die "--seeds $part: a range rises"
        seq "${part%-*}" "${part#*-}"
    done
}

seeds='' out='' at_once='' by_job=0 words=1
while [ $# -gt 0 ]; do
    case $1 in
        --jobs)
            by_job=1
            shift
            break
            ;;
        --seeds) need_value "$@" && seeds=$(seed_list "$2") ;;
        --out) need_value "$@" && out=$2 ;;
        --at-once) need_value "$@" && at_once=%$(whole_number "$1" "$2") ;;
        -h | --help) usage 0 ;;
        -*) take_option "$@" ;;
        *) break ;;
    esac
    shift "$words"
done

# Members: a job file and its arguments, tab-separated as coppice.sbatch reads them.
files=() arguments=()
if [ "$by_job" = 1 ]; then
    [ -z "$seeds" ] || die "--seeds or --jobs, not both"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    if [ $# -gt 0 ]; then shift; fi
    arguments=("$@")
elif [ $# -ge 1 ]; then
    files=("$1")
    arguments=("${@:2}")
fi
[ ${#files[@]} -ge 1 ] || usage 2
[ "$by_job" = 1 ] || [ -n "$seeds" ] || die "which seeds? --seeds 1-8"
for argument in "$out" "${files[@]}" "${arguments[@]}"; do
    # A line of the list is a member, and tabs divide it.
    case $argument in
        *$'\t'* | *$'\n'*) die "an argument has a tab or a new line, which a member's line cannot hold; put it into the job file" ;;
    esac
done
for argument in "${arguments[@]}"; do
    [ -n "$argument" ] || die "an argument is empty, which a member's line cannot hold"
    case $argument in
        --out | --out=* | --ou | --ou=* | --o=*) die "--out goes before the job file: every member gets a folder of its own below it" ;;
    esac
done
find_coppice
first=${files[0]##*/}
out=${out:-runs/sweep-${first%.*}}

member() { # NAME JOB.yaml [more arguments]
    local IFS=$'\t'
    echo "$2${IFS}--out${IFS}$out/$1${arguments[*]:+$IFS${arguments[*]}}${3:+$IFS${*:3}}"
}
members=()
for file in "${files[@]}"; do
    "$coppice" run "$file" "${arguments[@]}" --check >/dev/null || exit $?
    name=${file##*/} name=${name%.*}
    if [ "$by_job" = 1 ]; then
        members+=("$(member "$name" "$file")")
    else
        for seed in $seeds; do
            members+=("$(member "$name-$seed" "$file" -s "population.seed=$seed")")
        done
    fi
done
doubles=$(printf '%s\n' "${members[@]}" | cut -f 3 | sort | uniq -d)
[ -z "$doubles" ] || die "two members would share $doubles"

make_plan "${files[0]}" "${arguments[@]}"
echo "sweep       ${#members[@]} members in $out, each:"
print_plan

list=$out/members.tsv
array=(sbatch --parsable --job-name="$job_name" --output="$out/%a-%A.log" --array="1-${#members[@]}$at_once"
    "${plan_sbatch[@]}" "$home/coppice.sbatch" --sweep "$list")
gather=(sbatch --parsable --job-name="$job_name-table" --output="$out/table.log"
    "${site_sbatch[@]}" "${more[@]}" "$home/gather.sbatch" "$list")
show_command "${array[@]}"
if [ "$dry_run" = 1 ]; then exit 0; fi
mkdir -p "$out"
# Members that are still queued read their line of the list when they start.
if [ -f "$list" ] && ! printf '%s\n' "${members[@]}" | cmp -s - "$list"; then
    die "$out holds another sweep: give --out, or remove $list once none of its members is queued"
fi
printf '%s\n' "${members[@]}" >"$list"
export COPPICE_HOME=$home
id=$("${array[@]}")
id=${id%%;*}
# afterany: the table also says which members did not finish
gatherer=$("${gather[@]:0:1}" --dependency=afterany:"$id" "${gather[@]:1}")
echo "Submitted array job $id and job ${gatherer%%;*}, which writes $out/table.tsv"
