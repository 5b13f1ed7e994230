//! The house's arrows: who may name whom. A room names only rooms below it, so there is no circle.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Rooms of `src/` and the rooms they may name, from the ground up.
const ARROWS: &[(&str, &[&str])] = &[
    ("build_info", &[]),
    ("domain", &[]),
    ("mail", &[]),
    ("capture", &["build_info", "domain"]),
    ("postman", &["domain"]),
    ("db", &["domain"]),
    ("config", &["db", "domain", "capture"]),
    ("limits", &["config", "domain"]),
    ("auth", &["config", "db", "domain"]),
    ("server", &[]),
    ("seed", &["auth", "build_info", "config", "db", "domain", "capture"]),
    ("services", &["auth", "db", "domain", "capture"]),
    ("jobs", &["auth", "db", "domain", "capture", "mail", "services"]),
    ("endpoints", &["auth", "db", "domain", "capture", "services"]),
    ("http", &["auth", "build_info", "capture", "config", "db", "domain", "endpoints", "server", "services"]),
    (
        "app",
        &[
            "auth",
            "capture",
            "config",
            "db",
            "domain",
            "endpoints",
            "http",
            "jobs",
            "limits",
            "mail",
            "postman",
            "seed",
            "services",
        ],
    ),
    ("cli", &["app", "auth", "build_info", "config", "db", "domain", "http", "capture", "postman", "seed", "server"]),
];

/// What a room must not speak of, with the reason.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("domain", &["diesel", "poem", "contract::", "tokio"], "values know nobody"),
    ("services", &["poem", "contract::", "http::", "diesel::prelude", "schema::"], "no HTTP and no SQL"),
    ("endpoints", &["diesel", "schema::"], "endpoints translate"),
    ("db", &["poem", "contract::"], "rows are not schemas"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room a file is in; `None` for the crate's root.
fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(source_folder()).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    (!["main", "lib"].contains(&first.as_str())).then_some(first)
}

/// The code of a file: without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms named in `use crate::{a::…, b}` and `crate::a::…`.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let known: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut is_start = true;
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        word.clear();
                        is_start = true;
                    }
                    ':' => is_start = false,
                    c if depth == 0 && is_start && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ => {}
                }
                if known.contains(&word.as_str()) {
                    named.insert(word.clone());
                }
            }
        } else {
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if known.contains(&word.as_str()) {
                named.insert(word);
            }
        }
    }
    named
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources(&source_folder()) {
        let Some(room) = room(&path) else { continue };
        if path.strip_prefix(source_folder()).unwrap().to_string_lossy().contains("tests") {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{room} is no room of the house: say in ARROWS what it may name"));
            continue;
        };
        for other in named_rooms(&code(&path)) {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} must not name {other}", path.display()));
            }
            seen.insert((room.clone(), other));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.contains(&("services".to_owned(), "db".to_owned())), "the reading found nothing");
}

#[test]
fn the_rooms_stand_above_those_they_name() {
    for (index, (room, allowed)) in ARROWS.iter().enumerate() {
        for other in *allowed {
            let below = ARROWS.iter().position(|(name, _)| name == other).unwrap();
            assert!(below < index, "{room} names {other}, which does not stand below it");
        }
    }
}

#[test]
fn rooms_do_not_speak_of_what_is_not_theirs() {
    let mut wrong = Vec::new();
    for path in sources(&source_folder()) {
        let Some(room) = room(&path) else { continue };
        let Some((_, words, why)) = FORBIDDEN.iter().find(|(name, ..)| *name == room) else { continue };
        let code = code(&path);
        // The translation from the database's errors is the one place where a service sees them.
        let code = code.replace("diesel::result::Error", "");
        for word in *words {
            if code.contains(word) {
                wrong.push(format!("{}: {room} speaks of {word} ({why})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_enough_to_read() {
    const MAX: usize = 400;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = [root.join("src"), root.join("crates")]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|path| !path.to_string_lossy().contains("tests"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MAX)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "longer than {MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn no_code_of_ours_is_unsafe_or_starts_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"), "the lint that forbids it is gone");
    let mut read = 0;
    for path in [root.join("src"), root.join("crates")].iter().flat_map(|folder| sources(folder)) {
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code(&path);
        for word in ["unsafe {", "unsafe fn", "unsafe impl", "process::Command", "Command::new(\""] {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
        read += 1;
    }
    assert!(read > 100, "{read}");
}

/// What is built is what was looked at: every dependency is named with the digest of its source, and comes from the registry.
#[test]
fn every_dependency_is_known_by_its_digest_and_comes_from_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let mut known = 0;
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        // What has no source is in this repository.
        let Some(source) = field("source") else { continue };
        let name = field("name").unwrap();
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index\"", "{name}");
        assert_eq!(field("checksum").map(|digest| digest.len()), Some(65), "{name}");
        known += 1;
    }
    assert!(known > 100, "{known}");
    let deny = fs::read_to_string(root.join("deny.toml")).unwrap();
    for rule in ["unknown-registry = \"deny\"", "unknown-git = \"deny\""] {
        assert!(deny.contains(rule), "deny.toml: {rule}");
    }
}
