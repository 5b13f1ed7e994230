//! The text of statements for traces and the log: without values, and bounded.

use std::{
    fmt::{self, Display, Write},
    sync::LazyLock,
};

use memchr::memmem::Finder;

/// Separates the SQL from its values in the output of Diesel.
static BINDS: LazyLock<Finder> = LazyLock::new(|| Finder::new(" -- binds: "));
/// Maximum length of a text, in bytes.
pub(super) const MAX_LEN: usize = 16 * 1024;
/// Maximum length of a text in traces and the log, in bytes.
pub(super) const MAX_SHORT_LEN: usize = 2 * 1024;

/// Writes until the values begin or the text is full. An error stops the formatting of the values, which can be large.
struct SqlWriter {
    text: String,
    max_len: usize,
}

impl Write for SqlWriter {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let (sql, is_end) = match BINDS.find(part.as_bytes()) {
            Some(end) => (&part[..end], true),
            None => (part, false),
        };
        let free = self.max_len - self.text.len();
        let end = if sql.len() <= free { sql.len() } else { sql.floor_char_boundary(free) };
        self.text.push_str(&sql[..end]);
        if is_end || end < sql.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Returns the SQL of a statement without its values, up to `max_len` bytes.
pub(super) fn statement_text(query: impl Display, max_len: usize) -> String {
    let mut writer = SqlWriter { text: String::new(), max_len };
    // The error means that the text is complete.
    let _ = write!(writer, "{query}");
    writer.text.truncate(writer.text.trim_end().len());
    writer.text
}

/// Returns the operation and the table of a statement, such as `SELECT items`. An insertion can be within a `WITH`.
pub(super) fn summary(sql: &str) -> String {
    let insertion = sql.strip_prefix("WITH ").and_then(|rest| rest.find("(INSERT INTO ").map(|at| &rest[at + 1..]));
    let sql = insertion.unwrap_or(sql);
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b',' | b';');
    let mut words = sql.as_bytes().split(is_separator).filter(|word| !word.is_empty());
    let operation = words.next().unwrap_or_default().to_ascii_uppercase();
    // Within a subquery, if the statement selects from one.
    let mut table_after = |keyword: &[u8]| {
        loop {
            words.by_ref().find(|word| word.eq_ignore_ascii_case(keyword))?;
            let table = words.next()?;
            if !table.eq_ignore_ascii_case(b"SELECT") {
                return Some(table);
            }
        }
    };
    let table = match operation.as_slice() {
        b"UPDATE" => words.next(),
        b"SELECT" | b"DELETE" => table_after(b"FROM"),
        b"INSERT" => table_after(b"INTO"),
        _ => None,
    };
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'`');
    let is_name =
        |table: &&[u8]| table.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || is_quote(byte));
    let mut summary = operation;
    if let Some(table) = table.filter(is_name) {
        summary.push(b' ');
        summary.extend(table.iter().filter(|byte| !is_quote(byte)));
    }
    String::from_utf8(summary).unwrap_or_default()
}

/// Returns the type and the function that a closure belongs to, from the name of the closure's type: `Items::create`.
pub(super) fn function_name(type_name: &str) -> String {
    let (mut name, mut depth) = (String::new(), 0_u32);
    for character in type_name.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => name.push(character),
            _ => {}
        }
    }
    let parts: Vec<&str> = name.split("::").filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, prelude::*, sqlite::Sqlite};

    use super::*;
    use crate::db::schema::users;

    #[test]
    fn text_has_no_values() {
        let email = "ada@example.com -- binds: [1]";
        let query = users::table.filter(users::email.eq(email)).select(users::id);
        let text = statement_text(debug_query::<Sqlite, _>(&query), MAX_LEN);
        assert_eq!(text, "SELECT `users`.`id` FROM `users` WHERE (`users`.`email` = ?)");
        assert_eq!(statement_text("SELECT 1 -- binds: [\"ada\"]", MAX_LEN), "SELECT 1");
    }

    #[test]
    fn text_is_bounded() {
        assert_eq!(statement_text("SELECT 1", 6), "SELECT");
        assert_eq!(statement_text("é".repeat(10), 5), "éé");
    }

    #[test]
    fn summary_is_the_operation_and_the_table() {
        for (sql, expected) in [
            ("SELECT `users`.`id` FROM `users` WHERE 1", "SELECT users"),
            ("select 1 from items", "SELECT items"),
            ("SELECT * FROM (SELECT `a` FROM `lists`) AS a LEFT JOIN (SELECT 1 FROM b) AS b ON 1", "SELECT lists"),
            ("INSERT INTO \"items\" (\"id\") VALUES ($1)", "INSERT items"),
            ("INSERT OR IGNORE INTO items(id) VALUES (1)", "INSERT items"),
            ("UPDATE items SET done = ?", "UPDATE items"),
            ("DELETE  FROM `jobs`", "DELETE jobs"),
            ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH"),
            ("WITH a AS (UPDATE users SET x = 1), b AS (INSERT INTO items (id) SELECT 1) SELECT 1", "INSERT items"),
            ("BEGIN IMMEDIATE", "BEGIN"),
            ("COMMIT", "COMMIT"),
            ("", ""),
        ] {
            assert_eq!(summary(sql), expected, "{sql}");
        }
    }

    #[test]
    fn function_of_a_closure_is_named() {
        for (type_name, expected) in [
            ("bucketlist::services::items::Items::create::{{closure}}::{{closure}}", "Items::create"),
            ("bucketlist::jobs::queue::Queue<bucketlist::jobs::export::ExportJob>::claim::{{closure}}", "Queue::claim"),
            ("crate::module::function", "module::function"),
            ("function", "function"),
            ("", ""),
        ] {
            assert_eq!(function_name(type_name), expected);
        }
    }
}
