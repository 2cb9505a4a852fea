//! An attribute after the kernel's `#[vtable]`: it says as constants which methods of a trait an impl has.
use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// For each method: `const HAS_READ: bool = false;` in a trait, `true` in an impl of it.
#[proc_macro_attribute]
pub fn vtable(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let is_trait = tokens.iter().any(|tree| tree.to_string() == "trait");
    let Some(TokenTree::Group(body)) = tokens.pop() else {
        return "compile_error!(\"`#[vtable]` is for traits and impls\");".parse().unwrap_or_default();
    };
    let mut content: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut constants = TokenStream::new();
    for pair in content.windows(2) {
        if pair[0].to_string() == "fn" {
            let name = pair[1].to_string().to_uppercase();
            let constant = format!("#[allow(missing_docs)] const HAS_{name}: bool = {};", !is_trait);
            constants.extend(constant.parse::<TokenStream>().unwrap_or_default());
        }
    }
    content.extend(constants);
    tokens.push(Group::new(Delimiter::Brace, content.into_iter().collect()).into());
    tokens.into_iter().collect()
}
