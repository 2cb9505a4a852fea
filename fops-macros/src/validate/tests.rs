//! Each rule by itself: what it underlines, the line that it offers, and what it lets pass.

use super::*;
use crate::tests::block;

mod sections;

/// What is expected of a rule: the pieces of source that it underlines.
type Culprits<'a> = &'a [&'a str];

/// Runs a rule. Its outcome has to fit its errors.
fn run(case: &str, expected: Culprits<'_>, rule: impl FnOnce(&mut Diagnostics) -> Outcome) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    let outcome = rule(&mut diagnostics);
    assert_eq!(diagnostics.culprits(), expected, "{case}");
    assert_eq!(outcome.is_err(), !expected.is_empty(), "{case}");
    diagnostics.offers()
}

/// A rule about a block: arguments, item, culprits.
fn of_block(rule: fn(&Block, &mut Diagnostics) -> Outcome, cases: &[(&str, &str, Culprits<'_>)]) {
    for (arguments, item, expected) in cases {
        let block = block(arguments, item);
        run(&format!("{arguments} {item}"), expected, |diagnostics| rule(&block, diagnostics));
    }
}

/// A rule about an op, at the one method of a block.
fn op(
    rule: fn(&Op, &mut Diagnostics) -> Outcome,
    arguments: &str,
    method: &str,
    expected: Culprits<'_>,
) -> Vec<String> {
    let block = block(arguments, &format!("impl X {{ {method} }}"));
    let method = &block.methods[0];
    let policy = method.policy(&block).unwrap_or(Policy::Guarded);
    run(&format!("{arguments} {}", method.ident), expected, |diagnostics| {
        rule(&Op { block: &block, method, policy }, diagnostics)
    })
}

/// The same with the usual options.
fn of_op(rule: fn(&Op, &mut Diagnostics) -> Outcome, cases: &[(&str, Culprits<'_>)]) {
    for (method, expected) in cases {
        op(rule, "lifetime = lifetime, default = guarded", method, expected);
    }
}

/// Likewise, with the line that the error offers.
fn offers(rule: fn(&Op, &mut Diagnostics) -> Outcome, cases: &[(&str, &str, &str)]) {
    for (method, culprit, offer) in cases {
        let offers = op(rule, "lifetime = lifetime, default = guarded", method, &[culprit]);
        assert_eq!(offers, [*offer], "{method}");
    }
}

#[test]
fn the_attribute_stands_once() {
    of_block(
        attribute_stands_once,
        &[
            ("", "#[doc = \"x\"] impl X {}", &[]),
            (
                "",
                "#[guarded_fops(a)] #[doc] #[b::guarded_fops] impl X {}",
                &["#[guarded_fops(a)]", "#[b::guarded_fops]"],
            ),
        ],
    );
}

#[test]
fn a_lifetime_is_given() {
    of_block(
        lifetime_is_given,
        &[
            ("", "impl X {}", &["the attribute"]),
            // It may be what could not be read.
            ("lifetime", "impl X {}", &[]),
            ("nonsense", "impl X {}", &[]),
            ("lifetime = lifetime", "impl X {}", &[]),
            ("lifetime = 0", "impl X {}", &[]),
            ("lifetime = 0u8", "impl X {}", &["0u8"]),
            ("lifetime = 1.5", "impl X {}", &["1.5"]),
            ("lifetime = \"a\"", "impl X {}", &["\"a\""]),
            ("lifetime = 'a', via = 0", "impl X {}", &["'a'", "0"]),
            ("lifetime = a, via = \"me\"", "impl X {}", &["\"me\""]),
            (
                "lifetime = a",
                "impl X { #[fop(via = \"me\")] fn f() {} #[fop(via = me)] fn g() {} #[fop(via = 1)] fn h() {} }",
                &["\"me\"", "1"],
            ),
        ],
    );
    let block = block("lifetime = \"a\", via = \"me\"", "impl X {}");
    let offers = run("strings", &["\"a\"", "\"me\""], |diagnostics| lifetime_is_given(&block, diagnostics));
    assert_eq!(offers, ["lifetime = a", "via = me"]);
}

#[test]
fn resources_have_a_type() {
    let (accessed, lent) =
        ("impl X { fn f(&self, #[access] hw: &Access<'_, Hw>) {} }", "impl X { fn f(&self, #[access] hw: &Hw) {} }");
    of_block(
        resources_are_known,
        &[
            ("lifetime = a, unplug", "impl X {}", &["unplug"]),
            ("lifetime = a, unplug()", "impl X { fn f(&self) {} }", &["unplug"]),
            ("lifetime = a, unplug", accessed, &[]),
            ("lifetime = a, unplug", lent, &["&Hw"]),
            ("lifetime = a, unplug, resources = Hw", lent, &[]),
            ("lifetime = a", lent, &[]),
            // What could not be read may have been it.
            ("lifetime = a, unplug, resources", lent, &[]),
            ("lifetime = a, unplug(stop)", lent, &[]),
        ],
    );
}

#[test]
fn unplug_is_of_the_device_that_self_is() {
    of_block(
        unplug_is_of_one_device,
        &[
            ("lifetime = a, via = self.find(), unplug()", "impl X {}", &["unplug"]),
            ("lifetime = a, via = me, unplug()", "impl X {}", &[]),
            ("lifetime = self.find(), not_found = 1, unplug()", "impl X {}", &["unplug"]),
            ("lifetime = a, via = self.find()", "impl X {}", &[]),
        ],
    );
}

#[test]
fn unplug_means_one_thing() {
    let methods = "impl X { fn f(&self) {} fn unplug(&self) {} }";
    of_block(
        unplug_is_one,
        &[
            ("lifetime = a, unplug", methods, &["unplug"]),
            ("lifetime = a", methods, &[]),
            ("lifetime = a, unplug", "impl X { fn unplugged(&self) {} }", &[]),
        ],
    );
}

#[test]
fn a_hook_is_no_operation() {
    let mut block =
        block("lifetime = a, unplug(stop = halt, wake = kick)", "impl X { fn halt(&self) {} fn f(&self) {} }");
    run("stop", &["halt"], |diagnostics| hooks_are_no_operations(&mut block, diagnostics));
    let hooks = block.unplug.as_ref().expect("it stays");
    assert!(hooks.stop.is_none() && hooks.wake.as_ref().is_some_and(|hook| hook.0 == "kick"));

    block.methods.clear();
    run("none", &[], |diagnostics| hooks_are_no_operations(&mut block, diagnostics));

    let mut both =
        crate::tests::block("lifetime = a, unplug(stop = f, wake = g)", "impl X { fn f(&self) {} fn g(&self) {} }");
    run("both", &["f", "g"], |diagnostics| hooks_are_no_operations(&mut both, diagnostics));
}

#[test]
fn not_found_answers_for_a_lookup() {
    of_block(
        lookup_can_fail,
        &[
            ("lifetime = a", "impl X {}", &[]),
            ("lifetime = a, not_found = Err(1)", "impl X { fn f(&self) {} }", &["Err(1)"]),
            ("lifetime = self.a, not_found = 1", "impl X {}", &["1"]),
            ("lifetime = self.a(), not_found = 1", "impl X {}", &[]),
            ("lifetime = a, via = me, not_found = 1", "impl X {}", &[]),
            ("lifetime = a, not_found = 1", "impl X { fn f(&self) {} #[fop(via = me)] fn g() {} }", &[]),
            ("lifetime = a, via, not_found = 1", "impl X {}", &[]),
        ],
    );
}

#[test]
fn every_method_has_a_policy() {
    let cases: &[(&str, &str, Culprits<'_>, &[&str])] = &[
        ("", "impl X { fn read(&self) {} }", &["read"], &["#[fop(guarded)]"]),
        ("", "impl X { async fn read(&self) {} }", &["read"], &["#[fop(guarded, polled)]"]),
        ("", "impl X { fn read(&self) -> impl Future<Output = u8> {} }", &["read"], &["#[fop(guarded, polled)]"]),
        ("", "impl X { #[fop(polled)] async fn read(&self) {} }", &["read"], &["#[fop(guarded, polled)]"]),
        ("", "impl FileOperations for X { fn read(&self) {} }", &[], &[]),
        ("default = guarded", "impl X { fn read(&self) {} }", &[], &[]),
        ("default = always", "impl X { fn close(&self) {} }", &["close"], &["#[fop(always)]"]),
        ("", "impl X { #[fop(guarded)] fn close(&self) {} }", &[], &[]),
        ("nonsense", "impl X { fn close(&self) {} }", &["close"], &["#[fop(always)]"]),
    ];
    for (arguments, item, expected, offered) in cases {
        let block = block(arguments, item);
        let offers = run(item, expected, |diagnostics| policy(&block, &block.methods[0], diagnostics).map(|_| ()));
        assert_eq!(offers, *offered, "{item}");
    }
    // What could not be read may have been the default.
    let unread = block("nonsense", "impl X { fn read(&self) {} }");
    let mut diagnostics = Diagnostics::default();
    assert!(policy(&unread, &unread.methods[0], &mut diagnostics).is_err() && diagnostics.culprits().is_empty());
}

#[test]
fn a_policy_is_one() {
    let cases: &[(&str, Culprits<'_>)] = &[
        ("fn f() {}", &[]),
        ("#[fop(guarded)] fn f() {}", &[]),
        ("#[fop(always, guarded)] fn f() {}", &["always"]),
        ("#[fop(unguarded, always, guarded)] fn f() {}", &["always", "unguarded"]),
    ];
    for (method, expected) in cases {
        let block = block("", &format!("impl X {{ {method} }}"));
        run(method, expected, |diagnostics| policy_is_one(&block.methods[0], diagnostics));
    }
}

#[test]
fn an_unguarded_operation_has_a_reason_and_no_other_has() {
    of_op(
        unguarded_has_reason,
        &[
            ("fn f(&self) {}", &[]),
            ("#[fop(guarded)] fn f(&self) {}", &[]),
            ("#[fop(unguarded)] fn f(&self) {}", &["unguarded"]),
            ("#[fop(unguarded, reason = \"\")] fn f(&self) {}", &["\"\""]),
            ("#[fop(unguarded, reason = \" \t\")] fn f(&self) {}", &["\" \t\""]),
            ("#[fop(unguarded, reason = \" x\")] fn f(&self) {}", &[]),
        ],
    );
    of_op(
        reason_has_unguarded,
        &[
            ("#[fop(unguarded, reason = \"x\")] fn f(&self) {}", &[]),
            ("#[fop(guarded, reason = \"x\")] fn f(&self) {}", &["\"x\""]),
            ("#[fop(reason = \"x\")] fn f(&self) {}", &["\"x\""]),
            ("#[fop(always)] fn f(&self) {}", &[]),
        ],
    );
}

#[test]
fn options_have_an_effect() {
    of_op(
        options_have_effect,
        &[
            ("#[fop(unplugged = 1, via = me, not_found = 2)] fn f(&self) {}", &[]),
            ("#[fop(always, unplugged = 1)] fn f(&self) {}", &["1"]),
            ("#[fop(always, via = me)] fn f(&self) {}", &[]),
            ("#[fop(always, not_found = 2)] fn f(&self) {}", &["2"]),
            ("#[fop(unguarded, unplugged = 1)] fn f(&self) {}", &["1"]),
            ("#[fop(unguarded, via = me)] fn f(&self) {}", &["me"]),
            ("#[fop(unguarded, not_found = 2)] fn f(&self) {}", &["2"]),
        ],
    );
}

#[test]
fn an_opaque_type_has_an_answer() {
    of_op(
        work::opaque_return_has_answer,
        &[
            ("#[fop(guarded)] fn f(&self) -> impl Iterator {}", &["impl Iterator"]),
            ("#[fop(guarded, unplugged = x)] fn f(&self) -> impl Iterator {}", &[]),
            ("#[fop(always)] fn f(&self) -> impl Iterator {}", &[]),
            ("#[fop(guarded, polled)] fn f(&self) -> impl Future<Output = u8> {}", &[]),
            ("#[fop(guarded)] fn f(&self) -> Vec<u8> {}", &[]),
            // Another rule asks first.
            ("fn f(&self) -> impl Iterator {}", &[]),
        ],
    );
    let answered = "lifetime = a, unplugged = x, default = guarded";
    op(work::opaque_return_has_answer, answered, "#[fop(guarded)] fn f(&self) -> impl Iterator {}", &[]);
}

/// No rule stops at an error, and an error in one method leaves the others.
#[test]
fn all_rules_see_all_operations() {
    let mut diagnostics = Diagnostics::default();
    let block = validate(
        block(
            "lifetime = \"a\", unplug, default = guarded",
            "impl X {
                const fn f(#[access] a: Option<&A>) {}
                #[fop(guarded, always)] const fn g() {}
                fn h(&self) {}
                fn close(&self) {}
                fn unplug(&self) {}
            }",
        ),
        &mut diagnostics,
    );
    assert_eq!(
        diagnostics.culprits(),
        ["\"a\"", "Option<&A>", "unplug", "Option<&A>", "f", "const", "always", "close"]
    );
    let outcomes: Vec<bool> = block.methods.iter().map(|method| method.outcome.is_ok()).collect();
    assert_eq!(outcomes, [false, false, true, false, true]);
}

#[test]
fn a_policy_outside_a_block_does_nothing() {
    run("alone", &["the attribute"], fop_is_in_a_block);
}
