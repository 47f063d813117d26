#!/bin/busybox sh
# shellcheck shell=dash
# First process of the emulated machine: runs the program and switches the machine off. What it prints goes to the
# second serial line, between a line that it begins and one with the status it ended with.
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/shm
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t tmpfs shm /dev/shm
/bin/busybox --install -s /bin
ip link set lo up
stty -F /dev/ttyS1 raw -echo
cd /coppice && {
    echo '@begin'
    sh /program
    echo "@end $?"
} </dev/null >/dev/ttyS1 2>&1
poweroff -f
