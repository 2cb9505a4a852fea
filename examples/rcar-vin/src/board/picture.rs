//! The moving test picture that the simulated sensor sees.
//!
//! 75% colour bars over a grey ramp over a frame counter, and a ball that bounces through it: a
//! frozen, torn, mirrored, or miscoloured stream shows at once. A frame is a function of its number
//! and its [`Layout`] alone, so that a test can tell which frame it holds. Everything that does not
//! move is painted once, when the layout becomes known. The sensor's test patterns do not move at all.

use super::pixels::PixelFormat;

/// What the sensor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// What it sees: the moving scene.
    Scene,
    /// Colour bars from top to bottom.
    Bars,
    /// From black to white, from left to right.
    Ramp,
    /// Squares, black and white by turns.
    Checkerboard,
}

impl Pattern {
    /// All patterns, by their number in the sensor's register.
    pub const ALL: [Pattern; 4] = [Pattern::Scene, Pattern::Bars, Pattern::Ramp, Pattern::Checkerboard];

    /// The pattern of this number; the scene where there is none.
    pub fn from_number(number: u16) -> Pattern {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Pattern::Scene)
    }
}

/// How a picture lies in memory, and which part of the scene it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What a pixel looks like.
    pub format: PixelFormat,
    /// Width of the picture, in pixels.
    pub width: u32,
    /// Height of the picture, in lines.
    pub height: u32,
    /// Bytes from one line to the next.
    pub bytesperline: u32,
    /// Bytes from the luma plane to the chroma plane, where there are two.
    pub uv_offset: u32,
    /// Left edge and top edge of the picture within the scene.
    pub origin: (u32, u32),
    /// Width and height of the scene that the sensor sees.
    pub scene: (u32, u32),
    /// What is in the picture.
    pub pattern: Pattern,
    /// What is added to every colour, plus 128.
    pub brightness: u8,
}

impl Layout {
    /// A picture of the whole scene.
    ///
    /// Lines are padded to 16 pixels, and to 32 where chroma has a plane of its own. That plane begins at a multiple of
    /// 128 bytes.
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Layout {
        let padded =
            width.next_multiple_of(if matches!(format, PixelFormat::Nv16 | PixelFormat::Nv12) { 32 } else { 16 });
        let bytesperline = padded * format.bytes_per_pixel();
        Layout {
            format,
            width,
            height,
            bytesperline,
            uv_offset: (bytesperline * height).next_multiple_of(128),
            origin: (0, 0),
            scene: (width, height),
            pattern: Pattern::Scene,
            brightness: 128,
        }
    }

    /// Bytes that a picture takes, from its first to its last.
    pub fn size(&self) -> usize {
        let line = self.bytesperline as usize;
        let height = self.height as usize;
        match self.format {
            PixelFormat::Nv12 => self.uv_offset as usize + line * height.div_ceil(2),
            PixelFormat::Nv16 => self.uv_offset as usize + line * height,
            _ => line * height,
        }
    }
}

/// A colour in every coding, computed once.
#[derive(Clone, Copy)]
struct Ink {
    yuv: [u8; 3],
    rgb565: [u8; 2],
    bgrx: [u8; 4],
}

impl Ink {
    /// BT.601, limited range: what `V4L2_COLORSPACE_SRGB` means for YCbCr by default.
    fn new(colour: Colour, brightness: u8) -> Ink {
        let [r, g, b] = colour.map(|level| level.saturating_add_signed((brightness ^ 128).cast_signed()));
        let (red, green, blue) = (r as i32, g as i32, b as i32);
        let y = ((66 * red + 129 * green + 25 * blue + 128) >> 8) + 16;
        let u = ((-38 * red - 74 * green + 112 * blue + 128) >> 8) + 128;
        let v = ((112 * red - 94 * green - 18 * blue + 128) >> 8) + 128;
        let packed = ((r as u16 >> 3) << 11) | ((g as u16 >> 2) << 5) | (b as u16 >> 3);
        Ink { yuv: [y as u8, u as u8, v as u8], rgb565: packed.to_le_bytes(), bgrx: [b, g, r, 0] }
    }
}

/// Red, green and blue.
type Colour = [u8; 3];

/// 75% bars: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [Colour; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], BLACK];
const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];
const ORANGE: Colour = [255, 128, 0];
/// Squares of a checkerboard, from left to right.
const SQUARES: u32 = 8;

/// Digits of 5 by 7 dots, a line a byte, the leftmost dot in bit 4.
const DIGITS: [[u8; 7]; 10] = [
    [0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e],
    [0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e],
    [0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f],
    [0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e],
    [0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02],
    [0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e],
    [0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e],
    [0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
    [0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e],
    [0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c],
];
/// Digits of the counter, which starts again after as many frames as fit.
const COUNTER_DIGITS: u32 = 6;

/// A picture of one layout, ready to be rendered frame by frame.
pub struct Picture {
    layout: Layout,
    background: Vec<u8>,
    pixels: Vec<u8>,
}

impl Picture {
    /// Paints what does not move.
    pub fn new(layout: Layout) -> Picture {
        let (scene_width, scene_height) = layout.scene;
        let mut canvas = Canvas { layout: &layout, pixels: vec![0; layout.size()] };
        let grey: Vec<Ink> = (0..=255).map(|level| Ink::new([level; 3], layout.brightness)).collect();
        let bars = BARS.map(|colour| Ink::new(colour, layout.brightness));
        // Where the ramp begins, and where the black strip; bars are above.
        let (ramp_top, strip_top) = match layout.pattern {
            Pattern::Scene => (scene_height * 2 / 3, counter_top(scene_height)),
            Pattern::Bars => (u32::MAX, u32::MAX),
            Pattern::Ramp | Pattern::Checkerboard => (0, u32::MAX),
        };
        let square = scene_width.div_ceil(SQUARES);
        for row in 0..layout.height {
            let y = row + layout.origin.1;
            for column in 0..layout.width {
                let x = (column + layout.origin.0).min(scene_width - 1);
                let ink = if layout.pattern == Pattern::Checkerboard {
                    &grey[if (x / square + y / square).is_multiple_of(2) { 255 } else { 0 }]
                } else if y < ramp_top {
                    &bars[(x * 8 / scene_width) as usize]
                } else if y < strip_top {
                    &grey[(x * 256 / scene_width) as usize]
                } else {
                    &grey[0]
                };
                canvas.put(column, row, ink);
            }
        }
        let background = canvas.pixels;
        Picture { pixels: background.clone(), background, layout }
    }

    /// The layout this picture was made for.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Renders frame number `frame`.
    pub fn render(&mut self, frame: u64) -> &[u8] {
        self.pixels.copy_from_slice(&self.background);
        if self.layout.pattern != Pattern::Scene {
            return &self.pixels;
        }
        let pixels = std::mem::take(&mut self.pixels);
        let mut canvas = Canvas { layout: &self.layout, pixels };
        canvas.ball(frame);
        canvas.counter(frame);
        self.pixels = canvas.pixels;
        &self.pixels
    }
}

/// The first line of the black strip with the counter.
fn counter_top(scene_height: u32) -> u32 {
    scene_height * 5 / 6
}

/// Where something is after `way` steps to and fro between 0 and `range`.
fn bounce(way: u64, range: u32) -> u32 {
    let range = u64::from(range);
    if range == 0 {
        return 0;
    }
    let phase = way % (2 * range);
    (if phase < range { phase } else { 2 * range - phase }) as u32
}

/// Centre and radius of the ball in frame `frame` of a scene of this size.
fn ball_at(scene: (u32, u32), frame: u64) -> (u32, u32, u32) {
    let (width, height) = (scene.0, counter_top(scene.1).max(1));
    let radius = (width.min(height) / 10).max(1);
    // Steps that have no common period with the picture, so that the ball visits all of it.
    let (dx, dy) = (u64::from(width / 80).max(1), u64::from(height / 61).max(1));
    let x = radius + bounce(frame.wrapping_mul(dx), width.saturating_sub(2 * radius + 1));
    let y = radius + bounce(frame.wrapping_mul(dy), height.saturating_sub(2 * radius + 1));
    (x, y, radius)
}

/// Pixels being painted.
struct Canvas<'a> {
    layout: &'a Layout,
    pixels: Vec<u8>,
}

impl Canvas<'_> {
    /// Paints one pixel of the picture. Where two share their chroma, the left upper one gives it.
    fn put(&mut self, x: u32, y: u32, ink: &Ink) {
        let layout = self.layout;
        let line = (y * layout.bytesperline) as usize;
        let chroma = x & 1 == 0;
        let [luma, u, v] = ink.yuv;
        let (x, pair) = (x as usize, (x & !1) as usize);
        match layout.format {
            PixelFormat::Yuyv | PixelFormat::Uyvy => {
                let at = line + pair * 2;
                let swap = usize::from(layout.format == PixelFormat::Uyvy);
                self.pixels[line + x * 2 + swap] = luma;
                if chroma {
                    self.pixels[at + 1 - swap] = u;
                    self.pixels[at + 3 - swap] = v;
                }
            }
            PixelFormat::Nv16 | PixelFormat::Nv12 => {
                self.pixels[line + x] = luma;
                let halved = layout.format == PixelFormat::Nv12;
                if chroma && !(halved && y & 1 == 1) {
                    let row = if halved { y / 2 } else { y };
                    let at = (layout.uv_offset + row * layout.bytesperline) as usize + pair;
                    self.pixels[at..at + 2].copy_from_slice(&[u, v]);
                }
            }
            PixelFormat::Rgb565 => {
                self.pixels[line + x * 2..line + x * 2 + 2].copy_from_slice(&ink.rgb565);
            }
            PixelFormat::Xbgr32 => {
                self.pixels[line + x * 4..line + x * 4 + 4].copy_from_slice(&ink.bgrx);
            }
            PixelFormat::Grey => self.pixels[line + x] = luma,
        }
    }

    /// Paints one pixel of the scene, if the picture shows it.
    fn put_scene(&mut self, x: u32, y: u32, ink: &Ink) {
        let (left, top) = self.layout.origin;
        if let (Some(column), Some(row)) = (x.checked_sub(left), y.checked_sub(top))
            && column < self.layout.width
            && row < self.layout.height
        {
            self.put(column, row, ink);
        }
    }

    /// An orange ball with a black rim, seen before every bar, and a highlight.
    fn ball(&mut self, frame: u64) {
        let (x, y, radius) = ball_at(self.layout.scene, frame);
        let [black, white, orange] = [BLACK, WHITE, ORANGE].map(|colour| Ink::new(colour, self.layout.brightness));
        let square = |distance: u32| u64::from(distance) * u64::from(distance);
        let inner = square(radius * 4 / 5);
        let shine = (x.saturating_sub(radius / 3), y.saturating_sub(radius / 3));
        for py in y.saturating_sub(radius)..=y + radius {
            for px in x.saturating_sub(radius)..=x + radius {
                let distance = square(px.abs_diff(x)) + square(py.abs_diff(y));
                if distance > square(radius) {
                    continue;
                }
                let glint = square(px.abs_diff(shine.0)) + square(py.abs_diff(shine.1));
                let ink = if distance > inner {
                    &black
                } else if glint < square(radius / 5) {
                    &white
                } else {
                    &orange
                };
                self.put_scene(px, py, ink);
            }
        }
    }

    /// The frame number, as large as the strip and the width allow.
    fn counter(&mut self, frame: u64) {
        let (width, height) = self.layout.scene;
        let white = Ink::new(WHITE, self.layout.brightness);
        let top = counter_top(height);
        let cells = COUNTER_DIGITS * 6;
        let scale = ((height - top) / 9).min(width / cells).max(1);
        let left = width.saturating_sub(cells * scale) / 2;
        let top = top + (height - top).saturating_sub(7 * scale) / 2;
        let mut rest = frame;
        for digit in (0..COUNTER_DIGITS).rev() {
            let dots = &DIGITS[(rest % 10) as usize];
            rest /= 10;
            for y in 0..7 * scale {
                for x in 0..5 * scale {
                    if dots[(y / scale) as usize] & (0x10 >> (x / scale)) != 0 {
                        self.put_scene(left + digit * 6 * scale + x, top + y, &white);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
