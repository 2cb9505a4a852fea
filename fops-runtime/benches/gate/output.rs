//! The table, and the same as JSON and as a picture.
use std::fmt::Write as _;

/// One contender. Nanoseconds of a pair, the loop's taken off.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) one: f64,
    pub(crate) two: f64,
    /// How much more two threads do than one.
    pub(crate) scaling: f64,
    /// What it adds to an operation with four real stores.
    pub(crate) added: f64,
}

fn one_of<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.name == name)
}

pub(crate) fn table(rows: &[Row]) {
    println!(
        "{:20} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9}",
        "ns a pair", "1 thread", "x floor", "x plain", "2 threads", "x plain", "scaling", "added to"
    );
    println!("{:20} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9}", "", "", "", "", "", "", "", "4 stores");
    let unknown = Row { name: "", one: f64::NAN, two: f64::NAN, scaling: f64::NAN, added: f64::NAN };
    let floor = one_of(rows, "floor").unwrap_or(&unknown);
    let plain = one_of(rows, "plain").unwrap_or(&unknown);
    for row in rows {
        let Row { name, one, two, scaling, added } = row;
        let ratios = [one / floor.one, one / plain.one, two / plain.two];
        let [to_floor, to_plain, two_to_plain] = ratios;
        print!("{name:20} {one:9.2} {to_floor:8.2} {to_plain:8.2} {two:9.2} {two_to_plain:8.2} {scaling:8.2} ");
        if added.is_nan() { println!("{:>9}", "-") } else { println!("{added:9.2}") }
    }
}

/// No number is `null`.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "null".to_owned() }
}

pub(crate) fn json(rows: &[Row], single: &[(&str, f64)]) -> String {
    let mut text = String::from("{\n");
    for row in rows {
        let [one, two, scaling, added] = [row.one, row.two, row.scaling, row.added].map(number);
        let _ = writeln!(
            text,
            "  \"{}\": {{\"1 thread\": {one}, \"2 threads\": {two}, \"scaling\": {scaling}, \"added\": {added}}},",
            row.name
        );
    }
    let single: Vec<_> = single.iter().map(|(name, value)| format!("  \"{name}\": {}", number(*value))).collect();
    text + &single.join(",\n") + "\n}\n"
}

/// Bars, as long as the logarithm of the time: for one thread, and for two.
pub(crate) fn svg(rows: &[Row]) -> String {
    const LEFT: f64 = 170.0;
    const DECADE: f64 = 160.0;
    const ROW: f64 = 30.0;
    const LOWEST: f64 = 0.1;
    let bottom = 40.0 + ROW * rows.len() as f64;
    let (width, height) = (LEFT + 4.0 * DECADE + 60.0, bottom + 30.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\">enter and exit, ns (logarithmic): one thread above, two threads below</text>\n"
    );
    for decade in 0..5 {
        let (x, label) = (LEFT + DECADE * f64::from(decade), LOWEST * 10_f64.powi(decade));
        let _ = writeln!(
            text,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"32\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 16.0
        );
    }
    for (row, i) in rows.iter().zip(0..) {
        let y = 40.0 + ROW * f64::from(i);
        let ours = matches!(row.name, "plain" | "nested" | "owned" | "owned, counted");
        let colours = if ours { ["#1a7f37", "#7fc997"] } else { ["#57606a", "#b3bac2"] };
        let _ = writeln!(text, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", LEFT - 6.0, y + 14.0, row.name);
        for ((value, colour), offset) in [row.one, row.two].into_iter().zip(colours).zip([0.0, 10.0]) {
            if value.is_finite() && value > LOWEST {
                let length = (value / LOWEST).log10() * DECADE;
                let (y, end) = (y + offset, LEFT + length + 4.0);
                let _ = writeln!(
                    text,
                    "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"9\" fill=\"{colour}\"/>\
                     <text x=\"{end:.1}\" y=\"{:.1}\" font-size=\"9\">{value:.2}</text>",
                    y + 8.0
                );
            }
        }
    }
    text + "</svg>\n"
}
