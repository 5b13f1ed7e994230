//! The messages of violations.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::schema_validator::{SchemaNode, SchemaViolation};
use super::violation::ViolationCode as Code;
use crate::{format, pointer, traverse};

/// Adds the violations that describe a validation error.
pub(super) fn explain(error: &ValidationError<'_>, root: SchemaNode<'_>, found: &mut Vec<SchemaViolation>) {
    let at = error.instance_path().as_str();
    let shape = root.at(at).map_or(&Value::Null, SchemaNode::schema);
    let mut report = |code, message: String| found.push(problem(at.to_owned(), code, message));
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let missing = pointer::join(at, name);
            found.push(problem(missing, Code::Required, "is required".to_owned()));
        }
        Kind::AdditionalProperties { unexpected } => {
            found.extend(unexpected.iter().map(|name| {
                let unknown = pointer::join(at, name);
                problem(unknown, Code::UnknownField, "is not a known field".to_owned())
            }));
        }
        Kind::Type { .. } => {
            let (code, message) = wrong_type(shape, error.instance());
            report(code, message);
        }
        // The violation of the type already lists the allowed values.
        Kind::Enum { .. } if is_wrong_type(shape, error.instance()) => {}
        Kind::Enum { options } => report(Code::NotAllowed, one_of(options)),
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => report(Code::TooSmall, number(shape, false)),
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => report(Code::TooLarge, number(shape, true)),
        Kind::MinLength { limit: 1 } => report(Code::TooShort, "must not be empty".to_owned()),
        Kind::MinLength { limit } => report(Code::TooShort, count("at least", *limit, "character")),
        Kind::MaxLength { limit } => report(Code::TooLong, count("at most", *limit, "character")),
        Kind::MinItems { limit } => report(Code::TooFew, count("at least", *limit, "item")),
        Kind::MaxItems { limit } => report(Code::TooMany, count("at most", *limit, "item")),
        Kind::MinProperties { limit } => report(Code::TooFew, count("at least", *limit, "field")),
        Kind::MaxProperties { limit } => report(Code::TooMany, count("at most", *limit, "field")),
        Kind::UniqueItems => report(Code::NotUnique, "must not contain duplicate items".to_owned()),
        Kind::Format { format } if format == "date-time" && is_out_of_range(error.instance()) => {
            report(Code::InvalidFormat, "must be in the years 1 to 9999 in UTC".to_owned());
        }
        Kind::Format { format } => report(Code::InvalidFormat, format_sentence(format).to_owned()),
        Kind::Pattern { pattern } => {
            let message = match alternatives(pattern) {
                Some(values) => one_of(&values.into()),
                None => format!("must match the pattern {pattern}"),
            };
            let violation = problem(at.to_owned(), Code::InvalidFormat, message);
            found.push(SchemaViolation { is_pattern_mismatch: true, ..violation });
        }
        Kind::MultipleOf { multiple_of } => {
            report(Code::NotAllowed, format!("must be a multiple of {multiple_of}"));
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match nearest(context, at) {
            Some(branch) => branch.iter().for_each(|inner| explain(inner, root, found)),
            None => report(Code::NotAllowed, "does not match any of the allowed schemas".to_owned()),
        },
        Kind::OneOfMultipleValid { .. } => {
            report(Code::NotAllowed, "matches more than one of the allowed schemas".to_owned());
        }
        _ => report(Code::NotAllowed, "is not allowed here".to_owned()),
    }
}

fn problem(pointer: String, code: Code, message: String) -> SchemaViolation {
    SchemaViolation { pointer, code, message, is_pattern_mismatch: false }
}

/// Returns the alternative that the client most likely intended: one with the right type and the fewest violations.
fn nearest<'e>(branches: &'e [Vec<ValidationError<'static>>], at: &str) -> Option<&'e Vec<ValidationError<'static>>> {
    let of_another_type = |branch: &[ValidationError<'_>]| {
        branch.iter().any(|error| matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == at)
    };
    branches.iter().filter(|branch| !branch.is_empty()).min_by_key(|branch| (of_another_type(branch), branch.len()))
}

/// Returns a message with the expected type of a schema, such as "must be an integer between 1 and 100".
pub(super) fn expected(schema: &Value) -> String {
    expected_value(schema, false)
}

/// Like [`expected`], for a number that exceeds the range of its type: the message contains the largest number.
pub(super) fn expected_range(schema: &Value) -> String {
    expected_value(schema, true)
}

fn expected_value(schema: &Value, is_beyond_type: bool) -> String {
    let nullable = is_nullable(schema);
    if let Some(options) = schema.get("enum") {
        return format!("{}{}", one_of(options), if nullable { ", or null" } else { "" });
    }
    let what = match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => return number(schema, is_beyond_type),
        Some("string") => "a string",
        Some("boolean") => "true or false",
        Some("array") => "an array",
        Some("object") => "an object",
        _ if schema.get("properties").is_some() => "an object",
        _ => "another type of value",
    };
    format!("must be {what}{}", if nullable { " or null" } else { "" })
}

fn wrong_type(schema: &Value, value: &Value) -> (Code, String) {
    // An integer that exceeds 64 bits is parsed as a floating-point number.
    let huge = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() >= 9.2e18);
    let code = match huge {
        Some(number) if is_integer(schema) && number < 0.0 => Code::TooSmall,
        Some(_) if is_integer(schema) => Code::TooLarge,
        _ => Code::WrongType,
    };
    (code, expected_value(schema, code == Code::TooLarge))
}

fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
}

fn is_wrong_type(schema: &Value, value: &Value) -> bool {
    let is_type = match schema.get("type").and_then(Value::as_str) {
        Some("string") => value.is_string(),
        Some("integer" | "number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    !(is_type || value.is_null() && is_nullable(schema))
}

fn is_integer(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("integer")
}

/// Returns the maximum for a message. The largest number of the type is of interest only to a client that exceeds it.
fn maximum(schema: &Value, is_too_large: bool) -> Option<Value> {
    let is_small = schema.get("format").and_then(Value::as_str) == Some("int32");
    let largest = Value::from(if is_small { i64::from(i32::MAX) } else { i64::MAX });
    let stated = schema.get("maximum").filter(|stated| is_too_large || **stated != largest).cloned();
    stated.or_else(|| (is_too_large && is_integer(schema)).then_some(largest))
}

fn number(schema: &Value, is_too_large: bool) -> String {
    let what = if is_integer(schema) { "an integer" } else { "a number" };
    let minimum = schema.get("minimum").cloned();
    let maximum = maximum(schema, is_too_large);
    let bound = |bound: &Option<Value>, exclusive: &str, plain: &str, strict: &str| {
        let strict_here = schema.get(exclusive) == Some(&Value::Bool(true));
        bound.as_ref().map(|bound| format!("{} {bound}", if strict_here { strict } else { plain }))
    };
    let plain = ["exclusiveMinimum", "exclusiveMaximum"].iter().all(|key| schema.get(*key) != Some(&Value::Bool(true)));
    let range = match (&minimum, &maximum) {
        (Some(low), Some(high)) if plain => format!(" between {low} and {high}"),
        _ => {
            let low = bound(&minimum, "exclusiveMinimum", "of at least", "greater than");
            let high = bound(&maximum, "exclusiveMaximum", "of at most", "less than");
            match (low, high) {
                (Some(low), Some(high)) => format!(" {low} and {high}"),
                (Some(one), None) | (None, Some(one)) => format!(" {one}"),
                (None, None) => String::new(),
            }
        }
    };
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    format!("must be {what}{range}{}", if nullable { " or null" } else { "" })
}

/// Returns the values that a pattern lists: `^-?(name|id)$` lists `name`, `-name`, `id` and `-id`.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let whole = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let (is_signed, words) = whole.strip_prefix("-?").map_or((false, whole), |words| (true, words));
    let words = words.strip_prefix('(').and_then(|words| words.strip_suffix(')')).unwrap_or(words);
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !words.split('|').all(is_word) {
        return None;
    }
    let signed = |word: &str| is_signed.then(|| format!("-{word}"));
    Some(words.split('|').flat_map(|word| [Some(word.to_owned()), signed(word)]).flatten().collect())
}

fn count(bound: &str, limit: u64, what: &str) -> String {
    let plural = if limit == 1 { "" } else { "s" };
    format!("must have {bound} {limit} {what}{plural}")
}

fn one_of(options: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let list: Vec<String> = traverse::elements(Some(options)).map(text).collect();
    match list.as_slice() {
        [only] => format!("must be {only}"),
        list => format!("must be one of: {}", list.join(", ")),
    }
}

fn is_out_of_range(time: &Value) -> bool {
    time.as_str().is_some_and(format::is_date_time_out_of_range)
}

fn format_sentence(format: &str) -> &'static str {
    match format {
        "date" => "must be a date such as 2026-01-31",
        "date-time" => "must be a timestamp with a UTC offset, such as 2026-01-31T12:00:00Z",
        "email" => "must be an email address such as ada@example.com",
        "uuid" => "must be a UUID such as 3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "uri" => "must be a URI such as https://example.com/",
        _ => "has an invalid format",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn pattern_that_lists_values_is_not_shown() {
        for (pattern, values) in [
            ("^-?(created_at|name)$", Some(vec!["created_at", "-created_at", "name", "-name"])),
            ("^-?created_at$", Some(vec!["created_at", "-created_at"])),
            ("^(asc|desc)$", Some(vec!["asc", "desc"])),
            ("^[a-z]+$", None),
            ("^(a|b)+$", None),
            ("^(a|)$", None),
            ("^$", None),
            ("a|b", None),
        ] {
            let values = values.map(|values| values.into_iter().map(str::to_owned).collect());
            assert_eq!(alternatives(pattern), values, "{pattern}");
        }
    }

    #[test]
    fn bounds_of_the_type_are_shown_only_if_they_are_exceeded() {
        let small = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": i32::MAX});
        assert_eq!(expected(&small), "must be an integer of at least 1");
        assert_eq!(expected_range(&small), "must be an integer between 1 and 2147483647");
        let unbounded = json!({"type": "integer", "format": "int64", "minimum": 1});
        assert_eq!(expected_range(&unbounded), "must be an integer between 1 and 9223372036854775807");
        let above_zero = json!({"type": "number", "minimum": 0, "exclusiveMinimum": true});
        assert_eq!(expected(&above_zero), "must be a number greater than 0");
        let bounded = json!({"type": "integer", "maximum": 5, "nullable": true});
        assert_eq!(expected(&bounded), "must be an integer of at most 5 or null");
    }
}
