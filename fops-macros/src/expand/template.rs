//! Rust with gaps, written as text.
//!
//! `quote!` makes a stream of each piece, and a function of each of its uses: to join the ones is slow, to compile the
//! others too. Here a text is read while the macro runs, and its tokens go one by one to where they belong.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenTree};

use crate::source::{Part, Source};

/// Writes the text, its tokens at `span`, with the next of the `parts` for each `$`. Words, punctuation, brackets and
/// strings without escapes are understood.
pub(super) fn write(output: &mut Source, span: Span, text: &str, parts: &[&dyn Part]) {
    let mut template = Template { text: text.as_bytes(), at: 0, span, parts };
    template.write(output);
    debug_assert!(template.parts.is_empty() && template.at == text.len(), "the parts do not fit into {text}");
}

/// The tokens of a text by themselves.
pub(super) fn tokens(span: Span, text: &str, parts: &[&dyn Part]) -> Source {
    let mut output = Source::default();
    write(&mut output, span, text, parts);
    output
}

struct Template<'a> {
    text: &'a [u8],
    at: usize,
    span: Span,
    parts: &'a [&'a dyn Part],
}

impl Template<'_> {
    /// Up to the end of the text, or of the group.
    fn write(&mut self, output: &mut Source) {
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            self.at += 1;
            let tree = match byte {
                b' ' | b'\n' => continue,
                b'$' => {
                    let (part, rest) = self.parts.split_first().expect("a part for each gap");
                    part.put(output);
                    self.parts = rest;
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

    /// Goes on to where the run of such bytes ends.
    fn end(&mut self, belongs: fn(u8) -> bool) -> usize {
        while self.text.get(self.at).is_some_and(|&byte| belongs(byte)) {
            self.at += 1;
        }
        self.at
    }

    fn str(&self, start: usize, end: usize) -> &str {
        str::from_utf8(&self.text[start..end]).expect("templates are ASCII")
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
