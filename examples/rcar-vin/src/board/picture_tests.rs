//! What a person would see, checked pixel by pixel.

use super::*;

/// Decodes one pixel to red, green, blue.
fn rgb(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let layout = picture.layout();
    let bytes = &picture.pixels;
    let line = (y * layout.bytesperline) as usize;
    let (pair, x) = ((x & !1) as usize, x as usize);
    let yuv = |luma: u8, u: u8, v: u8| {
        let (y, u, v) = ((f32::from(luma) - 16.0) * 1.164, f32::from(u) - 128.0, f32::from(v) - 128.0);
        [y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u].map(|value| value.clamp(0.0, 255.0) as u8)
    };
    match layout.format {
        PixelFormat::Yuyv => yuv(bytes[line + x * 2], bytes[line + pair * 2 + 1], bytes[line + pair * 2 + 3]),
        PixelFormat::Uyvy => yuv(bytes[line + x * 2 + 1], bytes[line + pair * 2], bytes[line + pair * 2 + 2]),
        PixelFormat::Nv16 | PixelFormat::Nv12 => {
            let row = if layout.format == PixelFormat::Nv12 { y / 2 } else { y };
            let at = (layout.uv_offset + row * layout.bytesperline) as usize + pair;
            yuv(bytes[line + x], bytes[at], bytes[at + 1])
        }
        PixelFormat::Rgb565 => {
            let word = u16::from_le_bytes([bytes[line + x * 2], bytes[line + x * 2 + 1]]);
            [(word >> 11) << 3, ((word >> 5) & 0x3f) << 2, (word & 0x1f) << 3].map(|value| value as u8)
        }
        PixelFormat::Xbgr32 => {
            let at = line + x * 4;
            [bytes[at + 2], bytes[at + 1], bytes[at]]
        }
        PixelFormat::Grey => [bytes[line + x]; 3],
    }
}

fn rendered(layout: Layout, frame: u64) -> Picture {
    let mut picture = Picture::new(layout);
    picture.render(frame);
    picture
}

#[test]
fn known_bytes() {
    let yuyv = rendered(Layout::new(PixelFormat::Yuyv, 640, 480), 0);
    // The ball starts in the left upper corner; look at the right edge of the first bar.
    assert_eq!(yuyv.pixels[76 * 2..78 * 2], [180, 128, 180, 128], "75% white");
    let red = 440 * 2;
    assert_eq!(yuyv.pixels[red..red + 4], [65, 100, 65, 212], "75% red");
    let uyvy = rendered(Layout::new(PixelFormat::Uyvy, 640, 480), 0);
    assert_eq!(uyvy.pixels[red..red + 4], [100, 65, 212, 65]);
    let grey = rendered(Layout::new(PixelFormat::Grey, 640, 480), 0);
    assert_eq!(grey.pixels[440], 65);
}

#[test]
fn every_format_shows_the_same_picture() {
    let reference = rendered(Layout::new(PixelFormat::Xbgr32, 640, 480), 75);
    for &format in PixelFormat::ALL.iter().filter(|format| **format != PixelFormat::Grey) {
        let picture = rendered(Layout::new(format, 640, 480), 75);
        let mut off = 0;
        for y in 0..480 {
            for x in 0..640 {
                let (want, have) = (rgb(&reference, x, y), rgb(&picture, x, y));
                off += u32::from((0..3).any(|i| want[i].abs_diff(have[i]) > 12));
            }
        }
        // Shared chroma is off along the edges of the ball and of the digits, and nowhere else.
        assert!(off < 1500, "{format:?}: {off} pixels differ");
    }
}

#[test]
fn it_moves_and_counts() {
    let layout = Layout::new(PixelFormat::Xbgr32, 640, 480);
    let mut picture = Picture::new(layout);
    let first = picture.render(0).to_vec();
    let second = picture.render(1).to_vec();
    assert_ne!(first, second);
    assert_eq!(picture.render(0), first, "a frame is a function of its number");
    let (x, y, _) = ball_at((640, 480), 1);
    assert_eq!(rgb(&rendered(layout, 1), x, y), [255, 128, 0]);
}

#[test]
fn the_ball_stays_inside() {
    for scene in [(2, 4), (640, 480), (2048, 2), (30, 2048)] {
        for frame in 0..5000 {
            let (x, y, radius) = ball_at(scene, frame);
            assert!(x + radius < scene.0.max(2 * radius + 1), "{scene:?} {frame}");
            assert!(y + radius < counter_top(scene.1).max(2 * radius + 1), "{scene:?} {frame}");
        }
    }
}

#[test]
fn any_size_and_window_renders() {
    for &format in PixelFormat::ALL {
        for width in [2, 6, 34, 130] {
            for height in [2, 4, 50] {
                let picture = rendered(Layout::new(format, width, height), u64::MAX);
                assert_eq!(picture.pixels.len(), picture.layout().size());
            }
        }
        rendered(Layout::new(format, 2048, 2048), 3);
        let window = Layout { origin: (8, 10), scene: (20, 15), ..Layout::new(format, 64, 32) };
        rendered(window, 7);
    }
}

#[test]
fn a_window_shows_its_part_of_the_scene() {
    let whole = rendered(Layout::new(PixelFormat::Xbgr32, 320, 240), 90);
    let window = Layout { origin: (40, 100), scene: (320, 240), ..Layout::new(PixelFormat::Xbgr32, 200, 140) };
    let part = rendered(window, 90);
    for (x, y) in [(0, 0), (60, 90), (140, 110), (199, 139)] {
        assert_eq!(rgb(&part, x, y), rgb(&whole, x + 40, y + 100));
    }
}

/// `cargo test -p rcar-vin picture -- --ignored` leaves pictures of every format for a look.
#[test]
#[ignore = "writes files"]
fn save_for_a_look() {
    let directory = std::env::var_os("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, Into::into);
    for &format in PixelFormat::ALL {
        let picture = rendered(Layout::new(format, 640, 480), 123_456);
        let mut ppm = b"P6\n640 480\n255\n".to_vec();
        for y in 0..480 {
            for x in 0..640 {
                ppm.extend(rgb(&picture, x, y));
            }
        }
        let path = directory.join(format!("vin-{format:?}.ppm"));
        std::fs::write(&path, ppm).expect("the temporary directory is writable");
        println!("{}", path.display());
    }
    for (width, height) in [(160, 120), (640, 480), (1920, 1080)] {
        for format in [PixelFormat::Yuyv, PixelFormat::Nv12] {
            let mut picture = Picture::new(Layout::new(format, width, height));
            let begin = std::time::Instant::now();
            (0..100).for_each(|frame| _ = picture.render(frame));
            println!("{width}x{height} {format:?}: {:?} a frame", begin.elapsed() / 100);
        }
    }
}

#[test]
fn a_test_pattern_stands_still_and_is_none_of_the_others() {
    let frames = Pattern::ALL.map(|pattern| {
        let mut picture = Picture::new(Layout { pattern, ..Layout::new(PixelFormat::Grey, 64, 64) });
        let first = picture.render(0).to_vec();
        assert_eq!(first == picture.render(7), pattern != Pattern::Scene, "{pattern:?}");
        first
    });
    for (index, frame) in frames.iter().enumerate() {
        assert!(!frames[index + 1..].contains(frame), "{:?}", Pattern::ALL[index]);
    }
}

#[test]
fn brightness_moves_every_level_and_stops_at_the_ends() {
    let render = |brightness| {
        let layout = Layout { brightness, pattern: Pattern::Ramp, ..Layout::new(PixelFormat::Xbgr32, 512, 4) };
        Picture::new(layout).render(0).iter().copied().step_by(8).take(256).collect::<Vec<u8>>()
    };
    let plain: Vec<u8> = (0..=255).collect();
    assert_eq!(render(128), plain);
    assert_eq!(render(138), plain.iter().map(|level| level.saturating_add(10)).collect::<Vec<_>>());
    assert_eq!(render(0), plain.iter().map(|level| level.saturating_sub(128)).collect::<Vec<_>>());
}
