//! The rules of layout, as tests. The tables below state them; each failure says what to do instead.

#[path = "tidy/documents.rs"]
mod documents;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Folders (or single files) of `framework/src`, lowest first. Code may use its own row and the rows above it, never a row below.
const TIERS: &[&[&str]] = &[
    &["error", "protocol", "codec", "context", "validate"],
    &["transport", "layer"],
    &["client", "event", "dead_letter", "dependency", "entrypoint", "service", "worker", "resilience", "auth"],
    &["container", "server"],
    &["saga", "sql", "metrics", "otel", "documents", "http", "grpc", "discovery", "ops"],
];

/// May use all and be used by all: they serve every tier, or show the whole to users and tests.
const OUTSIDE_TIERS: &[&str] =
    &["lib", "features", "task", "config", "log", "observe", "macro_support", "testing", "cli", "bin", "docs"];

const TOP_FOLDERS: &[&str] = &[".cargo", ".ci", ".git", "docs", "examples", "framework", "framework-macros", "tests"];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "managers"];

const LONGEST_FILE_LINES: usize = 500;

const LAPIN_FOLDER: &str = "framework/src/transport/amqp/";

/// Under `framework/src`. Clippy knows the types and checks the same (framework/clippy.toml), but one `allow` silences it anywhere.
const MAY_SPAWN: &[&str] = &["framework/src/task.rs", "framework/src/task/", "framework/src/transport/"];

const SPAWNS: &[&str] = &[
    "tokio::spawn",
    "tokio::task::spawn",
    "spawn_local(",
    "Handle::current().spawn(",
    "handle.spawn(",
    "runtime.spawn(",
    "rt.spawn(",
];

const DECISION_HEADINGS: &[&str] = &["Question", "Answer", "What we gave up"];

/// Places of one machine. In pieces, so that this file does not hold them.
const MACHINE_PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
];

#[test]
fn lapin_is_named_in_one_folder() {
    // tests/ is free to speak AMQP itself, as a peer that knows nothing of kinoko.
    check("Only transport/amqp/ knows lapin; add what is missing to the Transport trait", |problems| {
        for file in rust_files().filter(|file| !file.path.starts_with("tests/") && !file.path.starts_with(LAPIN_FOLDER))
        {
            for (number, line) in file.code() {
                // A log target in quotes names no type.
                let line = line.replace("\"lapin::", "");
                if line.contains("lapin::") || line.contains("use lapin") {
                    problems.push(format!("{}:{number}: {}", file.path, line.trim()));
                }
            }
        }
    });
}

#[test]
fn tasks_are_spawned_in_one_place() {
    check("Spawn through crate::task, which names tasks and joins them at shutdown", |problems| {
        for file in rust_files().filter(|file| file.path.starts_with("framework/src/")) {
            if file.is_test() || MAY_SPAWN.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for (number, line) in file.code() {
                if SPAWNS.iter().any(|spawn| line.contains(spawn)) {
                    problems.push(format!("{}:{number}: {}", file.path, line.trim()));
                }
            }
        }
    });
}

#[test]
fn modules_never_use_a_higher_tier() {
    check("Move the code up or the type down; the tiers are at the top of tests/tidy.rs", |problems| {
        for file in rust_files() {
            let Some(module) = file.module() else { continue };
            let Some(own) = tier(module) else { continue };
            for (number, used) in file.crate_modules() {
                if tier(&used).is_some_and(|tier| tier > own) {
                    problems.push(format!("{}:{number}: {module} uses crate::{used}", file.path));
                }
            }
        }
    });
}

#[test]
fn every_module_has_a_tier() {
    check("Put it into TIERS or OUTSIDE_TIERS at the top of tests/tidy.rs", |problems| {
        let modules: BTreeSet<_> = rust_files().filter_map(|file| file.module().map(str::to_owned)).collect();
        problems
            .extend(modules.into_iter().filter(|name| tier(name).is_none() && !OUTSIDE_TIERS.contains(&name.as_str())));
    });
}

#[test]
fn the_parser_of_uses_sees_what_rust_sees() {
    let file = File {
        path: "framework/src/protocol/x.rs".into(),
        text: "use crate::{\n    Error, codec::{self, json}, // crate::comment\n    client,\n};\n\
               fn f() -> crate::layer::Next { mycrate::no::x(\"amqp://h\"); crate::run() }\n\
               #[cfg(test)]\nmod tests {\n    use crate::container;\n}\n"
            .into(),
    };
    let used: Vec<_> = file.crate_modules().into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(used, ["1 Error", "1 codec", "1 client", "5 layer", "5 run"]);
}

#[test]
fn files_are_short() {
    check("Split it by theme", |problems| {
        for file in files().filter(|file| matches!(file.extension(), "rs" | "py" | "sh")) {
            let lines = file.text.lines().count();
            if lines > LONGEST_FILE_LINES {
                problems.push(format!("{}: {lines} lines, more than {LONGEST_FILE_LINES}", file.path));
            }
        }
    });
}

#[test]
fn names_say_what_is_inside() {
    check("Name it after the one thing it holds", |problems| {
        for file in files() {
            for part in file.path.split('/') {
                let stem = part.split('.').next().unwrap_or(part).to_lowercase();
                if EMPTY_NAMES.contains(&stem.as_str()) {
                    problems.push(file.path.clone());
                }
            }
        }
    });
}

#[test]
fn the_top_level_gains_no_folders() {
    check("Put it into one of the folders that are there", |problems| {
        let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
        let ignored: Vec<_> = ignored.lines().map(|line| line.trim_matches('/')).collect();
        for entry in fs::read_dir(root()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() && !TOP_FOLDERS.contains(&&*name) && !ignored.contains(&&*name) {
                problems.push(name);
            }
        }
    });
}

#[test]
fn decisions_have_their_form() {
    check("docs/decisions/NNNN-title.md with the headings Question, Answer, What we gave up", |problems| {
        let mut numbers = BTreeSet::new();
        for file in files() {
            let Some(name) = file.path.strip_prefix("docs/decisions/") else { continue };
            let (number, title) = name.split_once('-').unwrap_or((name, ""));
            if number.len() != 4
                || !number.bytes().all(|b| b.is_ascii_digit())
                || title.len() < 4
                || !title.ends_with(".md")
            {
                problems.push(format!("{}: not NNNN-title.md", file.path));
            }
            if !numbers.insert(number.to_owned()) {
                problems.push(format!("{}: number taken", file.path));
            }
            let headings: Vec<_> = file
                .text
                .lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| line.trim_start_matches('#').trim())
                .collect();
            for wanted in DECISION_HEADINGS.iter().filter(|wanted| !headings.contains(wanted)) {
                problems.push(format!("{}: no heading {wanted}", file.path));
            }
        }
    });
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    check("Name things relative to the repository, and registries not at all", |problems| {
        for file in files() {
            for (number, line) in file.text.lines().enumerate() {
                for place in MACHINE_PLACES.iter().filter(|place| names_place(line, place)) {
                    problems.push(format!("{}:{}: {place}", file.path, number + 1));
                }
            }
        }
    });
}

/// Not within a longer path or host: `src/home/` is no place of a machine.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.'))
}

fn check(instead: &str, find: impl FnOnce(&mut Vec<String>)) {
    let mut problems = Vec::new();
    find(&mut problems);
    let mut text = String::new();
    for problem in &problems {
        writeln!(text, "  {problem}").unwrap();
    }
    assert!(problems.is_empty(), "{instead}:\n{text}");
}

fn tier(module: &str) -> Option<usize> {
    TIERS.iter().position(|row| row.contains(&module))
}

/// A text file of the repository; the path is relative to its root, with `/` on every system.
struct File {
    path: String,
    text: String,
}

impl File {
    fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or("")
    }

    /// The folder or file directly under `framework/src` that this file belongs to.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("framework/src/")?;
        Some(inside.split_once('/').map_or(inside, |(folder, _)| folder).trim_end_matches(".rs"))
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Numbered lines without comments, up to the unit tests at the end: those may do what they like.
    fn code(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let end = lines
            .windows(2)
            .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'))
            .unwrap_or(lines.len());
        lines[..end].iter().enumerate().map(|(index, line)| (index + 1, without_comment(line))).collect()
    }

    /// First path segment after each `crate::`, groups in braces included, with the line where the path begins.
    fn crate_modules(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        if self.is_test() {
            return found;
        }
        let lines = self.code();
        for (index, (number, line)) in lines.iter().enumerate() {
            for (at, _) in line.match_indices("crate::") {
                if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
                    continue;
                }
                let mut path = line[at + "crate::".len()..].to_owned();
                for (_, next) in &lines[index + 1..] {
                    if !path.starts_with('{') || path.contains(';') {
                        break;
                    }
                    path.push_str(next);
                }
                found.extend(first_segments(&path).into_iter().map(|segment| (*number, segment)));
            }
        }
        found
    }
}

/// `a::b` gives a; `{a::{b, c}, d}` gives a and d.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let mut segments = Vec::new();
    let mut depth = 0;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                segments.push(identifier(&item));
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    segments.push(identifier(&item));
    segments.retain(|segment| !segment.is_empty());
    segments
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// A `//` after a colon is part of a URL.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests package lies in a folder of the workspace")
        .to_owned()
}

fn rust_files() -> impl Iterator<Item = File> {
    files().filter(|file| file.extension() == "rs")
}

/// All text files but what is built or belongs to git.
fn files() -> impl Iterator<Item = File> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, ".git" | "target" | "__pycache__") {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path)
                && name != ".git"
            {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.into_iter()
}
