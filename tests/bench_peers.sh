#!/bin/sh
# Coppice beside other engines on the same processor, model and prompts:  sh tests/bench_peers.sh [COPPICE]
#
# SmolLM2-135M-Instruct as make check-real makes it, in bf16, and questions of tests/data/math500.jsonl in its chat form.
# The engines take turns, three times; the table has the median of tokens per second of processor time, prompt
# and decode apart, and every run's line lies in OUT. Engines that are not installed are named with what installs them.
#   COPPICE_REAL_DIR     where the model and the engines are (default ~/.cache/coppice-real)
#   PEERS_VLLM           a Python that has vLLM for CPUs (default: vllm/bin/python there)
#   PEERS_LLAMA          a Python that has llama-cpp-python (default: llama/bin/python there)
#   ROWS, NEW, THREADS, TIMES, OUT   (default "64 256", 64 tokens, 1, 3, peers.jsonl there)
#   TYPE                 what vLLM computes in (default bfloat16, without AVX-512 float32)
#   PYTHON               makes the environment of the model (default python3; 3.10 or newer)
set -eu
tests=$(cd "$(dirname "$0")" && pwd)
coppice=$(realpath "${1:-$tests/../build/coppice}")
# shellcheck source=tests/peers/installed.sh
. "$tests/peers/installed.sh"
out=${OUT:-$root/peers.jsonl}

engines=coppice
need_vllm
need_llama
need_prompts

# run ENGINE ROWS: its line, with the prompts of that many rows
run() {
    case $1 in
        coppice) set -- "$python" "$2" coppice "$coppice" "$root/$name" ;;
        vllm) set -- "$vllm" "$2" vllm --type "$vllm_type" "$root/$name" ;;
        llama) set -- "$llama" "$2" llama "$root/$name.bf16.gguf" ;;
    esac
    interpreter=$1
    rows=$2
    shift 2
    [ "$interpreter" != "$vllm" ] || interpreter="env LD_PRELOAD=$vllm_preload $vllm"
    # shellcheck disable=SC2086
    $interpreter "$tests/peers/engines.py" "$@" "$root/prompts.jsonl" --rows "$rows" --new "${NEW:-64}" \
        --threads "${THREADS:-1}" 2>"$root/engine.log" >>"$out" || {
        echo "$1 failed:" >&2
        tail -n 5 "$root/engine.log" >&2
    }
}

: >"$out"
turn=0
while [ "$turn" -lt "${TIMES:-3}" ]; do
    for rows in ${ROWS:-64 256}; do
        for engine in $engines; do run "$engine" "$rows"; done
    done
    turn=$((turn + 1))
done
"$python" "$tests/peers/table.py" "$out"
