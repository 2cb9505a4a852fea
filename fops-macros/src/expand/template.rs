//! Rust with gaps, written as text.
//!
//! `quote!` makes a stream of each piece, and to join streams is what expansion would spend most of its time with; and
//! it becomes code, of which this crate would have the most. Here a text is read while the macro runs, and its tokens go
//! one by one to where they belong.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};

/// Writes the text, its tokens at `span`, with the next of the `parts` for each `$`. Words, punctuation, brackets and
/// strings without escapes are understood.
pub(super) fn write(output: &mut TokenStream, span: Span, text: &str, parts: &[&dyn ToTokens]) {
    let mut template = Template { text: text.as_bytes(), at: 0, span, parts };
    template.write(output);
    debug_assert!(template.parts.is_empty() && template.at == text.len(), "the parts do not fit into {text}");
}

/// The tokens of a text by themselves.
pub(super) fn tokens(span: Span, text: &str, parts: &[&dyn ToTokens]) -> TokenStream {
    let mut output = TokenStream::new();
    write(&mut output, span, text, parts);
    output
}

struct Template<'a> {
    text: &'a [u8],
    at: usize,
    span: Span,
    parts: &'a [&'a dyn ToTokens],
}

impl Template<'_> {
    /// Up to the end of the text, or of the group.
    fn write(&mut self, output: &mut TokenStream) {
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            self.at += 1;
            match byte {
                b' ' | b'\n' => {}
                b'$' => {
                    let (part, rest) = self.parts.split_first().expect("a part for each gap");
                    part.to_tokens(output);
                    self.parts = rest;
                }
                b'(' => self.group(Delimiter::Parenthesis, output),
                b'[' => self.group(Delimiter::Bracket, output),
                b'{' => self.group(Delimiter::Brace, output),
                b')' | b']' | b'}' => return,
                b'"' => {
                    let end = self.run(|byte| byte != b'"');
                    let mut string = Literal::string(self.str(start + 1, end));
                    string.set_span(self.span);
                    output.append(TokenTree::Literal(string));
                    self.at += 1;
                }
                byte if is_word(byte) => {
                    let end = self.run(is_word);
                    output.append(TokenTree::Ident(Ident::new(self.str(start, end), self.span)));
                }
                byte => {
                    let is_joint = self.text.get(self.at).is_some_and(|&next| is_joint(next)) || byte == b'\'';
                    let mut punct = Punct::new(byte.into(), if is_joint { Spacing::Joint } else { Spacing::Alone });
                    punct.set_span(self.span);
                    output.append(TokenTree::Punct(punct));
                }
            }
        }
    }

    fn group(&mut self, delimiter: Delimiter, output: &mut TokenStream) {
        let mut inside = TokenStream::new();
        self.write(&mut inside);
        let mut group = Group::new(delimiter, inside);
        group.set_span(self.span);
        output.append(TokenTree::Group(group));
    }

    /// The end of a run of such bytes.
    fn run(&mut self, belongs: fn(u8) -> bool) -> usize {
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

/// Whether this may be the second half of `::`, `->` and the like.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b':' | b'>' | b'=')
}
