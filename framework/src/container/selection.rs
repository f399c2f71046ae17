//! Which of a program's services are meant.

use std::collections::BTreeMap;

use kinoko_text::nearest;

use super::Registration;
use crate::{Error, ErrorKind, Result};

/// The services named in `only`, each once, or all; refuses two of one name.
pub(super) fn select(services: &[Registration], only: Option<&[String]>, linked: bool) -> Result<Vec<Registration>> {
    if services.is_empty() {
        return Err(Error::new(ErrorKind::Usage, nothing_linked(linked)));
    }
    let mut seen = BTreeMap::new();
    for service in services {
        if let Some(other) = seen.insert(service.descriptor.name, service) {
            return Err(Error::new(ErrorKind::Usage, doubled(other, service)));
        }
    }
    let Some(only) = only else { return Ok(services.to_vec()) };
    if only.is_empty() {
        let have: Vec<_> = seen.keys().copied().collect();
        let text = format!("`only` names no service: name some of {}", have.join(", "));
        return Err(Error::new(ErrorKind::Usage, text));
    }
    let mut selected: Vec<Registration> = Vec::new();
    for name in only {
        let service = seen.get(name.as_str()).ok_or_else(|| absent(name, &seen))?;
        if !selected.iter().any(|known| known.descriptor.name == service.descriptor.name) {
            selected.push(**service);
        }
    }
    Ok(selected)
}

fn doubled(one: &Registration, two: &Registration) -> String {
    let (name, one, two) = (one.descriptor.name, (one.type_name)(), (two.type_name)());
    if one == two {
        format!("service `{name}` ({one}) was added twice; `App::linked()` and `kinoko::run()` have it already")
    } else {
        format!("two services are called `{name}`: {one} and {two}; give one of them another name")
    }
}

fn absent(name: &str, seen: &BTreeMap<&'static str, &Registration>) -> Error {
    let have: Vec<_> = seen.keys().copied().collect();
    let hint = nearest(name, have.iter().copied()).map_or_else(
        || format!("; if it is in a library, name it: App::new().service::<{}>()", type_guess(name)),
        |near| format!(": did you mean `{near}`?"),
    );
    Error::new(ErrorKind::Usage, format!("this program has no service `{name}` (it has {}){hint}", have.join(", ")))
}

fn nothing_linked(linked: bool) -> String {
    if linked {
        "no service is linked into this program. If yours is in a library (a package's own lib.rs counts), the linker dropped it: \
         name it in main, `kinoko::App::new().service::<Orders>().run().await`, or keep the library with `use orders as _;`"
            .to_owned()
    } else {
        "this program has no service: add one, `App::new().service::<Orders>()`".to_owned()
    }
}

/// `order_history` → `OrderHistory`.
fn type_guess(name: &str) -> String {
    name.split(['_', '-'])
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}
