//! Proof `policies`: after each of millions of random steps the circuit breaker is as a model of it says that was written from its docs alone,
//! and the same steps find each of the mistakes in `mutants.rs`.
//!
//! `KINOKO_TEST_PROOF_STEPS` says how many steps; `KINOKO_TEST_SEED` does a failed run again.

#[macro_use]
mod subject;
mod model;
mod run;
mod settings;

use self::run::Search;

type Searches = fn(u64, u64) -> Search;

include!(concat!(env!("OUT_DIR"), "/copies.rs"));

fn steps() -> u64 {
    std::env::var("KINOKO_TEST_PROOF_STEPS").ok().and_then(|count| count.parse().ok()).unwrap_or(REDUCED)
}

/// What a plain test run does, and within what each mutant is found.
const REDUCED: u64 = 2_000_000;

/// Another one for each run, printed, so that a failure can be had again.
fn seed() -> u64 {
    std::env::var("KINOKO_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

#[test]
#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
fn a_breaker_does_what_its_docs_say_and_no_mutant_of_it_does() {
    let seed = seed();
    let Search { steps, runs, opened, violation } = original::search(seed, steps());
    if let Some(violation) = violation {
        panic!("after {steps} steps: {violation}");
    }
    let searched = MUTANTS.iter().map(|(name, search)| (*name, search(seed, REDUCED)));
    let (caught, missed): (Vec<_>, Vec<_>) = searched.partition(|(_, search)| search.violation.is_some());
    let missed: Vec<_> = missed.into_iter().map(|(name, _)| name).collect();
    assert!(missed.is_empty(), "seed {seed}: in {REDUCED} steps nothing is wrong with {missed:?}");
    let (last, Search { steps: after, .. }) =
        caught.iter().max_by_key(|(_, search)| search.steps).expect("some mutants");
    println!(
        "policies: {steps} steps in {runs} runs, opened {opened} times, 0 violations (seed {seed}); \
         {} of {} mutants caught, the last of them, {last}, after {after} steps",
        caught.len(),
        MUTANTS.len(),
    );
}
