//! The mistakes that the proof has to find.

/// One mistake.
pub(crate) struct Mutant {
    /// What is wrong with it.
    pub(crate) name: &'static str,
    /// Under `framework/src/resilience`.
    pub(crate) file: &'static str,
    /// What is there, once.
    pub(crate) find: &'static str,
    /// What the mutant has there.
    pub(crate) replace: &'static str,
}

const BREAKER: &str = "circuit_breaker/mod.rs";
const MACHINE: &str = "circuit_breaker/machine.rs";
const WINDOW: &str = "circuit_breaker/window.rs";

const fn mutant(name: &'static str, file: &'static str, find: &'static str, replace: &'static str) -> Mutant {
    Mutant { name, file, find, replace }
}

pub(crate) const MUTANTS: &[Mutant] = &[
    // The permit of a trial that was cancelled, or that panicked, is lost.
    mutant("permit_leak", BREAKER, "self.breaker.machine().withdraw(ticket);", "let _ = ticket;"),
    // One trial too many.
    mutant("half_open_count", MACHINE, "under_way + over.calls >= self", "under_way + over.calls > self"),
    // What a call of an earlier epoch came to counts.
    mutant("stale_verdict", MACHINE, "if ticket.epoch != self.epoch {", "if false {"),
    // A call of an earlier epoch that is dropped makes room for another trial.
    mutant("stale_withdrawal", MACHINE, "if ticket.epoch == self.epoch\n", "if true\n"),
    mutant("window_never_forgets", WINDOW, "self.total.take_away(left);", "let _ = left;"),
    mutant("window_of_ninths", WINDOW, "const SLOTS: usize = 10;", "const SLOTS: usize = 9;"),
    mutant("window_of_one_call_more", WINDOW, "if last.len() == *most\n", "if last.len() == *most + 1\n"),
    // The least number of calls means nothing.
    mutant("opens_early", MACHINE, "tally.calls >= enough && ", ""),
    mutant("rate_off_by_one", MACHINE, "/ f64::from(of) >= rate", "/ f64::from(of) > rate"),
    mutant("slow_off_by_one", MACHINE, "ended.took >= slow_after", "ended.took > slow_after"),
    mutant("slow_is_fine", MACHINE, "|| (self.settings.slow_after.is_some() &&", "|| (false &&"),
    mutant("open_too_long", MACHINE, "if now < *until =>", "if now <= *until =>"),
    mutant("closes_early", MACHINE, "} else if over.calls >= self.settings.trials {", "} else if true {"),
    mutant("opens_though_forced", MACHINE, "(opens && self.forced.is_none())", "(opens)"),
    // To release what is not forced closes it.
    mutant("release_closes", MACHINE, "if self.forced == forced {", "if false {"),
    // What the trials came to under other settings counts, and may be all there is.
    mutant("trials_of_before", MACHINE, "(*under_way, *over) = (0, Tally::default());\n", "*under_way = 0;\n"),
];
