use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{Error, ErrorKind, Result, dependency::Dependency};

/// What a test puts in the place of dependencies.
#[derive(Default)]
pub(super) struct Replaced {
    all: Vec<Replacement>,
    /// The types that services were set up with, for the message about one that none has.
    asked: Mutex<BTreeSet<&'static str>>,
}

struct Replacement {
    id: TypeId,
    type_name: &'static str,
    /// `None`: of every service.
    service: Option<String>,
    instance: Box<dyn Any + Send + Sync>,
    used: AtomicBool,
}

impl Replaced {
    /// A later one of the same type and service takes the place of an earlier one.
    pub(super) fn add<T: Dependency>(&mut self, service: Option<String>, instance: T) {
        let id = TypeId::of::<T>();
        self.all.retain(|other| other.id != id || other.service != service);
        let used = AtomicBool::new(false);
        self.all.push(Replacement { id, type_name: type_name::<T>(), service, instance: Box::new(instance), used });
    }

    /// What stands for the `T` of a service: its own replacement, else the one for all services.
    pub(super) fn get<T: Dependency>(&self, service: &str) -> Option<T> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(type_name::<T>());
        let of_type = || self.all.iter().filter(|replacement| replacement.id == TypeId::of::<T>());
        let found = of_type()
            .find(|replacement| replacement.service.as_deref() == Some(service))
            .or_else(|| of_type().find(|replacement| replacement.service.is_none()))?;
        found.used.store(true, Ordering::Relaxed);
        found.instance.downcast_ref::<T>().cloned()
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter_map(|replacement| replacement.service.as_deref())
    }

    /// Refuses a replacement that stood for nothing: the test would run with the real one and not know.
    pub(super) fn check(&self) -> Result<()> {
        let Some(unused) = self.all.iter().find(|replacement| !replacement.used.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked: Vec<_> = asked.iter().map(|name| format!("`{name}`")).collect();
        let whose = match &unused.service {
            None => "no service of this test has a field of that type, and none requires it".to_owned(),
            Some(service) => format!("`{service}` has no field of that type and does not require it"),
        };
        let have = if asked.is_empty() { "no dependency at all".to_owned() } else { asked.join(", ") };
        let text = format!("the replacement of `{}` replaces nothing: {whose} (they have {have})", unused.type_name);
        Err(Error::new(ErrorKind::Usage, text))
    }
}
