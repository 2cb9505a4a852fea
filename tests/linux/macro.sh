# The macro, by the kernel's rustc.

# Cargo runs in the chroot without a network, and sees only the macro: the versions are those of the project's lock.
vendor_macro() {
    mkdir -p "$macros/src/.cargo"
    cp -r fops-macros Cargo.lock "$macros/src/"
    sed -e '/^members = \[/,/^\]/d' -e '/^exclude = /d' -e '/^[a-z-]* = { path/d' \
        -e 's/^\[workspace\]$/[workspace]\nmembers = ["fops-macros"]/' Cargo.toml > "$macros/src/Cargo.toml"
    (cd "$macros/src" && cargo vendor vendor > .cargo/config.toml)
}

build_macro() {
    inside sh -ec 'cd "$0/src"
        cargo build --offline --release --quiet --ignore-rust-version -p fops-macros --target-dir ../target' "${macros#"$root"}"
}

macros=$root/macros/$({ contents fops-macros/src fops-macros/Cargo.toml Cargo.toml Cargo.lock
    declare -f vendor_macro build_macro; } | hash_of)
export macros
if [ ! -f "$macros/ready" ]; then
    say "the macro"
    rm -rf "$root/macros"
    export -f vendor_macro build_macro
    work 120 "$cache/vendor.log" bash -ec vendor_macro || skip "the crates that the macro needs are not to be had"
    work 400 "$cache/macro.log" bash -ec build_macro || fail "the macro does not build with the kernel's rustc"
    touch "$macros/ready"
fi
