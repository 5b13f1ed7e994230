//! Traits that compile, and the errors for those that do not.
//!
//! `TRYBUILD=overwrite cargo test -p endpoints --test compile` updates the expected messages; review them.

#[test]
fn fixtures() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/fail/*.rs");
}
