# The modules, the client, and the guest's file system, for the kernel of the tier.

controls="unguarded without-flag without-cancel without-drain interrupt-without-flag"

# Runs with: where, the macro, the command that calls make, and the names of the builds.
build_modules() {
    mkdir -p "$build/fops/fops-runtime"
    cp -r fops-runtime/src "$build/fops/fops-runtime/"
    for which in $builds; do cp -r examples/linux "$build/$which"; done
    in_tier sh -ec '
        cd "$0"
        one() {
            case $1 in
                unguarded) switch=UNGUARDED=1 ;;
                costs) switch=COSTS=1 ;;
                video) switch=VIDEO=1
                    cp -r /kasan/rcar-vin video/
                    (cd video/rcar-vin && busybox patch -p1 < ../video/rcar-vin.patch) ;;
                interrupt) switch=INTERRUPT=1 ;;
                deadlock) switch=DEADLOCK=1 ;;
                vin) switch=VIN=1 ;;
                vin-unguarded) switch="VIN=1 UNGUARDED=1" ;;
                vin-without-*) switch="VIN=1 FOPS_WITHOUT=${1#vin-without-}" ;;
                interrupt-without-*) switch="INTERRUPT=1 FOPS_WITHOUT=${1#interrupt-without-}" ;;
                without-*) switch=FOPS_WITHOUT=${1#without-} ;;
                *) switch= ;;
            esac
            sh "$kmake" "M=$PWD/$1" "FOPS=$PWD/fops" "FOPS_MACROS=$macros/target/release" $switch modules
            strip --strip-debug "$1"/*.ko
        }
        macros=$1 kmake=$2 media=$3
        shift 3
        for which in "$@"; do echo "== $which"; one "$which"; done
        mkdir -p guest/bin guest/controls guest/video
        for client in client camera; do
            gcc -O2 -Wall -Wextra -Werror -static -pthread -o guest/bin/$client guarded/guest/$client.c
        done
        cp /bin/busybox guest/bin/
        cp guarded/guest/init guarded/guest/video.sh guarded/guest/vin.sh guarded/thermometer.ko guarded/thermometer_board.ko guest/
        for which in "$@"; do
            case $which in
                guarded) ;;
                costs) cp costs/costs.ko guest/ ;;
                vin) mkdir -p guest/vin
                    cp vin/vin.ko vin/vin_board.ko guest/vin/ ;;
                vin-*) cp "$which/vin.ko" "guest/vin/$which.ko" ;;
                interrupt | deadlock) cp "$which/$which.ko" guest/ ;;
                interrupt-*) cp "$which/interrupt.ko" "guest/controls/$which.ko" ;;
                video) cp /kasan/*.ko guest/video/
                    mv guest/video/rcar-vin.ko guest/video/unmodified.ko
                    cp video/rcar-vin.ko guest/video/guarded.ko
                    cp video/fops_video.ko video/rcar_vin_board.ko guest/video/ ;;
                *) cp "$which/thermometer.ko" "guest/controls/$which.ko" ;;
            esac
        done
        [ -z "$media" ] || cp -r "$media/lib" guest/
        cd guest
        find . | cpio --quiet -o -H newc | gzip -1 > ../initrd.gz' \
        "${build#"$root"}" "${macros#"$root"}" "$kmake" "${media#"$root"}" $builds
    if grep -E '^(warning|error)' "$cache/modules.log"; then
        echo "rustc has something to say"
        return 1
    fi
}

if [ $tier = kasan ]; then
    builds="guarded interrupt deadlock $controls video vin vin-unguarded" kmake=/kmake-kasan
    in_tier() { inside_kasan "$@"; }
else
    builds="guarded interrupt $controls costs" kmake=/kmake
    [ -z "$media" ] || builds+=" vin vin-without-cancel vin-without-drain"
    in_tier() { inside "$@"; }
fi
build=$root/build/$tier-$({ contents fops-runtime/src examples/linux; declare -f build_modules
    echo "$macros $builds ${kasan:-} ${media:-}"; } | hash_of)
export build
if [ ! -f "$build/ready" ]; then
    say "the modules: $builds"
    rm -rf "$root/build/$tier-"*
    export builds kmake cache
    export -f build_modules in_tier
    work 900 "$cache/modules.log" bash -ec build_modules || fail "the modules do not build for Linux $release"
    touch "$build/ready"
fi
