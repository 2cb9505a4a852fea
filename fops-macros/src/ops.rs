//! The operations known by name, and the policy that each has where the author gives none.
//!
//! A table serves the trait that it was read from. In any other block a name means nothing: to add one to a table changes
//! no driver's methods but those of that trait.

use crate::source::contains;

/// How an op meets unplug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Runs inside a device access section, and not at all once unplug has begun.
    Guarded,
    /// Runs after unplug too, then without access.
    Always,
    /// Never enters a section; says why.
    Unguarded,
}

/// `struct file_operations` of include/linux/fs.h, with the names that earlier kernels had, and `FileOperations` of the
/// runtime.
const FILE_OPERATIONS: &[&str] = &[
    "check_flags",
    "compat_ioctl",
    "copy_file_range",
    "fadvise",
    "fallocate",
    "flock",
    "fsync",
    "get_unmapped_area",
    "ioctl",
    "iopoll",
    "iterate",
    "iterate_shared",
    "llseek",
    "lock",
    "mmap",
    "mmap_capabilities",
    "mmap_prepare",
    "open",
    "poll",
    "read",
    "read_iter",
    "remap_file_range",
    "sendpage",
    "setlease",
    "show_fdinfo",
    "splice_eof",
    "splice_read",
    "splice_write",
    "unlocked_ioctl",
    "uring_cmd",
    "uring_cmd_iopoll",
    "write",
    "write_iter",
];

/// `struct v4l2_file_operations` of include/media/v4l2-dev.h.
const V4L2_FILE_OPERATIONS: &[&str] =
    &["compat_ioctl32", "get_unmapped_area", "ioctl", "mmap", "open", "poll", "read", "unlocked_ioctl", "write"];

/// `MiscDevice` of rust/kernel/miscdevice.rs.
const MISC_DEVICE: &[&str] = &["compat_ioctl", "ioctl", "mmap", "open", "read_iter", "show_fdinfo", "write_iter"];

/// `fuser::Filesystem`.
const FUSE: &[&str] = &[
    "access",
    "bmap",
    "copy_file_range",
    "create",
    "exchange",
    "fallocate",
    "fsync",
    "fsyncdir",
    "getattr",
    "getlk",
    "getxattr",
    "getxtimes",
    "init",
    "ioctl",
    "link",
    "listxattr",
    "lookup",
    "lseek",
    "mkdir",
    "mknod",
    "open",
    "opendir",
    "poll",
    "read",
    "readdir",
    "readdirplus",
    "readlink",
    "removexattr",
    "rename",
    "rmdir",
    "setattr",
    "setlk",
    "setvolname",
    "setxattr",
    "statfs",
    "symlink",
    "unlink",
    "write",
];

/// Operations of subdevs: of `struct v4l2_subdev_ops` of include/media/v4l2-subdev.h, those in wide use.
const SUBDEV: &[&str] = &[
    "disable_streams",
    "enable_streams",
    "enum_frame_interval",
    "enum_frame_size",
    "enum_mbus_code",
    "get_fmt",
    "get_frame_desc",
    "get_selection",
    "link_validate",
    "log_status",
    "s_power",
    "s_stream",
    "set_fmt",
    "set_selection",
];

/// All of `struct v4l2_ioctl_ops` of include/media/v4l2-ioctl.h begin so, and nothing else does.
const V4L2_IOCTL_OPS: &str = "vidioc_";

/// The traits that have a table, by the names that they have in C and in Rust; their guarded operations; and those that
/// always run. The latter undo what an earlier operation did, and so have work left after unplug. `flush` runs at each
/// `close()`, and the kernel calls `fasync` once more at the last close.
const TRAITS: &[(&[&str], &[&str], &[&str])] = &[
    (&["FileOperations", "file_operations"], FILE_OPERATIONS, &["fasync", "flush", "release"]),
    (&["V4l2FileOperations", "v4l2_file_operations"], V4L2_FILE_OPERATIONS, &["release"]),
    (&["MiscDevice"], MISC_DEVICE, &["release"]),
    (&["Filesystem"], FUSE, &["batch_forget", "destroy", "flush", "forget", "release", "releasedir"]),
    (&["SubdevOperations"], SUBDEV, &["release"]),
];

/// The policy of an op that is known by its name in a trait of that name.
pub(crate) fn policy_of(trait_name: &str, name: &str) -> Option<Policy> {
    if ["V4l2IoctlOps", "v4l2_ioctl_ops"].contains(&trait_name) {
        return name.starts_with(V4L2_IOCTL_OPS).then_some(Policy::Guarded);
    }
    for (names, guarded, always) in TRAITS {
        if names.contains(&trait_name) {
            let guards = || guarded.binary_search(&name).is_ok().then_some(Policy::Guarded);
            return if always.contains(&name) { Some(Policy::Always) } else { guards() };
        }
    }
    None
}

/// Whether a name promises that something is given back: a default of `guarded` would silently
/// skip that after unplug.
pub(crate) fn sounds_like_release(name: &str) -> bool {
    for word in name.split('_') {
        if matches!(word, "drop" | "close" | "destroy" | "forget") {
            return true;
        }
    }
    contains(name, "release") || contains(name, "teardown") || contains(name, "tear_down")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_by_name() {
        for name in ["read", "unlocked_ioctl", "ioctl"] {
            assert_eq!(policy_of("FileOperations", name), Some(Policy::Guarded), "{name}");
        }
        for name in ["release", "flush", "fasync"] {
            assert_eq!(policy_of("FileOperations", name), Some(Policy::Always), "{name}");
        }
        for name in ["release", "releasedir", "flush", "forget", "batch_forget", "destroy"] {
            assert_eq!(policy_of("Filesystem", name), Some(Policy::Always), "{name}");
        }
        for name in ["reed", "quiesce", "close", "new"] {
            assert_eq!(policy_of("FileOperations", name), None, "{name}");
        }
    }

    #[test]
    fn a_table_serves_its_own_trait_alone() {
        for (trait_name, name) in [
            ("FileOperations", "lookup"),
            ("FileOperations", "s_stream"),
            ("FileOperations", "vidioc_qbuf"),
            ("FileOperations", "releasedir"),
            ("MiscDevice", "lock"),
            ("Filesystem", "lock"),
            ("SubdevOperations", "read"),
            ("v4l2_ioctl_ops", "read"),
            ("Cache", "lock"),
            ("Cache", "init"),
            ("Cache", "release"),
        ] {
            assert_eq!(policy_of(trait_name, name), None, "{trait_name}::{name}");
        }
    }

    /// The members of the kernel's structures, in their order, those aside that are no operations.
    const OF_THE_KERNEL: &[(&str, &str)] = &[
        (
            "file_operations",
            "llseek read write read_iter write_iter iopoll iterate_shared poll unlocked_ioctl compat_ioctl mmap open flush \
             release fsync fasync lock get_unmapped_area check_flags flock splice_write splice_read splice_eof setlease \
             fallocate show_fdinfo mmap_capabilities copy_file_range remap_file_range fadvise uring_cmd uring_cmd_iopoll \
             mmap_prepare",
        ),
        ("v4l2_file_operations", "read write poll unlocked_ioctl compat_ioctl32 get_unmapped_area mmap open release"),
        ("MiscDevice", "open release mmap read_iter write_iter ioctl compat_ioctl show_fdinfo"),
        ("v4l2_ioctl_ops", "vidioc_querycap vidioc_enum_fmt_vid_cap vidioc_reqbufs vidioc_dqbuf vidioc_default"),
    ];

    #[test]
    fn v4l2_ioctls_are_known_by_their_prefix() {
        for name in
            ["querycap", "enum_fmt_vid_cap", "g_fmt_vid_cap_mplane", "reqbufs", "streamoff", "s_ctrl", "default"]
        {
            assert_eq!(policy_of("v4l2_ioctl_ops", &format!("vidioc_{name}")), Some(Policy::Guarded), "{name}");
            assert_eq!(policy_of("v4l2_ioctl_ops", name), None, "{name}");
        }
        for name in ["vidioc", "vidio_querycap", "my_vidioc_querycap"] {
            assert_eq!(policy_of("v4l2_ioctl_ops", name), None, "{name}");
        }
    }

    #[test]
    fn all_of_the_kernel_are_known() {
        for (structure, names) in OF_THE_KERNEL {
            for name in names.split_whitespace() {
                assert!(policy_of(structure, name).is_some(), "{name} of {structure}");
            }
        }
    }

    /// The methods of the trait, as the crate that the tests are built with has them.
    #[test]
    fn all_of_fuser_are_known() {
        let said = |command: &mut std::process::Command| {
            let output = command.output().expect("it runs");
            String::from_utf8(output.stdout).expect("text")
        };
        let rustc = said(std::process::Command::new("rustc").arg("-vV"));
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        // What other platforms need may never have been fetched.
        let mut metadata = std::process::Command::new(cargo);
        metadata
            .args(["metadata", "--offline", "--format-version=1", "--filter-platform", host])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let metadata = said(&mut metadata);
        let manifest = metadata
            .split("\"manifest_path\":\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|path| path.contains("/fuser-0."))
            .expect("the workspace depends on fuser");
        let source = std::path::Path::new(manifest).with_file_name("src").join("lib.rs");
        let file = syn::parse_file(&std::fs::read_to_string(source).expect("its source")).expect("Rust");
        let methods: Vec<String> = file
            .items
            .iter()
            .filter_map(|item| match item {
                syn::Item::Trait(item) if item.ident == "Filesystem" => Some(&item.items),
                _ => None,
            })
            .flatten()
            .filter_map(|item| match item {
                syn::TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
                _ => None,
            })
            .collect();
        assert!(methods.len() > 40, "{methods:?}");
        for name in methods {
            assert!(policy_of("Filesystem", &name).is_some(), "{name}");
        }
    }

    #[test]
    fn sorted() {
        for (traits, guarded, _) in TRAITS {
            assert!(guarded.is_sorted(), "{traits:?}");
        }
    }

    #[test]
    fn release_by_sound() {
        for name in ["drop", "close", "destroy", "forget", "teardown", "vb2_fop_release"] {
            assert!(sounds_like_release(name), "{name}");
        }
        for name in ["read", "dropped_frames", "enclosed", "forgettable"] {
            assert!(!sounds_like_release(name), "{name}");
        }
    }
}
