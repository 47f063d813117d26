#!/bin/sh
# A population evaluated by Coppice and by vLLM's CPU engine, which reads each candidate's weights from disk:
#   sh tests/peers/population.sh [COPPICE]
#
# SmolLM2-135M-Instruct, questions as in bench_peers.sh, greedy answers of NEW tokens each, whatever would end them. Both
# evaluate the same models, in turn; population.py says what counts. Settings:
#   CANDIDATES, ROWS, NEW   (default 100 candidates, 64 questions, 64 tokens)
#   THREADS, TIMES, OUT     (default 1, 3, population.jsonl in COPPICE_REAL_DIR)
#   ARITHMETICS             Coppice's (default "library defined")
#   COPPICE_REAL_DIR, PEERS_VLLM, TYPE, PYTHON   as in bench_peers.sh
set -eu
tests=$(cd "$(dirname "$0")/.." && pwd)
coppice=$(realpath "${1:-$tests/../build/coppice}")
# shellcheck source=tests/peers/installed.sh
. "$tests/peers/installed.sh"
out=${OUT:-$root/population.jsonl}

engines=
need_vllm
need_prompts

# evaluate ENGINE TEXTS OPTION...: its line
evaluate() {
    engine=$1
    texts=$2
    shift 2
    interpreter=$python
    [ "$engine" != vllm ] || interpreter="env LD_PRELOAD=$vllm_preload $vllm"
    # shellcheck disable=SC2086
    $interpreter "$tests/peers/population.py" "$engine" "$coppice" "$root/$name" "$texts" "$root/population" \
        --candidates "${CANDIDATES:-100}" --rows "${ROWS:-64}" --new "${NEW:-64}" --threads "${THREADS:-1}" "$@" \
        2>"$root/engine.log" >>"$out" || {
        echo "$engine $* failed:" >&2
        tail -n 5 "$root/engine.log" >&2
        exit 1
    }
}

: >"$out"
turn=0
while [ "$turn" -lt "${TIMES:-3}" ]; do
    for arithmetic in ${ARITHMETICS:-library defined}; do
        evaluate coppice "$root/questions.jsonl" --arithmetic "$arithmetic"
    done
    for engine in $engines; do
        evaluate "$engine" "$root/prompts.jsonl" --type "$vllm_type"
    done
    turn=$((turn + 1))
done
"$python" "$tests/peers/table.py" "$out"
