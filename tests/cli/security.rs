//! What `docs/security.md` claims: every requirement of the two lists is in it once, and every row names tests that there are.
//! What does not apply has no rows: it is a list of reasons.

use std::{collections::BTreeMap, fs};

use crate::support::repository_root;

/// How many requirements of ASVS 5.0 each section has on the levels 1 and 2; they are numbered from 1.
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
const MET: &str = "OWASP ASVS 5.0, levels 1 and 2: what is met";
const NOT_MET: &str = "OWASP ASVS 5.0, levels 1 and 2: what is not met, or not by the server alone";
const NOT_APPLICABLE: &str = "OWASP ASVS 5.0, levels 1 and 2: what does not apply";

/// A row of a table, or an entry of the list.
struct Row {
    section: String,
    cells: Vec<String>,
}

impl Row {
    /// The requirements in the first cell.
    fn requirements(&self) -> Vec<String> {
        self.cells[0].split(',').map(|word| word.trim().to_owned()).collect()
    }
}

/// Every row and entry below a heading, without the heads of the tables.
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(repository_root().join("docs/security.md")).unwrap();
    let (mut section, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        let cells: Vec<String> = if let Some(line) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) {
            line.split(" | ").map(|cell| cell.trim().to_owned()).collect()
        } else if let Some((requirements, why)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) {
            vec![requirements.to_owned(), why.to_owned()]
        } else {
            continue;
        };
        if ["requirement", "risk"].contains(&cells[0].as_str()) || !requirement_like(&cells[0]) {
            continue;
        }
        rows.push(Row { section: section.clone(), cells });
    }
    rows
}

fn requirement_like(cell: &str) -> bool {
    cell.starts_with("API") || (cell.starts_with('V') && cell[1..].starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a file has a test of this name: one with an attribute that makes it one, one of a macro that runs it on both
/// engines, or a check in a browser.
fn has_test(path: &str, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(repository_root().join(path)) else { return false };
    if path.starts_with("tests/browser/") {
        return text.contains(&format!("await check('{name}', async () => {{"));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(index, line)| {
        let is_it = line.starts_with(&format!("fn {name}(")) || line.starts_with(&format!("async fn {name}("));
        let attributes =
            lines[..index].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        is_it && (line.contains("engine: Engine") || attributes.into_iter().any(|line| line.contains("test")))
    })
}

#[test]
fn every_requirement_is_in_the_table_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows() {
        for requirement in row.requirements() {
            places.entry(requirement).or_default().push(row.section.clone());
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
        let found = places.remove(requirement).unwrap_or_default();
        assert!(found.len() == 1 && sections.contains(&found[0].as_str()), "{requirement} is in {found:?}");
    }
    assert!(places.is_empty(), "no requirements of these levels: {places:?}");
}

#[test]
fn every_row_names_tests_that_there_are() {
    let mut named = 0;
    for row in rows().iter().filter(|row| row.section != NOT_APPLICABLE) {
        assert_eq!(row.cells.len(), 3, "{:?}", row.cells);
        assert!(!row.cells[1].is_empty(), "{}: where is it met?", row.cells[0]);
        let tests: Vec<&str> = row.cells[2].split('`').filter(|word| word.contains("::")).collect();
        assert!(!tests.is_empty(), "{}: no test proves it", row.cells[0]);
        for test in tests {
            let (path, name) = test.rsplit_once("::").unwrap();
            assert!(has_test(path, name), "{}: there is no test {name} in {path}", row.cells[0]);
            named += 1;
        }
    }
    assert!(named > 150, "{named}");
    assert!(!has_test("tests/cli/security.rs", "rows"), "what is no test is taken for one");
    assert!(has_test("tests/cli/security.rs", "every_row_names_tests_that_there_are"));
    assert!(!has_test("tests/browser/docs.mjs", "log in"), "half a name");
    assert!(has_test("tests/browser/docs.mjs", "log in once"));
}

#[test]
fn whatever_does_not_apply_says_why() {
    let mut rows_seen = 0;
    for row in rows().iter().filter(|row| row.section == NOT_APPLICABLE) {
        assert_eq!(row.cells.len(), 2, "{:?}", row.cells);
        assert!(row.cells[1].len() > 10, "{}: why?", row.cells[0]);
        rows_seen += 1;
    }
    assert!(rows_seen > 20, "{rows_seen}");
}

/// ASVS V15.1.1 and V15.2.1: when they are looked for, and within which time they are mended.
#[test]
fn holes_of_dependencies_are_looked_for_and_have_a_time() {
    let text = |path: &str| fs::read_to_string(repository_root().join(path)).unwrap();
    let workflow = text(".github/workflows/ci.yml");
    let (triggers, jobs) = workflow.split_once("\njobs:\n").unwrap();
    for trigger in ["\n  push:\n", "\n  pull_request:\n", "\n  schedule:\n", "- cron: "] {
        assert!(triggers.contains(trigger), "{trigger} starts no check");
    }
    assert!(jobs.contains("\n  deny:\n") && jobs.contains("EmbarkStudios/cargo-deny-action"), "nobody looks");
    let policy = text("SECURITY.md");
    let section =
        policy.split("## Holes of dependencies\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    for word in ["7 days", "within 30", "three months", "critical or high"] {
        assert!(section.contains(word), "{word}: {section}");
    }
    let deny = text("deny.toml");
    assert!(deny.contains("[advisories]") && !deny.contains("\nignore = [\""), "an advisory is passed over");
}
