//! The files of the repository, and the code in Markdown pages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::repository_root;

/// A Markdown page.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// Code in a page: an inline span, or a line of a code block, with its line number.
pub struct Code {
    pub text: String,
    pub line: usize,
}

/// Directories with generated or downloaded files.
const EXCLUDED: [&str; 6] = ["target", "node_modules", "data", ".git", "dist", "__pycache__"];

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if !path.is_dir() {
            files.push(path);
        } else if !EXCLUDED.contains(&&*name) {
            collect(&path, files);
        }
    }
}

/// Returns the path of every file in the repository, relative to its root, in alphabetical order.
pub fn files() -> Vec<String> {
    let mut files = Vec::new();
    collect(repository_root(), &mut files);
    let relative = |path: PathBuf| path.strip_prefix(repository_root()).unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<String> = files.into_iter().map(relative).collect();
    files.sort();
    files
}

/// Returns the pages in the root and in `docs/`.
pub fn pages() -> Vec<Page> {
    let is_page = |file: &String| file.ends_with(".md") && (!file.contains('/') || file.starts_with("docs/"));
    let files = files().into_iter().filter(is_page);
    files.map(|file| Page { text: read(&file), path: repository_root().join(&file) }).collect()
}

/// Returns the text of a file in the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(repository_root().join(path)).unwrap()
}

impl Page {
    /// Returns the code in the page.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes = Vec::new();
        let mut in_block = false;
        // A span can continue on the next line.
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

    /// Returns the location of a line, for messages.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(repository_root()).unwrap().display())
    }
}

/// Returns the words of code, without quotes and brackets around them.
pub fn words(code: &str) -> Vec<&str> {
    let edges = |c: char| "'\"(),;:<>│─►▼┌┐└┘├┤".contains(c);
    code.split(|c: char| c.is_whitespace() || c == '│')
        .map(|word| word.trim_matches(edges))
        .filter(|word| !word.is_empty())
        .collect()
}
