//! What `#[contract]` leaves for `#[service(contract = …)]` to find.

use std::{marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;

use super::{MethodInfo, Outcome, WorkerCall};
use crate::{dependency::Dependencies, protocol::Param};

/// A contract's constant data.
#[derive(Debug, Clone, Copy)]
pub struct ContractInfo {
    /// The service's name on the wire.
    pub name: &'static str,
    /// The doc comment of the trait.
    pub doc: &'static str,
    /// Its methods.
    pub methods: &'static [MethodInfo],
    /// The same methods by their names in Rust, each with what to say of parameters that differ.
    pub coverage: &'static [Covered],
}

/// One method that a service with this contract must have.
#[derive(Debug, Clone, Copy)]
pub struct Covered {
    /// Its name in Rust.
    pub method: &'static str,
    /// What the compiler says of a parameter at this place that has another name.
    pub renamed: &'static [&'static str],
    /// … that callers may leave out by the contract, and not by the service.
    pub required: &'static [&'static str],
    /// … that the contract keeps out of logs, and the service does not.
    pub logged: &'static [&'static str],
}

impl ContractInfo {
    /// The first index that none of its methods has.
    pub const fn next_index(&self) -> usize {
        match self.methods.last() {
            Some(last) => last.index + 1,
            None => 0,
        }
    }

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

    /// Fails the build where a method takes an argument under another name than the contract says, or is stricter.
    ///
    /// # Panics
    ///
    /// At compile time, with the text that names the parameter.
    #[track_caller]
    pub const fn assert_param(&self, method: &str, place: usize, own: Param) {
        let Some(at) = self.position(method) else { return };
        let (contract, covered) = (self.methods[at].params, self.coverage[at]);
        // Another number is a type error of its own.
        if place < contract.len() {
            let contract = contract[place];
            assert!(equal(own.name, contract.name), "{}", covered.renamed[place]);
            assert!(contract.required || !own.required, "{}", covered.required[place]);
            assert!(own.sensitive || !contract.sensitive, "{}", covered.logged[place]);
        }
    }
}

/// A name as a type, by its hash: how a contract asks a service for a method of that name.
#[derive(Debug)]
pub struct Named<const HASH: u128>;

/// The name of a method that a `cfg` took away: every service has it.
#[derive(Debug)]
pub struct Anything;

/// What a service's block has: a method of this name, as a [`Named`].
pub trait Lists<N> {}

impl<S> Lists<Anything> for S {}

/// A contract's method, as a type that bears its name in messages.
pub trait Method {
    /// How services list it.
    type Name;
}

/// A service that has this method of its contract.
#[diagnostic::on_unimplemented(
    message = "`{S}` lacks the method `{Self}`",
    label = "a method of the contract is not in this block",
    note = "add it as it stands in the contract, and mark it `#[rpc]`"
)]
pub trait ServedBy<S> {}

#[diagnostic::do_not_recommend]
impl<S: Lists<M::Name>, M: Method> ServedBy<S> for M {}

/// A contract's client, for those who implement the contract's trait: runs a worker of theirs.
pub trait Dispatches<S> {
    /// Runs one worker, between the hooks of `dependencies`.
    fn dispatch<D: Dependencies>(
        service: Arc<S>,
        dependencies: Arc<D>,
        call: WorkerCall,
    ) -> BoxFuture<'static, Outcome>;
}

/// The same, seen from the service, for the message where it does not implement the trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` serves a contract and has none of its methods",
    label = "neither an `impl` of the contract's trait, nor a method in this block",
    note = "implement the contract's trait for `{Self}`, or put its methods into this block, each marked `#[rpc]`"
)]
pub trait Serves<C> {
    /// Runs one worker, between the hooks of `dependencies`.
    fn serve<D: Dependencies>(self: Arc<Self>, dependencies: Arc<D>, call: WorkerCall) -> BoxFuture<'static, Outcome>;
}

#[diagnostic::do_not_recommend]
impl<S, C: Dispatches<S>> Serves<C> for S {
    fn serve<D: Dependencies>(self: Arc<Self>, dependencies: Arc<D>, call: WorkerCall) -> BoxFuture<'static, Outcome> {
        C::dispatch(self, dependencies, call)
    }
}

/// `==` on strings is not const yet.
pub(crate) const fn equal(left: &str, right: &str) -> bool {
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

    /// Runs one worker of a service that implements the contract's trait.
    pub fn dispatch<S: Serves<C>, D: Dependencies>(
        &self,
        service: Arc<S>,
        dependencies: Arc<D>,
        call: WorkerCall,
    ) -> BoxFuture<'static, Outcome> {
        service.serve(dependencies, call)
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
