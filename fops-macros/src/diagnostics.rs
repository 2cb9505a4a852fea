//! What is said of mistakes: errors are recorded and expansion goes on, so that one build shows
//! all mistakes of a block.

use std::fmt;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

use crate::source::{Source, contains};

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<Diagnostic>,
}

/// Proof that an error was recorded: only [`Diagnostics`] and its [`Diagnostic`]s give it. What is missing for its sake is no error of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported(());

/// What a step comes to that has nothing to return: no mistake, or an error for each.
pub(crate) type Outcome = Result<(), Reported>;

/// One mistake, at the smallest piece of source that holds it.
pub(crate) struct Diagnostic {
    culprit: TokenStream,
    message: String,
}

impl Diagnostics {
    /// Records an error that underlines `culprit`.
    pub(crate) fn error(&mut self, culprit: &dyn ToTokens, message: fmt::Arguments<'_>) -> &mut Diagnostic {
        self.errors.push(Diagnostic { culprit: culprit.to_token_stream(), message: message.to_string() });
        self.errors.last_mut().expect("pushed just now")
    }

    /// Records an error at a span that no token at hand has.
    pub(crate) fn error_at(&mut self, span: Span, message: fmt::Arguments<'_>) -> &mut Diagnostic {
        self.error(&Ident::new("_", span), message)
    }

    /// What a step comes to that found a mistake which rustc reports.
    pub(crate) fn left_to_rustc<T>(&self) -> Result<T, Reported> {
        Err(Reported(()))
    }

    /// Records what syn has to say of source that it cannot parse.
    pub(crate) fn syntax(&mut self, error: syn::Error) -> Outcome {
        let mut outcome = Ok(());
        for error in error {
            outcome = self.error_at(error.span(), format_args!("{error}")).reported();
        }
        outcome
    }

    /// Records what darling has to say of options, in the words of this crate.
    pub(crate) fn options(&mut self, error: darling::Error) -> Outcome {
        let mut outcome = Ok(());
        for error in error.flatten() {
            let span = error.span();
            let text = syn::Error::from(error).to_string();
            let (message, help) = reword(&text);
            let diagnostic = self.error_at(span, format_args!("{message}"));
            if let Some(help) = help {
                diagnostic.help(format_args!("{help}"));
            }
            outcome = diagnostic.reported();
        }
        outcome
    }

    /// The output, followed by the errors as `compile_error!` items.
    pub(crate) fn follow(self, mut output: Source) -> TokenStream {
        for error in &self.errors {
            let error = syn::Error::new_spanned(&error.culprit, &error.message);
            output.0.extend(error.into_compile_error());
        }
        output.into_stream()
    }
}

impl Diagnostic {
    /// Adds the line to write instead.
    pub(crate) fn help(&mut self, line: fmt::Arguments<'_>) -> &mut Self {
        self.message.push_str(&format!("\nhelp: {line}"));
        self
    }

    /// What a step comes to that ends with this error.
    pub(crate) fn reported<T>(&self) -> Result<T, Reported> {
        Err(Reported(()))
    }
}

#[cfg(test)]
impl Diagnostics {
    /// What each error underlines, as it is written.
    pub(crate) fn culprits(&self) -> Vec<String> {
        self.errors.iter().map(Diagnostic::underlined).collect()
    }

    /// The line to write that each error offers: the first source of its help.
    pub(crate) fn offers(&self) -> Vec<String> {
        let offer = |error: &Diagnostic| {
            let help = error.message.split_once("\nhelp: ").map_or("", |(_, help)| help);
            help.split('`').nth(1).unwrap_or_default().to_owned()
        };
        self.errors.iter().map(offer).collect()
    }
}

#[cfg(test)]
impl Diagnostic {
    fn underlined(&self) -> String {
        let spans: Vec<Span> = self.culprit.clone().into_iter().map(|tree| tree.span()).collect();
        let (first, last) = (spans.first().expect("a culprit"), spans.last().expect("a culprit"));
        let all = first.join(*last).unwrap_or(*first);
        all.source_text().unwrap_or_else(|| "the attribute".into())
    }
}

/// darling's sentences in the style of rustc's: the message, then what to write.
fn reword(text: &str) -> (String, Option<String>) {
    if let Some(rest) = text.strip_prefix("Unknown field: ") {
        // "`name`", or "`name`. What there is."
        let name = rest.split('`').nth(1).unwrap_or_default();
        let advice = rest.get(name.len() + "``. ".len()..).unwrap_or_default();
        let help = if let Some(home) = home_of(name, advice) {
            Some(home.into())
        } else if let Some(right) = advice.strip_prefix("Did you mean ") {
            Some(format!("did you mean {right}"))
        } else {
            advice.strip_prefix("Available values: ").map(|all| format!("the options here are {all}"))
        };
        return (format!("unknown option `{name}`"), help);
    }
    if let Some(name) = text.strip_prefix("Duplicate field ") {
        return (format!("option {name} is given twice"), None);
    }
    if text.starts_with("Unexpected meta-item format") {
        let help = "options are words, such as `always` and `reason = \"..\"`";
        return ("expected an option, found a literal".into(), Some(help.into()));
    }
    (text.into(), None)
}

/// Where an option belongs that stands among those of the `advice`.
fn home_of(name: &str, advice: &str) -> Option<&'static str> {
    // darling lists the options where they are few: those of the block are not.
    let is_block = advice.is_empty();
    match name {
        "stop" | "wake" | "subdevs" | "escapes" if is_block => {
            Some("`unplug(stop = <method>, wake = <method>)` takes the hooks")
        }
        "guarded" | "always" if is_block => {
            Some("`#[fop(..)]` on a method sets its policy, `default = ..` that of unknown ones")
        }
        "unguarded" | "reason" | "polled" | "sleeps" | "brief" if is_block => {
            Some("it is an option of `#[fop(..)]` on a method")
        }
        "lifetime" | "unplug" | "resources" | "name" | "default" | "crate" if contains(advice, "`always`") => {
            Some("it is an option of `#[guarded_fops(..)]` on the impl block")
        }
        _ if is_block => Some(
            "the options here are `lifetime`, `via`, `not_found`, `unplugged`, `unplug`, `resources`, `name`, `subdev`, \
             `default` and `crate`",
        ),
        _ => None,
    }
}

/// Source as its author would have written it, for messages.
pub(crate) fn written(tokens: &dyn ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut output = String::new();
    for (at, char) in text.char_indices() {
        let follows_tight = matches!(output.as_bytes(), [.., b'<' | b'&' | b'(' | b'.'] | [.., b':', b':']);
        let rest = &text.as_bytes()[at + char.len_utf8()..];
        let precedes_tight = matches!(rest, [b'<' | b'>' | b',' | b';' | b'(' | b')' | b'.', ..] | [b':', b':', ..]);
        if char != ' ' || !(follows_tight || precedes_tight) {
            output.push_str(&text[at..at + char.len_utf8()]);
        }
    }
    output
}
