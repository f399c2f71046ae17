//! The policies of methods with `#[policy(name = "…")]`: one each for the process, whatever programs run in it.

use std::sync::OnceLock;

use super::{
    Policy, PolicySettings,
    overrides::{Overrides, section},
};
use crate::{Error, ErrorKind, Result, config::Settings};

/// The policy of one method. Made by the attribute.
#[derive(Debug)]
pub struct OwnPolicy {
    name: &'static str,
    /// Whose it is, for lists: the module.
    module: &'static str,
    /// Whether the method is written to be done again.
    repeats: bool,
    written: fn() -> Result<PolicySettings>,
    made: OnceLock<Policy>,
}

/// An [`OwnPolicy`] among those that programs look for when they start.
#[derive(Debug)]
pub struct Declared(pub &'static OwnPolicy);

inventory::collect!(Declared);

impl OwnPolicy {
    /// What stands in the attribute.
    pub const fn new(
        name: &'static str,
        module: &'static str,
        repeats: bool,
        written: fn() -> Result<PolicySettings>,
    ) -> Self {
        Self { name, module, repeats, written, made: OnceLock::new() }
    }

    /// The policy, with what the attribute says until a program says otherwise.
    ///
    /// # Panics
    ///
    /// Where a constant in the attribute makes no sense. What is written out was checked while compiling, and a program that starts
    /// refuses the rest.
    pub fn get(&'static self) -> &'static Policy {
        self.made.get_or_init(|| match self.written() {
            Ok(settings) => Policy::new(self.name.into(), settings, self.repeats),
            Err(error) => panic!("`#[policy]` in {}: {}", self.module, error.chain()),
        })
    }

    fn written(&self) -> Result<PolicySettings> {
        let settings = (self.written)()?;
        settings.checked(self.name)?;
        Ok(settings)
    }

    /// Takes what the settings say of it. Where they say nothing it stays as it is.
    fn follow(&'static self, settings: &Settings) -> Result<()> {
        let written = self.written()?;
        let Some(overrides) = Overrides::find(settings, self.name)? else { return Ok(()) };
        if !overrides.methods.is_empty() {
            return Err(settings.refuse(&section(self.name), "it is no client's policy, so it has no `methods`"));
        }
        self.get().configure(overrides.over(written))
    }
}

/// All of the process.
fn all() -> impl Iterator<Item = &'static OwnPolicy> {
    inventory::iter::<Declared>.into_iter().map(|declared| declared.0)
}

/// All of the process, with the module of each.
pub(super) fn policies() -> impl Iterator<Item = (&'static str, &'static Policy)> {
    all().map(|own| (own.module, own.get()))
}

/// A program starts with these settings: from now on they hold, where they say something.
///
/// # Errors
///
/// For settings that make no sense, in the code or in the sections `policies.{name}`, and for two policies that nobody could tell apart.
pub(super) fn follow(settings: &Settings) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for own in all() {
        if !seen.insert((own.module, own.name)) {
            let text = format!(
                "two methods of `{}` have a policy `{}`: write `#[policy(name = \"…\", …)]` on one of them",
                own.module, own.name
            );
            return Err(Error::new(ErrorKind::Config, text));
        }
        own.follow(settings)?;
    }
    Ok(())
}
