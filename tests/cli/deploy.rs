//! The deployment files use settings and commands that exist.

use std::{collections::BTreeSet, fs};

use bucketlist::{cli::Cli, config::variables};
use clap::CommandFactory;

use crate::support::repository_root;

const FILES: [&str; 4] = ["Dockerfile", "compose.yaml", "Procfile", "deploy/systemd/bucketlist.service"];

/// Names that look like settings and belong to others: the build, and the image of PostgreSQL.
const OTHERS: [&str; 3] = ["BUCKETLIST_", "CARGO_", "POSTGRES_"];

fn read(file: &str) -> String {
    fs::read_to_string(repository_root().join(file)).unwrap()
}

/// Returns the lines of a file that are not comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#'))
}

/// Returns the names that a line assigns (`NAME=value`, or `NAME: value` in YAML) and that are written like settings.
fn assigned_settings(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '"', ',', '[']).filter_map(|word| word.split_once(['=', ':'])).map(|(name, _)| name).filter(
        |name| name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'),
    )
}

#[test]
fn every_setting_exists() {
    let mut seen = BTreeSet::new();
    for file in FILES {
        let text = read(file);
        for name in lines(&text).flat_map(assigned_settings) {
            if OTHERS.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            assert!(variables::find(name).is_some(), "{file}: {name}");
            seen.insert(name.to_owned());
        }
    }
    for name in ["APP_ENV", "AUTO_MIGRATE", "DATABASE_EXCLUSIVE", "DATA_DIR", "LOG_FORMAT"] {
        assert!(seen.contains(name), "{name} is no longer set: {seen:?}");
    }
}

#[test]
fn reloaded_settings_are_documented() {
    let page = read("docs/deployment.md");
    let section = page.split("## Reloading settings").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let table = section.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeSet<&str> = table.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let reloaded = variables::ALL.iter().filter(|variable| variable.is_reloaded).map(|variable| variable.name);
    assert_eq!(documented, reloaded.collect());
}

#[test]
fn every_command_exists() {
    let cli = Cli::command();
    let mut seen = BTreeSet::new();
    for file in FILES {
        let text = read(file);
        for line in
            lines(&text).filter(|line| ["CMD", "ExecStart", "web:", "release:"].iter().any(|key| line.contains(key)))
        {
            let words: Vec<&str> = line.split([' ', '"', '[', ']', ',', '=']).filter(|word| !word.is_empty()).collect();
            let Some(command) = words.iter().rev().find_map(|word| cli.find_subcommand(word)) else { continue };
            seen.insert(command.get_name().to_owned());
        }
    }
    assert_eq!(seen, ["health", "migrate", "serve"].map(str::to_owned).into());
}
