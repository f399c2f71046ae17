//! The documents say what is there: links lead somewhere, the first code is the quickstart's, every setting is listed.

use std::collections::BTreeSet;

use super::{File, check, files, root, rust_files};

#[test]
fn the_readme_begins_with_the_quickstart() {
    let readme = read("README.md");
    let block = readme.split_once("```rust\n").and_then(|(_, rest)| rest.split_once("```")).map(|(block, _)| block);
    let program = read("examples/quickstart/src/main.rs");
    let head = program.lines().take_while(|line| line.is_empty() || line.starts_with("//!") || line.starts_with("#!["));
    let program: Vec<_> = program.lines().skip(head.count()).collect();
    let block: Vec<_> = block.expect("README.md has a Rust block").lines().collect();
    assert_eq!(block, program, "README.md's first Rust block is examples/quickstart/src/main.rs below its first lines");
}

#[test]
fn links_between_documents_lead_somewhere() {
    check("Correct the link, or write the page", |problems| {
        for file in files().filter(|file| file.extension() == "md" && !file.path.starts_with("framework/src/docs/")) {
            for link in links(&file.text) {
                let (path, heading) = link.split_once('#').unwrap_or((link, ""));
                let target = match path {
                    "" => file.path.clone(),
                    _ => beside(&file.path, path),
                };
                if !root().join(&target).exists() {
                    problems.push(format!("{}: {link}: no {target}", file.path));
                } else if !heading.is_empty() && !headings(&read(&target)).any(|known| known == heading) {
                    problems.push(format!("{}: {link}: no such heading", file.path));
                }
            }
        }
    });
}

#[test]
fn every_page_with_rust_code_runs_as_a_doctest() {
    let included = read("tests/src/guide.rs");
    check("Include it in tests/src/guide.rs", |problems| {
        let pages = files().filter(|file| file.path.starts_with("docs/") && file.text.contains("```rust"));
        problems.extend(
            pages
                .map(|page| page.path)
                // Its one block shows a piece of an attribute.
                .filter(|path| path != "docs/contributing.md" && !included.contains(&format!("\"../../{path}\""))),
        );
    });
}

/// `rs` is coloured as Rust and is no doctest, so that no test shows as ignored.
#[test]
fn code_that_does_not_run_is_quoted_from_a_file_that_does() {
    check(
        "Quote the file that the last `From [`…`](…)` line above the block names, or let the block run",
        |problems| {
            for page in files().filter(|file| file.path.starts_with("docs/") && file.extension() == "md") {
                for quote in quotes(&page.text).iter().filter(|quote| ["rs", "rust,ignore"].contains(&&*quote.language))
                {
                    let place = format!("{}:{}", page.path, quote.line);
                    match &quote.source {
                        None => problems.push(format!("{place}: from no file")),
                        Some(link) => {
                            let source = beside(&page.path, link);
                            if !read(&source).contains(&quote.text) {
                                problems.push(format!("{place}: not in {source} as it stands"));
                            }
                        }
                    }
                }
            }
        },
    );
}

#[test]
fn the_gallery_of_compile_errors_quotes_what_the_compiler_says() {
    const PAGE: &str = "docs/reference/compile-errors.md";
    check("Quote the .stderr file beside the fixture that the line `From [`…`](…)` names", |problems| {
        let page = read(PAGE);
        let kinds = page.lines().filter(|line| line.starts_with("### ")).count();
        let quotes: Vec<_> = quotes(&page).into_iter().filter(|quote| quote.language == "text").collect();
        if kinds < 25 || kinds != quotes.len() {
            problems.push(format!(
                "{PAGE}: {kinds} kinds and {} messages; each kind has one, and there are many",
                quotes.len()
            ));
        }
        for quote in &quotes {
            let fixture = quote.source.as_deref().map(|link| beside(PAGE, link)).unwrap_or_default();
            let Some(said) = fixture.strip_suffix(".rs").map(|stem| read(&format!("{stem}.stderr"))) else {
                problems.push(format!("{PAGE}:{}: of no fixture", quote.line));
                continue;
            };
            let mut rest = said.as_str();
            for piece in quote.text.split("…\n") {
                match rest.split_once(piece.trim_end()) {
                    Some((_, after)) => rest = after,
                    None => {
                        problems.push(format!("{PAGE}:{}: the compiler does not say this of {fixture}", quote.line))
                    }
                }
            }
        }
    });
}

#[test]
fn every_setting_is_documented_and_every_documented_one_is_read() {
    let read_in_code: BTreeSet<String> = rust_files()
        .filter(|file| file.path.starts_with("framework/src/") && !file.is_test())
        .flat_map(|file| settings_read(&file))
        .collect();
    assert!(read_in_code.contains("amqp_uri") && read_in_code.contains("rpc_codec"), "{read_in_code:?}");
    for path in ["docs/reference/settings.md", "framework/src/config/mod.rs"] {
        let documented = settings_listed(&read(path));
        assert_eq!(documented, read_in_code, "left: the table in {path}; right: the keys that framework/src reads");
    }
}

#[test]
fn the_table_of_namekos_wire_lists_every_test_and_no_other() {
    let folder = "tests/services/nameko/";
    let mut tests = BTreeSet::new();
    for file in rust_files().filter(|file| file.path.starts_with(folder)) {
        let module = file.path[folder.len()..].trim_end_matches(".rs").to_owned();
        let both = file.text.split_once("\nwith_both_namekos! {").and_then(|(_, rest)| rest.split_once('}'));
        for test in both.map_or("", |(list, _)| list).split_whitespace() {
            tests.insert((format!("{module}::{test}"), ["yes", "yes"]));
        }
        for (_, rest) in file.text.match_indices("\n#[tokio::test").map(|(at, _)| file.text.split_at(at)) {
            let name =
                rest.split_once("async fn ").and_then(|(_, rest)| rest.split_once('(')).map_or("", |(name, _)| name);
            tests.insert((format!("{module}::{name}"), ["by hand", "by hand"]));
        }
    }
    let page = read("docs/reference/nameko.md");
    let listed: BTreeSet<_> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [_, _, two, three, test] = cells[..] else { return None };
            Some((test.strip_prefix('`')?.strip_suffix('`')?.to_owned(), [two, three]))
        })
        .collect();
    assert!(tests.len() > 20, "{tests:?}");
    assert_eq!(listed, tests, "left: the table in docs/reference/nameko.md; right: the tests in {folder}");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The targets of `[text](target)` outside of code, without those that leave the repository.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap_or_default();
            if !target.contains("://") {
                found.push(target);
            }
        }
    }
    found
}

/// A block of code, and the target of the last line above it that begins with `From [`.
struct Quote {
    line: usize,
    language: String,
    source: Option<String>,
    text: String,
}

fn quotes(page: &str) -> Vec<Quote> {
    let (mut quotes, mut source, mut open) = (Vec::new(), None, None::<Quote>);
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let (language, source) = (language.to_owned(), source.clone());
                open = Some(Quote { line: number + 1, language, source, text: String::new() });
            }
            (None, None) if line.starts_with("From [") => source = links(line).first().map(|link| (*link).to_owned()),
            (None, None) => {}
            (Some(_), Some(_)) => quotes.extend(open.take()),
            (Some(quote), None) => {
                quote.text.push_str(line);
                quote.text.push('\n');
            }
        }
    }
    quotes
}

/// A path relative to the folder of a file, as one relative to the repository.
fn beside(file: &str, relative: &str) -> String {
    let mut parts: Vec<_> = file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// The anchors of a page's headings, as GitHub forms them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .collect::<String>()
            .replace(' ', "-")
    })
}

/// The keys that a file asks settings for.
fn settings_read(file: &File) -> Vec<String> {
    let code: String = file.code().into_iter().map(|(_, line)| line).collect();
    let code: String = code.split_whitespace().collect();
    let mut keys = Vec::new();
    let calls = [
        "settings.get",
        "settings.duration",
        "format_setting(settings,",
        "Address::read(settings,",
        "Origins::read(settings,",
        "file(settings,",
    ];
    for call in calls.into_iter().chain(["lasting(settings,", "number(settings,", "texts(settings,"]) {
        for (at, _) in code.match_indices(call) {
            let rest = &code[at + call.len()..];
            // `.get::<String>("key")`, `.get("key")`, `.duration("key", …)`, `format_setting(settings, "key", …)`
            let argument = match rest.strip_prefix("::<") {
                Some(typed) => typed.split_once(">(").map_or("", |(_, argument)| argument),
                None => rest.strip_prefix('(').unwrap_or(rest),
            };
            if let Some(key) = argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                keys.push(key.to_owned());
            }
        }
    }
    // What several readers are given in one constant.
    for (at, opening) in code.match_indices("Keys{") {
        let fields = code[at + opening.len()..].split('}').next().unwrap_or_default();
        keys.extend(
            fields.split(',').filter_map(|field| Some(field.split_once(":\"")?.1.trim_end_matches('"').to_owned())),
        );
    }
    keys
}

/// The keys in the first column of the tables that begin with `| key |`.
fn settings_listed(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut is_listed = false;
    for line in text.lines().map(|line| line.trim_start_matches("///").trim()) {
        is_listed = line.starts_with("| key |") || (is_listed && line.starts_with('|'));
        if is_listed {
            keys.extend(line.split('`').nth(1).map(str::to_owned));
        }
    }
    keys
}
