# The base: trixie, the kernel's packages, and a tree in which modules for the stock image build.

# In the chroot, with a /proc of its own, and nothing of this machine's environment.
inside() {
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" chroot "$root" \
        env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
export -f inside

packages=rustc,rust-src,cargo,bindgen,make,flex,bison,bc,libelf-dev,libssl-dev,openssl,pahole,kmod,xz-utils,cpio
packages+=,busybox-static,gcc,libc6-dev,python3-minimal

# As the machine's own apt has it.
apt_options() {
    apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|Retries|https?::Proxy|https?::Timeout) "[^"]' || true
}

make_chroot() {
    local mirror=$1 options=()
    while read -r option; do options+=(--aptopt="${option%;}"); done < <(apt_options)
    mmdebstrap --variant=apt --skip=cleanup/apt/lists --aptopt='Apt::Install-Recommends "0"' "${options[@]}" \
        --include="$packages" trixie "$root" "deb $mirror trixie main" "deb $mirror trixie-backports main"
}

# The stock image, its headers, and the sources of the same version.
get_kernel() {
    inside sh -ec '
        cd /
        apt-get install -y -q --no-install-recommends -t trixie-backports linux-headers-amd64 linux-source
        release=$(ls /usr/lib/modules)
        apt-get download -q "linux-binary-$release" || apt-get download -q "linux-image-$release"
        dpkg-deb -x linux-*-"$release"_*.deb /image
        rm linux-*.deb
        cp "$(find /image -name "vmlinuz*" | head -n 1)" /vmlinuz
        echo "$release" > /release'
}

# The headers package has no metadata of the Rust crates, so they are made from the sources: with the same compiler, the
# same configuration and the stock symbol versions. Then modules load into the stock image.
prepare_tree() {
    inside sh -ec '
        release=$(cat /release) headers=/usr/lib/modules/$(cat /release)/build
        mkdir -p /k /b
        tar -xf /usr/src/linux-source-*.tar.xz -C /k --strip-components=1
        rm /usr/src/linux-source-*.tar.xz
        cp "$headers/.config" "$headers/Module.symvers" /b/
        cc=x86_64-linux-gnu-$(sed -n "s/^CC = .*)\(gcc-[0-9]*\)\$/\1/p" "$headers/.kernelvariables")
        echo "exec make -C /k O=/b CC=$cc HOSTCC=$cc KERNELRELEASE=$release \"\$@\"" > /kmake
        sh /kmake -s olddefconfig
        sort "$headers/.config" > /b/stock.config
        sort /b/.config > /b/our.config
        diff /b/stock.config /b/our.config
        sh /kmake -s -j2 modules_prepare
        rm -rf /k/drivers /k/sound /k/fs /k/Documentation /var/cache/apt/archives'
}

base=$(declare -f make_chroot get_kernel prepare_tree inside | cat - <(echo "$packages") | hash_of)
root=$cache/base-$base
export root
if [ ! -f "$root/ready" ]; then
    [ $if_cached = false ] || skip "the cache has no Debian trixie yet; tests/kernel makes it"
    enough 7
    from=$(mirror)
    [ -n "$from" ] || skip "apt knows no Debian mirror; run apt-get update"
    rm -rf "$cache"/base-*
    say "Debian trixie with rustc, 1.7 GB"
    export packages
    export -f make_chroot apt_options get_kernel prepare_tree
    work 600 "$cache/chroot.log" bash -ec 'make_chroot "$0"' "$from" || skip "the mirror does not deliver trixie"
    cp /etc/resolv.conf "$root/etc/resolv.conf" 2> /dev/null || true
    say "Linux: image, headers and sources"
    work 300 "$cache/kernel.log" bash -ec get_kernel || skip "the mirror does not deliver Linux from trixie-backports"
    say "prepare the tree of $(cat "$root/release")"
    case $(cat "$root/release") in
        7.[3-9].* | 7.[1-9][0-9].* | [89].*) ;;
        *) skip "the mirror has Linux $(cat "$root/release"), 7.3 or newer is needed" ;;
    esac
    work 800 "$cache/prepare.log" bash -ec prepare_tree || fail "the tree for modules is not as the stock kernel's"
    touch "$root/ready"
fi
release=$(cat "$root/release")
say "Linux $release, $(inside rustc --version | cut -d' ' -f1,2)"
