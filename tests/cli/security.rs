//! `docs/security.md` lists every requirement exactly once and names existing tests, and `SECURITY.md` is complete.

use std::{collections::BTreeMap, fs};

use bucketlist::config::variables;

use crate::support::repository_root;

/// The number of requirements in each section of ASVS 5.0 on levels 1 and 2. They are numbered from 1.
const SECTIONS: [(&str, u8); 75] = [
    ("1.1", 2),
    ("1.2", 9),
    ("1.3", 11),
    ("1.4", 3),
    ("1.5", 2),
    ("2.1", 3),
    ("2.2", 3),
    ("2.3", 4),
    ("2.4", 1),
    ("3.2", 2),
    ("3.3", 4),
    ("3.4", 6),
    ("3.5", 5),
    ("3.7", 2),
    ("4.1", 3),
    ("4.2", 1),
    ("4.3", 2),
    ("4.4", 4),
    ("5.1", 1),
    ("5.2", 3),
    ("5.3", 2),
    ("5.4", 3),
    ("6.1", 3),
    ("6.2", 12),
    ("6.3", 4),
    ("6.4", 4),
    ("6.5", 5),
    ("6.6", 3),
    ("6.8", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 2),
    ("7.6", 2),
    ("8.1", 2),
    ("8.2", 3),
    ("8.3", 1),
    ("8.4", 1),
    ("9.1", 3),
    ("9.2", 4),
    ("10.1", 2),
    ("10.2", 2),
    ("10.3", 4),
    ("10.4", 11),
    ("10.5", 5),
    ("10.6", 2),
    ("10.7", 3),
    ("11.1", 2),
    ("11.2", 3),
    ("11.3", 3),
    ("11.4", 4),
    ("11.5", 1),
    ("11.6", 1),
    ("12.1", 3),
    ("12.2", 2),
    ("12.3", 4),
    ("13.1", 1),
    ("13.2", 5),
    ("13.3", 2),
    ("13.4", 5),
    ("14.1", 2),
    ("14.2", 4),
    ("14.3", 3),
    ("15.1", 3),
    ("15.2", 3),
    ("15.3", 7),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
    ("16.4", 3),
    ("16.5", 3),
    ("17.1", 1),
    ("17.2", 4),
    ("17.3", 2),
];

const TOP_TEN: &str = "OWASP API Security Top 10 (2023)";
const MET: &str = "OWASP ASVS 5.0, levels 1 and 2: met";
const NOT_MET: &str = "OWASP ASVS 5.0, levels 1 and 2: not met, or not by the server alone";
const NOT_APPLICABLE: &str = "OWASP ASVS 5.0, levels 1 and 2: not applicable";

/// A table row, or an entry of the list of requirements that do not apply.
struct Row {
    section: String,
    cells: Vec<String>,
}

impl Row {
    /// Returns the requirements in the first cell.
    fn requirements(&self) -> Vec<String> {
        self.cells[0].split(',').map(|word| word.trim().to_owned()).collect()
    }
}

/// Returns every row and list entry, without table headers.
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(repository_root().join("docs/security.md")).unwrap();
    let (mut section, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        let cells: Vec<String> = if let Some(line) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) {
            line.split(" | ").map(|cell| cell.trim().to_owned()).collect()
        } else if let Some((requirements, reason)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) {
            vec![requirements.to_owned(), reason.to_owned()]
        } else {
            continue;
        };
        if ["requirement", "risk"].contains(&cells[0].as_str()) || !is_requirement(&cells[0]) {
            continue;
        }
        rows.push(Row { section: section.clone(), cells });
    }
    rows
}

fn is_requirement(cell: &str) -> bool {
    cell.starts_with("API") || (cell.starts_with('V') && cell[1..].starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a file has a test with this name: a function with a test attribute, one in a macro that runs it on both engines, or
/// a browser check.
fn has_test(path: &str, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(repository_root().join(path)) else { return false };
    if path.starts_with("tests/browser/") {
        return text.contains(&format!("await check('{name}', async () => {{"));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(index, line)| {
        let is_named = line.starts_with(&format!("fn {name}(")) || line.starts_with(&format!("async fn {name}("));
        let attributes =
            lines[..index].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        is_named && (line.contains("engine: Engine") || attributes.into_iter().any(|line| line.contains("test")))
    })
}

#[test]
fn every_requirement_is_listed_once() {
    let mut sections_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows() {
        for requirement in row.requirements() {
            sections_of.entry(requirement).or_default().push(row.section.clone());
        }
    }
    let mut expected: Vec<(String, &[&str])> =
        (1..=10).map(|number| (format!("API{number}"), &[TOP_TEN][..])).collect();
    for (section, count) in SECTIONS {
        expected
            .extend((1..=count).map(|number| (format!("V{section}.{number}"), &[MET, NOT_MET, NOT_APPLICABLE][..])));
    }
    assert_eq!(expected.len(), 263);
    for (requirement, sections) in &expected {
        let found = sections_of.remove(requirement).unwrap_or_default();
        assert!(found.len() == 1 && sections.contains(&found[0].as_str()), "{requirement} is in {found:?}");
    }
    assert!(sections_of.is_empty(), "unknown requirements: {sections_of:?}");
}

#[test]
fn every_row_names_existing_tests() {
    let mut named = 0;
    for row in rows().iter().filter(|row| row.section != NOT_APPLICABLE) {
        assert_eq!(row.cells.len(), 3, "{:?}", row.cells);
        assert!(!row.cells[1].is_empty(), "{}: no description", row.cells[0]);
        let tests: Vec<&str> = row.cells[2].split('`').filter(|word| word.contains("::")).collect();
        assert!(!tests.is_empty(), "{}: no test", row.cells[0]);
        for test in tests {
            let (path, name) = test.rsplit_once("::").unwrap();
            assert!(has_test(path, name), "{}: {path} has no test {name}", row.cells[0]);
            named += 1;
        }
    }
    assert!(named > 150, "{named}");
    assert!(!has_test("tests/cli/security.rs", "rows"), "a function that is not a test");
    assert!(has_test("tests/cli/security.rs", "every_row_names_existing_tests"));
    assert!(!has_test("tests/browser/docs.mjs", "one login"), "a part of a name");
    assert!(has_test("tests/browser/docs.mjs", "one login applies to all operations"));
}

#[test]
fn requirements_that_do_not_apply_have_a_reason() {
    let mut rows_seen = 0;
    for row in rows().iter().filter(|row| row.section == NOT_APPLICABLE) {
        assert_eq!(row.cells.len(), 2, "{:?}", row.cells);
        assert!(row.cells[1].len() > 10, "{}: no reason", row.cells[0]);
        rows_seen += 1;
    }
    assert!(rows_seen > 20, "{rows_seen}");
}

/// ASVS V15.1.1 and V15.2.1: how often dependencies are checked, and when vulnerable ones are fixed.
#[test]
fn vulnerable_dependencies_are_detected_and_fixed_within_a_time_limit() {
    let text = |path: &str| fs::read_to_string(repository_root().join(path)).unwrap();
    let workflow = text(".github/workflows/ci.yml");
    let (triggers, jobs) = workflow.split_once("\njobs:\n").unwrap();
    for trigger in ["\n  push:\n", "\n  pull_request:\n", "\n  schedule:\n", "- cron: "] {
        assert!(triggers.contains(trigger), "{trigger} does not start the checks");
    }
    assert!(jobs.contains("\n  deny:\n") && jobs.contains("EmbarkStudios/cargo-deny-action"), "no advisory check");
    let policy = text("SECURITY.md");
    let section =
        policy.split("## Vulnerable dependencies\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    for word in ["7 days", "within 30", "three months", "critical or high"] {
        assert!(section.contains(word), "{word}: {section}");
    }
    let deny = text("deny.toml");
    assert!(deny.contains("[advisories]") && !deny.contains("\nignore = [\""), "an advisory is ignored");
}

/// Returns the rows of the first table in a section of a page, by their first cell.
fn table(path: &str, section: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository_root().join(path)).unwrap();
    let (_, section) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split_once(" | ")).map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

#[test]
fn threat_model_names_every_secret_of_the_operator() {
    let assets = table("SECURITY.md", "Assets");
    let secrets = &assets["operator secrets"];
    let mut count = 0;
    for variable in variables::ALL.iter().filter(|variable| variable.secret) {
        assert!(secrets.contains(&format!("`{}`", variable.name)), "{} is missing: {secrets}", variable.name);
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

/// Incidents and exports contain user content: who can read it, and whether it is encrypted.
#[test]
fn threat_model_covers_user_content_in_incidents_and_exports() {
    let assets = table("SECURITY.md", "Assets");
    assert!(assets["user content"].contains("exports") && assets["user content"].contains("captured requests"));
    assert!(assets["captured requests"].contains("user content"));
    let attackers = table("SECURITY.md", "Attackers");
    assert!(attackers["administrator"].contains("read incidents, which can contain content of other users"));
    assert!(attackers["reader of a backup or a log"].contains("With `INCIDENTS_KEY`, incidents are encrypted"));
    let boundaries = table("SECURITY.md", "Trust boundaries");
    assert!(boundaries["request → incident"].contains("encryption with `INCIDENTS_KEY`"));
    assert!(boundaries["user → export"].contains("deleted after `EXPORT_TTL`"));
    let stored = table("docs/security.md", "Stored data");
    assert!(stored["incidents"].contains("if `INCIDENTS_KEY` is set, unencrypted otherwise"));
    assert!(stored["exports"].starts_with("unencrypted"));
    let page = fs::read_to_string(repository_root().join("docs/security.md")).unwrap();
    let (_, authorization) = page.split_once("\n## Authorization\n").unwrap();
    assert!(authorization.split("\n## ").next().unwrap().contains("Incidents are the exception"));
}
