//! What the documentation refers to exists: make targets, commands, paths, links, settings and routes.

use std::{collections::BTreeSet, fs};

use bucketlist::{cli::Cli, config::variables};
use clap::{Command, CommandFactory};
use contract::{ErrorCode, ViolationInfo};

use super::pages::{pages, read, words};
use crate::support::repository_root;

/// Returns the text of every script, which can define variables.
fn scripts() -> String {
    let mut text = read("Makefile") + &read(".ci/run");
    for entry in fs::read_dir(repository_root().join("scripts")).unwrap() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

/// Returns the words that look like environment variables.
fn upper_case(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = |word: &str| {
        word.contains('_')
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    text.split(|c: char| !is_part(c)).filter(|word| is_name(word)).collect()
}

#[test]
fn code_in_the_readme_is_found() {
    let pages = pages();
    assert!(pages.len() >= 5);
    let readme =
        pages.iter().find(|page| page.path.ends_with("README.md") && !page.path.ends_with("decisions/README.md"));
    let readme = readme.unwrap();
    let codes: Vec<String> = readme.codes().into_iter().map(|code| code.text).collect();
    for known in ["make run", "make test", "demo@example.com", "src/db/schema.rs", "N passed, N failed"] {
        assert!(codes.iter().any(|code| code == known), "{known}: {codes:#?}");
    }
}

#[test]
fn make_targets_exist() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target)
        .filter(|target| !target.is_empty() && target.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    let mut seen = BTreeSet::new();
    for page in pages() {
        for code in page.codes() {
            let words = words(&code.text);
            for pair in words.windows(2) {
                if pair[0] == "make" {
                    assert!(targets.contains(pair[1]), "{}: unknown target `make {}`", page.at(code.line), pair[1]);
                    seen.insert(pair[1].to_owned());
                }
            }
        }
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn every_make_target_has_a_help_text() {
    let makefile = read("Makefile");
    for target in makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: ")) {
        let has_help = makefile.lines().any(|line| line.starts_with(&format!("{target}: ## ")));
        assert!(has_help, "{target} has no help text");
    }
    for name in ["run", "test", "help", "check", "fmt", "lint", "docs", "openapi", "prose", "bench"] {
        assert!(makefile.contains(&format!("\n.PHONY: {name}\n")), "{name}");
    }
}

/// Checks the words after `bucketlist` against the command line. Returns whether they contain a subcommand.
fn check_command(mut command: Command, words: &[&str], location: &str) -> bool {
    let mut depth = 0;
    for word in words {
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split('=').next().unwrap();
            let known = name == "help" || command.get_arguments().any(|argument| argument.get_long() == Some(name));
            assert!(known, "{location}: `bucketlist {}` has no option --{name}", words.join(" "));
        } else if command.has_subcommands() {
            let Some(subcommand) = command.find_subcommand(word).cloned() else {
                panic!("{location}: unknown command `bucketlist {}`", words.join(" "));
            };
            command = subcommand;
            depth += 1;
        }
    }
    depth > 0
}

#[test]
fn commands_and_options_exist() {
    let cli = Cli::command();
    let mut seen = 0;
    for page in pages() {
        for code in page.codes() {
            let words = words(&code.text);
            // A comment in Rust code is a sentence about bucketlists.
            if words.first().is_some_and(|word| word.starts_with("//")) {
                continue;
            }
            let begins = words.iter().position(|word| *word == "bucketlist").map(|at| at + 1);
            let begins = begins.or_else(|| {
                let at = words.iter().position(|word| *word == "--")?;
                (words[..at].contains(&"cargo") && words[..at].contains(&"run")).then_some(at + 1)
            });
            // `bucketlist` alone is the name of the binary.
            if let Some(rest) = begins.map(|at| &words[at..]).filter(|rest| !rest.is_empty()) {
                seen += usize::from(check_command(cli.clone(), rest, &page.at(code.line)));
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn every_command_of_the_binary_is_in_the_changelog() {
    let changelog = read("CHANGELOG.md");
    for command in Cli::command().get_subcommands().map(Command::get_name).filter(|name| *name != "help") {
        assert!(changelog.contains(&format!("`{command}`")), "{command}");
    }
}

/// Returns whether a word in code is a path in the repository.
fn is_path(word: &str) -> bool {
    let has_path_characters = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/{},".contains(c));
    let has_file_extension = ["rs", "toml", "md", "yml", "json", "yaml", "sql", "lock", "mjs"]
        .iter()
        .any(|extension| word.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.') && stem.len() > 1));
    let (first, _) = word.split_once('/').unwrap_or((word, ""));
    // Routes start with a slash; files created at run time are in the data directory; media types and key labels are not paths.
    let is_something_else =
        ["", "bucketlist", "data", "target", "HTTP", "application", "image", "text", "~", "..", "DATA_DIR"]
            .contains(&first)
            || word.contains("//");
    let is_hidden_file = word.starts_with('.') && word.len() > 4 && word != ".env";
    has_path_characters && !is_something_else && (word.contains('/') || has_file_extension || is_hidden_file)
}

/// Expands braces: `migrations/{sqlite,postgres}/` is two paths.
fn expand(word: &str) -> Vec<String> {
    match (word.find('{'), word.find('}')) {
        (Some(open), Some(close)) if open < close => word[open + 1..close]
            .split(',')
            .flat_map(|choice| expand(&format!("{}{choice}{}", &word[..open], &word[close + 1..])))
            .collect(),
        _ => vec![word.to_owned()],
    }
}

#[test]
fn paths_exist() {
    let (mut seen, mut missing) = (0, Vec::new());
    for page in pages() {
        for code in page.codes() {
            for word in words(&code.text).into_iter().filter(|word| is_path(word)) {
                for path in expand(word) {
                    let beside = page.path.parent().unwrap().join(&path);
                    let exists = repository_root().join(&path).exists() || beside.exists();
                    if !exists {
                        missing.push(format!("{}: {path} does not exist", page.at(code.line)));
                    }
                    // A path that ends with a slash is a directory.
                    assert!(
                        !path.ends_with('/') || repository_root().join(&path).is_dir(),
                        "{}: {path}",
                        page.at(code.line)
                    );
                    seen += 1;
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen >= 30, "{seen}");
}

#[test]
fn every_link_has_a_target() {
    let mut seen = 0;
    for page in pages() {
        for (index, line) in page.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = target.split('#').next().unwrap();
                // Links to other sites, to the platform that displays the page, and within the page.
                if target.contains("://") || target.starts_with("../../") || file.is_empty() {
                    continue;
                }
                let path = page.path.parent().unwrap().join(file);
                assert!(path.exists(), "{}: {target} does not exist", page.at(index + 1));
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn variables_exist() {
    let scripts = scripts();
    let scripts = upper_case(&scripts);
    let codes = ErrorCode::ALL.iter().map(|code| code.as_str());
    let codes: BTreeSet<&str> = codes.chain(ViolationInfo::ALL.iter().map(|violation| violation.code)).collect();
    let (mut seen, mut unknown) = (0, Vec::new());
    for page in pages() {
        for code in page.codes() {
            for name in upper_case(&code.text) {
                let is_setting = variables::find(name).is_some();
                // Assigned in the page.
                let is_assigned = page.text.contains(&format!("\n{name}="));
                let is_known = is_setting || is_assigned || scripts.contains(name) || codes.contains(name);
                // Set by the test of the README, and by those who run an exported request.
                if !is_known && !["BASE_URL", "API_KEY"].contains(&name) {
                    unknown.push(format!("{}: unknown variable {name}", page.at(code.line)));
                }
                seen += usize::from(is_setting);
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(seen >= 10, "{seen}");
}

#[test]
fn every_route_exists() {
    let paths_of = |base: &str, document: &'static openapi_model::Document| -> Vec<Vec<String>> {
        let paths = document.value()["paths"].as_object().unwrap().keys();
        paths.map(|path| format!("{base}{path}").split('/').map(str::to_owned).collect()).collect()
    };
    let paths = [paths_of("/v1", contract::v1::document()), paths_of("/v2", contract::v2::document())].concat();
    let mut seen = 0;
    for page in pages() {
        for code in page.codes() {
            for word in words(&code.text) {
                let word = word.trim_start_matches("$API").split('?').next().unwrap().trim_end_matches('"');
                if !word.starts_with("/v1/") && !word.starts_with("/v2/") {
                    continue;
                }
                let parts: Vec<&str> = word.split('/').collect();
                let is_known = paths.iter().any(|path| {
                    path.len() == parts.len()
                        && path.iter().zip(&parts).all(|(path, part)| path.starts_with('{') || path == part)
                });
                assert!(is_known, "{}: unknown route {word}", page.at(code.line));
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn every_decision_record_has_its_sections_and_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    let mut seen = 0;
    for page in pages() {
        let file = page.path.file_name().unwrap().to_str().unwrap().to_owned();
        if !page.path.parent().unwrap().ends_with("docs/decisions") || file == "README.md" {
            continue;
        }
        let number: u32 = file[..4].parse().unwrap();
        let title = page.text.lines().next().unwrap().strip_prefix(&format!("# {number}. ")).unwrap_or_default();
        assert!(!title.is_empty() && !title.ends_with('.'), "{file}: the title is not “# {number}. Decide on X”");
        let headings: Vec<&str> = page.text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## Context", "## Decision", "## Consequences"], "{file}");
        let status = page.text.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or_default();
        let row = format!("| {number} | [{title}]({file}) | {status} |");
        assert!(!status.is_empty() && index.contains(&row), "{file}: the index has no row {row}");
        seen += 1;
    }
    let rows = index.lines().filter(|line| line.starts_with("| ") && line.contains(".md) |")).count();
    assert_eq!(seen, rows, "the index has rows without a record");
}
