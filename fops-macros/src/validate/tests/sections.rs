//! The rules of sections: what an access, a device and an answer have to do with them.
use super::*;

#[test]
fn a_section_can_open() {
    of_op(
        section_can_open,
        &[
            ("fn f(&self) {}", &[]),
            ("#[fop(via = me)] fn f(me: &X) {}", &[]),
            ("#[fop(unguarded)] fn f() {}", &[]),
            ("#[fop(always)] fn f() {}", &["f"]),
        ],
    );
    offers(
        section_can_open,
        &[
            ("fn f() {}", "f", "#[fop(via = <parameter>)]"),
            ("fn f((a, b): T, me: &X, other: u8) {}", "f", "#[fop(via = me)]"),
        ],
    );
    op(section_can_open, "lifetime = crate::DEVICE, default = guarded", "fn f() {}", &[]);
    op(section_can_open, "lifetime = a, via = me, default = guarded", "fn f() {}", &[]);
}

#[test]
fn an_access_fits_its_policy() {
    of_op(
        lent::access_fits_policy,
        &[
            ("fn f(&self) {}", &[]),
            ("fn f(&self, #[access] hw: &A) {}", &[]),
            ("fn f(&self, #[access] hw: Other<A>) {}", &[]),
            ("fn f(&self, #[access] hw: Option<&A>) {}", &["Option<&A>"]),
            ("#[fop(always)] fn f(&self, #[access] hw: Option<&A>) {}", &[]),
            ("#[fop(always)] fn f(&self, #[access] hw: (core::option::Option<&A>)) {}", &[]),
            ("#[fop(unguarded)] fn f(&self, #[access] hw: &A) {}", &["hw"]),
            ("#[fop(unguarded)] fn f(&self, #[access] hw: &mut A) {}", &["hw"]),
        ],
    );
    offers(
        lent::access_fits_policy,
        &[
            ("#[fop(always)] fn f(&self, #[access] hw: &Access<'_, A>) {}", "&Access<'_, A>", "Option<&Access<'_, A>>"),
            // An access is lent, and shared.
            ("fn f(&self, #[access] hw: Access<'_, A>) {}", "Access<'_, A>", "&Access<'_, A>"),
            ("fn f(&self, #[access] hw: x::OwnedAccess<A>) {}", "x::OwnedAccess<A>", "&x::OwnedAccess<A>"),
            ("fn f(&self, #[access] hw: &mut A) {}", "&mut A", "&A"),
            ("fn f<'a>(&self, #[access] hw: &'a mut A) {}", "&'a mut A", "&'a A"),
            ("#[fop(always)] fn f(&self, #[access] hw: Option<&mut A>) {}", "Option<&mut A>", "Option<&A>"),
            (
                "#[fop(always)] fn f(&self, #[access] hw: Option<Access<'_, A>>) {}",
                "Option<Access<'_, A>>",
                "Option<&Access<'_, A>>",
            ),
        ],
    );
}

#[test]
fn an_access_fits_the_work() {
    of_op(
        lent::access_fits_work,
        &[
            ("fn f(&self) {}", &[]),
            ("fn f(&self, #[access] hw: &Access<'_, A>) {}", &[]),
            ("fn f(&self, #[access] hw: &OwnedAccess<A>) {}", &["&OwnedAccess<A>"]),
            ("#[fop(polled)] async fn f(&self, #[access] hw: &OwnedAccess<A>) {}", &[]),
            ("#[fop(polled)] async fn f(&self, #[access] hw: &Access<'_, A>) {}", &["&Access<'_, A>"]),
            ("#[fop(polled)] fn f<'async_trait>(&self, #[access] hw: &OwnedAccess<A>) {}", &["hw"]),
            ("#[fop(polled)] fn f<'async_trait>(&self) {}", &[]),
        ],
    );
}

#[test]
fn one_access_and_one_device_are_lent() {
    let block = block(
        "",
        "impl X {
            fn f(&self, #[access] a: &A, #[device] b: &B) {}
            fn g(&self, #[access] a: &A, #[device] b: &B, #[access] c: &A, #[device] d: &B, #[access] e: &A) {}
        }",
    );
    run("one", &[], |diagnostics| lent::access_is_one(&block.methods[0], diagnostics));
    run("two more", &["c", "e"], |diagnostics| lent::access_is_one(&block.methods[1], diagnostics));
    run("one", &[], |diagnostics| lent::device_is_one(&block.methods[0], diagnostics));
    run("one more", &["d"], |diagnostics| lent::device_is_one(&block.methods[1], diagnostics));
}

#[test]
fn a_device_is_looked_up() {
    of_op(
        lent::device_is_looked_up,
        &[
            ("fn f(&self) {}", &[]),
            ("fn f(&self, #[device] device: &B) {}", &["device"]),
            ("fn f(#[device] device: &B) {}", &[]),
            ("#[fop(via = self.find())] fn f(&self, #[device] device: &B) {}", &[]),
            ("#[fop(unguarded, via = self.find())] fn f(&self, #[device] device: &B) {}", &["device"]),
        ],
    );
}

#[test]
fn a_device_fits_its_policy() {
    of_op(
        lent::device_fits_policy,
        &[
            ("fn f(&self) {}", &[]),
            ("fn f(&self, #[device] device: &B) {}", &[]),
            ("fn f(&self, #[device] device: Option<&B>) {}", &["Option<&B>"]),
            ("#[fop(always)] fn f(&self, #[device] device: &B) {}", &[]),
            ("#[fop(always, not_found = 1)] fn f(&self, #[device] device: Option<&B>) {}", &[]),
        ],
    );
    let always = "#[fop(always, not_found = 1)] fn f(&self, #[device] device: &B) {}";
    offers(lent::device_fits_policy, &[(always, "&B", "Option<&B>")]);
}

#[test]
fn a_section_opens_at_run_time() {
    of_op(
        work::section_opens_at_run_time,
        &[
            ("fn f(&self) {}", &[]),
            ("const fn f(&self) {}", &["const"]),
            ("#[fop(always)] pub const unsafe fn f(&self) {}", &["const"]),
            ("#[fop(unguarded)] const fn f(&self) {}", &[]),
        ],
    );
}

#[test]
fn what_is_polled_is_a_future() {
    of_op(
        work::polled_has_future,
        &[
            ("fn f(&self) {}", &[]),
            ("#[fop(polled)] fn f(&self) {}", &["polled"]),
            ("#[fop(polled)] async fn f(&self) {}", &[]),
            ("#[fop(polled)] fn f(&self) -> impl Send + Future<Output = u8> {}", &[]),
            ("#[fop(polled)] fn f(&self) -> Pin<Box<dyn Future<Output = u8> + Send>> {}", &[]),
            ("#[fop(polled)] fn f(&self) -> Box<dyn Future<Output = u8>> {}", &["polled"]),
            ("#[fop(polled)] fn f(&self) -> Pin<Rc<dyn Future<Output = u8>>> {}", &["polled"]),
            ("#[fop(polled)] fn f(&self) -> Pin<Box<dyn Iterator>> {}", &["polled"]),
            ("#[fop(polled)] fn f(&self) -> impl Iterator {}", &["polled"]),
            ("#[fop(unguarded, polled)] async fn f(&self) {}", &["polled"]),
        ],
    );
}

#[test]
fn a_section_covers_the_work() {
    of_op(
        work::section_covers_the_work,
        &[
            ("fn f(&self) {}", &[]),
            ("fn f(&self) -> Result<Vec<u8>, Box<dyn Error>> {}", &[]),
            ("fn f(&self) -> Result<u8, Box<dyn std::error::Error + Send>> {}", &[]),
            ("fn f(&self) -> [u8; 4] {}", &[]),
            ("#[fop(polled)] async fn f(&self) {}", &[]),
            ("#[fop(unguarded)] async fn f(&self) {}", &[]),
            ("#[fop(guarded)] fn f(&self) -> impl Iterator {}", &[]),
            ("#[fop(always)] fn f(&self) -> impl Iterator {}", &[]),
        ],
    );
    offers(
        work::section_covers_the_work,
        &[
            ("async fn f(&self) {}", "async", "#[fop(polled)]"),
            ("#[fop(guarded)] async fn f(&self) {}", "async", "#[fop(polled)]"),
            ("fn f(&self) -> impl Future<Output = u8> {}", "impl Future<Output = u8>", "#[fop(polled)]"),
            ("fn f(&self) -> impl Iterator {}", "impl Iterator", "#[fop(guarded)]"),
            ("fn f(&self) -> Box<dyn FnOnce() + Send> {}", "dyn FnOnce() + Send", "#[fop(guarded)]"),
            ("fn f(&self) -> Pin<Box<dyn Future<Output = u8>>> {}", "dyn Future<Output = u8>", "#[fop(polled)]"),
            ("fn f(&self) -> futures::BoxFuture<'_, u8> {}", "futures::BoxFuture<'_, u8>", "#[fop(polled)]"),
            ("fn f(&self) -> LocalBoxFuture<'_, u8> {}", "LocalBoxFuture<'_, u8>", "#[fop(polled)]"),
            ("fn f(&self) -> (u8, impl Iterator) {}", "impl Iterator", "#[fop(guarded)]"),
            ("fn f(&self) -> Result<u8, (u8, Box<dyn Fn()>)> {}", "dyn Fn()", "#[fop(guarded)]"),
        ],
    );
}
