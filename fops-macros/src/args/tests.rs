//! Options: what is read of a list, and what is underlined of one that is wrong.

use super::*;
use crate::tests::tokens;

/// Reads options. Returns what is underlined, which has to fit the outcome.
fn slips(options: &mut dyn Options, list: &str) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    let outcome = read(options, tokens(list), &mut diagnostics);
    assert_eq!(outcome.is_err(), !diagnostics.culprits().is_empty(), "{list}");
    diagnostics.culprits()
}

/// The same, with the line that each error offers.
fn offers(options: &mut dyn Options, list: &str) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    let _ = read(options, tokens(list), &mut diagnostics);
    diagnostics.offers()
}

fn block_options(list: &str) -> BlockOptions {
    let mut options = BlockOptions::default();
    assert_eq!(slips(&mut options, list), [""; 0], "{list}");
    options
}

#[test]
fn all_options_of_a_block() {
    let options = block_options(
        "lifetime = self.a, via = me, not_found = 1, unplugged = x(), unplug(stop = a), resources = Hw::<u8>, name = r#key,
         subdev, default = always, crate = a::b,",
    );
    assert!(options.lifetime.is_some_and(|code| code.mentions_self));
    assert!(options.via.is_some_and(|code| !code.mentions_self));
    assert!(options.not_found.is_some() && options.unplugged.is_some() && options.resources.0.is_some());
    assert_eq!(options.unplug.expect("it is asked for").hooks.to_string(), "stop = a");
    assert_eq!(options.name.expect("it has one").0, "r#key");
    assert!(options.subdev.0.is_some() && options.runtime.0.is_some());
    assert_eq!(options.default.expect("it has one").0, Policy::Always);

    let options = block_options("default = guarded, resources = Vec<u8>, unplug");
    assert_eq!(options.default.expect("it has one").0, Policy::Guarded);
    assert!(options.resources.0.is_some());
    assert!(options.unplug.expect("it is asked for").hooks.is_empty());
    assert!(options.subdev.0.is_none() && options.runtime.0.is_none() && options.name.is_none());
}

#[test]
fn hooks_and_subdevs() {
    let mut hooks = UnplugHooks::default();
    assert_eq!(slips(&mut hooks, "stop = halt, wake = kick, subdevs(a = A, b = Vec<u8>)"), [""; 0]);
    assert!(hooks.stop.is_some_and(|hook| hook.0 == "halt") && hooks.wake.is_some_and(|hook| hook.0 == "kick"));
    let fields: Vec<String> = hooks.subdevs.0.iter().map(|(field, _)| field.to_string()).collect();
    assert_eq!(fields, ["a", "b"]);

    for (list, culprit) in [
        ("stop = \"halt\"", "\"halt\""),
        ("stop = self", "self"),
        ("wake = Self", "Self"),
        ("wake = crate", "crate"),
        ("stop = super", "super"),
        ("stop = a::b", "a::b"),
        ("stop = <A as B>::c", "<A as B>::c"),
        ("stop(halt)", "stop"),
        ("subdevs(a)", "a"),
        ("subdevs(a = A b = B)", "b"),
        ("subdevs = a", "a"),
    ] {
        assert_eq!(slips(&mut UnplugHooks::default(), list), [culprit], "{list}");
    }
}

#[test]
fn options_of_a_method() {
    let mut options = FopOptions::default();
    assert_eq!(
        slips(&mut options, "unguarded, reason = \"x\", via = a, not_found = b, unplugged = c, polled"),
        [""; 0]
    );
    assert!(options.via.is_some() && options.not_found.is_some() && options.unplugged.is_some());
    assert!(options.polled.0.is_some() && options.reason.as_ref().is_some_and(|reason| reason.0.value() == "x"));
    let policies = |options: &FopOptions| options.policies().map(|word| word.0.is_some());
    assert_eq!(policies(&options), [false, false, true]);
    assert!(matches!(options.policy(), Some((Policy::Unguarded, _))));
    assert!(FopOptions::default().policy().is_none());
    let mut options = FopOptions::default();
    assert_eq!(slips(&mut options, "unguarded, always, guarded"), [""; 0]);
    assert_eq!(policies(&options), [true; 3]);
    assert!(matches!(options.policy(), Some((Policy::Guarded, _))));
}

#[test]
fn values_of_another_kind() {
    for (list, culprit, offer) in [
        ("lifetime", "lifetime", ""),
        ("lifetime(a)", "lifetime", ""),
        ("via", "via", ""),
        ("unplug = a", "a", ""),
        ("resources", "resources", ""),
        ("resources = \"Hw\"", "\"Hw\"", "resources = Hw"),
        ("resources = 5 +", "5 +", ""),
        ("name = \"key\"", "\"key\"", "name = key"),
        ("name = \"\"", "\"\"", ""),
        ("name = a::b", "a::b", ""),
        ("name = <A>::b", "<A>::b", ""),
        ("name", "name", ""),
        ("crate = \"a\"", "\"a\"", "crate = a"),
        ("crate = <A>::b", "<A>::b", ""),
        ("subdev = true", "true", ""),
        ("default = \"guarded\"", "\"guarded\"", "default = guarded"),
        ("default = \"always\"", "\"always\"", "default = always"),
        ("default = \"other\"", "\"other\"", ""),
        ("default = other", "other", ""),
        ("default = unguarded", "unguarded", "#[fop(unguarded, reason = \"..\")]"),
    ] {
        assert_eq!(slips(&mut BlockOptions::default(), list), [culprit], "{list}");
        assert_eq!(offers(&mut BlockOptions::default(), list), [offer], "{list}");
    }
    for (list, culprit, offer) in [
        ("reason = 5", "5", ""),
        ("reason", "reason", ""),
        ("guarded = true", "true", ""),
        ("unguarded = \"x\"", "\"x\"", "unguarded, reason = \"..\""),
        ("always(x)", "always", ""),
    ] {
        assert_eq!(slips(&mut FopOptions::default(), list), [culprit], "{list}");
        assert_eq!(offers(&mut FopOptions::default(), list), [offer], "{list}");
    }
}

#[test]
fn a_slip_costs_one_option() {
    // The list, what is underlined, and whether the `lifetime` and the `name` in it are read.
    for (list, culprits, lifetime, name) in [
        ("lifetime = a, name = b", &[][..], true, true),
        ("lifetime = a name = b", &["name"], true, true),
        ("lifetime: a, name = b", &[":"], false, true),
        ("5 x, lifetime = a, name = b", &["x"], true, true),
        ("lifetime = a, ::, name = b", &[":"], true, true),
        ("lifetime = a, default = always name(b), name = b", &["name", "name", "name = b"], true, false),
        ("lifetime = , name = b", &["lifetime"], false, true),
        ("lifetime = a, lifetime = c, name = b", &["lifetime = c"], true, true),
        ("lifetime = self., name = b", &[","], false, true),
    ] {
        let mut options = BlockOptions::default();
        assert_eq!(slips(&mut options, list), culprits, "{list}");
        assert_eq!((options.lifetime.is_some(), options.name.is_some()), (lifetime, name), "{list}");
    }
}

#[test]
fn unknown_options_have_a_home() {
    let of_block = |list| (slips(&mut BlockOptions::default(), list), offers(&mut BlockOptions::default(), list));
    let of_unplug = |list| (slips(&mut UnplugHooks::default(), list), offers(&mut UnplugHooks::default(), list));
    let of_method = |list| (slips(&mut FopOptions::default(), list), offers(&mut FopOptions::default(), list));
    let one = |culprit: &str, offer: &str| (vec![culprit.to_owned()], vec![offer.to_owned()]);
    assert_eq!(of_block("lifetyme = a"), one("lifetyme = a", "lifetime"));
    assert_eq!(of_block("stop = a"), one("stop = a", "unplug(stop = <method>, wake = <method>)"));
    assert_eq!(of_block("guarded"), one("guarded", "#[fop(..)]"));
    assert_eq!(of_block("reason = \"x\""), one("reason = \"x\"", "#[fop(..)]"));
    assert_eq!(of_block("xyz"), one("xyz", "lifetime"));
    assert_eq!(of_method("lifetime = a"), one("lifetime = a", "#[guarded_fops(..)]"));
    assert_eq!(of_method("stop = a"), one("stop = a", "always"));
    assert_eq!(of_unplug("reason = a"), one("reason = a", "escapes"));
    assert_eq!(of_method("xyz"), one("xyz", "always"));
    assert_eq!(of_unplug("xyz"), one("xyz", "escapes"));
    assert_eq!(of_unplug("lifetime = a"), one("lifetime = a", "escapes"));
    assert_eq!(of_unplug("guarded"), one("guarded", "escapes"));
    assert_eq!(of_unplug("stopp = a"), one("stopp = a", "stop"));
    assert_eq!(of_block("\"xyz\"").0, ["\"xyz\""]);
}

/// What a macro was given stands in groups: for an option, for several, for a value.
#[test]
fn options_from_macros() {
    let options =
        block_options("fragment! { lifetime = a }, name = fragment! { b }, fragment! { fragment! { subdev } }");
    assert!(options.lifetime.is_some() && options.subdev.0.is_some());
    assert_eq!(options.name.expect("it has one").0, "b");
    let options = block_options("fragment! { lifetime = a, subdev }, default = fragment! { guarded }");
    assert!(options.lifetime.is_some() && options.subdev.0.is_some() && options.default.is_some());
    // Another group is no option, and a fragment in a value stays in its place.
    assert_eq!(slips(&mut BlockOptions::default(), "(subdev)").len(), 1);
    let options = block_options("lifetime = a + fragment! { b + c }");
    assert_eq!(options.lifetime.expect("it is given").source.0.len(), 3);
}
