//! What `#[contract]` leaves for `#[service(contract = …)]` to find.

use std::marker::PhantomData;

use super::MethodInfo;
use crate::protocol::Param;

/// A contract's constant data.
#[derive(Debug, Clone, Copy)]
pub struct ContractInfo {
    /// The service's name on the wire.
    pub name: &'static str,
    /// The doc comment of the trait.
    pub doc: &'static str,
    /// Its methods.
    pub methods: &'static [MethodInfo],
    /// Each method with the text that says it is missing, for a constant assertion.
    pub coverage: &'static [Covered],
}

/// One method that a service with this contract must have.
#[derive(Debug, Clone, Copy)]
pub struct Covered {
    /// Its name in Rust.
    pub method: &'static str,
    /// What the compiler says where it is missing.
    pub missing: &'static str,
}

impl ContractInfo {
    /// Fails the build where a method of the contract is not among `methods`.
    ///
    /// # Panics
    ///
    /// At compile time, with the text that names the method.
    #[track_caller]
    pub const fn assert_covered_by(&self, methods: &[&str]) {
        let mut i = 0;
        while i < self.coverage.len() {
            let mut found = false;
            let mut j = 0;
            while j < methods.len() {
                if equal(self.coverage[i].method, methods[j]) {
                    found = true;
                }
                j += 1;
            }
            assert!(found, "{}", self.coverage[i].missing);
            i += 1;
        }
    }
}

impl ContractInfo {
    /// Where a method of the contract is, by its name in Rust.
    const fn position(&self, method: &str) -> Option<usize> {
        let mut i = 0;
        while i < self.coverage.len() && i < self.methods.len() {
            if equal(self.coverage[i].method, method) {
                return Some(i);
            }
            i += 1;
        }
        None
    }

    /// A method that serves one of the contract's: the name is the contract's, so is what the service leaves open.
    ///
    /// Unchanged where the contract has none of that name: the compiler has said so at the method.
    pub const fn served(&self, method: &str, mut own: MethodInfo) -> MethodInfo {
        if let Some(place) = self.position(method) {
            let contract = self.methods[place];
            own.name = contract.name;
            if own.doc.is_empty() {
                own.doc = contract.doc;
            }
            if own.timeout.is_none() {
                own.timeout = contract.timeout;
            }
        }
        own
    }

    /// Fails the build where a method takes its arguments under other names than the contract says, or is stricter.
    ///
    /// # Panics
    ///
    /// At compile time.
    #[track_caller]
    pub const fn assert_params(&self, method: &str, own: &[Param]) {
        let Some(place) = self.position(method) else { return };
        let contract = self.methods[place].params;
        // Another number is a type error of its own.
        let mut i = 0;
        while i < own.len() && i < contract.len() {
            assert!(
                equal(own[i].name, contract[i].name),
                "a parameter has another name than in the contract: callers send arguments by name, so write the contract's"
            );
            assert!(
                contract[i].required || !own[i].required,
                "a parameter is required here and not in the contract: callers may leave it out, so repeat its `#[default]`"
            );
            assert!(
                own[i].sensitive || !contract[i].sensitive,
                "a parameter is `sensitive` in the contract: write it here too, so that no log shows it"
            );
            i += 1;
        }
    }
}

/// `==` on strings is not const yet.
const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut i = 0;
    while i < left.len() {
        if left[i] != right[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The value that stands beside a contract's trait under the same name, so that whoever imports the trait can reach its client
/// and its data without a second name.
#[derive(Debug)]
pub struct Contract<C> {
    /// The constant data.
    pub info: ContractInfo,
    client: PhantomData<fn() -> C>,
}

impl<C> Contract<C> {
    /// For the macro.
    pub const fn new(info: ContractInfo) -> Self {
        Self { info, client: PhantomData }
    }

    /// A client to check signatures against; never called.
    ///
    /// # Panics
    ///
    /// Always.
    pub fn client(&self) -> C {
        unreachable!("only its type is used")
    }
}
