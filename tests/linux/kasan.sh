# The kernel of --kasan: Debian's sources of the same version, built with clang, because gcc has no KASAN for Rust.
# It stands outside the chroot, which goes when the project's list of packages changes.

# As `inside`, with the kernel at /kasan.
inside_kasan() {
    mkdir -p "$root/kasan"
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" sh -ec '
        mount --bind "$2" "$1/kasan"
        root=$1
        shift 2
        exec chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
        sh "$root" "$kasan" "$@"
}

# The compiler with the LLVM of rustc.
get_clang() {
    inside sh -ec '
        clang=clang-$(rustc -vV | sed -n "s/^LLVM version: \([0-9]*\).*/\1/p")
        command -v "$clang" || apt-get install -y -q --no-install-recommends "$clang"
        echo "exec make -C /kasan/src O=/kasan/b CC=$clang HOSTCC=gcc \"\$@\"" > /kmake-kasan'
}

get_sources() {
    inside_kasan sh -ec '
        cd /kasan
        apt-get download -q "$0"
        dpkg-deb -x linux-source-*.deb package
        mkdir src
        tar -xf package/usr/src/linux-source-*.tar.xz -C src --strip-components=1
        rm -r package linux-source-*.deb' "$source"
}

# What is not in the fragment is off; what is in it must be on.
configure_kasan() {
    inside_kasan sh -ec '
        mkdir -p /kasan/b
        sh /kmake-kasan -s KCONFIG_ALLCONFIG=/kasan/kasan.config allnoconfig
        ! grep "^CONFIG_" /kasan/kasan.config | grep -vxFf /kasan/b/.config'
}

# Then all goes that neither modules nor the machine need.
build_kasan() {
    inside_kasan sh -ec '
        cd /kasan
        sh /kmake-kasan -j2 vmlinux modules
        strip --strip-debug -o vmlinux b/vmlinux
        find b -name "*.ko" -exec cp {} . \;
        mv src/drivers/media/platform/renesas/rcar-vin .
        rm -rf src/drivers src/sound src/fs src/Documentation src/tools/testing
        cd b
        rm -rf vmlinux* .tmp_vmlinux* drivers fs mm kernel net block security crypto init ipc sound
        find lib arch -name "*.[oa]" -delete'
}

source=$(inside dpkg-query -W -f '${Package}=${Version}\n' 'linux-source-*' | head -n 1)
kasan=$cache/kasan-$({ cat tests/linux/kasan.config
    declare -f configure_kasan build_kasan get_clang; echo "$source"; inside rustc --version; } | hash_of)
export source kasan
export -f inside_kasan get_clang get_sources configure_kasan build_kasan
if [ ! -f "$kasan/ready" ] && [ $if_cached = true ]; then
    skip "the cache has no kernel with KASAN; tests/kernel --kasan builds it, in about 20 minutes"
fi
[ -f "$root/kmake-kasan" ] || work 200 "$cache/clang.log" bash -ec get_clang || skip "the mirror does not deliver clang"
if [ ! -f "$kasan/ready" ]; then
    enough 5
    rm -rf "$cache"/kasan-*
    mkdir -p "$kasan"
    cp tests/linux/kasan.config "$kasan/"
    say "the sources of $source, 2 GB"
    work 300 "$cache/sources.log" bash -ec get_sources || skip "the mirror does not deliver $source"
    say "a kernel with KASAN, lockdep, UBSAN and kmemleak: about 20 minutes"
    work 100 "$cache/configure.log" bash -ec configure_kasan || fail "the kernel drops these lines of tests/linux/kasan.config"
    work 3600 "$cache/kasan.log" bash -ec build_kasan || fail "the kernel with KASAN does not build"
    touch "$kasan/ready"
fi
