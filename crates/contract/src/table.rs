//! Serializes rows as CSV (RFC 4180) and NDJSON, batch by batch.

use std::{borrow::Cow, io};

use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;
use serde_json::{Map, Value};

/// A format for a stream of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// `text/csv`: a header row with the field names, then one record per row.
    Csv,
    /// `application/x-ndjson`: one JSON object per line, as in a JSON page.
    Ndjson,
}

/// A row of a list.
pub trait Row: Serialize {
    /// The CSV columns in order: fields of the JSON object, and fields of nested objects with a dot (`consumer.id`).
    const COLUMNS: &'static [&'static str];
}

impl RowFormat {
    /// Returns the media type in the document.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// Returns the `Content-Type`, with the parameters that RFC 4180 defines.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// Returns the file extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Returns the header row of the format, if it has one.
    ///
    /// # Errors
    /// Writing to memory does not fail in practice.
    pub fn write_header<R: Row>(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => {
                let mut writer = csv_writer(Vec::new());
                writer.write_record(R::COLUMNS)?;
                into_bytes(writer)
            }
            Self::Ndjson => Ok(Vec::new()),
        }
    }

    /// Appends rows to `buffer`.
    ///
    /// # Errors
    /// Fails if a row cannot be serialized.
    pub fn append<R: Row>(self, rows: &[R], mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => {
                let mut writer = csv_writer(buffer);
                for row in rows {
                    let Value::Object(fields) = serde_json::to_value(row)? else {
                        return Err(io::Error::other("a row is not a JSON object"));
                    };
                    for column in R::COLUMNS {
                        writer.write_field(cell(&fields, column).as_bytes())?;
                    }
                    writer.write_record(None::<&[u8]>)?;
                }
                into_bytes(writer)
            }
            Self::Ndjson => {
                for row in rows {
                    serde_json::to_writer(&mut buffer, row)?;
                    buffer.push(b'\n');
                }
                Ok(buffer)
            }
        }
    }
}

fn csv_writer(buffer: Vec<u8>) -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(buffer)
}

fn into_bytes(writer: Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// Formats a CSV field: the JSON value without quotes, or an empty field for null.
fn cell<'a>(fields: &'a Map<String, Value>, column: &str) -> Cow<'a, str> {
    let value = match column.split_once('.') {
        None => fields.get(column),
        Some((object, field)) => fields.get(object).and_then(|object| object.get(field)),
    };
    match value {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => escape_formula(text),
        Some(value) => Cow::Owned(value.to_string()),
    }
}

/// Prefixes text that a spreadsheet would evaluate as a formula with an apostrophe.
///
/// Importers strip spaces and quotes before a formula. Text that already starts with an apostrophe and a formula gets another
/// one, so that removing one apostrophe restores the original text.
fn escape_formula(text: &str) -> Cow<'_, str> {
    let starts_formula =
        |character| matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    let is_skipped = |character: char| matches!(character, '"' | '\'') || character.is_whitespace();
    // Tabs and line breaks are whitespace but also start formulas, so they are not skipped.
    let first = text.chars().find(|character| starts_formula(*character) || !is_skipped(*character));
    if first.is_some_and(starts_formula) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::{Date, Id, Nullable, Timestamp};

    #[derive(Serialize)]
    struct TestRow {
        id: Id,
        name: &'static str,
        note: Nullable<&'static str>,
        done: bool,
        #[serde(rename = "_links")]
        links: Value,
        due_on: Nullable<Date>,
        created_at: Timestamp,
    }

    impl Row for TestRow {
        const COLUMNS: &'static [&'static str] = &["id", "name", "note", "done", "due_on", "created_at"];
    }

    fn row(name: &'static str, note: Option<&'static str>) -> TestRow {
        TestRow {
            id: Id(-7),
            name,
            note: Nullable(note),
            done: true,
            links: json!({"self": "/x"}),
            due_on: Nullable(note.and_then(|_| chrono::NaiveDate::from_ymd_opt(2026, 1, 31)).map(Date)),
            created_at: Timestamp::from_micros(1),
        }
    }

    fn write(format: RowFormat, rows: &[TestRow]) -> String {
        String::from_utf8(format.append(rows, format.write_header::<TestRow>().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn csv_contains_fields_of_nested_objects() {
        let fields = json!({"consumer": {"id": 7, "name": "=x"}, "other": null});
        let cell = |column| cell(fields.as_object().unwrap(), column).into_owned();
        assert_eq!([cell("consumer.id"), cell("consumer.name"), cell("other.id"), cell("no.id")], ["7", "'=x", "", ""]);
    }

    #[test]
    fn csv_contains_all_fields_that_are_not_nested() {
        let rows = [row("a", None), row("say \"hi\", all", Some("two\nlines")), row("Zürich", Some(""))];
        assert_eq!(
            write(RowFormat::Csv, &rows),
            "id,name,note,done,due_on,created_at\r\n\
             -7,a,,true,,1970-01-01T00:00:00.000001Z\r\n\
             -7,\"say \"\"hi\"\", all\",\"two\nlines\",true,2026-01-31,1970-01-01T00:00:00.000001Z\r\n\
             -7,Zürich,,true,2026-01-31,1970-01-01T00:00:00.000001Z\r\n"
        );
        assert_eq!(write(RowFormat::Csv, &[]), "id,name,note,done,due_on,created_at\r\n");
    }

    #[test]
    fn ndjson_has_one_json_object_per_line() {
        let rows = [row("=a\n", None), row("b", Some("c"))];
        let text = write(RowFormat::Ndjson, &rows);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect::<Vec<_>>());
        assert!(text.ends_with("}\n"));
        assert_eq!(write(RowFormat::Ndjson, &[]), "");
    }

    #[test]
    fn formulas_are_escaped() {
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\tx",
            "\rx",
            "  =1",
            " \t x",
            "\"=1",
            "'=1",
            " \" '=1",
            "\u{a0}=1",
            "\u{3000}+1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " ＝1",
            "=",
            "-",
            "''-",
        ] {
            assert_eq!(escape_formula(formula), format!("'{formula}"), "{formula:?}");
        }
        for text in ["", "a", "1-1", "a=b", "'", "\"quoted\"", "  a =1", "'n Roll", "−1", "(=1)", "a\t=1", "."] {
            assert_eq!(escape_formula(text), text);
        }
        // Numbers and timestamps are not escaped.
        assert!(write(RowFormat::Csv, &[row("a", None)]).contains("\r\n-7,"));
        assert!(write(RowFormat::Csv, &[row("=cmd|' /C calc'!A0", None)]).contains(",'=cmd|' /C calc'!A0,"));
    }
}
