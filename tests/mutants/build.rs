//! Copies the circuit breaker's source as it is, and once for each mutant with its one mistake, into `OUT_DIR`, each as a module of its own.

mod mutants;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use self::mutants::{MUTANTS, Mutant};

const FILES: [&str; 5] = [
    "invalid.rs",
    "circuit_breaker/mod.rs",
    "circuit_breaker/machine.rs",
    "circuit_breaker/settings.rs",
    "circuit_breaker/window.rs",
];

/// What the proof looks at and nobody else needs to: added at the end of a copy.
const SIGHTS: [(&str, &str); 2] = [
    (
        "circuit_breaker/mod.rs",
        "impl Breaker {\n    pub(super) fn under_way(&self) -> u32 {\n        self.machine().under_way()\n    }\n}\n",
    ),
    (
        "circuit_breaker/machine.rs",
        "impl Machine {\n    pub(super) fn under_way(&self) -> u32 {\n        \
         if let State::HalfOpen { under_way, .. } = self.state { under_way } else { 0 }\n    }\n}\n",
    ),
];

fn main() {
    let source = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../../framework/src/resilience");
    let out = PathBuf::from(variable("OUT_DIR"));
    let mut modules = copy(&source, &out, "original", None);
    let mut list = String::new();
    for mutant in MUTANTS {
        modules += &copy(&source, &out, mutant.name, Some(mutant));
        writeln!(list, "    ({:?}, {}::search),", mutant.name, mutant.name).expect("memory");
    }
    write!(modules, "\n/// Each mutant, by its name.\nconst MUTANTS: &[(&str, Searches)] = &[\n{list}];\n")
        .expect("memory");
    fs::write(out.join("copies.rs"), modules).expect("OUT_DIR can be written");
    println!("cargo::rerun-if-changed=mutants.rs");
    for file in FILES {
        println!("cargo::rerun-if-changed={}", source.join(file).display());
    }
}

/// Writes one copy, and tells the module that holds it.
fn copy(source: &Path, out: &Path, name: &str, mutant: Option<&Mutant>) -> String {
    let folder = out.join(name);
    fs::create_dir_all(folder.join("circuit_breaker")).expect("OUT_DIR can be written");
    for file in FILES {
        let mut text = fs::read_to_string(source.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        if let Some(mutant) = mutant.filter(|mutant| mutant.file == file) {
            text = mutant.applied(&text);
        }
        text.extend(SIGHTS.iter().filter(|(of, _)| *of == file).map(|(_, sight)| *sight));
        fs::write(folder.join(file), text).expect("OUT_DIR can be written");
    }
    assert!(mutant.is_none_or(|mutant| FILES.contains(&mutant.file)), "mutant `{name}`: no such file is copied");
    let path = |file: &str| format!("{:?}", folder.join(file));
    format!(
        "#[allow(warnings, clippy::all, reason = \"a mutant leaves unused what it breaks\")]\nmod {name} {{\n    \
         #[path = {}]\n    mod invalid;\n    #[path = {}]\n    mod circuit_breaker;\n    subject!();\n}}\n",
        path("invalid.rs"),
        path("circuit_breaker/mod.rs"),
    )
}

impl Mutant {
    /// # Panics
    ///
    /// Where what it replaces is not there, or more than once: a mutant that changes nothing proves nothing.
    fn applied(&self, text: &str) -> String {
        let Self { name, file, find, replace } = self;
        let found = text.matches(find).count();
        assert!(
            found == 1,
            "mutant `{name}`: its text is {found} times in framework/src/resilience/{file}, and has to be there once. \
             Write in tests/mutants/mutants.rs how that line reads now:\n{find}"
        );
        text.replacen(find, replace, 1)
    }
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it")
}
