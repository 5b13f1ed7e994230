//! Validation of CSV and NDJSON bodies against the rows of the JSON page of the same response.
//!
//! A page has its rows in [`super::ValidationOptions::rows_property`]. Without a documented page, only the syntax is validated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::response_violation::ResponseViolation;
use super::schema_validator::{SchemaCompiler, SchemaNode, SchemaValidator, SchemaViolation};
use crate::traverse;

/// The documented rows of a response.
#[derive(Debug)]
pub(super) struct Rows(SchemaValidator);

impl Rows {
    /// Returns the rows of a page, or `None` if the schema is not a page.
    pub(super) fn of(page: &Value, compiler: &SchemaCompiler) -> Option<Self> {
        let page = compiler.compile_response(page).ok()?;
        let row = page.root().property(compiler.options.rows_property)?.items()?;
        compiler.compile_response(row.schema()).ok().map(Self)
    }

    /// Returns the names of the fields that are not nested.
    fn columns(&self) -> BTreeSet<&str> {
        let row = self.0.root();
        let is_nested = |name: &str| {
            let schema = row.property(name).map(SchemaNode::schema);
            let kind = schema.and_then(|schema| schema.get("type")).and_then(Value::as_str);
            matches!(kind, None | Some("object" | "array"))
        };
        traverse::members(row.schema().get("properties"))
            .map(|(name, _)| name)
            .filter(|name| !is_nested(name))
            .collect()
    }

    /// Returns whether a column contains a field of a nested object, such as `owner.name`.
    fn has_nested_column(&self, name: &str) -> bool {
        let Some((object, field)) = name.split_once('.') else { return false };
        self.0.root().property(object).and_then(|object| object.property(field)).is_some()
    }
}

/// Returns whether a media type is CSV or NDJSON.
pub(super) fn are_rows(media_type: &str) -> bool {
    matches!(media_type, "text/csv" | "application/x-ndjson")
}

/// Reports the violations of a body of rows. For NDJSON, reports only those of the first invalid line.
pub(super) fn check(media_type: &str, body: &[u8], rows: Option<&Rows>, out: &mut Vec<ResponseViolation>) {
    if media_type == "text/csv" {
        csv(body, rows, out);
    } else {
        ndjson(body, rows, out);
    }
}

fn ndjson(body: &[u8], rows: Option<&Rows>, out: &mut Vec<ResponseViolation>) {
    let Some(body) = body.strip_suffix(b"\n") else {
        if !body.is_empty() {
            out.push(ResponseViolation::new("the last line", "has no end: the NDJSON may be incomplete"));
        }
        return;
    };
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        match serde_json::from_slice::<Value>(line) {
            Err(error) => out.push(ResponseViolation::new(format!("line {number}"), format!("is not JSON: {error}"))),
            Ok(value) => {
                let problems = rows.map(|Rows(row)| row.violations(&value)).unwrap_or_default();
                let report = |problem: SchemaViolation| {
                    let sent = value.pointer(&problem.pointer).unwrap_or(&Value::Null);
                    ResponseViolation::new(format!("line {number}: {}", problem.pointer), problem.message).but_is(sent)
                };
                out.extend(problems.into_iter().map(report));
            }
        }
        if !out.is_empty() {
            return;
        }
    }
}

fn csv(body: &[u8], rows: Option<&Rows>, out: &mut Vec<ResponseViolation>) {
    let mut reader = csv::Reader::from_reader(body);
    let header = match reader.headers() {
        Ok(header) if !header.is_empty() => header.clone(),
        Ok(_) => return out.push(ResponseViolation::new("the CSV", "has no header row")),
        Err(error) => {
            return out.push(ResponseViolation::new("the header row of the CSV", format!("is malformed: {error}")));
        }
    };
    let mut seen = BTreeSet::new();
    let known = rows.map(Rows::columns);
    for name in &header {
        if !seen.insert(name) {
            out.push(ResponseViolation::new("the CSV", "has a column twice").named(name));
        }
        let is_nested = || rows.is_some_and(|rows| rows.has_nested_column(name));
        if known.as_ref().is_some_and(|known| !known.contains(name)) && !is_nested() {
            out.push(ResponseViolation::new("the CSV", "has a column that is no field of the rows").named(name));
        }
    }
    for name in known.iter().flatten().filter(|name| !seen.contains(*name)) {
        out.push(ResponseViolation::new("the CSV", format!("has no column {name:?}")));
    }
    if let Some(error) = reader.records().find_map(Result::err) {
        out.push(ResponseViolation::new("the CSV", format!("is malformed: {error}")));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::ValidationOptions;

    fn rows() -> Rows {
        let definitions = json!({
            "Page": {"type": "object", "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}}},
            "Row": {
                "type": "object",
                "required": ["id", "name"],
                "properties": {
                    "id": {"type": "integer"},
                    "name": {"type": "string", "maxLength": 5, "nullable": true},
                    "state": {"$ref": "#/components/schemas/State"},
                    "_links": {"$ref": "#/components/schemas/Links"},
                    "owner": {"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Links"}]},
                    "tags": {"type": "array", "items": {"type": "string"}}
                }
            },
            "State": {"type": "string", "enum": ["open", "done"]},
            "Links": {"type": "object", "properties": {"self": {"type": "string"}}}
        });
        let definitions = Arc::new(definitions.as_object().unwrap().clone());
        let compiler = SchemaCompiler { definitions, options: ValidationOptions::default() };
        assert!(Rows::of(&json!({"$ref": "#/components/schemas/Row"}), &compiler).is_none());
        Rows::of(&json!({"$ref": "#/components/schemas/Page"}), &compiler).unwrap()
    }

    #[track_caller]
    fn found(media_type: &str, body: &str, expected: &[&str]) {
        let mut out = Vec::new();
        check(media_type, body.as_bytes(), Some(&rows()), &mut out);
        let found: Vec<String> = out.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{body:?}");
    }

    #[test]
    fn ndjson_is_validated_line_by_line() {
        for (body, expected) in [
            ("", &[][..]),
            ("{\"id\":1,\"name\":\"a\",\"more\":1}\n{\"id\":2,\"name\":null}\n", &[]),
            ("{\"id\":1,\"name\":\"a\"}", &["the last line has no end: the NDJSON may be incomplete"]),
            ("{\"id\":1,\"name\":\"a\"}\n\n", &["line 2 is not JSON: EOF while parsing a value at line 1 column 0"]),
            (
                "{\"id\":1,\"name\":\"a\"}\n{\"id\":\"2\"}\n[]\n",
                &["line 2: /id must be an integer, but is \"2\"", "line 2: /name is required, but is null"],
            ),
        ] {
            let mut out = Vec::new();
            check("application/x-ndjson", body.as_bytes(), Some(&rows()), &mut out);
            let mut found: Vec<String> = out.iter().map(ToString::to_string).collect();
            found.sort();
            assert_eq!(found, expected, "{body:?}");
        }
    }

    #[test]
    fn csv_columns_are_validated_against_the_rows() {
        for (body, expected) in [
            ("id,name,state\r\n", &[][..]),
            ("name,state,id\r\n\"a\r\nb\",open,1\r\n,,\r\n", &[]),
            ("id,name,state,owner.self\r\n", &[]),
            ("id,name,state,owner.age\r\n", &["the CSV has a column that is no field of the rows: \"owner.age\""]),
            ("", &["the CSV has no header row"]),
            ("id,name,state,name\r\n", &["the CSV has a column twice: \"name\""]),
            (
                "id,title,_links\r\n",
                &[
                    "the CSV has a column that is no field of the rows: \"title\"",
                    "the CSV has a column that is no field of the rows: \"_links\"",
                    "the CSV has no column \"name\"",
                    "the CSV has no column \"state\"",
                ],
            ),
            (
                "id,name,state\r\n1,a\r\n",
                &[
                    "the CSV is malformed: CSV error: record 1 (line: 1, byte: 14): found record with 2 fields, but the previous record has 3 fields",
                ],
            ),
        ] {
            found("text/csv", body, expected);
        }
    }

    #[test]
    fn without_a_page_only_the_syntax_is_validated() {
        let mut out = Vec::new();
        check("text/csv", b"a,b\r\n1,2\r\n", None, &mut out);
        check("application/x-ndjson", b"1\n{}\n", None, &mut out);
        assert_eq!(out, []);
        check("text/csv", b"a,b\r\n\xff,2\r\n", None, &mut out);
        assert!(out[0].to_string().starts_with("the CSV is malformed: "), "{out:?}");
    }
}
