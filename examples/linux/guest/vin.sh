# SPDX-License-Identifier: GPL-2.0
# Sourced by init: vin, the V4L2 driver in Rust, and vivid beside it. Programs as Debian has them, if the host has them.

board=/sys/module/vin_board/parameters
answers="dqbuf dqevent capture poll"

# The V4L2 core and videobuf2: of the stock image, or of the kernel with KASAN.
load_media() {
    [ ! -e /sys/module/videobuf2_dma_contig ] || return 0
    if [ -d /lib/modules ]; then
        modprobe -a videobuf2-v4l2 videobuf2-dma-contig || fail "modprobe of videobuf2"
        return
    fi
    for module in videobuf2-common videobuf2-v4l2 videobuf2-memops videobuf2-dma-contig v4l2-async v4l2-fwnode; do
        insmod "/video/$module.ko" || fail "insmod of $module"
    done
}

# The host's folder of programs.
mount_programs() {
    mkdir -p /programs
    modprobe -a 9pnet_virtio 9p &&
        mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,ro,msize=500000 programs /programs ||
        { fail "the programs cannot be mounted"; return 1; }
    for dir in dev proc sys tmp; do mount --bind /$dir /programs/$dir; done
}

# A command of the host's folder.
program() {
    HOME=/tmp GST_REGISTRY=/gst-registry GST_REGISTRY_UPDATE=no chroot /programs "$@"
}

# How many of its tests a node passes.
compliance() {
    deadline 200 program v4l2-compliance -s -d "$2" > /tmp/compliance
    sed -n "s/^Total for [^:]*: /FOPS: COMPLIANCE $1: /p" /tmp/compliance
    tr '\t' ' ' < /tmp/compliance | sed -n 's/.*test \([^:]*\):.*FAIL.*/FOPS: COMPLIANCE '"$1"' fails: \1/p'
}

# captures NAME TEXT COMMAND..: a program captures, and the driver is unbound meanwhile. It ends by itself, with that text.
captures() {
    local name=$1 text=$2 left=1200 before began ended
    shift 2
    before=$(cat $board/written)
    rm -f /tmp/ended
    (program "$@" > /tmp/program 2>&1 < /dev/null; touch /tmp/ended) &
    while [ $(($(cat $board/written) - before)) -lt 50 ]; do
        if [ -f /tmp/ended ] || [ $left = 0 ]; then
            tail -n 20 /tmp/program
            fail "$name does not capture"
            return
        fi
        left=$((left - 1))
        sleep 0.2
    done
    began=$(cut -d' ' -f1 /proc/uptime | tr -d .)
    deadline 20 sh -c 'echo vin > /sys/bus/platform/drivers/vin/unbind' || fail "unbind under $name"
    left=300
    while [ ! -f /tmp/ended ] && [ $left != 0 ]; do
        left=$((left - 1))
        sleep 0.1
    done
    ended=$(cut -d' ' -f1 /proc/uptime | tr -d .)
    if [ ! -f /tmp/ended ]; then
        tail -n 20 /tmp/program
        fail "$name goes on"
        killall "$(basename "$1")"
        sleep 1
    elif grep -q "$text" /tmp/program; then
        echo "FOPS: PASS program $name: ends $(((ended - began) * 10)) ms after unbind, and says: $(tr -d '\033\r' < /tmp/program |
            grep "$text" | tail -n 1 | sed 's/^<*//' | cut -c 1-100)"
    else
        tail -n 20 /tmp/program
        fail "$name does not say '$text'"
    fi
    echo vin > /sys/bus/platform/drivers/vin/bind || fail "bind after $name"
}

# What a device answers when it is unbound. For vivid, nothing is wrong.
answers() {
    for scenario in $answers; do
        in_time 30 camera "$1" "$scenario" 1 observe
        echo "$2" > "/sys/bus/platform/drivers/$1/bind" 2> /dev/null
    done
}

play_programs() {
    mount_programs || return
    echo 1 > $board/frames
    compliance vin /dev/video0
    grep -q 'Failed: 0' /tmp/compliance || fail "v4l2-compliance"
    captures v4l2-ctl 'No such device' v4l2-ctl -d /dev/video0 --stream-mmap
    captures ffmpeg 'No such device' ffmpeg -hide_banner -nostats -f v4l2 -i /dev/video0 -f null -
    captures v4l2src 'ERROR: from element .*v4l2src0' gst-launch-1.0 v4l2src device=/dev/video0 ! fakesink
    captures OpenCV 'frames, then none' python3 -c '
import cv2
camera, frames = cv2.VideoCapture("/dev/video0", cv2.CAP_V4L2), 0
while camera.read()[0]:
    frames += 1
print(frames, "frames, then none")'
    modprobe vivid n_devs=1 node_types=0x1 || fail "modprobe of vivid"
    compliance vivid /dev/video1
    echo vin > /sys/bus/platform/drivers/vin/unbind
    answers vivid vivid.0
    rmmod vivid
    echo vin > /sys/bus/platform/drivers/vin/bind
}

load_vin() {
    load_media
    insmod /vin/vin_board.ko || fail "insmod of the board of vin"
    insmod "/vin/$1.ko" || fail "insmod of $1"
}

play_vin() {
    load_vin vin
    for scenario in held dqbuf dqevent read poll hammer replug passed capture restart control drain subdev; do
        before=$(reports)
        deadline $((60 + 10 * cycles)) camera vin $scenario "$cycles" || failed=1
        [ $kasan = false ] || echo "FOPS: REPORTS vin $scenario $(($(reports) - before))"
    done
    answers vin vin
    ! grep -q fops_programs /proc/cmdline || play_programs
    # While a file is open, the module stays, even if the device is gone.
    exec 8< /dev/video0
    echo vin > /sys/bus/platform/drivers/vin/unbind
    ! rmmod vin 2> /dev/null || fail "vin is unloaded while a file is open"
    exec 8<&-
    deadline 20 rmmod vin || fail "rmmod of vin"
    rmmod vin_board || fail "rmmod of the board of vin"
}

# A build that must fail, in this way. An operation that uses registers which are unmapped does not come back.
control_vin() {
    load_vin "$1"
    if in_time 30 camera vin "$2" 1 > /tmp/control; then
        cat /tmp/control
        fail "control $1: $2 passes"
    elif grep -q "$3" /tmp/control || dmesg | grep -q "$3"; then
        echo "FOPS: PASS control $1: $2: $(sed -n 's/^FOPS: FAIL //p' /tmp/control) $(
            dmesg | sed -n 's/.*\(BUG: unable to handle page fault\).*/\1/p' | tail -n 1)"
    else
        cat /tmp/control
        fail "control $1: $2 fails in another way"
    fi
    [ "${4:-}" = last ] || { rmmod vin && rmmod vin_board; } || fail "control $1: rmmod"
}

# One scenario with the driver that has no guard: what is left of the machine is of no use.
play_unguarded() {
    load_vin vin-unguarded
    before=$(reports)
    in_time 30 camera vin "$1" 1 observe || true
    sleep 1
    echo "FOPS: REPORTS unguarded $1 $(($(reports) - before))"
    dmesg | sed -n 's/.*BUG: KASAN: \([a-z-]* in [a-z0-9_]*\).*/\1/p' | sort | uniq -c | sort -rn | head -n 5
    finish
}
