//! Lines of source text, and literals of the languages.

use std::fmt::{Arguments, Write as _};

use serde_json::Value;

/// The lines of a program.
#[derive(Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn add(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(crate) fn format(&mut self, line: Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Returns text in double quotes, with the escapes of JSON. All languages here understand those of quotes, backslashes and line breaks.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns `text` with `indent` before each line except the first and empty ones.
pub(crate) fn indented(text: &str, indent: &str) -> String {
    let mut lines = text.split('\n');
    let mut all = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        all.push('\n');
        if !line.is_empty() {
            all.push_str(indent);
        }
        all.push_str(line);
    }
    all
}

/// The syntax of literals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Python,
    TypeScript,
}

/// Returns a JSON value as a literal over several lines; `indent` is that of its last line.
pub(crate) fn literal(value: &Value, syntax: Syntax, indent: usize) -> String {
    let unit = if syntax == Syntax::Python { 4 } else { 2 };
    let (inner, end) = (" ".repeat(indent + unit), " ".repeat(indent));
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Array(list) if list.is_empty() => "[]".to_owned(),
        Value::Object(map) => {
            let member = |(key, value): (&String, &Value)| {
                let key = if syntax == Syntax::TypeScript && is_identifier(key) { key.clone() } else { quoted(key) };
                format!("{inner}{key}: {},\n", literal(value, syntax, indent + unit))
            };
            format!("{{\n{}{end}}}", map.iter().map(member).collect::<String>())
        }
        // A list of plain values fits on a line.
        Value::Array(list) if list.iter().all(|value| !value.is_object() && !value.is_array()) => {
            let values: Vec<String> = list.iter().map(|value| literal(value, syntax, indent)).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Array(list) => {
            let element = |value: &Value| format!("{inner}{},\n", literal(value, syntax, indent + unit));
            format!("[\n{}{end}]", list.iter().map(element).collect::<String>())
        }
        Value::Bool(true) if syntax == Syntax::Python => "True".to_owned(),
        Value::Bool(false) if syntax == Syntax::Python => "False".to_owned(),
        Value::Null if syntax == Syntax::Python => "None".to_owned(),
        other => other.to_string(),
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}
