//! Enforces the dependency rules of the crate: which modules may use which others, and which crates each may name. Also finds
//! copied code.

mod duplicates;
mod modules;
mod references;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use modules::{SourceFile, read_crate};
use references::Reference;

/// The layers of a request, from the top: each may use only those after it.
const LAYERS: [&str; 7] = ["cli", "app", "http", "endpoints", "services", "db", "domain"];

/// The modules of `src/` and the modules that each may use. A module may use only modules listed before it, so there are
/// no cycles.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("build_info", &[]),
    ("log_format", &[]),
    ("thread_priority", &[]),
    ("domain", &[]),
    ("traces", &[]),
    ("profiles", &[]),
    ("mail", &["traces"]),
    ("metrics", &["mail"]),
    ("capture", &["build_info", "domain"]),
    ("postman", &["domain"]),
    ("samples", &[]),
    ("db", &["domain", "metrics", "traces"]),
    ("redis", &["domain", "metrics"]),
    ("config", &["db", "domain", "capture", "mail", "redis", "traces"]),
    ("usage", &["db", "domain"]),
    ("limits", &["config", "domain", "metrics", "redis"]),
    ("auth", &["config", "db", "domain", "redis", "thread_priority", "traces"]),
    ("server", &[]),
    ("seed", &["auth", "build_info", "config", "db", "domain", "capture"]),
    ("services", &["auth", "db", "domain", "capture", "profiles", "redis", "traces"]),
    ("jobs", &["auth", "db", "domain", "capture", "mail", "metrics", "services", "traces", "usage"]),
    ("endpoints", &["auth", "domain", "services"]),
    (
        "http",
        &[
            "auth",
            "build_info",
            "capture",
            "config",
            "db",
            "domain",
            "endpoints",
            "metrics",
            "redis",
            "samples",
            "server",
            "services",
            "thread_priority",
            "traces",
            "usage",
        ],
    ),
    (
        "app",
        &[
            "auth",
            "build_info",
            "capture",
            "config",
            "db",
            "domain",
            "endpoints",
            "http",
            "jobs",
            "limits",
            "mail",
            "metrics",
            "postman",
            "redis",
            "seed",
            "services",
            "traces",
            "usage",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "auth",
            "build_info",
            "config",
            "db",
            "domain",
            "endpoints",
            "http",
            "limits",
            "log_format",
            "capture",
            "mail",
            "metrics",
            "postman",
            "profiles",
            "redis",
            "samples",
            "seed",
            "server",
            "services",
        ],
    ),
];

/// Dependencies that break the rules today. Remove an entry with its last use: an unused entry fails the test.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Paths that a module must not name, with the reason.
const FORBIDDEN_PATHS: &[(&str, &[&str], &str)] = &[
    ("domain", &["diesel", "poem", "poem_openapi", "tokio", "r2d2"], "domain types depend on no framework"),
    (
        "services",
        &["poem", "poem_openapi", "contract", "diesel", "crate::db::schema"],
        "services contain neither HTTP nor SQL",
    ),
    ("endpoints", &["diesel", "crate::db::schema"], "endpoints do not query"),
    ("db", &["poem", "poem_openapi", "contract"], "repositories do not know the API"),
];

/// Paths that are allowed although they begin with a forbidden one.
const ALLOWED_PATHS: &[(&str, &str)] = &[
    // Services translate the errors of the database.
    ("services", "diesel::result::Error"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the names of the workspace's other crates, as Rust code spells them.
fn workspace_crates() -> BTreeSet<String> {
    let folders = fs::read_dir(repository().join("crates")).unwrap();
    folders.map(|entry| entry.unwrap().file_name().into_string().unwrap().replace('-', "_")).collect()
}

fn begins_with(path: &[String], prefix: &str) -> bool {
    let prefix: Vec<&str> = prefix.split("::").collect();
    path.len() >= prefix.len() && path.iter().zip(prefix).all(|(segment, expected)| segment == expected)
}

/// Returns the rule that a reference breaks, if there is one.
fn violation(module: &str, reference: &Reference, workspace: &BTreeSet<String>) -> Option<String> {
    let path = reference.path.join("::");
    if ALLOWED_PATHS.iter().any(|(name, allowed)| *name == module && begins_with(&reference.path, allowed)) {
        return None;
    }
    if let [root] = reference.path.as_slice()
        && root == "crate"
    {
        return Some(format!("`{module}` imports everything from the crate root"));
    }
    for (name, prefixes, reason) in FORBIDDEN_PATHS {
        if *name == module && prefixes.iter().any(|prefix| begins_with(&reference.path, prefix)) {
            return Some(format!("`{module}` must not use `{path}`: {reason}"));
        }
    }
    if module == "domain" && workspace.contains(&reference.path[0]) {
        return Some(format!("`domain` must not use `{path}`: it depends on no other crate of the workspace"));
    }
    let other = used_module(reference)?;
    let (_, allowed) = DEPENDENCIES.iter().find(|(name, _)| *name == module)?;
    let is_allowed = other == module || allowed.contains(&other) || EXCEPTIONS.contains(&(module, other));
    (!is_allowed).then(|| format!("`{module}` must not use `{path}`"))
}

/// Returns the top-level module that a reference names.
fn used_module(reference: &Reference) -> Option<&'static str> {
    let [root, module, ..] = reference.path.as_slice() else { return None };
    let known = DEPENDENCIES.iter().map(|(name, _)| *name).find(|name| name == module)?;
    (root == "crate").then_some(known)
}

/// Returns the files of the library, with the top-level module that each belongs to. The crate root declares modules only.
fn library() -> Vec<(String, SourceFile)> {
    let files = read_crate(&repository().join("src/lib.rs"));
    files.into_iter().filter_map(|file| Some((file.top_level_module()?.to_owned(), file))).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the library roots of every crate in the repository.
fn crate_roots() -> Vec<PathBuf> {
    let mut roots = vec![repository().join("src/lib.rs"), repository().join("src/main.rs")];
    for entry in fs::read_dir(repository().join("crates")).unwrap() {
        roots.push(entry.unwrap().path().join("src/lib.rs"));
    }
    roots
}

#[test]
fn modules_use_only_their_declared_dependencies() {
    let workspace = workspace_crates();
    let mut violations = Vec::new();
    let mut uses = BTreeSet::new();
    for (module, file) in library() {
        if !DEPENDENCIES.iter().any(|(name, _)| *name == module) {
            violations.push(format!("`{module}` is missing from DEPENDENCIES"));
        }
        for reference in &file.parsed.references {
            if let Some(message) = violation(&module, reference, &workspace) {
                violations.push(format!("{}:{}: {message}", file.path.display(), reference.line));
            }
            uses.extend(used_module(reference).map(|other| (module.clone(), other)));
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    assert!(uses.contains(&("services".to_owned(), "db")), "no references were found");
    for (module, other) in EXCEPTIONS {
        let is_used = uses.contains(&((*module).to_owned(), *other));
        assert!(is_used, "`{module}` no longer uses `{other}`: remove the entry from EXCEPTIONS");
    }
}

/// The rows of a query are counted only by the methods of `src/db/repositories/prelude.rs`.
#[test]
fn repositories_run_queries_with_their_prelude() {
    // The prelude, and implementations of the trait.
    let importing = ["prelude.rs", "summarized_page.rs"];
    let implementing = ["array_statement.rs", "item_pages.rs", "items.rs", "statement.rs"];
    let mut checked = 0;
    for (_, file) in library() {
        if !file.path.starts_with(repository().join("src/db/repositories")) {
            continue;
        }
        let name = file.path.file_name().unwrap().to_str().unwrap();
        for reference in &file.parsed.references {
            let is_wrong = (begins_with(&reference.path, "diesel::prelude") && !importing.contains(&name))
                || (begins_with(&reference.path, "diesel::RunQueryDsl")
                    && !importing.contains(&name)
                    && !implementing.contains(&name));
            assert!(!is_wrong, "{}:{}: use the prelude of the repositories", file.path.display(), reference.line);
        }
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn dependencies_have_no_cycles_and_follow_the_layers() {
    let position = |module: &str| DEPENDENCIES.iter().position(|(name, _)| *name == module).unwrap();
    for (module, allowed) in DEPENDENCIES {
        for other in *allowed {
            assert!(position(other) < position(module), "`{module}` may use `{other}`, which is not listed before it");
        }
    }
    for pair in LAYERS.windows(2) {
        assert!(position(pair[1]) < position(pair[0]), "`{}` is not below `{}`", pair[1], pair[0]);
    }
    for (module, other) in EXCEPTIONS {
        let (_, allowed) = DEPENDENCIES[position(module)];
        assert!(!allowed.contains(other), "`{module}` may use `{other}`: it needs no exception");
    }
}

/// Nothing but the library of the service may know it, and the general-purpose crates do not know the contract.
#[test]
fn workspace_crates_do_not_depend_on_the_service() {
    for name in workspace_crates() {
        let folder = repository().join("crates").join(name.replace('_', "-"));
        let folder = if folder.exists() { folder } else { repository().join("crates").join(&name) };
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let names: BTreeSet<&str> = dependencies
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|n| !n.is_empty())
            .collect();
        for forbidden in ["bucketlist", "diesel"] {
            assert!(!names.contains(forbidden), "`{name}` must not depend on `{forbidden}`");
        }
        // A document is repaired and linted independently (decision 42).
        assert!(name != "openapi_repair" || !names.contains("openapi-lint"), "`{name}` must not depend on the linter");
        let may_use_contract = ["contract", "incidents"].contains(&name.as_str());
        assert!(may_use_contract || !names.contains("contract"), "`{name}` must not depend on `contract`");
    }
}

#[test]
fn source_files_have_at_most_400_lines() {
    const MAX: usize = 400;
    let long: Vec<String> = [repository().join("src"), repository().join("crates")]
        .iter()
        .flat_map(|folder| rust_files(folder))
        .filter(|path| !path.to_string_lossy().contains("tests"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MAX)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "longer than {MAX} lines:\n{}", long.join("\n"));
}

/// Files of the command line that may start a process. The server never does.
const STARTS_PROCESS: &[&str] = &[
    // `openapi check` reads the document of the merge base from Git.
    "src/cli/openapi/compare.rs",
];

/// The files with unsafe code.
const HAS_UNSAFE_CODE: &[&str] = &[
    // Handles the signal that a failed write to a memory-mapped file raises.
    "crates/bus-errors/src/linux.rs",
    // Waits for notifications of PostgreSQL, for which Diesel has no function.
    "crates/pg-listener/src/libpq.rs",
];

#[test]
fn only_listed_files_have_unsafe_code_and_start_processes() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"), "Cargo.toml does not forbid unsafe code");
    let mut count = 0;
    for file in crate_roots().iter().flat_map(|root| read_crate(root)) {
        let path = file.path.display();
        let may_be_unsafe = HAS_UNSAFE_CODE.iter().any(|name| file.path.ends_with(name));
        assert!(
            may_be_unsafe || file.parsed.unsafe_lines.is_empty(),
            "{path}: unsafe code in lines {:?}",
            file.parsed.unsafe_lines
        );
        for reference in &file.parsed.references {
            for process in ["std::process::Command", "tokio::process"] {
                let is_allowed = STARTS_PROCESS.iter().any(|name| file.path.ends_with(name));
                let starts_process = begins_with(&reference.path, process);
                assert!(is_allowed || !starts_process, "{path}:{}: starts a process", reference.line);
            }
        }
        count += 1;
    }
    assert!(count > 100, "only {count} files were read");
}

/// Every dependency is pinned to the checksum of its source and comes from the registry.
#[test]
fn dependencies_are_pinned_by_checksum_and_come_from_the_registry() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let mut count = 0;
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        // A package without a source is a member of the workspace.
        let Some(source) = field("source") else { continue };
        let name = field("name").unwrap();
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index\"", "{name}");
        assert_eq!(field("checksum").map(|digest| digest.len()), Some(65), "{name}");
        count += 1;
    }
    assert!(count > 100, "only {count} dependencies were read");
    let deny = fs::read_to_string(repository().join("deny.toml")).unwrap();
    for rule in ["unknown-registry = \"deny\"", "unknown-git = \"deny\""] {
        assert!(deny.contains(rule), "deny.toml does not contain {rule}");
    }
}

/// Returns the rules that a file would break if it were part of this module, as `line: message`.
fn violations_in(module: &str, source: &str) -> Vec<String> {
    let path: Vec<String> = module.split("::").map(str::to_owned).collect();
    let parsed = references::parse(source, &path).unwrap();
    let workspace = ["contract", "endpoints"].map(str::to_owned).into();
    let found = parsed.references.iter();
    found.filter_map(|it| Some(format!("{}: {}", it.line, violation(&path[0], it, &workspace)?))).collect()
}

#[test]
fn checker_finds_forbidden_dependencies_in_every_kind_of_syntax() {
    const HTTP: &str = "`services` must not use `crate::http::Stage";
    for (what, source) in [
        ("an import", "use crate::http::Stage;"),
        ("a group of imports", "use crate::{\n    db, http::{self as _, Stage}};"),
        ("a renamed import", "use crate::http as pipeline;\nfn f(_: pipeline::Stage) {}"),
        ("a renamed crate root", "use crate as root;\nfn f(_: root::http::Stage) {}"),
        ("a re-export", "pub use crate::http::Stage;"),
        ("an import in a function", "fn f() { use crate::http::Stage; }"),
        ("an import in an inline module", "mod inner { use super::super::super::http::Stage; }"),
        ("a path relative to the parent", "fn f(_: super::super::http::Stage) {}"),
        ("an expression", "fn f() { let _ = crate::http::Stage::new(); }"),
        ("a type argument", "fn f(_: Vec<Option<crate::http::Stage>>) {}"),
        ("a trait bound", "fn f<T: crate::http::Stage>(_: T) {}"),
        ("a pattern", "fn f(x: u8) { match x { crate::http::Stage => {} } }"),
        ("the arguments of a macro", "fn f() { println!(\"{}\", crate::http::Stage); }"),
        ("the body of a macro", "macro_rules! m { () => { $crate::http::Stage } }"),
        ("imports in the body of a macro", "macro_rules! m { () => { use $crate::{db, http::Stage}; } }"),
        ("an attribute", "#[derive(crate::http::Stage)]\nstruct S;"),
        ("a path in the string of an attribute", "struct S { #[serde(with = \"crate::http::Stage\")] x: u8 }"),
        ("code after a test module", "#[cfg(test)]\nmod tests {}\nuse crate::http::Stage;"),
        ("code that is left out of tests", "#[cfg(not(test))]\nuse crate::http::Stage;"),
        ("code for tests and other builds", "#[cfg(any(test, unix))]\nuse crate::http::Stage;"),
    ] {
        let found = violations_in("services::items", source);
        assert!(found.iter().any(|line| line.contains(HTTP)), "{what}: {found:?}\n{source}");
    }
}

#[test]
fn checker_ignores_tests_comments_strings_and_local_names() {
    for source in [
        "#[cfg(test)]\nmod tests { use crate::http::Stage; }",
        "#[cfg(all(test, unix))]\nuse crate::http::Stage;",
        "#[test]\nfn t() { crate::http::stage(); }",
        "struct S { #[cfg(test)] stage: crate::http::Stage }",
        "impl S { #[cfg(test)] fn stage() -> crate::http::Stage { todo!() } }",
        "// use crate::http::Stage;\n/// [`crate::http::Stage`]\nfn f() -> &'static str { \"crate::http::Stage\" }",
        "mod http { pub struct Stage; }\nfn f(_: http::Stage) {}",
        "use super::http::Stage;",
        "use crate::db::Db;",
        "use diesel::result::Error;",
    ] {
        assert_eq!(violations_in("services::items", source), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn checker_enforces_the_rules_of_each_layer() {
    for (module, source) in [
        ("domain", "use contract::v2::Bucketlist;"),
        ("domain::ids", "use ::endpoints::endpoints;"),
        ("domain", "use crate::db::Db;"),
        ("domain", "use diesel::prelude::*;"),
        ("db::repositories::items", "use crate::services::Items;"),
        ("db", "fn f() -> poem::Response { todo!() }"),
        ("services", "use contract::v2::Bucketlist;"),
        ("services", "use diesel::prelude::*;"),
        ("services", "use crate::db::schema::users;"),
        ("endpoints::v2", "use crate::http::RequestContext;"),
        ("endpoints::v1", "fn f() { diesel::select(1); }"),
        ("http", "use crate::app::App;"),
        ("http", "use crate::{cli, domain};"),
        ("jobs", "use crate::endpoints::v2;"),
        ("app", "use crate::cli::Cli;"),
        ("server", "use crate::*;"),
    ] {
        let found = violations_in(module, source);
        assert_eq!(found.len(), 1, "{module}: {source}: {found:?}");
    }
}
