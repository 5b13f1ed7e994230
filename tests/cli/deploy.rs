//! The deployment files use settings and commands that exist.

use std::{collections::BTreeSet, fs, path::Path};

use bucketlist::{cli::Cli, config::variables};
use clap::CommandFactory;

use crate::support::repository_root;

/// Names that look like settings and belong to others: the build, and the images of PostgreSQL and Grafana.
const OTHERS: [&str; 4] = ["BUCKETLIST_", "CARGO_", "GF_", "POSTGRES_"];

fn read(file: &str) -> String {
    fs::read_to_string(repository_root().join(file)).unwrap()
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path.strip_prefix(repository_root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Returns every deployment file: those in the root, and all in `deploy/`, except local secrets.
fn files() -> Vec<String> {
    let mut files = ["Dockerfile", "compose.yaml", "Procfile"].map(str::to_owned).to_vec();
    collect(&repository_root().join("deploy"), &mut files);
    files.retain(|file| !file.starts_with("deploy/secrets/"));
    assert!(files.iter().any(|file| file == "deploy/helm/bucketlist/templates/deployment.yaml"), "{files:?}");
    files
}

/// Returns the lines of a file that are not comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#'))
}

/// Returns the names that a line assigns (`NAME=value`, or `NAME: value` or `- name: NAME` in YAML, or a list of names in JSON) and
/// that are written like settings.
fn assigned_settings(line: &str) -> impl Iterator<Item = &str> {
    let assigned =
        line.split([' ', '"', ',', '[']).filter_map(|word| word.split_once(['=', ':'])).map(|(name, _)| name);
    let named =
        line.strip_prefix("- name: ").or_else(|| line.trim_end_matches(',').strip_prefix('"')?.strip_suffix('"'));
    assigned.chain(named).filter(|name| {
        name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn every_setting_exists() {
    let mut seen = BTreeSet::new();
    for file in files() {
        let text = read(&file);
        for name in lines(&text).flat_map(assigned_settings) {
            if OTHERS.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            assert!(variables::find(name).is_some(), "{file}: {name}");
            seen.insert(name.to_owned());
        }
    }
    for name in ["APP_ENV", "AUTO_MIGRATE", "DATABASE_EXCLUSIVE", "DATA_DIR", "LOG_FORMAT", "METRICS_ADDR", "SMTP_URL"]
    {
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
    let starts = ["CMD", "ExecStart=", "web:", "worker:", "release:", "args: [", "command: [", "-- bucketlist"];
    for file in files() {
        let text = read(&file);
        for line in lines(&text).filter(|line| starts.iter().any(|key| line.contains(key))) {
            let words: Vec<&str> = line.split([' ', '"', '[', ']', ',', '=']).filter(|word| !word.is_empty()).collect();
            let Some(command) = words.iter().rev().find_map(|word| cli.find_subcommand(word)) else { continue };
            seen.insert(command.get_name().to_owned());
        }
    }
    assert_eq!(seen, ["doctor", "health", "migrate", "serve", "worker"].map(str::to_owned).into());
}

#[test]
fn versions_agree() {
    let chart = read("deploy/helm/bucketlist/Chart.yaml");
    assert!(chart.contains(&format!("\nappVersion: \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{chart}");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    let image = format!("FROM rust:{channel}-slim-bookworm");
    assert!(read("Dockerfile").contains(&image), "Dockerfile: {image}");
}

/// The context of a build is sent to another process, and its layers are cached.
#[test]
fn secrets_are_not_in_the_build_context() {
    let ignored: Vec<String> = read(".dockerignore").lines().map(str::to_owned).collect();
    for path in [".env", ".git", "data", "deploy"] {
        assert!(ignored.iter().any(|line| line == path), "{path}: {ignored:?}");
    }
}

/// Kubernetes and Compose end a server that takes longer to stop than they allow.
#[test]
fn stop_grace_periods_exceed_the_defaults() {
    let seconds = |name: &str| -> u64 {
        let default = variables::find(name).unwrap().default;
        default.strip_suffix('s').unwrap().parse().unwrap()
    };
    let needed = seconds("SHUTDOWN_DELAY") + seconds("SHUTDOWN_TIMEOUT");
    let mut seen = 0;
    for (file, key) in [
        ("compose.yaml", "stop_grace_period: "),
        ("deploy/compose/replicas.yaml", "stop_grace_period: "),
        ("deploy/systemd/bucketlist.service", "TimeoutStopSec="),
        ("deploy/systemd/bucketlist-worker.service", "TimeoutStopSec="),
    ] {
        let text = read(file);
        let periods = lines(&text).filter_map(|line| line.strip_prefix(key)?.strip_suffix('s')?.parse::<u64>().ok());
        for period in periods {
            assert!(period > needed, "{file}: {period} s");
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}
