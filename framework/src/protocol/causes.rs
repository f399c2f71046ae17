//! What caused an error, for the log.

use std::{error::Error, marker::PhantomData};

use super::Fault;

/// Asks, at a concrete type, whether an error tells what caused it: an inherent function hides the trait's.
#[derive(Debug)]
pub struct Causes<E>(PhantomData<E>);

impl<E: Error> Causes<E> {
    /// Writes what caused the error beside the fault that it becomes.
    pub fn add(mut fault: Fault, error: &E) -> Fault {
        let mut next = error.source();
        if next.is_some() {
            let mut texts = Vec::new();
            while let Some(source) = next.filter(|_| texts.len() < DEEPEST) {
                texts.push(source.to_string());
                next = source.source();
            }
            fault.causes.get_or_insert_with(|| texts.join(": "));
        }
        fault
    }
}

/// No log line gets longer than this many causes.
const DEEPEST: usize = 20;

/// The other half of [`Causes`].
pub trait NoCauses<E> {
    /// The fault as it is.
    fn add(fault: Fault, _: &E) -> Fault {
        fault
    }
}

impl<E> NoCauses<E> for Causes<E> {}
