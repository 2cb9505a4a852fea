//! What the expansion has to have, rule by rule. The snapshots show it as a whole.
use super::body::tail_parses;
use crate::source::trees;
use crate::tests::tokens;

fn squeezed(source: &str) -> String {
    source.split_whitespace().collect()
}

/// The expansion, without spaces.
fn expanded(arguments: &str, item: &str) -> String {
    squeezed(&crate::guard(tokens(arguments), tokens(item)).to_string())
}

/// The expansion of an operation of a device.
fn operation(arguments: &str, operation: &str) -> String {
    expanded(
        &format!("lifetime = lifetime, resources = R, default = guarded{arguments}"),
        &format!("impl Ops for Dev {{ {operation} }}"),
    )
}

#[track_caller]
fn has(expansion: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(expansion.contains(&squeezed(piece)), "no\n{}\nin\n{expansion}", squeezed(piece));
    }
}

#[test]
fn an_argument_whose_drop_may_run_code_is_bound_behind_the_section() {
    for (parameters, binding) in [
        ("a: A", "let a = a;"),
        ("mut a: A", "let mut a = a;"),
        ("_a: A", "let (_a,) = (_a,);"),
        ("a: A, n: u8, b: B", "let (a, b) = (a, b);"),
        ("_: A", "let (__arg1,) = (__arg1,);"),
        ("(a, mut b): A", "let (__arg1,) = (__arg1,); let (a, mut b) = __arg1;"),
        ("(a, ref b): A", "let (__arg1,) = (__arg1,); let (a, ref b) = __arg1;"),
        ("(a, ref mut b): A", "let (mut __arg1,) = (__arg1,); let (a, ref mut b) = __arg1;"),
        ("#[cfg(x)] a: A, b: B", "let b = b; #[cfg(x)] let a = a;"),
        ("#[cfg(x)] a: A", "#[cfg(x)] let a = a;"),
        ("a: (u8, A)", "let a = a;"),
        ("a: (A, u8)", "let a = a;"),
        ("a: [u8; 2]", "let a = a;"),
        ("a: u8::A", "let a = a;"),
        ("a: u8", ""),
        ("a: fragment! { u8 }", ""),
        ("a: &A", ""),
        ("a: *const A", ""),
        ("a: fn(A)", ""),
        ("a: unsafe fn(A)", ""),
        ("a: extern \"C\" fn(A)", ""),
        ("a: ()", ""),
        ("a: (u8, bool)", ""),
        ("a: (&A, (char,))", ""),
    ] {
        let expansion = operation("", &format!("fn read(&self, {parameters}) -> Result {{ body() }}"));
        has(&expansion, &[&format!("}}; {binding} {{ body() }}")]);
    }
    // Patterns and `mut` move from the signature.
    for (written, signature) in [
        ("n: u8, mut a: A", "n: u8, a: A"),
        ("(a, b): A, n: u8", "__arg1: A, n: u8"),
        ("n: u8, _: A", "n: u8, __arg2: A"),
    ] {
        let expansion = operation("", &format!("fn read(&self, {written}) -> Result {{ body() }}"));
        has(&expansion, &[&format!("fn read(&self, {signature}) -> Result {{")]);
    }
    // What leads to the device is borrowed by the section, and stays.
    let led = operation(", via = me", "fn read(me: Me, a: A) -> Result { body() }");
    has(&led, &["lifetime(&me.lifetime)", "}; let a = a; { body() }"]);
}

#[test]
fn the_answer_after_unplug_is_the_authors_or_the_types() {
    let allowed = "#[allow(unreachable_code, unused_braces, clippy::diverging_sub_expression)]";
    for (option, output, answer) in [
        ("()", "", "return;".to_owned()),
        ("(a, b)", "-> T", "return (a, b);".to_owned()),
        ("return 3", "-> u8", "return 3;".to_owned()),
        ("5", "-> u8", "return 5;".to_owned()),
        ("Err(Gone)", "-> T", "return Err(Gone);".to_owned()),
        ("gone()", "-> T", format!("{allowed} return gone();")),
        ("todo!()", "-> T", format!("{allowed} return todo!();")),
    ] {
        let expansion = operation(&format!(", unplugged = {option}"), &format!("fn read(&self) {output} {{ body() }}"));
        has(&expansion, &[&format!("else {{ {answer} }}; {{ body() }}")]);
    }
    // The type's answer depends on why the section is refused.
    for (output, ty) in [("", "()"), ("-> Result", "Result")] {
        let expansion = operation("", &format!("fn read(&self) {output} {{ body() }}"));
        let refused = format!("Err(__why) => return ::fops_runtime::__private::refused::<{ty}>(__why)");
        has(&expansion, &[&format!("::core::result::Result::{refused} }}; {{ body() }}")]);
    }
}

#[test]
fn what_is_returned_as_a_future_answers_for_its_outcome() {
    let polled = "#[fop(polled)] fn read(&self) -> Pin<Box<dyn Future<Output = u8>>> { body() }";
    has(&operation("", polled), &["__private::enter_owned(&self.lifetime, __op).await", "refused::<u8>(__why)"]);
}

#[test]
fn an_operation_that_takes_its_device_has_no_section() {
    let section = |this: &str| operation("", &format!("#[fop(always)] fn release({this}) {{ body() }}"));
    assert!(!section("self").contains("enter("));
    has(&section("&self"), &["DeviceLifetime::enter("]);
}

#[test]
fn an_access_is_lent_from_the_section_under_its_own_name() {
    for (parameter, guard, loan) in [
        ("#[access] hw: &Access<'_, R>", "hw", "let hw: &Access<'_, R> = &hw;"),
        ("#[access] _hw: &Access<'_, R>", "__guard", "let _hw: &Access<'_, R> = &__guard;"),
        ("#[access] #[cfg(x)] hw: &Access<'_, R>", "__guard", "#[cfg(x)] let hw: &Access<'_, R> = &__guard;"),
    ] {
        let guarded = operation("", &format!("fn read(&self, {parameter}) -> Result {{ body() }}"));
        has(&guarded, &[&format!("let {guard} = match"), &format!("}}; {loan} {{ body() }}")]);
    }
    let always = "#[fop(always)] fn read(&self, #[access] hw: Option<&Access<'_, R>>) -> Result { body() }";
    has(
        &operation("", always),
        &["let hw = ::fops_runtime::DeviceLifetime", ".ok(); let hw: Option<&Access<'_, R>> = hw.as_ref(); { body() }"],
    );
}

#[test]
fn a_device_that_is_looked_up_is_found_first_and_lent_too() {
    let lookup = ", via = find(ino), not_found = reply(ENXIO)";
    let both = "#[device] vin: &Vin, #[access] hw: &Access<'_, R>";
    let guarded = operation(lookup, &format!("fn read(ino: u64, {both}) -> Result {{ body() }}"));
    has(
        &guarded,
        &[
            "let ::core::option::Option::Some(vin) = find(ino) else {",
            "let hw = match",
            "lifetime(&vin.lifetime)",
            "let (hw, vin): (&Access<'_, R>, &Vin) = (&hw, &vin); { body() }",
        ],
    );
    for parameters in [
        "#[device] #[cfg(x)] vin: &Vin, #[access] hw: &Access<'_, R>",
        "#[device] vin: &Vin, #[access] #[cfg(x)] hw: &Access<'_, R>",
    ] {
        let expansion = operation(lookup, &format!("fn read(ino: u64, {parameters}) -> Result {{ body() }}"));
        has(&expansion, &["let hw: &Access<'_, R> = &", "let vin: &Vin = &"]);
    }
    let optional = "#[device] vin: Option<&Vin>, #[access] hw: Option<&Access<'_, R>>";
    let always = operation(lookup, &format!("#[fop(always)] fn read(ino: u64, {optional}) -> Result {{ body() }}"));
    has(
        &always,
        &[
            "let vin = find(ino);",
            "let hw = vin.as_ref().and_then(|vin|",
            "= (hw.as_ref(), vin.as_deref()); { body() }",
        ],
    );
    // A name leads there too: what is lent or may be missing is bound.
    let lent = operation(", via = me", "fn read(me: &Me, #[device] vin: &Vin) -> Result { body() }");
    has(&lent, &["let vin = me;", "lifetime(&vin.lifetime)"]);
    let missing = operation(", via = me, not_found = gone()", "fn read(me: Option<&Me>) -> Result { body() }");
    has(&missing, &["let ::core::option::Option::Some(__device) = me else {"]);
    let alone = operation(lookup, "fn read(ino: u64) -> Result { body() }");
    has(&alone, &["let ::core::option::Option::Some(__device) = find(ino) else {", "lifetime(&__device.lifetime)"]);
}

#[test]
fn the_lifetime_is_where_the_option_says() {
    let lifetime = |option: &str| {
        expanded(
            &format!("lifetime = {option}, resources = R, default = guarded"),
            "impl Ops for Dev { fn read(&self) -> Result { body() } }",
        )
    };
    for (option, place) in [
        ("lifetime", "self.lifetime"),
        ("0", "self.0"),
        ("self.inner.lifetime", "self.inner.lifetime"),
        ("self", "self"),
        ("crate::LIFETIME", "crate::LIFETIME"),
    ] {
        has(&lifetime(option), &[&format!("__private::lifetime(&{place}), __op)")]);
    }
    let made = ["let __lifetime = ::core::convert::identity(self.find());", "__private::lasting(&__lifetime)), __op)"];
    has(&lifetime("self.find()"), &made);
    assert!(!lifetime("\"lifetime\"").contains("DeviceLifetime::enter"));
    // Without a receiver, only a lifetime of the whole program is there.
    for (option, enters) in [("crate::LIFETIME", true), ("lifetime", false)] {
        let arguments = format!("lifetime = {option}, resources = R, default = guarded");
        let expansion = expanded(&arguments, "impl Ops for Dev { fn read() -> Result { body() } }");
        assert_eq!(expansion.contains("DeviceLifetime::enter"), enters, "{expansion}");
    }
}

#[test]
fn only_the_runtimes_traits_are_claimed() {
    for (trait_, claim) in [
        ("FileOperations", Some("GuardsFileOperations")),
        ("a::SubdevOperations", Some("GuardsSubdevOperations")),
        ("Ops", None),
    ] {
        let item = format!("impl {trait_} for Dev {{ fn read(&self) -> Result {{ body() }} }}");
        let expansion = expanded("lifetime = lifetime, resources = R, default = guarded", &item);
        assert_eq!(expansion.contains("Guards"), claim.is_some(), "{expansion}");
        has(&expansion, claim.as_slice());
    }
}

#[test]
fn a_body_that_wants_more_at_its_brace_is_told_from_one_that_is_done() {
    let parses = |body: &str| tail_parses(&trees(body.parse().expect("tokens")));
    for done in ["", "x", "x?", "f(let)", "a; b", "let a = 1;", "if a { let } else { b }", "x as u8", "loop { let } y"]
    {
        assert!(parses(done), "{done}");
    }
    for half in
        ["x +", "x as", "let a = 1", "if a", "if a { 1 } else", "x; y as", "loop {} y as", "x = match", "{ let } a as"]
    {
        assert!(!parses(half), "{half}");
    }
}
