//! What rules and expansion are told of a block and its methods.

use super::*;
use crate::tests::{block, tokens};

#[test]
fn names() {
    for (arguments, item, key, type_name) in [
        ("", "impl X {}", "X", "X"),
        ("", "impl a::X<u8> {}", "X", "X"),
        ("", "impl r#T for r#X {}", "T", "X"),
        ("", "impl<'a> b::T<'a> for (X) {}", "T", "X"),
        ("", "impl T for &X {}", "T", "&X"),
        ("", "impl [u8; 4] {}", "[u8; 4]", "[u8; 4]"),
        ("name = r#key", "impl T for fragment! { X } {}", "key", "X"),
    ] {
        let block = block(arguments, item);
        assert_eq!((block.key().as_str(), block.type_name().as_str()), (key, type_name), "{item}");
        let written = block.key_span().source_text().expect("it is written");
        assert!(written.trim_start_matches("r#") == key || key.starts_with(&written), "{written}");
    }
}

#[test]
fn the_type_of_the_resources() {
    let resources = |arguments: &str, methods: &str| {
        let resources = block(arguments, &format!("impl X {{ {methods} }}")).resources();
        resources.map(|ty| written(&ty))
    };
    for (methods, expected) in [
        ("fn f(&self) {}", None),
        ("fn f(&self, #[access] hw: &A) {}", None),
        ("fn f(&self, #[access] hw: &Other<A>) {}", None),
        ("fn f(&self, #[access] hw: &Access) {}", None),
        ("fn f(&self, #[access] hw: &Access<'_>) {}", None),
        ("fn f(&self, #[access] hw: &Access<'_, A>) {}", Some("A")),
        ("fn f(&self, #[access] hw: &x::OwnedAccess<A>) {}", Some("A")),
        ("fn f(&self, #[access] hw: fragment! { &Access<'_, Vec<A>> }) {}", Some("Vec<A>")),
        ("fn f(&self, #[access] hw: Option<&Access<'_, A>>) {}", Some("A")),
        ("fn f(&self, #[access] hw: &A) {} fn g(&self, #[access] hw: &Access<'_, B>) {}", Some("B")),
        // One that is there on a condition counts if there is no other.
        ("fn f(&self, #[cfg(x)] #[access] hw: &Access<'_, A>) {}", Some("A")),
        (
            "fn f(&self, #[cfg(x)] #[access] hw: &Access<'_, A>) {} fn g(&self, #[access] hw: &Access<'_, B>) {}",
            Some("B"),
        ),
        (
            "fn f(&self, #[cfg(x)] #[access] hw: &Access<'_, A>) {} fn g(&self, #[cfg(x)] #[access] hw: &Access<'_, B>) {}",
            Some("A"),
        ),
        ("fn f(&self, #[x] #[access] hw: &Access<'_, A>) {} fn g(&self, #[access] hw: &Access<'_, B>) {}", Some("A")),
    ] {
        assert_eq!(resources("", methods).as_deref(), expected, "{methods}");
        assert_eq!(resources("resources = C", methods).as_deref(), Some("C"), "{methods}");
    }
}

#[test]
fn where_the_lifetime_is() {
    for (arguments, is_global) in [
        ("", false),
        ("lifetime = a", false),
        ("lifetime = 0", false),
        ("lifetime = self.a", false),
        ("lifetime = crate::A", true),
        ("lifetime = fragment! { crate::A }", true),
        ("lifetime = find()", true),
        ("lifetime = find(self)", false),
    ] {
        assert_eq!(block(arguments, "impl X {}").options.lifetime_is_global(), is_global, "{arguments}");
    }
    for (arguments, looks_up) in [
        ("", false),
        ("via = me", false),
        ("via = self.find()", true),
        ("not_found = 1", true),
        ("lifetime = self.a()", false),
    ] {
        assert_eq!(block(arguments, "impl X {}").looks_up(), looks_up, "{arguments}");
    }
}

#[test]
fn own_options_come_first() {
    let text = |code: Option<&Code>| code.map(|code| code.source.to_token_stream().to_string());
    let given = block(
        "via = me, unplugged = a, not_found = b",
        "impl X { fn f(&self) {} fn g() {} #[fop(via = you, unplugged = c, not_found = d)] fn h(&self) {} }",
    );
    let [f, g, h] = &given.methods[..] else { panic!("three") };
    let all = |method: &Method| {
        [method.via(&given.options), method.unplugged(&given.options), method.not_found(&given.options)].map(text)
    };
    let some = |text: &str| Some(text.to_owned());
    // `via = me` is for methods without `self`.
    assert_eq!(all(f), [None, some("a"), some("b")]);
    assert_eq!(all(g), [some("me"), some("a"), some("b")]);
    assert_eq!(all(h), [some("you"), some("c"), some("d")]);
    let looked_up = block("via = self.find()", "impl X { fn f(&self) {} }");
    assert!(looked_up.methods[0].via(&looked_up.options).is_some());
    let none = block("", "impl X { fn f(&self) {} }");
    let (method, options) = (&none.methods[0], &none.options);
    assert!(
        method.via(options).is_none() && method.unplugged(options).is_none() && method.not_found(options).is_none()
    );
}

#[test]
fn policies() {
    let policy = |arguments: &str, item: &str| {
        let block = block(arguments, item);
        block.methods[0].policy(&block)
    };
    for (arguments, item, expected) in [
        ("", "impl X { #[fop(always)] fn close() {} }", Policy::Always),
        ("", "impl FileOperations for X { fn release() {} }", Policy::Always),
        ("", "impl FileOperations for X { fn r#read() {} }", Policy::Guarded),
        ("", "impl FileOperations for X { #[fop(unguarded)] fn read() {} }", Policy::Unguarded),
        ("name = FileOperations", "impl Fops for X { fn release() {} }", Policy::Always),
        ("default = always", "impl X { fn f() {} }", Policy::Always),
        ("default = always", "impl FileOperations for X { fn read() {} }", Policy::Guarded),
    ] {
        assert!(policy(arguments, item).is_ok_and(|policy| policy == expected), "{item}");
    }
    assert!(matches!(policy("", "impl X { fn read() {} }"), Err(NoPolicy::Unknown)));
    // A name means nothing without a trait.
    assert!(matches!(policy("name = FileOperations", "impl X { fn read() {} }"), Err(NoPolicy::Unknown)));
    assert!(matches!(policy("default = guarded", "impl X { fn close() {} }"), Err(NoPolicy::Release)));
}

#[test]
fn receivers() {
    let method = |method: &str| block("via = self.x()", &format!("impl X {{ {method} }}"));
    for (text, is_receiver, consumes) in [
        ("fn f(&self) {}", true, false),
        ("fn f(self: Arc<Self>) {}", true, false),
        ("fn f() {}", false, false),
        ("fn f(me: &Self) {}", false, false),
    ] {
        let block = method(text);
        let method = &block.methods[0];
        assert_eq!(
            (method.receiver().is_some(), method.consumes_device(&block.options)),
            (is_receiver, consumes),
            "{text}"
        );
    }
    for (arguments, text, consumes) in [
        ("", "fn f(self) {}", true),
        ("", "fn f(mut self) {}", true),
        ("", "fn f(&self) {}", false),
        ("", "fn f(self, #[access] hw: &A) {}", false),
        ("via = self.x()", "fn f(self) {}", false),
    ] {
        let block = block(arguments, &format!("impl X {{ {text} }}"));
        assert_eq!(block.methods[0].consumes_device(&block.options), consumes, "{arguments} {text}");
    }
}

#[test]
fn broken_parameters() {
    for (text, is_broken) in [
        ("fn f(&self, a: A) {}", false),
        ("unsafe extern \"C\" fn f(a: A, ...) {}", false),
        ("fn f(&self, a) {}", true),
        ("fn f(&self, #[access] a) {}", false),
        ("fn f(&self, ,) {}", false),
    ] {
        assert_eq!(block("", &format!("impl X {{ {text} }}")).methods[0].is_broken(), is_broken, "{text}");
    }
}

#[test]
fn values_and_places() {
    for (text, expected) in [
        ("a", false),
        ("a.b", false),
        ("a[0]", false),
        ("&a", false),
        ("*a", false),
        ("a!()", false),
        ("0", false),
        ("(a)", false),
        ("fragment! { a }", false),
        ("a()", true),
        ("a.b()", true),
        ("(a())", true),
        ("fragment! { a() }", true),
        ("{ a }", true),
        ("if a { b } else { c }", true),
    ] {
        let expression: Expr = syn::parse2(tokens(text)).expect("an expression");
        assert_eq!(makes_value(&expression), expected, "{text}");
    }
}

#[test]
fn plain_names() {
    for (text, expected) in [
        ("hw", Some("hw")),
        ("_hw", Some("_hw")),
        ("mut hw", Some("hw")),
        ("_", None),
        ("ref hw", None),
        ("(hw)", None),
        ("&hw", None),
        ("hw @ _", None),
        ("", None),
    ] {
        let name = plain_name(&Source::of(&tokens(text))).map(ToString::to_string);
        assert_eq!(name.as_deref(), expected, "{text}");
    }
}

#[test]
fn when_the_work_is_done() {
    let work = |method: &str| {
        let block = block("", &format!("impl X {{ {method} }}"));
        let method = &block.methods[0];
        let text = match Work::of(method) {
            Work::WithinCall => "within the call".to_owned(),
            Work::Async => "async".to_owned(),
            Work::Returned { boxed, output } => {
                let boxed = boxed.map_or("opaque".to_owned(), |path| written(&path));
                format!("{boxed} {}", output.map_or("unsaid".to_owned(), |output| written(&output)))
            }
        };
        (text, Work::is_of_future(method))
    };
    for (method, expected, is_of_future) in [
        ("fn f() -> u8 {}", "within the call", false),
        ("fn f() {}", "within the call", false),
        ("async fn f() {}", "within the call", true),
        ("#[fop(polled)] async fn f() -> u8 {}", "async", true),
        ("#[fop(guarded)] fn f() -> impl Future<Output = u8> {}", "within the call", true),
        ("#[fop(polled)] fn f() -> impl Future<Output = u8> {}", "opaque u8", true),
        ("#[fop(polled)] fn f() -> impl Send + a::Future<Output = Vec<u8>> + 'a {}", "opaque Vec<u8>", true),
        ("#[fop(polled)] fn f() -> impl Future<Other = u8, Output = V> {}", "opaque V", true),
        ("#[fop(polled)] fn f() -> impl Future {}", "opaque unsaid", true),
        ("#[fop(polled)] fn f() -> impl Iterator<Item = u8> {}", "within the call", false),
        ("#[fop(polled)] fn f() -> Pin<Box<dyn Future<Output = u8>>> {}", "Box u8", true),
        ("#[fop(polled)] fn f() -> a::Pin<b::Box<dyn Future<Output = u8> + Send>> {}", "b::Box u8", true),
        ("#[fop(polled)] fn f() -> fragment! { Pin<Box<dyn Future<Output = u8>>> } {}", "Box u8", true),
        ("#[fop(polled)] fn f() -> Pin<Box<dyn Future<Output = u8>>, A> {}", "within the call", false),
        ("#[fop(polled)] fn f() -> Pin<Box<u8>> {}", "within the call", false),
        ("#[fop(polled)] fn f() -> Pin<Arc<dyn Future<Output = u8>>> {}", "within the call", false),
        ("#[fop(polled)] fn f() -> Box<dyn Future<Output = u8>> {}", "within the call", false),
        ("#[fop(polled)] fn f() -> u8 {}", "within the call", false),
    ] {
        assert_eq!(work(method), (expected.to_owned(), is_of_future), "{method}");
    }
}
