#!/usr/bin/env bash
# An emulated x86-64 machine whose processor has AVX-512 and AMX, for a machine that has not: Bochs, mended, and what
# boots a Linux kernel in it. Built once and kept; but for a compiler, nothing is installed.
#
#   tests/isa/machine.sh FOLDER
#
# Leaves in FOLDER: bochs, bios, vgabios, vmlinuz, isolinux.bin, ldlinux.c32, busybox, genisoimage. The packages are
# those of Debian 12, the source of Bochs that of Debian 13 (Debian 12 has an older one, without AMX), both from
# COPPICE_MIRROR, else from where this machine installs. Takes some minutes; exit code 77 and a reason when something
# cannot be had.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
stamp=$(cat "$here/machine.sh" "$here/bochs.patch" | cksum)
[ "$(cat "$folder/built" 2>/dev/null || true)" != "$stamp" ] || exit 0

work=$folder/work
log=$folder/log
skip() {
    tail -n 5 "$log" | sed 's/^/      /'
    echo "skip: $*"
    exit 77
}
rm -rf "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,bochs,packages,root}
: >"$log"
command -v apt-get >/dev/null || skip "no apt-get: not a Debian"
for tool in g++ make patch xz; do
    command -v "$tool" >/dev/null && continue
    { apt-get update && apt-get install -y --no-install-recommends g++ make patch xz-utils; } >>"$log" 2>&1 ||
        skip "$tool is not installed, and cannot be"
done

# An apt of its own: neither this machine's lists nor its packages change.
mirror=${COPPICE_MIRROR:-}
if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016 # apt's own variable
    mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -E '/debian/?$' | head -n 1 || true)
    mirror=${mirror:-http://deb.debian.org/debian}
fi
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
printf '%s\n' "deb $key $mirror bookworm main" "deb-src $key $mirror trixie main" >"$work/sources"
cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$work/lists";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
CONF
apt() { APT_CONFIG=$work/apt.conf timeout 600 "$@" >>"$log" 2>&1; }
cd "$work/packages"
apt apt-get update || skip "no lists of packages from $mirror"
kernel=$(APT_CONFIG=$work/apt.conf apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
apt apt-get download bochsbios vgabios isolinux syslinux-common busybox-static genisoimage libmagic1 libmagic-mgc \
    "${kernel:-linux-image-cloud-amd64}" || skip "packages of Debian 12 from $mirror"
apt apt-get source --download-only --tar-only bochs || skip "the source of Bochs from $mirror"
for package in *.deb; do dpkg-deb -x "$package" "$work/root" >>"$log" 2>&1 || skip "$package does not unpack"; done

tar -xf bochs_*.orig.tar.xz --strip-components=1 -C "$work/bochs"
cd "$work/bochs"
patch -p1 <"$here/bochs.patch" >>"$log" 2>&1 || skip "bochs.patch does not fit this Bochs"
echo "      builds Bochs in $folder (some minutes)"
timeout 600 ./configure --with-nogui --enable-cpu-level=6 --enable-x86-64 --enable-avx --enable-evex --enable-amx \
    --enable-all-optimizations --disable-plugins --disable-debugger --disable-docbook CXXFLAGS=-O3 CFLAGS=-O3 \
    >>"$log" 2>&1 || skip "Bochs cannot be configured ($log)"
timeout 3600 make -j"$(nproc)" >>"$log" 2>&1 || skip "Bochs does not build ($log)"
cp bochs "$folder/"
strip "$folder/bochs"

cd "$work/root"
cp usr/share/bochs/BIOS-bochs-latest "$folder/bios"
cp usr/share/vgabios/vgabios.bin "$folder/vgabios"
cp boot/vmlinuz-* "$folder/vmlinuz"
cp usr/lib/ISOLINUX/isolinux.bin usr/lib/syslinux/modules/bios/ldlinux.c32 usr/bin/genisoimage bin/busybox "$folder/"
cp -L usr/lib/x86_64-linux-gnu/libmagic.so.1 "$folder/"
rm -rf "$work"
echo "$stamp" >"$folder/built"
