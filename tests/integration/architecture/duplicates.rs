//! Finds functions and macros that were copied, in product code and in tests.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{repository, rust_files};

/// Length of the shortest body that must not be repeated, in characters without whitespace.
const MIN_LENGTH: usize = 200;

/// Bodies that are repeated on purpose, by the name of their function, with the reason.
const EXCEPTIONS: &[(&str, &str)] =
    &[("is_invisible", "`domain` depends on no other crate; a test compares the two for every character")];

/// A function or a macro, and its body without comments and whitespace.
struct Definition {
    name: String,
    body: String,
}

/// Returns the functions and macros of a file, also those inside of others.
fn definitions(source: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    collect(source.parse().unwrap(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Definition>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "fn" || word == "macro_rules" => {
                // `fn name` or `macro_rules! name`, but not the type `fn()`.
                let at = index + if word == "fn" { 1 } else { 2 };
                let Some(TokenTree::Ident(name)) = tokens.get(at) else { continue };
                // A function without a body ends with a semicolon.
                let end = tokens[at..].iter().find(|token| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(mark) => mark.as_char() == ';',
                    _ => false,
                });
                if let Some(TokenTree::Group(body)) = end {
                    let text = body.stream().to_string();
                    found.push(Definition { name: name.to_string(), body: text.split_whitespace().collect() });
                }
            }
            TokenTree::Group(group) => collect(group.stream(), found),
            _ => {}
        }
    }
}

#[test]
fn functions_and_macros_are_not_copied() {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in ["src", "crates", "tests", "benches"] {
        for path in rust_files(&repository().join(folder)) {
            let file = path.strip_prefix(repository()).unwrap().display().to_string();
            // Generated clients, and sources that do not compile.
            if file.starts_with("tests/clients/") || file.contains("/tests/fail/") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for Definition { name, body } in definitions(&source) {
                if body.len() >= MIN_LENGTH && !EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
                    names.entry(body).or_default().push(format!("{file}: {name}"));
                }
            }
        }
    }
    assert!(names.len() > 1_000, "only {} definitions were read", names.len());
    let copied: Vec<String> =
        names.into_values().filter(|names| names.len() > 1).map(|names| names.join(", ")).collect();
    assert!(copied.is_empty(), "move each to one place:\n{}", copied.join("\n"));
}

#[test]
fn definitions_are_compared_without_comments_and_whitespace() {
    let bodies = |source: &str| -> Vec<(String, String)> {
        definitions(source).into_iter().map(|definition| (definition.name, definition.body)).collect()
    };
    let expected = vec![("f".to_owned(), "g(1)".to_owned())];
    assert_eq!(
        bodies("mod inner { impl S { pub async fn f(self) -> u8 where u8: T {\n    // Why.\n    g( 1 )\n} } }"),
        expected
    );
    assert_eq!(bodies("trait T { fn t(); }\nfn f() { g(1) }"), expected);
    assert_eq!(bodies("macro_rules! f { g(1) }"), expected);
    assert_eq!(bodies("fn f(_: fn(u8) -> u8) { g(1) }\nstruct S { f: fn() }"), expected);
}
