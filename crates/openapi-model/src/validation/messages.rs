//! The messages of violations.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::schema_validator::{SchemaNode, SchemaViolation};
use super::violation::ViolationCode as Code;
use crate::{bounds, pointer, traverse};

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
        Kind::Enum { options } => report(Code::NotAllowed, one_of(options)),
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => report(Code::TooSmall, number(shape)),
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => report(Code::TooLarge, number(shape)),
        Kind::MinLength { limit: 1 } => report(Code::TooShort, "must not be empty".to_owned()),
        Kind::MinLength { limit } => report(Code::TooShort, count("at least", *limit, "character")),
        Kind::MaxLength { limit } => report(Code::TooLong, count("at most", *limit, "character")),
        Kind::MinItems { limit } => report(Code::TooFew, count("at least", *limit, "item")),
        Kind::MaxItems { limit } => report(Code::TooMany, count("at most", *limit, "item")),
        Kind::MinProperties { limit } => report(Code::TooFew, count("at least", *limit, "field")),
        Kind::MaxProperties { limit } => report(Code::TooMany, count("at most", *limit, "field")),
        Kind::UniqueItems => report(Code::NotUnique, "must not contain duplicate items".to_owned()),
        Kind::Format { format } => report(Code::InvalidFormat, format_sentence(format).to_owned()),
        Kind::Pattern { pattern } => {
            let message = format!("must match the pattern {pattern}");
            let violation = problem(at.to_owned(), Code::InvalidFormat, message);
            found.push(SchemaViolation { is_generic: true, ..violation });
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
    SchemaViolation { pointer, code, message, is_generic: false }
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
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    let what = match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => return number(schema),
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
    (code, expected(schema))
}

fn is_integer(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("integer")
}

/// Returns a message with the allowed range. If the document has only a minimum, the maximum is that of the format.
fn number(schema: &Value) -> String {
    let mut completed = schema.clone();
    if let Value::Object(map) = &mut completed
        && map.contains_key("minimum")
    {
        bounds::imply(map);
    }
    let schema = &completed;
    let what = if is_integer(schema) { "an integer" } else { "a number" };
    let bound = |key: &str, exclusive: &str, plain: &str, strict: &str| {
        let bound = schema.get(key)?;
        let strict_here = schema.get(exclusive) == Some(&Value::Bool(true));
        Some(format!("{} {bound}", if strict_here { strict } else { plain }))
    };
    let plain = ["exclusiveMinimum", "exclusiveMaximum"].iter().all(|key| schema.get(*key) != Some(&Value::Bool(true)));
    let range = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) if plain => format!(" between {low} and {high}"),
        _ => {
            let low = bound("minimum", "exclusiveMinimum", "at least", "greater than");
            let high = bound("maximum", "exclusiveMaximum", "at most", "less than");
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
