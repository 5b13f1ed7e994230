//! What compiles, and what the compiler says of what does not.
//!
//! `TRYBUILD=overwrite cargo test -p endpoints --test compile` rewrites the messages; read them then.

#[test]
fn fixtures() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/fail/*.rs");
}
