//! ffmpeg, unmodified, records from `/dev/video0` under `rcar-vin exec`, and a frame of that is a picture.
//!
//! The whole of it is `rcar-vin exec -- ffmpeg -f v4l2 -i /dev/video0 -t 5 -c:v ffv1 five-seconds.mkv`; here the
//! sensor is fast, so that five seconds of its frames take less.
use std::fs;
use std::process::{Command, Stdio};
use system_tests::{needs_exec, run, skip, temporary_directory};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// Five seconds of a sensor of 30 frames a second.
const FRAMES: usize = 150;

fn needs_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skip("there is no ffmpeg: run `apt-get install ffmpeg`");
    }
    found
}

/// Runs ffmpeg by itself, and returns what it wrote to standard output.
fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn five_seconds_are_recorded_and_a_frame_is_saved() {
    if !needs_ffmpeg() || !needs_exec(true) {
        return;
    }
    let directory = temporary_directory();
    let [film, picture] = ["film.mkv", "frame.png"].map(|name| directory.join(name).to_str().unwrap().to_owned());
    let count = FRAMES.to_string();
    let recorded = run(&[
        &["exec", "--frame-rate", "120", "--", "ffmpeg", "-nostdin", "-v", "error", "-f", "v4l2", "-i", "/dev/video0"],
        &["-frames:v", &count, "-fps_mode", "passthrough", "-c:v", "ffv1", &film][..],
    ]
    .concat());
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);

    ffmpeg(&["-i", &film, "-vf", "select=eq(n\\,100)", "-frames:v", "1", &picture]);
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    let pixels = ffmpeg(&["-i", &picture, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    assert_eq!(pixels.len(), WIDTH * HEIGHT * 3);
    let is = |x: usize, y: usize, colour: [u8; 3]| {
        let at = (y * WIDTH + x) * 3;
        // Chroma is halved on the way, and colours are converted twice.
        pixels[at..at + 3].iter().zip(colour).all(|(&got, wanted)| got.abs_diff(wanted) < 12)
    };
    let bars: [[u8; 3]; 8] = [
        [191, 191, 191],
        [191, 191, 0],
        [0, 191, 191],
        [0, 191, 0],
        [191, 0, 191],
        [191, 0, 0],
        [0, 0, 191],
        [0, 0, 0],
    ];
    for (bar, colour) in bars.into_iter().enumerate() {
        // In the middle of the bar; the ball may hide some of it.
        let x = bar * 80 + 40;
        let seen = (0..320).filter(|&y| is(x, y, colour)).count();
        assert!(seen > 200, "bar {bar}: {seen} pixels of {colour:?}");
    }
    let orange = (0..WIDTH * HEIGHT).filter(|at| is(at % WIDTH, at / WIDTH, [255, 128, 0])).count();
    assert!(orange > 500, "the ball has {orange} pixels");

    // The film has all frames, and its frames move.
    let hashes = ffmpeg(&["-i", &film, "-f", "framemd5", "-"]);
    let hashes = String::from_utf8_lossy(&hashes);
    let mut hashes: Vec<_> =
        hashes.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit(',').next()).collect();
    assert_eq!(hashes.len(), FRAMES);
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), FRAMES, "frames that are the same");
    fs::remove_dir_all(directory).unwrap();
}
