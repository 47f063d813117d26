# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used by those who read this
# What submit.sh and sweep.sh share: reading a job file and the cluster, and the plan made of both.
# Whoever reads this has set `home`, the folder of these scripts. The results are variables named
# job_*, cluster_* and plan_*.

die() {
    echo "${0##*/}: $*" >&2
    exit 2
}

home=${home:?}
site_sbatch=() site_cores='' site_nodes=4 site_time=04:00:00 site_longest='' site_rate=''
# shellcheck source=slurm/site.sh
if [ -f "$home/site.sh" ]; then . "$home/site.sh"; fi

# --- options ---

dry_run=0 measure=0 workers='' nodes='' time='' rate=$site_rate more=()

# Takes an option that both scripts have, as --help describes it, off the arguments; `words` says how many
# of them it was.
take_option() {
    words=1
    case $1 in
        --dry-run) dry_run=1 ;;
        --measure) measure=1 ;;
        --workers | --nodes | --rate)
            need_value "$@"
            local number
            number=$(whole_number "$1" "$2")
            printf -v "${1#--}" %s "$number"
            ;;
        --time) need_value "$@" && time=$2 ;;
        --sbatch) need_value "$@" && more+=("$2") ;;
        *) die "$1: no such option here (options of coppice run go after the job file); see --help" ;;
    esac
}

need_value() { # OPTION [VALUE]
    [ $# -ge 2 ] || die "$1 needs a value"
    words=2
}

usage() { # EXIT CODE: the comment that the script begins with
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
    exit "$1"
}

show_command() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
}

# --- what there is to do, and with what ---

find_coppice() {
    coppice=${COPPICE:-$home/../build/coppice}
    [ -n "${COPPICE:-}" ] || [ -x "$coppice" ] || coppice=$(command -v coppice || echo "$coppice")
    [ -x "$coppice" ] || die "$coppice is not there; build it first (make), or set COPPICE in $home/site.sh"
}

whole_number() { # NAME VALUE
    case $2 in
        '' | *[!0-9]* | 0*) die "$1 $2: must be a whole number above 0" ;;
    esac
    echo "$2"
}

seconds_text() { # SECONDS as sbatch takes them, in whole minutes
    awk -v s="$1" 'BEGIN { m = int((s + 59) / 60); printf "%02d:%02d:00\n", m / 60, m % 60 }'
}

text_seconds() { # [D-]H:M:S, H:M:S, M:S, M, D-H:M, D-H in seconds; nothing for infinite
    awk -v t="$1" 'BEGIN {
        if (t !~ /^[0-9:-]+$/) exit
        days = 0
        if (split(t, d, "-") == 2) { days = d[1]; t = d[2] }
        n = split(t, p, ":")
        if (days > 0 || t != d[1]) s = p[1] * 3600 + p[2] * 60 + p[3]
        else s = n == 3 ? p[1] * 3600 + p[2] * 60 + p[3] : n == 2 ? p[1] * 60 + p[2] : p[1] * 60
        print days * 86400 + s }'
}

# Everything about the job is asked of the program, so defaults and overrides count.
read_job() { # JOB.yaml [coppice run options]
    job_name=${1##*/} job_name=${job_name%.*}
    job_keys=$("$coppice" run "$@" --check) || exit $?
    job_threads=$(key backend.threads)
    job_model=$(key model)
    # Answers (a candidate on an example) by part of the job, each the most that there can be: every round
    # is made, the grid of steps is doubled up to max_scale, or whatever a budget leaves of that.
    job_counts=$(sed -n 's/^# work: //p' <<<"$job_keys" | tr ',' '\n' | sed 's/^ //')
    job_budget=$(sed -n 's/^# budget/budget/p' <<<"$job_keys")
    job_evaluations=$(awk '{ n += $2 } END { print n }' <<<"$job_counts")
    local longest budget tested support batch candidates
    longest=$(key generation.max_new_tokens) budget=$(key budget.tokens)
    job_tokens=$((job_evaluations * longest))
    # A budget of tokens is that of the search: the test set does not count.
    tested=$((($(awk '$1 == "test" { print $2 }' <<<"$job_counts") + $(key splits.test)) * longest))
    if [ "$budget" != none ] && [ "$budget" -lt $((job_tokens - tested)) ]; then job_tokens=$((budget + tested)); fi
    support=$(key splits.support) batch=$(key backend.batch)
    candidates=$(sed -n 's/^budget\.population: \([0-9]*\) of .*/\1/p' <<<"$job_budget")
    job_units=$((${candidates:-$(key population.size)} * ((support + batch - 1) / batch)))
}

key() { # NAME: its value as the program understands the job file
    sed -n "s/^${1//./\\.}: //p" <<<"$job_keys" | sed 's/^"\(.*\)"$/\1/'
}

# Cores of the smallest node, and the longest time, of the partition that the job goes to.
read_cluster() { # [sbatch options]
    local partition='' before='' option facts
    for option in "${site_sbatch[@]}" "$@"; do
        case $before in
            --partition | -p) partition=$option ;;
        esac
        case $option in
            --partition=*) partition=${option#*=} ;;
            -p?*) partition=${option#-p} ;;
        esac
        before=$option
    done
    partition=${partition:-${SBATCH_PARTITION:-}}
    # The default partition is marked with a star, which %R leaves out and %P does not.
    facts=$(sinfo -h -o '%P|%R|%c|%D|%l' ${partition:+--partition="$partition"}) ||
        die "sinfo does not answer: is this a login node?"
    [ -n "$partition" ] || facts=$(grep '^[^|]*\*|' <<<"$facts" || echo "$facts")
    [ -n "$facts" ] || die "there is no partition $partition"
    cluster_partition=$(awk -F '|' 'NR == 1 { print $2 }' <<<"$facts")
    cluster_cores=${site_cores:-$(awk -F '|' '{ c = $3 + 0; if (NR == 1 || c < least) least = c } END { print least }' <<<"$facts")}
    cluster_nodes=$(awk -F '|' '{ n += $4 } END { print n }' <<<"$facts")
    cluster_longest=${site_longest:-$(awk -F '|' 'NR == 1 { print $5 }' <<<"$facts")}
}

# --- the plan ---

make_plan() { # JOB.yaml [coppice run options]
    read_job "$@"
    read_cluster "${more[@]}"
    plan_ranks "$workers" "$nodes"
    [ "$measure" = 0 ] || rate=$(measure_rate)
    plan_time "$time" "$rate"
    plan_sbatch=(--nodes="$plan_nodes" --ntasks="$plan_tasks" --cpus-per-task="$job_threads" --time="$plan_time"
        "${site_sbatch[@]}" "${more[@]}")
}

plan_ranks() { # WORKERS NODES, each may be empty
    local per_node=$((cluster_cores / job_threads)) most
    [ "$per_node" -ge 1 ] ||
        die "backend.threads is $job_threads, and a node of $cluster_partition has $cluster_cores cores: lower it"
    if [ -n "$2" ]; then
        plan_nodes=$2
        plan_tasks=${1:+$(($1 + 1))}
        plan_tasks=${plan_tasks:-$((plan_nodes * per_node))}
    else
        most=$(((site_nodes < cluster_nodes ? site_nodes : cluster_nodes) * per_node - 1))
        plan_tasks=${1:-$(((job_units + 7) / 8))}
        if [ -z "$1" ] && [ "$plan_tasks" -gt "$most" ]; then plan_tasks=$most; fi
        plan_tasks=$((plan_tasks + 1))
        plan_nodes=$(((plan_tasks + per_node - 1) / per_node))
    fi
    if [ "$plan_tasks" -lt 2 ]; then plan_tasks=2; fi
    [ "$plan_nodes" -le "$cluster_nodes" ] ||
        die "$plan_nodes nodes, and $cluster_partition has $cluster_nodes: take fewer workers or nodes"
    [ "$plan_tasks" -le $((plan_nodes * per_node)) ] ||
        die "$plan_tasks ranks of $job_threads threads do not fit on $plan_nodes nodes of $cluster_cores cores"
}

# Tokens per second of one worker on this machine, in the batch that the job file has or the next smaller.
measure_rate() {
    local json
    json=$("$coppice" bench --only generation --quick --json --threads "$job_threads" --model "$job_model") ||
        die "cannot measure $job_model; give --rate"
    awk -v batch="$(key backend.batch)" -v compute="$(key backend.compute)" '
        BEGIN { RS = "{" }
        match($0, /"batch":[0-9]+/) {
            b = substr($0, RSTART + 8, RLENGTH - 8) + 0
            # auto takes bf16 where the machine has it, and is then the faster of both
            type = compute ~ /f32/ ? "f32" : compute ~ /bf16/ ? "bf16" : "(f32|bf16)"
            rest = $0; best = 0
            while (match(rest, "\"" type "_tokens_per_second\":[0-9.]+")) {
                hit = substr(rest, RSTART, RLENGTH); rest = substr(rest, RSTART + RLENGTH)
                sub(/.*:/, "", hit)
                if (hit + 0 > best) best = hit + 0
            }
            if (b <= batch || !found) { rate = best; found = 1 }
        }
        END { if (!rate) exit 1; printf "%d\n", rate }' <<<"$json" || die "no rate in what the bench prints; give --rate"
}

# The time of one start: what the job can take at most, a quarter and five minutes more; what the
# partition allows, if that is less.
plan_time() { # TIME RATE, each may be empty
    local need longest
    plan_rate=$2 plan_starts=1
    longest=$(text_seconds "$cluster_longest")
    if [ -n "$1" ]; then
        plan_time=$1 plan_why="as asked for"
    elif [ -z "$2" ]; then
        plan_time=$site_time plan_why="site_time: no rate to compute it from (--rate, --measure)"
    else
        need=$((job_tokens / ($2 * (plan_tasks - 1))))
        plan_time=$(seconds_text $((need * 5 / 4 + 300)))
        plan_why="at most $(seconds_text "$need") of computing, and a reserve"
        if [ -n "$longest" ] && [ "$(text_seconds "$plan_time")" -gt "$longest" ]; then
            plan_starts=$((($(text_seconds "$plan_time") + longest - 1) / longest))
            plan_time=$cluster_longest
            plan_why="the longest there is; up to $plan_starts starts"
        fi
    fi
}

print_plan() {
    echo "job         $job_name: $(key task.name) on $job_model"
    awk -v tokens="$(key generation.max_new_tokens)" '
        { total += $2; line = line sprintf("%s%s %d", NR > 1 ? ", " : "", $1, $2) }
        END { printf "work        at most %d answers (%s) of %d tokens\n", total, line, tokens }' <<<"$job_counts"
    [ -z "$job_budget" ] || sed 's/^budget:* */budget      /; s/^budget      \./budget      /' <<<"$job_budget"
    echo "partition   $cluster_partition: $cluster_nodes nodes, $cluster_cores cores each"
    echo "ranks       $plan_tasks: 1 coordinates, $((plan_tasks - 1)) compute with $job_threads thread(s) each;" \
        "$((job_units / (plan_tasks - 1))) units of the population for each"
    echo "nodes       $plan_nodes"
    [ -z "$plan_rate" ] || echo "rate        $plan_rate tokens/s for each worker"
    echo "time        $plan_time ($plan_why)"
}
