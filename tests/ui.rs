//! Compile fixtures: what must build and run, and what must be refused, with these words.
//!
//! `TRYBUILD=overwrite cargo test -p kinoko-tests --test ui` writes the expected texts anew.

#[test]
#[cfg_attr(quick, ignore = "compiles dozens of programs: run ./test.sh")]
fn ui() {
    let fixtures = trybuild::TestCases::new();
    fixtures.pass("ui/pass/*.rs");
    fixtures.compile_fail("ui/fail/*/*.rs");
}
