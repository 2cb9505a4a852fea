# What this machine has, and the mirror that its apt uses.

[ "$(uname -m)" = x86_64 ] || skip "the guest is x86_64, and so must this machine be"
[ "$(id -u)" = 0 ] || skip "a chroot needs root"
command -v apt-get > /dev/null || skip "no apt-get here: the kernel comes from a Debian mirror"
missing() {
    for tool in mmdebstrap qemu-system-x86_64 cargo flock; do
        command -v $tool > /dev/null || echo $tool
    done
}
# As the machine's own apt has it.
mirror() {
    . /etc/os-release
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' \
        "Codename: ${VERSION_CODENAME:-}" 2> /dev/null | head -n 1
}
if [ $install = true ] && { [ -n "$(missing)" ] || [ -z "$(mirror)" ]; }; then
    say "install mmdebstrap and QEMU"
    mkdir -p "$cache"
    work 600 "$cache/install.log" sh -c 'apt-get -o DPkg::Lock::Timeout=300 update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends \
            mmdebstrap qemu-system-x86 debian-archive-keyring' || skip "the mirror does not have mmdebstrap or QEMU"
fi
[ -z "$(missing)" ] || skip "$(missing | head -n 1) is missing; tests/kernel --install installs it"
unshare --mount --pid --fork true 2> /dev/null || skip "unshare(1) is refused: no namespaces in this container"
