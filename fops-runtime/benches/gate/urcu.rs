//! liburcu, in a program of its own, where its header is found.
use crate::measure::{Lap, Run, Work};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Builds the program and starts it.
pub(crate) fn run(flavour: &str, into: &Path) -> Result<Run, String> {
    let program = into.join(format!("urcu-{flavour}"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/gate/urcu.c");
    let built = Command::new("cc")
        .args(["-O2", "-pthread", &format!("-DFLAVOUR=<urcu/urcu-{flavour}.h>"), source, "-o"])
        .arg(&program)
        .arg(format!("-lurcu-{flavour}"))
        .output()
        .map_err(|error| format!("no cc: {error}"))?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(text.lines().find(|line| line.contains("error")).unwrap_or("cc fails").to_owned());
    }
    let mut child = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    // It ends when its input does.
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let pipes = RefCell::new((input.ok_or("no input")?, BufReader::new(output.ok_or("no output")?)));
    Ok(Box::new(move |threads, pairs, work| {
        assert!(work == Work::Nothing, "its operation does nothing");
        let (input, output) = &mut *pipes.borrow_mut();
        writeln!(input, "{threads} {pairs}").expect("the program reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("the program answers");
        let (nanos, undisturbed) = answer.trim().split_once(' ').expect("two words");
        Lap { nanos: nanos.parse().expect("a number"), undisturbed: undisturbed == "1" }
    }))
}
