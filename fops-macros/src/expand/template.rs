//! Rust with gaps, written as text.
//!
//! `quote!` makes a stream of each piece, and a function of each of its uses: to join the ones is slow, to compile the
//! others too. Here a text is read while the macro runs, and its tokens go one by one to where they belong.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenTree};

use crate::source::{Part, Source};

/// Writes a text into a [`Source`], its tokens at a span, with a part for each `#name`: the variable of that name, or what
/// stands behind `name =`. Words, punctuation, brackets and strings without escapes are understood.
///
/// ```ignore
/// put!(&mut output, span, "let #pattern: #ty = #value;", pattern, ty, value = &method.output);
/// ```
macro_rules! put {
    ($output:expr, $span:expr, $text:expr $(, $name:ident $(= $part:expr)?)* $(,)?) => {
        $crate::expand::template::write(
            $output,
            $span,
            $text,
            &[$((stringify!($name), $crate::expand::template::part!($name $(= $part)?))),*],
        )
    };
}

/// The same by itself.
macro_rules! tokens {
    ($span:expr, $text:expr $(, $name:ident $(= $part:expr)?)* $(,)?) => {{
        let mut output = $crate::source::Source::default();
        $crate::expand::template::put!(&mut output, $span, $text $(, $name $(= $part)?)*);
        output
    }};
}

macro_rules! part {
    ($name:ident) => {
        &$name
    };
    ($name:ident = $part:expr) => {
        &$part
    };
}

pub(crate) use {part, put, tokens};

/// What [`put!`] calls.
pub(crate) fn write(output: &mut Source, span: Span, text: &str, parts: &[(&str, &dyn Part)]) {
    let mut template = Template { text: text.as_bytes(), at: 0, span, parts };
    template.write(output);
    debug_assert!(template.at == text.len(), "a bracket is closed that was not opened: {text}");
    // Only here: authors build this with assertions too.
    #[cfg(test)]
    for (name, _) in parts {
        assert!(text.contains(&format!("#{name}")), "`{name}` has no place in {text}");
    }
}

struct Template<'a> {
    text: &'a [u8],
    at: usize,
    span: Span,
    parts: &'a [(&'a str, &'a dyn Part)],
}

impl Template<'_> {
    /// Up to the end of the text, or of the group.
    fn write(&mut self, output: &mut Source) {
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            self.at += 1;
            let tree = match byte {
                b' ' | b'\n' => continue,
                b'#' if self.text.get(self.at).is_some_and(|&byte| is_word(byte)) => {
                    let end = self.end(is_word);
                    self.part(self.str(start + 1, end)).put(output);
                    continue;
                }
                b')' | b']' | b'}' => return,
                b'(' => TokenTree::Group(self.group(Delimiter::Parenthesis)),
                b'[' => TokenTree::Group(self.group(Delimiter::Bracket)),
                b'{' => TokenTree::Group(self.group(Delimiter::Brace)),
                b'"' => {
                    let end = self.end(|byte| byte != b'"');
                    let mut string = Literal::string(self.str(start + 1, end));
                    string.set_span(self.span);
                    self.at += 1;
                    TokenTree::Literal(string)
                }
                _ if is_word(byte) => {
                    let end = self.end(is_word);
                    TokenTree::Ident(Ident::new(self.str(start, end), self.span))
                }
                _ => {
                    let is_joint = byte == b'\'' || matches!(self.text.get(self.at), Some(b':' | b'>'));
                    let mut punct = Punct::new(byte.into(), if is_joint { Spacing::Joint } else { Spacing::Alone });
                    punct.set_span(self.span);
                    TokenTree::Punct(punct)
                }
            };
            output.0.push(tree);
        }
    }

    fn group(&mut self, delimiter: Delimiter) -> Group {
        let mut inside = Source::default();
        self.write(&mut inside);
        let mut group = Group::new(delimiter, inside.into_stream());
        group.set_span(self.span);
        group
    }

    fn part(&self, name: &str) -> &dyn Part {
        for (given, part) in self.parts {
            if *given == name {
                return *part;
            }
        }
        panic!("a template has a gap `#{name}` and no part of that name")
    }

    /// Goes on to where the run of such bytes ends.
    fn end(&mut self, belongs: fn(u8) -> bool) -> usize {
        while self.text.get(self.at).is_some_and(|&byte| belongs(byte)) {
            self.at += 1;
        }
        self.at
    }

    fn str(&self, start: usize, end: usize) -> &str {
        core::str::from_utf8(&self.text[start..end]).expect("templates are ASCII")
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
