#!/bin/sh
# Runs a command in the Debian that lies in a folder, as its real root: with processes, mounts and host name of its
# own, so that tests can make such for themselves, and nothing stays mounted or running when it ends.
#   enter.sh FOLDER [--share DIR] COMMAND...     DIR is seen as /shared; the command starts in /coppice
set -eu
root=$1 shared=
shift
if [ "$1" = --share ]; then
    shared=$2
    shift 2
fi
export root shared
# shellcheck disable=SC2016
exec unshare --mount --pid --uts --fork --kill-child sh -euc '
    mount --make-rprivate /
    mount --bind "$root" "$root"
    cd "$root"
    mkdir -p proc sys dev shared coppice .outside
    # Processes are numbered anew here, and Open MPI stumbles over what one of the same number left.
    rm -rf tmp/prte.*
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys 2>/dev/null || mount --rbind /sys sys
    mount --rbind /dev dev
    [ -z "$shared" ] || mount --bind "$shared" shared
    cp -L /etc/resolv.conf etc/resolv.conf 2>/dev/null || true
    pivot_root . .outside
    cd /
    umount -l /.outside
    cd coppice
    unset root shared TMPDIR
    export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    exec "$@"' sh "$@"
