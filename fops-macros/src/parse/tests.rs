//! How an item is taken apart, and what is underlined of one that is wrong.

use super::*;
use crate::{
    model::{InputKind, Parameter},
    tests::{read, tokens},
};

/// Without its spaces: where proc-macro2 writes some is its own affair.
fn text(tokens: &dyn ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

/// What is underlined of the items of a block.
fn slips(items: &str) -> Vec<String> {
    read("", &format!("impl X {{ {items} }}")).1.culprits()
}

/// What is underlined of something that is no block.
fn no_block(item: &str) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    assert!(parse(tokens(""), tokens(item), &mut diagnostics).is_err(), "{item}");
    diagnostics.culprits()
}

#[test]
fn the_attribute_is_on_an_impl() {
    for (item, culprit) in [
        ("pub struct X { a: u8 }", "struct"),
        ("enum X {}", "enum"),
        ("union X { a: u8 }", "union"),
        ("trait X {}", "trait"),
        ("pub fn x() {}", "fn"),
        ("mod x {}", "mod"),
        ("static X: u8 = { 1 };", "static"),
        ("impl {}", "{"),
        ("impl X { } ;", ";"),
    ] {
        assert_eq!(no_block(item), [culprit], "{item}");
    }
    // Not all of it is the block, or in another group.
    for item in ["fn f() fragment! { impl X {} }", "(impl X {})", "impl X [Y {}]"] {
        assert_eq!(no_block(item).len(), 1, "{item}");
    }
    let (block, _) = read("", "fragment! { #[a] unsafe impl<'a> b::T<'a> for X where X: Sync { fn f(&self) {} } }");
    assert_eq!(text(&block.header), "unsafeimpl<'a>b::T<'a>forXwhereX:Sync");
    assert_eq!((block.attributes.len(), block.methods.len()), (1, 1));
    assert_eq!(block.trait_.map(|path| text(&path)).as_deref(), Some("b::T<'a>"));
}

#[test]
fn a_method_is_taken_apart() {
    let (block, diagnostics) = read(
        "",
        "impl X {
            #![inner]
            const A: u8 = { 1 };
            #[cfg(x)]
            pub(crate) const unsafe extern \"C\" fn f<T: Fn() -> u8>(&self, #[access] (hw): &A, b: [u8; 2], #[device] d: &D) -> Result<T> where T: Copy { a b }
            type B<'b> = &'b u8 where Self: 'b;
            async fn g() {}
            fragment! { #[b] fn h() -> fragment! { u8 } fragment! { {} } }
            const C: u8 = 1;
        }",
    );
    assert_eq!(diagnostics.culprits(), [""; 0]);
    let [f, g, h] = &block.methods[..] else { panic!("three methods") };
    assert_eq!(text(&f.before), "#![inner]constA:u8={1};");
    assert_eq!((f.attributes.len(), f.name().as_str()), (1, "f"));
    assert_eq!(text(&f.qualifiers), "pub(crate)constunsafeextern\"C\"fn");
    assert_eq!((f.constness.is_some(), f.asyncness.is_some()), (true, false));
    assert_eq!((g.constness.is_some(), g.asyncness.is_some()), (false, true));
    assert_eq!(text(&f.generics), "<T:Fn()->u8>");
    assert_eq!((text(&f.arrow), text(&f.output)), ("->".into(), "Result<T>".into()));
    assert_eq!(text(&f.where_clause), "whereT:Copy");
    assert_eq!(text(&f.body), "{ab}");
    let parts = |parameters: &[Parameter]| {
        let [one] = parameters else { panic!("one parameter") };
        (text(&one.pattern), text(&one.ty), one.attributes.len())
    };
    assert_eq!(parts(&f.access), ("(hw)".into(), "&A".into(), 0));
    assert_eq!(parts(&f.device), ("d".into(), "&D".into(), 0));
    let inputs: Vec<bool> = f.inputs.iter().map(|input| matches!(input.kind, InputKind::Receiver(_))).collect();
    assert_eq!(inputs, [true, false]);
    assert_eq!(text(&g.before), "typeB<'b>=&'bu8whereSelf:'b;");
    assert_eq!((text(&g.arrow), text(&g.output), text(&g.where_clause)), (String::new(), String::new(), String::new()));
    assert_eq!((h.attributes.len(), text(&h.output), text(&h.body)), (1, "u8".into(), "{}".into()));
    assert_eq!(text(&block.rest), "constC:u8=1;");
    assert!(block.methods.iter().all(|method| method.outcome.is_ok()));
}

/// What is half-typed goes on to rustc as it is.
#[test]
fn half_an_arrow_is_none() {
    for output in ["- u8", "> u8", "u8"] {
        let (block, _) = read("", &format!("impl X {{ fn f() {output} {{}} }}"));
        let method = &block.methods[0];
        assert_eq!((text(&method.arrow), text(&method.output)), (output.replace(' ', ""), String::new()));
    }
}

#[test]
fn receivers_in_all_forms() {
    for (parameter, is_receiver, is_by_value) in [
        ("self", true, true),
        ("mut self", true, true),
        ("&self", true, false),
        ("&mut self", true, false),
        ("&'a self", true, false),
        ("&'a mut self", true, false),
        ("self: &Self", true, false),
        ("self: Arc<Self>", true, false),
        ("mut self: Box<Self>", true, false),
        ("fragment! { &self }", true, false),
        ("&fragment! { 'a } self", true, false),
        ("fragment! { self }", true, true),
        ("#[a] &self", true, false),
        ("me: &Self", false, false),
        ("self::A(b): self::A", false, false),
        ("mut me: Self", false, false),
        ("Self { a }: Self", false, false),
    ] {
        let (block, _) = read("", &format!("impl X {{ fn f({parameter}) {{}} }}"));
        let found = block.methods[0].receiver().map(|receiver| receiver.is_by_value);
        assert_eq!(found, is_receiver.then_some(is_by_value), "{parameter}");
    }
}

#[test]
fn parameters_in_all_forms() {
    for (parameter, pattern, ty) in [
        ("a: A", "a", "A"),
        ("mut a: a::A", "muta", "a::A"),
        ("a::B(c): a::B", "a::B(c)", "a::B"),
        ("B::<d>::C(c): a::B<c, d>", "B::<d>::C(c)", "a::B<c,d>"),
        ("a: fragment! { A<b> }", "a", "A<b>"),
        ("fragment! { a }: A", "a", "A"),
        ("fragment! { #[b] a }: A", "a", "A"),
        ("a: A<B>", "a", "A<B>"),
        ("a: !", "a", "!"),
    ] {
        let (block, _) = read("", &format!("impl X {{ fn f({parameter}) {{}} }}"));
        let InputKind::Parameter(found) = &block.methods[0].inputs[0].kind else { panic!("{parameter}") };
        assert_eq!((text(&found.pattern), text(&found.ty)), (pattern.into(), ty.into()), "{parameter}");
    }
    // Half-typed: not passed on, or as it is.
    for (parameter, passed_on) in
        [("a: ", ""), ("a: &", ""), ("a: a::", ""), ("#[b] a", ""), ("a", "a"), ("...", "...")]
    {
        let (block, _) = read("", &format!("impl X {{ fn f({parameter}) {{}} }}"));
        let InputKind::Other(found) = &block.methods[0].inputs[0].kind else { panic!("{parameter}") };
        assert_eq!(text(found), passed_on, "{parameter}");
    }
}

#[test]
fn attributes_of_ours_out_of_place() {
    for (items, culprits) in [
        ("fn f(&self) {}", &[][..]),
        ("#[fop(guarded)] #[a::fop(always)] fn f(&self) {}", &["#[a::fop(always)]"]),
        ("#[fop] fn f(&self) {}", &["fop"]),
        ("#[fop()] fn f(&self) {}", &["fop()"]),
        ("#[fop = 1] fn f(&self) {}", &["fop = 1"]),
        ("#[access] fn f(&self) {}", &["#[access]"]),
        ("#[device] #[x] #[access] fn f(&self) {}", &["#[device]", "#[access]"]),
        ("fn f(#[access] &self) {}", &["#[access]"]),
        ("fn f(#[device] &self) {}", &["#[device]"]),
        ("fn f(#[fop(guarded)] &self) {}", &["#[fop(guarded)]"]),
        ("fn f(&self, #[fop(guarded)] a: A) {}", &["#[fop(guarded)]"]),
        ("fn f(&self, #[access] #[b] #[access] a: A) {}", &["#[access]"]),
        ("fn f(&self, #[access] #[device] a: A) {}", &["#[device]"]),
        ("#[fop(guarded)] const A: u8 = 1;", &["#[fop(guarded)]"]),
        ("#[access] type A = u8;", &["#[access]"]),
        ("#[cfg_attr(x, fop(always))] fn f(&self) {}", &["#[cfg_attr(x, fop(always))]"]),
        ("#[cfg_attr(x, a::fop(always))] fn f(&self) {}", &["#[cfg_attr(x, a::fop(always))]"]),
        ("#[cfg_attr(x, doc = \"a\", fop)] fn f(&self) {}", &["#[cfg_attr(x, doc = \"a\", fop)]"]),
        ("#[cfg_attr(x, fop, doc)] fn f(&self) {}", &["#[cfg_attr(x, fop, doc)]"]),
        ("fn f(#[cfg_attr(x, access)] &self) {}", &["#[cfg_attr(x, access)]"]),
        ("fn f(&self, #[cfg_attr(x, access)] a: A) {}", &["#[cfg_attr(x, access)]"]),
        ("#[cfg_attr(fop, inline)] fn f(&self) {}", &[]),
        ("#[cfg_attr(x, doc = fop)] fn f(&self) {}", &[]),
        ("#[cfg_attr(x, fop::doc)] fn f(&self) {}", &[]),
        ("#[other(x, fop)] fn f(&self) {}", &[]),
    ] {
        assert_eq!(slips(items), culprits, "{items}");
        let (block, _) = read("", &format!("impl X {{ {items} }}"));
        for method in &block.methods {
            assert_eq!(method.outcome.is_err(), !culprits.is_empty(), "{items}");
        }
        // None of them is passed on.
        let passed_on =
            block.methods.iter().flat_map(|method| &method.attributes).map(|attribute| attribute.name.clone());
        assert!(!passed_on.clone().any(|name| HELPERS.contains(&name.as_str())), "{items}");
        assert!(!text(&block.rest).contains("fop"), "{items}");
    }
}

#[test]
fn marks_out_of_place_are_told_where_they_belong() {
    for (items, offer) in [
        ("#[access] fn f(&self) {}", "fn operation(&self, #[access] access: &<Type>, ..)"),
        ("#[device] fn f(&self) {}", "fn operation(&self, #[device] device: &<Type>, ..)"),
        ("fn f(#[access] &self) {}", "#[access] hw: &Access<'_, ..>"),
        ("fn f(#[device] &self) {}", "#[device] device: &<Type>"),
    ] {
        assert_eq!(read("", &format!("impl X {{ {items} }}")).1.offers(), [offer], "{items}");
    }
}

#[test]
fn items_that_are_no_methods() {
    for (items, culprits) in [
        ("operations! { a, b } fn f() {}", &["operations"][..]),
        ("a::operations!(x); fn f() {}", &["a::operations"]),
        ("::a::operations![x]; fn f() {}", &["::a::operations"]),
        ("default! { x } fn f() {}", &["default"]),
        ("extern! { x } fn f() {}", &["extern"]),
        ("nonsense fn f() {}", &["nonsense fn f() {}"]),
        ("nonsense; fn f() {}", &[]),
        ("\"C\" fn f() {}", &["\"C\" fn f() {}"]),
        ("(x) fn f() {}", &["(x) fn f() {}"]),
        ("pub [x] fn f() {}", &["pub [x] fn f() {}"]),
        ("pub {x} fn f() {}", &[]),
        ("! fn f() {}", &["! fn f() {}"]),
        ("fn f(); fn g() {}", &[]),
        ("pub const A: fn() = { x };", &[]),
    ] {
        assert_eq!(slips(items), culprits, "{items}");
    }
    let (block, _) =
        read("", "impl X { fn f(); default fn g() {} nonsense; safe fn h() {} const A: u8 = { 1 }; pub fn i() {} }");
    let names: Vec<String> = block.methods.iter().map(Method::name).collect();
    assert_eq!(names, ["g", "h", "i"]);
    assert_eq!(text(&block.methods[0].before), "fnf();");
}

#[test]
fn what_is_not_read_is_passed_on_without_our_attributes() {
    let kept = without_helpers(tokens("#[a] #[access] b { #[fop(x)] c (#[device] #[d] e) } #[x::fop] f"));
    assert_eq!(text(&kept), text(&tokens("#[a] b { c (#[d] e) } f")));
}

#[test]
fn an_attribute_with_a_value_is_left_to_rustc() {
    for (attribute, expected) in [
        ("#[guarded_fops = x]", true),
        ("#[guarded_fops = f(x)]", true),
        ("#[guarded_fops(lifetime = x)]", false),
        ("#[guarded_fops]", false),
        ("", false),
    ] {
        assert_eq!(is_key_value(attribute), expected, "{attribute}");
    }
}

#[test]
fn options_of_unplug_are_read() {
    let (block, diagnostics) = read("lifetime = a, unplug(stop = halt, stopp = x)", "impl X {}");
    assert!(block.options_read.is_err() && diagnostics.culprits().len() == 1);
    assert!(block.unplug.is_some_and(|hooks| hooks.stop.is_some()));
    let (block, _) = read("lifetime = a", "impl X {}");
    assert!(block.options_read.is_ok() && block.unplug.is_none());
    let (block, _) = read("lifetime = a, unplug", "impl X {}");
    assert!(block.options_read.is_ok() && block.unplug.is_some());
}
