//! The `.env` file: `./.env`, or the file of `--env-file`.
//!
//! `dotenvy` parses quotes, comments and escapes. This module adds what operators need: values are literal (`$` is never
//! expanded, so that a secret is not truncated), a file in a parent directory is never read, and an error contains the file, the
//! line and the variable but never the value.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::Variables;

/// The file that is read by default.
const DEFAULT: &str = ".env";

/// The variables of a file.
#[derive(Debug)]
pub struct EnvFile {
    /// The path of the file, relative to the working directory unless it is absolute.
    pub path: PathBuf,
    /// The variables. If a variable is set twice, the last value applies.
    pub variables: Variables,
    /// Names of variables that are set more than once.
    pub duplicates: BTreeSet<String>,
}

/// An error in a file. Never contains a value, because values may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not UTF-8.
    #[error("cannot read {}: it is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A line cannot be parsed.
    #[error("{}:{line}: {error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The error, and how to fix it.
        error: LineError,
    },
}

/// An error in a line, with how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// The line is not an assignment.
    NoAssignment,
    /// A quote is not closed.
    UnclosedQuote {
        /// The name of the variable.
        variable: String,
    },
    /// The value contains a space or a backslash and is not quoted.
    NeedsQuotes {
        /// The name of the variable.
        variable: String,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAssignment => f.write_str("expected `NAME=value`, a comment or an empty line"),
            Self::UnclosedQuote { variable } => write!(f, "the quote in the value of {variable} is not closed"),
            Self::NeedsQuotes { variable } => write!(
                f,
                "the value of {variable} cannot be parsed; put it in single quotes if it contains spaces, quotes or backslashes"
            ),
        }
    }
}

/// Reads `path`, or `./.env` if it exists.
///
/// # Errors
/// Fails if `path` does not exist, or if the file cannot be read or parsed.
pub fn read(path: Option<&Path>) -> Result<Option<EnvFile>, EnvFileError> {
    let (path, is_required) = match path {
        Some(path) => (path.to_owned(), true),
        None => (PathBuf::from(DEFAULT), false),
    };
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(|_| EnvFileError::NotText(path.clone()))?;
            let (variables, duplicates) =
                parse(&text).map_err(|(line, error)| EnvFileError::Invalid { path: path.clone(), line, error })?;
            Ok(Some(EnvFile { path, variables, duplicates }))
        }
        Err(error) if !is_required && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EnvFileError::Unreadable { path, source }),
    }
}

/// Parses the text of a file. Returns the variables and the names that are set more than once; an error comes with the number of its line.
fn parse(text: &str) -> Result<(Variables, BTreeSet<String>), (usize, LineError)> {
    // Editors on Windows write a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut variables, mut duplicates) = (Variables::new(), BTreeSet::new());
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut entry = Entry::new(first);
        // A quoted value can have several lines.
        while entry.is_open() {
            match lines.next() {
                Some((_, line)) => entry.push(line),
                None => return Err((index + 1, LineError::UnclosedQuote { variable: name_of(first) })),
            }
        }
        entry.escaped.push('\n');
        for parsed in dotenvy::from_read_iter(entry.escaped.as_bytes()) {
            match parsed {
                Ok((name, value)) => {
                    if variables.insert(name.clone(), value).is_some() {
                        duplicates.insert(name);
                    }
                }
                // dotenvy's error shows the line with its value.
                Err(_) if first.contains('=') && !name_of(first).is_empty() => {
                    return Err((index + 1, LineError::NeedsQuotes { variable: name_of(first) }));
                }
                Err(_) => return Err((index + 1, LineError::NoAssignment)),
            }
        }
    }
    Ok((variables, duplicates))
}

/// Returns the part before `=`.
fn name_of(line: &str) -> String {
    let name = line.split('=').next().unwrap_or_default().trim();
    name.strip_prefix("export ").unwrap_or(name).trim().to_owned()
}

/// The lines of one assignment, with each `$` escaped so that dotenvy does not expand it.
struct Entry {
    escaped: String,
    quote: Option<char>,
    is_comment: bool,
}

impl Entry {
    fn new(line: &str) -> Self {
        let mut entry = Self { escaped: String::with_capacity(line.len()), quote: None, is_comment: false };
        entry.scan(line);
        entry
    }

    const fn is_open(&self) -> bool {
        self.quote.is_some()
    }

    fn push(&mut self, line: &str) {
        self.escaped.push('\n');
        self.scan(line);
    }

    fn scan(&mut self, line: &str) {
        let mut previous = if self.quote.is_some() { 'x' } else { ' ' };
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            self.is_comment |= self.quote.is_none() && character == '#' && previous.is_whitespace();
            if self.is_comment {
                break;
            }
            match (character, self.quote) {
                // dotenvy neither escapes nor expands inside single quotes.
                ('$', None | Some('"')) => self.escaped.push_str("\\$"),
                ('\\', None | Some('"')) => {
                    self.escaped.push('\\');
                    self.escaped.extend(characters.next());
                }
                ('"' | '\'', None) => {
                    self.quote = Some(character);
                    self.escaped.push(character);
                }
                (closing, Some(quote)) if closing == quote => {
                    self.quote = None;
                    self.escaped.push(closing);
                }
                (other, _) => self.escaped.push(other),
            }
            previous = character;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn value(text: &str) -> Result<String, (usize, LineError)> {
        parse(text).map(|(variables, _)| variables.get("A").cloned().unwrap_or_default())
    }

    #[test]
    fn values_are_literal() {
        for (line, expected) in [
            ("A=plain", "plain"),
            ("A=", ""),
            ("A = spaced ", "spaced"),
            ("export A=exported", "exported"),
            ("\u{feff}A=after", "after"),
            ("A=Zq8vKx2n$R5tW9yB3mF6hJ1pL4sD7gA0cEuV2iO8wQ", "Zq8vKx2n$R5tW9yB3mF6hJ1pL4sD7gA0cEuV2iO8wQ"),
            ("A=${HOME}", "${HOME}"),
            ("A=$", "$"),
            ("A=\"$HOME and ${HOME}\"", "$HOME and ${HOME}"),
            ("A='$HOME'", "$HOME"),
            (r#"A="a \"quoted\" word""#, "a \"quoted\" word"),
            ("A='a \"quoted\" word'", "a \"quoted\" word"),
            ("A=a#b", "a#b"),
            ("A=a # comment", "a"),
            ("# A=comment with a ' quote\nA=b", "b"),
            ("A=a # comment with a ' quote\nB=c", "a"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A='two\nlines $x'", "two\nlines $x"),
            ("A=first\nA=second", "second"),
            ("A=a\r\nB=b\r\n", "a"),
            ("", ""),
        ] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn variables_that_are_set_twice_are_found() {
        let (variables, duplicates) = parse("A=1\nB=2\nexport A=3\n# B=4\nC='\nB=5'").unwrap();
        assert_eq!((variables["A"].as_str(), duplicates), ("3", BTreeSet::from(["A".to_owned()])));
    }

    #[test]
    fn error_contains_the_line_and_the_variable_but_not_the_value() {
        let needs_quotes = |line, variable: &str| Err((line, LineError::NeedsQuotes { variable: variable.to_owned() }));
        for (text, expected) in [
            ("# secrets\nA=correct horse battery staple\n", needs_quotes(2, "A")),
            ("B=b\n\nexport A=one two", needs_quotes(3, "A")),
            ("A=back\\slash", needs_quotes(1, "A")),
            ("B=b\nA=\"never closed\nmore", Err((2, LineError::UnclosedQuote { variable: "A".to_owned() }))),
            ("just words", Err((1, LineError::NoAssignment))),
            ("=x", Err((1, LineError::NoAssignment))),
            ("A=a\n = x", Err((2, LineError::NoAssignment))),
        ] {
            let error = value(text);
            assert_eq!(error, expected, "{text}");
            let message = error.unwrap_err().1.to_string();
            assert!(!message.contains("horse") && !message.contains("closed\n"), "{message}");
        }
    }

    #[test]
    fn only_an_explicit_file_must_exist() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings.env");
        assert!(matches!(read(Some(&path)), Err(EnvFileError::Unreadable { .. })));
        fs::write(&path, "\u{feff}PORT=8123\n").unwrap();
        let file = read(Some(&path)).unwrap().unwrap();
        assert_eq!((file.path, file.variables["PORT"].as_str()), (path.clone(), "8123"));
        fs::write(&path, b"A=\xff").unwrap();
        assert!(matches!(read(Some(&path)), Err(EnvFileError::NotText(_))));
        fs::write(&path, "A=a b").unwrap();
        assert_eq!(
            read(Some(&path)).unwrap_err().to_string(),
            format!("{}:1: {}", path.display(), LineError::NeedsQuotes { variable: "A".to_owned() })
        );
    }
}
