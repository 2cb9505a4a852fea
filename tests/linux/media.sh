# For vin in the stock image: the modules of the V4L2 core, as Debian signed them, and programs that use cameras.

# What cannot be had is left out, with a word.
leave_out() {
    say "LEFT OUT: $*"
    [ -z "${FOPS_SKIPPED:-}" ] || echo "tests/kernel: $*" >> "$FOPS_SKIPPED"
}

# The modules that the guest loads, as a folder for its modprobe.
get_modules() {
    inside sh -ec '
        rm -rf /media-get "$0"
        mkdir -p /media-get "$0/lib/modules/$1/kernel"
        cd /media-get
        apt-get download -q "linux-modules-$1"
        dpkg-deb -x linux-modules-*.deb .
        cd "usr/lib/modules/$1/kernel"
        cp -r --parents drivers/media/mc drivers/media/v4l2-core drivers/media/common/videobuf2 drivers/media/common/v4l2-tpg \
            drivers/media/test-drivers/vivid drivers/media/cec/core drivers/media/rc/rc-core.ko.xz \
            net/9p fs/9p fs/netfs "$0/lib/modules/$1/kernel/"
        rm -rf /media-get
        find "$0" -name "*.xz" -exec xz -d {} +
        touch "$0/lib/modules/$1/modules.order" "$0/lib/modules/$1/modules.builtin" "$0/lib/modules/$1/modules.builtin.modinfo"
        depmod -b "$0" "$1"
        touch "$0/ready"' "${media#"$root"}" "$release"
}

media=$root/media-$(declare -f get_modules | hash_of)
export media release
if [ ! -f "$media/ready" ]; then
    rm -rf "$root"/media-*
    say "the modules of the V4L2 core, 110 MB"
    export -f get_modules
    work 300 "$cache/media.log" bash -ec get_modules || leave_out "the mirror does not deliver the modules of Linux $release: no vin"
fi

# v4l2-ctl and v4l2-compliance, ffmpeg, GStreamer's v4l2src, OpenCV: 1.3 GB, which the guest mounts.
programs_of=v4l-utils,ffmpeg,gstreamer1.0-tools,gstreamer1.0-plugins-base,gstreamer1.0-plugins-good,python3-opencv

get_programs() {
    local mirror=$1 options=()
    while read -r option; do options+=(--aptopt="${option%;}"); done < <(apt_options)
    mmdebstrap --variant=apt --aptopt='Apt::Install-Recommends "0"' "${options[@]}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --include="$programs_of" trixie "$programs" "deb $mirror trixie main"
    # GStreamer looks at its plugins once.
    GST_REGISTRY=/gst-registry chroot "$programs" gst-inspect-1.0 v4l2src > /dev/null
    touch "$programs/ready"
}

# Why there are none, if so.
no_programs() {
    [ -f "$programs/ready" ] && return 1
    if [ $if_cached = true ]; then
        echo "the cache has no v4l2-compliance, ffmpeg, GStreamer and OpenCV yet; tests/kernel gets them"
    elif [ "$(df --output=avail -BG "$cache" | tr -dc 0-9)" -lt 3 ]; then
        echo "no room for v4l2-compliance, ffmpeg, GStreamer and OpenCV: 3 GB"
    elif [ -z "$(mirror)" ]; then
        echo "apt knows no Debian mirror, so no v4l2-compliance, ffmpeg, GStreamer and OpenCV"
    else
        return 1
    fi
}

programs=$cache/programs-$({ echo "$programs_of"; declare -f get_programs; } | hash_of)
export programs programs_of
if [ ! -f "$media/ready" ]; then
    media=
    programs=
elif ! qemu-system-x86_64 -device help 2>&1 | grep -q virtio-9p-pci; then
    leave_out "this QEMU has no virtio-9p, so no v4l2-compliance, ffmpeg, GStreamer and OpenCV"
    programs=
elif why=$(no_programs); then
    leave_out "$why"
    programs=
elif [ ! -f "$programs/ready" ]; then
    say "v4l2-compliance, ffmpeg, GStreamer and OpenCV, 1.3 GB: about 4 minutes"
    rm -rf "$cache"/programs-*
    export -f get_programs apt_options
    work 900 "$cache/programs.log" bash -ec 'get_programs "$0"' "$(mirror)" || {
        leave_out "the mirror does not deliver v4l2-compliance, ffmpeg, GStreamer and OpenCV"
        programs=
    }
fi
