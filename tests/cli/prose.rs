//! What the prose names exists: make targets, commands, paths, links, variables.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bucketlist::{cli::Cli, config::variables};
use clap::{Command, CommandFactory};
use contract::ErrorCode;

use crate::support::repository_root;

/// A file of prose.
struct Page {
    path: PathBuf,
    text: String,
}

/// A piece of code in it: an inline span, or a line of a block; and the line it is on.
struct Code {
    text: String,
    line: usize,
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn pages() -> Vec<Page> {
    let mut paths = ["README.md", "CHANGELOG.md", "SECURITY.md"].map(|name| repository_root().join(name)).to_vec();
    collect(&repository_root().join("docs"), &mut paths);
    paths.into_iter().map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

impl Page {
    fn codes(&self) -> Vec<Code> {
        let mut codes = Vec::new();
        let mut in_block = false;
        // A span may go over the end of a line.
        let mut open: Option<String> = None;
        for (index, line) in self.text.lines().enumerate() {
            let line_number = index + 1;
            if line.starts_with("```") {
                in_block = !in_block;
                open = None;
                continue;
            }
            if in_block {
                codes.push(Code { text: line.to_owned(), line: line_number });
                continue;
            }
            if line.trim().is_empty() {
                open = None;
            }
            let mut pieces = line.split('`');
            let first = pieces.next().unwrap();
            if let Some(text) = &mut open {
                text.push(' ');
                text.push_str(first);
            }
            for piece in pieces {
                match open.take() {
                    Some(text) => codes.push(Code { text, line: line_number }),
                    None => open = Some(piece.to_owned()),
                }
            }
        }
        codes
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(repository_root()).unwrap().display())
    }
}

/// The words of a piece of code, without the quotes and brackets around them.
fn words(code: &str) -> Vec<&str> {
    let edges = |c: char| "'\"(),;:<>│─►▼┌┐└┘├┤".contains(c);
    code.split(|c: char| c.is_whitespace() || c == '│')
        .map(|word| word.trim_matches(edges))
        .filter(|word| !word.is_empty())
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository_root().join(path)).unwrap()
}

/// Every text in which a variable of the scripts may be named.
fn scripts() -> String {
    let mut text = read("Makefile") + &read(".ci/run");
    for entry in fs::read_dir(repository_root().join("scripts")).unwrap() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

/// The names in a text that are written like variables.
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
fn there_is_prose_and_it_is_understood() {
    let pages = pages();
    assert!(pages.len() >= 5);
    let readme = &pages[0];
    let codes: Vec<String> = readme.codes().into_iter().map(|code| code.text).collect();
    for known in ["make run", "make test", "demo@example.com", "src/db/schema.rs", "N passed, N failed"] {
        assert!(codes.iter().any(|code| code == known), "{known}: {codes:#?}");
    }
}

#[test]
fn every_make_target_exists() {
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
                    assert!(targets.contains(pair[1]), "{}: there is no `make {}`", page.at(code.line), pair[1]);
                    seen.insert(pair[1].to_owned());
                }
            }
        }
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn every_make_target_is_in_the_help_and_every_phony_one_is_a_target() {
    let makefile = read("Makefile");
    for target in makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: ")) {
        let explained = makefile.lines().any(|line| line.starts_with(&format!("{target}: ## ")));
        assert!(explained, "{target} has no explanation");
    }
    for name in ["run", "test", "help", "check", "fmt", "lint", "docs", "openapi", "bench"] {
        assert!(makefile.contains(&format!("\n.PHONY: {name}\n")), "{name}");
    }
}

/// Follows the words after `bucketlist` into the command line.
fn follow(mut command: Command, words: &[&str], sandbox: &str) -> bool {
    let mut depth = 0;
    for word in words {
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split('=').next().unwrap();
            let known = name == "help" || command.get_arguments().any(|argument| argument.get_long() == Some(name));
            assert!(known, "{sandbox}: `bucketlist {}` has no --{name}", words.join(" "));
        } else if command.has_subcommands() {
            let Some(part) = command.find_subcommand(word).cloned() else {
                panic!("{sandbox}: there is no `bucketlist {}`", words.join(" "));
            };
            command = part;
            depth += 1;
        }
    }
    depth > 0
}

#[test]
fn every_command_of_the_binary_exists_with_its_options() {
    let cli = Cli::command();
    let mut seen = 0;
    for page in pages() {
        for code in page.codes() {
            let words = words(&code.text);
            let begins = words.iter().position(|word| *word == "bucketlist").map(|at| at + 1);
            let begins = begins.or_else(|| {
                let at = words.iter().position(|word| *word == "--")?;
                (words[..at].contains(&"cargo") && words[..at].contains(&"run")).then_some(at + 1)
            });
            // `bucketlist` alone is the binary's name.
            if let Some(rest) = begins.map(|at| &words[at..]).filter(|rest| !rest.is_empty()) {
                seen += usize::from(follow(cli.clone(), rest, &page.at(code.line)));
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn every_command_of_the_binary_is_named_in_the_changelog() {
    let changelog = read("CHANGELOG.md");
    for command in Cli::command().get_subcommands().map(Command::get_name).filter(|name| *name != "help") {
        assert!(changelog.contains(&format!("`{command}`")), "{command}");
    }
}

/// Whether a word of a piece of code means a path in the repository.
fn is_path(word: &str) -> bool {
    let written_like_one = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/{},".contains(c));
    let named_like_a_file = ["rs", "toml", "md", "yml", "json", "yaml", "sql", "lock", "mjs"]
        .iter()
        .any(|extension| word.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.') && stem.len() > 1));
    let (first, _) = word.split_once('/').unwrap_or((word, ""));
    // Routes begin with a slash; what is made at run time is in the data folder; media types are no paths.
    let elsewhere =
        ["", "data", "target", "application", "text", "~", "..", "DATA_DIR"].contains(&first) || word.contains("//");
    let is_hidden_file = word.starts_with('.') && word.len() > 4 && word != ".env";
    written_like_one && !elsewhere && (word.contains('/') || named_like_a_file || is_hidden_file)
}

/// `migrations/{sqlite,postgres}/` is two paths.
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
fn every_path_exists() {
    let mut seen = 0;
    for page in pages() {
        for code in page.codes() {
            for word in words(&code.text).into_iter().filter(|word| is_path(word)) {
                for path in expand(word) {
                    let beside = page.path.parent().unwrap().join(&path);
                    let exists = repository_root().join(&path).exists() || beside.exists();
                    assert!(exists, "{}: there is no {path}", page.at(code.line));
                    // A folder is written as one.
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
    assert!(seen >= 30, "{seen}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for page in pages() {
        for (index, line) in page.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = target.split('#').next().unwrap();
                // Of other sites, of the forge that shows the page, of this page.
                if target.contains("://") || target.starts_with("../../") || file.is_empty() {
                    continue;
                }
                let path = page.path.parent().unwrap().join(file);
                assert!(path.exists(), "{}: {target} leads nowhere", page.at(index + 1));
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn every_variable_exists() {
    let scripts = scripts();
    let scripts = upper_case(&scripts);
    let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut seen = 0;
    for page in pages() {
        for code in page.codes() {
            for name in upper_case(&code.text) {
                let is_setting = variables::find(name).is_some();
                // Of the tour itself.
                let is_assigned = page.text.contains(&format!("\n{name}="));
                let is_known = is_setting || is_assigned || scripts.contains(name) || codes.contains(name);
                // BASE_URL is what this test suite gives to the tour.
                assert!(is_known || name == "BASE_URL", "{}: there is no {name}", page.at(code.line));
                seen += usize::from(is_setting);
            }
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn every_route_is_one_of_the_servers() {
    let paths_of = |base: &str, document: &'static document::Document| -> Vec<Vec<String>> {
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
                assert!(is_known, "{}: there is no {word}", page.at(code.line));
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}
