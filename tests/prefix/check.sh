#!/bin/sh
# Coppice for a user without root: every library lies unpacked in one folder of the user's, nothing of
# it in /usr. Builds, installs into the home folder, runs a job of seconds with one rank and with three.
#   sh tests/prefix/check.sh [FOLDER]
# Wants a Debian with gcc, make and pkg-config and none of the libraries (a fresh chroot); as root it
# makes a user for it. FOLDER keeps the packages between calls.
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
folder=${1:-$(mktemp -d)}
mkdir -p "$folder/debs" "$folder/home"
prefix=$folder/prefix/usr

if [ "$(id -u)" = 0 ]; then
    user=coppice-prefix
    id "$user" >/dev/null 2>&1 || useradd --no-create-home --home-dir "$folder/home" --shell /bin/sh "$user"
    chown -R "$user" "$folder"
    chmod 755 "$folder"
    exec setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups \
        env -i PATH="$PATH" HOME="$folder/home" LANG=C.UTF-8 sh "$0" "$folder"
fi

echo "+ as $(id -un), packages unpacked to $prefix"
wanted=$(awk -F '|' '/^[A-Z]/ && !/^CMOCKA/ { print $4 }' .ci/libraries)
cd "$folder/debs"
# shellcheck disable=SC2086
apt-get -s -o Debug::NoLocking=1 install --no-install-recommends $wanted | awk '/^Inst/ { print $2 }' >../list
[ -s ../list ] || { echo "skip: the libraries are in /usr already, so this shows nothing"; exit 77; }
# What is linked with, also where the base system happens to have it (libcrypto).
# shellcheck disable=SC2086
apt-cache depends --no-recommends --no-suggests $wanted | awk '$1 == "Depends:" && $2 !~ /^<|^libc6/ { print $2 }' >>../list
sort -u ../list | xargs apt-get download >/dev/null
rm -rf "$folder/prefix"
for deb in *.deb; do dpkg-deb -x "$deb" "$folder/prefix"; done

# A copy of the sources: the tree may be another's.
rm -rf "$folder/src"
mkdir -p "$folder/src"
(cd "$top" && tar -cf - --exclude='./build*' --exclude=./runs --exclude=./.git .) | tar -xf - -C "$folder/src"
cd "$folder/src"

echo "+ make, with nothing said: each library is named in a line of its own, and no compiler is asked more"
if make >../missing 2>&1; then echo "FAIL: it builds without libraries"; exit 1; fi
grep -c '^coppice: .* is missing: Debian' ../missing | grep -qx '1[0-9]\|9' || { cat ../missing; echo "FAIL: not so"; exit 1; }

echo "+ make NAME_DIR=$prefix for all"
set --
# shellcheck disable=SC2013
for name in $(sed -n 's/^\([A-Z0-9]*\) *|.*/\1/p' .ci/libraries); do
    [ "$name" = CMOCKA ] || set -- "$@" "$name"_DIR="$prefix"
done
make -j"$(nproc)" WERROR=1 "$@" all >../log 2>&1 || { tail -n 40 ../log; echo "FAIL: no build"; exit 1; }
make "$@" info | sed -n '/^MPI/,/^CMOCKA/p'
make "$@" PREFIX="$HOME/coppice" install >../log 2>&1 || { tail -n 40 ../log; echo "FAIL: no installation"; exit 1; }

echo "+ what it is linked with lies in the prefix"
ldd "$HOME/coppice/bin/coppice" "$HOME/coppice/bin/coppice-sandbox" >../linked
if grep 'not found' ../linked; then echo "FAIL: the program does not find these"; exit 1; fi
grep -E 'libhdf5|libopenblas|libmpi|libdnnl' ../linked | grep -v "$prefix" && { echo "FAIL: not from the prefix"; exit 1; }

job="run jobs/demo.yaml -s population.size=8 -s splits.support=16 -s splits.probe=8 -s splits.validate=16
     -s splits.test=16 -s recenter.rounds=0 -s generation.max_new_tokens=16 --progress never --oversubscribe"
echo "+ a job of one rank"
# shellcheck disable=SC2086
"$HOME/coppice/bin/coppice" $job --out ../one >../log 2>&1 || { tail -n 20 ../log; echo "FAIL: one rank"; exit 1; }
echo "+ the same with three"
# Open MPI looks for its parts where it was built for, unless told.
export OPAL_PREFIX="$prefix" PMIX_INSTALL_PREFIX="$prefix" PRTE_PREFIX="$prefix"
starter=$(find "$prefix/bin" -name 'mpirun.openmpi' -o -name mpirun | head -n 1)
# shellcheck disable=SC2086
LD_LIBRARY_PATH="$prefix/lib/$(gcc -print-multiarch)" "$starter" --oversubscribe -np 3 "$HOME/coppice/bin/coppice" $job \
    --out ../three >../log 2>&1 || { tail -n 20 ../log; echo "FAIL: three ranks"; exit 1; }
cmp ../one/recipe.json ../three/recipe.json || { echo "FAIL: another recipe"; exit 1; }
"$HOME/coppice/bin/coppice-sandbox" --check || echo "  (the sandbox itself cannot be had in this surrounding)"
echo "ok    prefix: built, installed and run without root"
