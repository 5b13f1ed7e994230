//! The texts that people read: Markdown, the OpenAPI documents, command-line help, settings, pages, doc comments, and the names of
//! functions, types and modules.

use std::fs;

use bucketlist::cli::Cli;
use clap::{Command, CommandFactory};
use serde_json::Value;

use super::{
    glossary,
    pages::{files, read},
};
use crate::support::repository_root;

/// A paragraph, a table row or another self-contained text.
pub struct Text {
    pub file: String,
    /// The start of each line in `text`, with its number in the file.
    lines: Vec<(usize, usize)>,
    /// Code formatting, addresses and markup are masked.
    pub text: String,
    /// Whether the sentences have to be short.
    pub is_contract: bool,
}

impl Text {
    /// Returns the file and line of a position in the text.
    pub fn location(&self, position: usize) -> String {
        let line = self.lines.iter().rev().find(|(start, _)| *start <= position).map_or(0, |(_, line)| *line);
        if line == 0 { self.file.clone() } else { format!("{}:{line}", self.file) }
    }
}

/// Collects lines into texts.
struct Collector<'a> {
    file: &'a str,
    lines: Vec<(usize, &'a str)>,
    texts: Vec<Text>,
}

impl<'a> Collector<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, lines: Vec::new(), texts: Vec::new() }
    }

    fn push(&mut self, line: usize, text: &'a str) {
        self.lines.push((line, text));
    }

    /// Ends the current text.
    fn end(&mut self) {
        let (mut text, mut lines) = (String::new(), Vec::new());
        for (line, content) in self.lines.drain(..) {
            lines.push((text.len(), line));
            text.push_str(content);
            text.push('\n');
        }
        if !lines.is_empty() {
            self.texts.push(Text { file: self.file.to_owned(), lines, text: masked(&text), is_contract: false });
        }
    }

    fn finish(mut self) -> Vec<Text> {
        self.end();
        self.texts
    }
}

/// Replaces code formatting and link targets by a character that is not part of a word. Every position stays.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    let mask = |masked: &mut String, part: &str| {
        masked.extend(part.bytes().map(|byte| if byte == b'\n' { '\n' } else { '\u{1}' }));
    };
    while let Some(at) = [rest.find('`'), rest.find("]("), rest.find("://")].into_iter().flatten().min() {
        masked.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest.as_bytes()[0] {
            b'`' => rest[1..].find('`').map(|end| end + 2),
            b']' => rest.find(')').map(|end| end + 1),
            _ => rest.find(char::is_whitespace),
        };
        let end = end.unwrap_or(rest.len());
        mask(&mut masked, &rest[..end]);
        rest = &rest[end..];
    }
    masked.push_str(rest);
    masked
}

fn markdown<'a>(file: &'a str, text: &'a str) -> Vec<Text> {
    let mut texts = Collector::new(file);
    let mut is_block = false;
    for (index, line) in text.lines().enumerate() {
        let starts_item = ["|", "#", "- ", "* "].iter().any(|start| line.trim_start().starts_with(start));
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
            texts.end();
        } else if !is_block {
            if line.trim().is_empty() || starts_item {
                texts.end();
            }
            if !line.trim().is_empty() {
                texts.push(index + 1, line);
            }
        }
    }
    texts.finish()
}

fn doc_comments<'a>(file: &'a str, text: &'a str) -> Vec<Text> {
    let mut texts = Collector::new(file);
    let mut is_block = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let comment =
            line.strip_prefix("//!").or_else(|| line.strip_prefix("///").filter(|rest| !rest.starts_with('/')));
        let Some(comment) = comment else {
            texts.end();
            is_block = false;
            continue;
        };
        if comment.trim_start().starts_with("```") {
            is_block = !is_block;
            texts.end();
        } else if comment.trim().is_empty() {
            texts.end();
        } else if !is_block {
            texts.push(index + 1, comment);
        }
    }
    texts.finish()
}

/// The words of the name that a line declares: `fn expired_token_is_rejected` and `struct CursorPage` have names of several words.
fn declared_name(line: &str) -> Option<String> {
    const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];
    const MODIFIERS: [&str; 4] = ["async", "const", "unsafe", "pub"];
    // Associated types have the name that their trait requires.
    let line = if line.starts_with(" ") && line.trim_start().starts_with("type ") { "" } else { line };
    let mut words = line.trim_start().split(' ').peekable();
    let mut keyword = words.next()?;
    while keyword.starts_with("pub")
        || (MODIFIERS.contains(&keyword) && words.peek().is_some_and(|next| KEYWORDS.contains(next)))
    {
        keyword = words.next()?;
    }
    let name = words.next().filter(|_| KEYWORDS.contains(&keyword))?;
    let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let mut text = String::new();
    for (index, character) in name.char_indices() {
        let starts_word = character.is_ascii_uppercase() && name[..index].ends_with(|c: char| c.is_ascii_lowercase());
        text.push_str(if starts_word { " " } else { "" });
        text.push(if character == '_' { ' ' } else { character.to_ascii_lowercase() });
    }
    Some(text)
}

/// Returns the names of functions, types and modules, as words.
fn declarations(file: &str, text: &str) -> Vec<Text> {
    let name = |(index, line)| {
        let text = declared_name(line)?;
        Some(Text { file: file.to_owned(), lines: vec![(0, index + 1)], text, is_contract: false })
    };
    text.lines().enumerate().filter_map(name).collect()
}

/// Returns each comment line of `.env.example`.
fn settings<'a>(file: &'a str, text: &'a str) -> Vec<Text> {
    let mut texts = Collector::new(file);
    for (index, line) in text.lines().enumerate() {
        if let Some(comment) = line.strip_prefix('#') {
            texts.push(index + 1, comment);
        } else {
            texts.end();
        }
    }
    texts.finish()
}

/// Returns a page, without its code elements and its tags, apart from the attributes that people read.
fn html<'a>(file: &'a str, text: &'a str) -> Vec<Text> {
    let mut texts = Collector::new(file);
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        is_code |= line.contains("<pre");
        if !is_code {
            texts.push(index + 1, line);
            texts.end();
        }
        is_code &= !line.contains("</pre>");
    }
    texts.finish()
}

/// The members of an OpenAPI document that people read.
const READ_BY_PEOPLE: [&str; 5] = ["summary", "description", "title", "message", "detail"];

/// Returns the value of a line such as `"summary": "List items",`.
fn member(line: &str) -> Option<String> {
    let (name, value) = line.trim().trim_end_matches(',').split_once(": ")?;
    let is_text = READ_BY_PEOPLE.contains(&name.trim_matches('"')) && value.starts_with('"');
    is_text.then(|| serde_json::from_str(value).unwrap())
}

fn count_members(value: &Value) -> usize {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::String(_) => usize::from(READ_BY_PEOPLE.contains(&name.as_str())),
                other => count_members(other),
            })
            .sum(),
        Value::Array(elements) => elements.iter().map(count_members).sum(),
        _ => 0,
    }
}

/// Returns the texts of a committed OpenAPI document, which another test compares with the code.
fn openapi(file: &str, text: &str) -> Vec<Text> {
    let found: Vec<Text> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let text = masked(&member(line)?);
            Some(Text { file: file.to_owned(), lines: vec![(0, index + 1)], text, is_contract: true })
        })
        .collect();
    let expected = count_members(&serde_json::from_str(text).unwrap());
    assert_eq!(found.len(), expected, "{file}: not every text is on a line of its own");
    found
}

/// The help texts of a command, its arguments and its subcommands.
fn help(command: &Command, name: &str, texts: &mut Vec<Text>) {
    let mut push = |location: String, text: Option<&clap::builder::StyledStr>| {
        if let Some(text) = text {
            let text = masked(&text.to_string());
            texts.push(Text { file: location, lines: Vec::new(), text, is_contract: false });
        }
    };
    push(format!("`{name} --help`"), command.get_long_about().or(command.get_about()));
    push(format!("`{name} --help`, at the end"), command.get_after_long_help().or(command.get_after_help()));
    for argument in command.get_arguments() {
        push(format!("`{name} --help`, {}", argument.get_id()), argument.get_long_help().or(argument.get_help()));
    }
    for subcommand in command.get_subcommands() {
        help(subcommand, &format!("{name} {}", subcommand.get_name()), texts);
    }
}

/// Returns every text that people read.
pub fn all() -> Vec<Text> {
    let mut texts = Vec::new();
    for file in files() {
        let in_file: Option<fn(&'_ str, &'_ str) -> Vec<Text>> = match file.as_str() {
            glossary::PATH => None,
            ".env.example" => Some(settings),
            "openapi/v1.json" | "openapi/v2.json" => Some(openapi),
            page if page.starts_with("src/http/pages/assets/") && page.ends_with(".html") => Some(html),
            page if page.ends_with(".md") => Some(markdown),
            module if module.ends_with(".rs") => Some(doc_comments),
            _ => None,
        };
        if let Some(in_file) = in_file {
            let text = read(&file);
            texts.extend(in_file(&file, &text));
            if file.ends_with(".rs") {
                texts.extend(declarations(&file, &text));
            }
        }
    }
    let mut cli = Cli::command();
    cli.build();
    help(&cli, "bucketlist", &mut texts);
    texts
}

#[test]
fn every_kind_of_text_is_found() {
    let texts = all();
    for (file, count) in [
        ("README.md", 40),
        ("docs/architecture.md", 20),
        ("openapi/v1.json", 100),
        ("openapi/v2.json", 200),
        (".env.example", 50),
        ("src/http/pages/assets/home.html", 20),
        ("src/db/mod.rs", 5),
        ("`bucketlist serve --help`", 1),
    ] {
        let found = texts.iter().filter(|text| text.file == file).count();
        assert!(found >= count, "{file} has {found} texts");
    }
    assert!(!repository_root().join("target").exists() || texts.iter().all(|text| !text.file.starts_with("target")));
    assert!(fs::exists(repository_root().join(glossary::PATH)).unwrap());
}

#[test]
fn names_are_divided_into_words() {
    let cases = [
        ("    pub(crate) async fn expired_token_is_rejected() {", Some("expired token is rejected")),
        ("pub struct CursorPage<T> {", Some("cursor page")),
        ("const fn find(name: &str)", Some("find")),
        ("const DURATION: &str = \"x\";", Some("duration")),
        ("mod pages;", Some("pages")),
        ("    type Instant = Duration;", None),
        ("    let name = 1;", None),
        ("use std::fs;", None),
    ];
    for (line, name) in cases {
        assert_eq!(declared_name(line).as_deref(), name, "{line}");
    }
}

#[test]
fn code_and_addresses_are_masked() {
    let text = "See `refused`, [the answer](https://example.com/answer) and https://example.com/told.";
    let masked = masked(text);
    assert_eq!(masked.len(), text.len());
    assert!(masked.contains("the answer") && !masked.contains("refused") && !masked.contains("told"), "{masked}");
    assert_eq!(masked.matches("answer").count(), 1);
}

#[test]
fn texts_know_their_lines() {
    let texts = markdown("a.md", "# Title\n\nOne\ntwo\n\n```sh\nthree\n```\n- four\n- five\n");
    let found: Vec<(&str, String)> = texts.iter().map(|text| (text.text.as_str(), text.location(4))).collect();
    let expected = [("# Title\n", "a.md:1"), ("One\ntwo\n", "a.md:4"), ("- four\n", "a.md:9"), ("- five\n", "a.md:10")];
    assert_eq!(found, expected.map(|(text, location)| (text, location.to_owned())));
    let texts = doc_comments("a.rs", "//! One\n//! two\n\n/// Three\nfn three() {}\n//// no\n// no\n");
    assert_eq!(texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>(), [" One\n two\n", " Three\n"]);
}
