# SPDX-License-Identifier: GPL-2.0
# Sourced by init: upstream's rcar-vin on a board that takes it off the bus, with the guard or as it is.

# Reports of KASAN, warnings and oopses.
reports() {
    dmesg | grep -cE 'BUG: KASAN|WARNING:|BUG: unable|general protection|refcount_t:|list_(add|del) corruption'
}

load_video() {
    load_media
    [ "$1" = unmodified ] || insmod /video/fops_video.ko || fail "insmod of fops_video"
    insmod "/video/$1.ko" || fail "insmod of rcar-vin, $1"
    insmod /video/rcar_vin_board.ko || fail "insmod of the board of rcar-vin"
}

# One scenario with the driver as it is: what is left of the machine is of no use.
play_unmodified() {
    load_video unmodified
    before=$(reports)
    in_time 30 camera rcar-vin "$1" 1 observe || true
    sleep 1
    echo "FOPS: REPORTS unmodified $1 $(($(reports) - before))"
    dmesg | sed -n 's/.*BUG: KASAN: \([a-z-]* in [a-z0-9_]*\).*/\1/p' | sort | uniq -c | sort -rn | head -n 5
    finish
}

play_guarded() {
    load_video guarded
    for scenario in held dqbuf dqevent read poll hammer replug passed; do
        before=$(reports)
        deadline $((60 + 20 * cycles)) camera rcar-vin $scenario "$cycles" || failed=1
        echo "FOPS: REPORTS guarded $scenario $(($(reports) - before))"
    done
    echo 0 > /sys/module/rcar_vin_board/parameters/plugged
    deadline 20 rmmod rcar_vin || fail "rmmod of rcar-vin"
    deadline 20 rmmod fops_video || fail "rmmod of fops_video"
}
