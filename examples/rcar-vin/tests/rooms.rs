//! The rooms of the example import only what they may: the driver and the simulated hardware share nothing but the
//! register map.
use std::fs;
use std::path::Path;

/// Each room, and the paths of this crate that its files may name. Its tests may name all of them.
const ROOMS: [(&str, &[&str]); 4] = [
    ("board", &["crate::driver::registers::vin::", "crate::driver::registers::csi2::", "crate::deadline::"]),
    ("driver", &["crate::driver::", "crate::vb2::", "crate::uapi::"]),
    ("vb2", &["crate::uapi::"]),
    ("uapi", &["crate::uapi::"]),
];
/// What a kernel would give the driver comes in here, and nowhere else.
const PLATFORM: &str = "driver/platform.rs";

#[test]
fn a_room_imports_only_what_it_may() {
    let mut faults = Vec::new();
    for (room, allowed) in ROOMS {
        for (file, source) in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)) {
            let allowed =
                if file.ends_with(PLATFORM) { [allowed, &["crate::board::"]].concat() } else { allowed.to_vec() };
            let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named = code.flat_map(|line| line.match_indices("crate::").map(|(at, _)| &line[at..]));
            faults.extend(
                named
                    .filter(|path| !allowed.iter().any(|allowed| path.starts_with(allowed)))
                    .map(|path| format!("{file}: {path}")),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn one_file_of_the_driver_mentions_the_board() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver"));
    let mentions =
        |source: &str| source.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("board"));
    let mentioned: Vec<_> = files.iter().filter(|(_, source)| mentions(source)).map(|(file, _)| file).collect();
    assert!(mentioned.len() == 1 && mentioned[0].ends_with(PLATFORM), "{mentioned:?}");
}

/// The files below `directory`: each path, and its text without the tests in it.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let source = fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]\nmod tests {").next().filter(|_| !path.ends_with("tests.rs"));
            let code = code.unwrap_or_default().to_owned();
            found.push((path.display().to_string(), code));
        }
    }
    assert!(!found.is_empty(), "{}", directory.display());
    found
}
