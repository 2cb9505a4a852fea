//! A guarded impl compiles if and only if the same does without the attribute, its accesses supplied as arguments.
//!
//! Methods are put together from pieces by numbers that only look random, some of them wrong. Each stands in two
//! programs, guarded and plain; the compiler has to find mistakes in the same ones.
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path, process::Command};

const METHODS: usize = 300;

struct Random(u64);

impl Random {
    /// One of these, by xorshift.
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        all[usize::try_from(self.0 >> 8).expect("64 bits") % all.len()]
    }
}

const RECEIVERS: &[&str] = &["&self", "&mut self", "self: &Arc<Self>", "self: Pin<&Self>", "&'_ self"];
const GENERICS: &[&str] = &["", "", "<T: Copy + Default>", "<'a, const N: usize>", "<F: Fn() -> u8>"];
const ARGUMENTS: &[&str] = &[
    "text: String",
    "mut text: String",
    "_: String",
    "_text: Vec<u8>",
    "(text, number): (String, u8)",
    "Wrapper(text): Wrapper",
    "number: u8",
    "mut number: u8",
    "text: &str",
    "#[cfg(all())] text: String",
    "#[cfg(any())] text: Nothing",
    "#[allow(unused_mut)] mut lock: MutexGuard<'_, u8>",
    "witness: Witness",
];
const ACCESSES: &[&str] =
    &["", "hw: &Access<'_, Hw>", "mut hw: &Access<'_, Hw>", "_: &Access<'_, Hw>", "hw: &'_ Access<'_, Hw>"];
const RETURNS: &[(&str, &str)] = &[
    ("Result<u8>", ""),
    ("Result<String>", ""),
    ("std::result::Result<u8, Error>", ""),
    ("PollEvents", ""),
    ("u8", "unplugged = 19"),
    ("Option<String>", "unplugged = None"),
    ("()", "unplugged = ()"),
];
const STATEMENTS: &[&str] = &[
    "",
    "let _local = Witness;",
    "let hw = hw.number;",
    "let _ = self.lifetime.is_unplugged();",
    "let closure = || number.checked_add(1); let _ = closure();",
    "for i in 0..3 { if i == 1 { continue; } }",
    "text.len();",
    "drop(text);",
    "drop(witness);",
    "number += 1;",
    "*lock += 1;",
    "let _ = &*self.name;",
    "if hw.number == 0 { return Default::default(); }",
    "macro_rules! one { ($e:expr) => { $e } } let _ = one!(1u8);",
    "if self.name.is_empty() { return answer(); }",
    // Mistakes, where the rest does not make them right.
    "let _: u8 = self.name;",
    "hw.missing();",
    "text.push('a');",
    "let _: &'static Hw = hw;",
    "thread::spawn(move || hw.number);",
];
const TAILS: &[&str] = &[
    "answer()",
    "Witness.answer()",
    "return answer();",
    "{ answer() }",
    "match self.name.len() { 0 => answer(), _ => Witness.answer() }",
    "loop { break answer(); }",
    "unsafe { answer() }",
    "Ok(hw.number)",
    "Ok(text)",
    "answer::<_>()?; answer()",
    // A mistake everywhere but for `()`.
    "answer::<u8>();",
    "(1, 2)",
];

const HEAD: &str = "#![allow(warnings)]
use fops_runtime::{Access, DeviceLifetime, PollEvents, Result, Unplugged, guarded_fops};
use std::{pin::Pin, sync::{Arc, MutexGuard}, thread};
pub struct Hw { number: u8 }
pub struct Device { lifetime: DeviceLifetime<Hw>, name: String }
pub struct Wrapper(String);
pub struct Witness;
pub struct Error;
impl From<Unplugged> for Error { fn from(_: Unplugged) -> Self { Error } }
impl From<fops_runtime::Errno> for Error { fn from(_: fops_runtime::Errno) -> Self { Error } }
impl Drop for Witness { fn drop(&mut self) {} }
impl Witness { fn answer<T>(&self) -> T { answer() } }
fn answer<T>() -> T { loop {} }
fn main() {}
";

/// A body of statements that speak of what is there, as far as names go.
fn body(random: &mut Random, arguments: &[&str], access: &str) -> String {
    let has =
        |name: &str| access.contains(&format!("{name}:")) || arguments.iter().any(|argument| argument.contains(name));
    let names = ["hw", "text", "number", "witness", "lock"];
    let makes_sense = |piece: &str| {
        let mut words = piece.split(|c: char| !c.is_alphanumeric());
        words.all(|word| !names.contains(&word) || has(word)) || piece.contains("number") && has("hw")
    };
    let mut one_of = |pieces: &[&'static str]| loop {
        let piece = random.of(pieces);
        if makes_sense(piece) {
            return piece;
        }
    };
    let (first, tail) =
        (one_of(STATEMENTS), if one_of(&["", "", "answer()"]).is_empty() { "answer()" } else { one_of(TAILS) });
    format!("{{ {first} {} {tail} }}", one_of(STATEMENTS))
}

/// The guarded program and the plain one: a method a line, beginning behind `HEAD`.
fn programs() -> [String; 2] {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut programs = [HEAD.to_owned(), HEAD.to_owned()];
    for number in 0..METHODS {
        let (receiver, generics, access) = (random.of(RECEIVERS), random.of(GENERICS), random.of(ACCESSES));
        let mut arguments = vec![random.of(ARGUMENTS)];
        if random.of(&[true, false]) {
            let other = random.of(&["count: u32", "last: [String; 2]", "f: fn(u8) -> u8", "_: &Device"]);
            arguments.push(other);
        }
        let (ty, unplugged) = random.of(RETURNS);
        let always = random.of(&[false, false, false, true]) && access.is_empty();
        let body = body(&mut random, &arguments, access);
        let policy = if always { "always" } else { "guarded" };
        let options = if always || unplugged.is_empty() { policy.into() } else { format!("{policy}, {unplugged}") };
        for (program, guarded) in programs.iter_mut().zip([true, false]) {
            let (attribute, option, mark) = match guarded {
                true => (
                    format!("#[guarded_fops(lifetime = lifetime, name = block{number})] "),
                    format!("#[fop({options})] "),
                    "#[access] ",
                ),
                false => Default::default(),
            };
            let access = if access.is_empty() { String::new() } else { format!(", {mark}{access}") };
            let arguments = arguments.join(", ");
            let signature = format!("fn method{number}{generics}({receiver}{access}, {arguments}) -> {ty}");
            writeln!(program, "{attribute}impl Device {{ {option}{signature} {body} }}").expect("memory");
        }
    }
    programs
}

/// The lines of a program of the package that the compiler finds mistakes in.
fn mistakes(package: &Path, program: &str) -> BTreeSet<usize> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = package.join("target");
    let output = Command::new(cargo)
        .args(["check", "--quiet", "--offline", "--message-format=short", "--bin", program, "--target-dir"])
        .arg(&target)
        .current_dir(package)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let place = format!("{program}.rs:");
    let errors = said.lines().filter(|line| line.contains(": error"));
    let lines: BTreeSet<usize> =
        errors.filter_map(|line| line.split_once(&place)?.1.split(':').next()?.parse().ok()).collect();
    assert_eq!(lines.is_empty(), output.status.success(), "{said}");
    lines
}

#[test]
fn guarded_compiles_if_and_only_if_plain_does() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    let sources = package.join("src/bin");
    fs::create_dir_all(&sources).unwrap();
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fops-runtime");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"generated\"\nedition = \"2024\"\n[dependencies]\nfops-runtime.path = {runtime:?}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::copy(runtime.join("../Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let [guarded, plain] = programs();
    // Some mistakes are looked for only where there are no others: what is wrong is left out, until nothing is.
    let mut wrong = BTreeSet::new();
    loop {
        for (name, program) in [("guarded", &guarded), ("plain", &plain)] {
            let right = |(index, line)| if wrong.contains(&(index + 1)) { "" } else { line };
            let lines: Vec<&str> = program.lines().enumerate().map(right).collect();
            fs::write(sources.join(name).with_extension("rs"), lines.join("\n")).unwrap();
        }
        let [in_guarded, in_plain] = ["guarded", "plain"].map(|program| mistakes(&package, program));
        for line in in_guarded.symmetric_difference(&in_plain) {
            let program = if in_guarded.contains(line) { "guarded" } else { "plain" };
            eprintln!("only {program} is wrong: {}", guarded.lines().nth(line - 1).unwrap());
        }
        assert!(in_guarded == in_plain);
        if in_plain.is_empty() {
            break;
        }
        wrong.extend(in_plain);
    }
    println!("{} of {METHODS} methods are wrong", wrong.len());
    assert!((METHODS / 4..METHODS * 3 / 4).contains(&wrong.len()), "{} are wrong: too few or too many", wrong.len());
}
