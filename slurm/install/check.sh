#!/bin/sh
# Runs what the recipes of this folder would, as far as a machine without Spack, EasyBuild or Apptainer can.
#
#   slurm/install/check.sh FOLDER   the %post and %test of coppice.def in FOLDER, a Debian 13 root file system
#                                   (debootstrap trixie FOLDER), as root; it is changed by that
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
root=${1:?which folder holds a Debian 13? debootstrap --variant=minbase trixie FOLDER makes one}
[ -x "$root/bin/sh" ] || { echo "$root is not a root file system" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "chroot needs root" >&2; exit 2; }

# The lines of one section of the definition.
section() { sed -n "/^%$1\$/,/^%/p" "$here/coppice.def" | sed '/^%/d'; }

mkdir -p "$root/src"
git -C "$top" ls-files -z | tar -C "$top" --null -T - -cf - | tar -C "$root/src" -xf -
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
section post | chroot "$root" /bin/sh -eu
section test | chroot "$root" env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 /bin/sh -eu
echo "coppice.def: its commands and its test pass in $root"
