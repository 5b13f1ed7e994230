//! Redundant bounds of schemas.
//!
//! Such a bound has no effect, and some tools fail on it: a mock server allocates an array of 2,147,483,647 elements, a
//! JavaScript number cannot represent 2^63-1, and generated Python code calls `len()` on a date.

use serde_json::{Map, Value};

/// The largest number of characters, elements or properties that many languages can represent.
const LARGEST_SIZE: u64 = i32::MAX as u64;

/// String formats that generators map to types without a length, such as dates.
const NON_TEXT_FORMATS: [&str; 5] = ["date", "date-time", "time", "duration", "uuid"];

/// Returns the bounds of a schema that restrict nothing: those that its format already implies, the default 0, and maxima that no
/// client can exceed.
pub fn redundant_bounds(schema: &Map<String, Value>) -> Vec<&'static str> {
    let format = schema.get("format").and_then(Value::as_str);
    let range = format.and_then(integer_range);
    let mut keywords = Vec::new();
    let mut add = |keyword: &'static str, is_redundant: &dyn Fn(&Value) -> bool| {
        if schema.get(keyword).is_some_and(is_redundant) {
            keywords.push(keyword);
        }
    };
    if let Some((low, high)) = range {
        add("minimum", &|bound| bound.as_i64().is_some_and(|bound| bound <= low));
        // 2^63 does not fit into a signed integer. As a floating-point number, it is the bound of `int64`.
        #[allow(clippy::cast_precision_loss, reason = "only a bound at or above the largest value is compared")]
        let largest = high as f64;
        add("maximum", &|bound| match bound.as_i64() {
            Some(bound) => bound >= high,
            None => bound.as_f64().is_some_and(|bound| bound >= largest),
        });
    }
    for keyword in ["minLength", "minItems", "minProperties"] {
        add(keyword, &|bound| bound.as_u64() == Some(0));
    }
    let is_non_text = format.is_some_and(|format| NON_TEXT_FORMATS.contains(&format));
    for keyword in ["minLength", "maxLength", "maxItems", "maxProperties"] {
        let is_length = keyword.ends_with("Length");
        add(keyword, &|bound| {
            let is_largest = keyword.starts_with("max") && bound.as_u64().is_some_and(|bound| bound >= LARGEST_SIZE);
            (is_non_text && is_length && bound.as_u64() != Some(0)) || is_largest
        });
    }
    keywords
}

/// Adds the range of an integer format to a schema without bounds.
pub(crate) fn add_integer_range(schema: &mut Map<String, Value>) {
    if let Some((low, high)) = schema.get("format").and_then(Value::as_str).and_then(integer_range) {
        schema.entry("minimum").or_insert_with(|| low.into());
        schema.entry("maximum").or_insert_with(|| high.into());
    }
}

/// Returns the range of an integer format.
pub(crate) fn integer_range(format: &str) -> Option<(i64, i64)> {
    match format {
        "int32" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        "int64" => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn redundant_bounds_are_found() {
        for (schema, expected) in [
            (json!({"format": "int32", "minimum": 1, "maximum": i32::MAX}), &["maximum"][..]),
            (json!({"format": "int32", "minimum": i32::MIN, "maximum": 9}), &["minimum"]),
            (json!({"format": "int64", "minimum": i64::MIN, "maximum": i64::MAX}), &["minimum", "maximum"]),
            (json!({"format": "int64", "maximum": 9_223_372_036_854_775_808_u64}), &["maximum"]),
            (json!({"format": "int64", "maximum": i64::from(i32::MAX)}), &[]),
            (json!({"minimum": 0, "maximum": i64::MAX}), &[]),
            (json!({"type": "array", "minItems": 0, "maxItems": i32::MAX}), &["minItems", "maxItems"]),
            (json!({"type": "array", "minItems": 1, "maxItems": 1000}), &[]),
            (json!({"type": "string", "minLength": 0, "maxLength": 4_294_967_295_u64}), &["minLength", "maxLength"]),
            (json!({"format": "date-time", "minLength": 20, "maxLength": 32}), &["minLength", "maxLength"]),
            (json!({"format": "email", "minLength": 3, "maxLength": 254}), &[]),
        ] {
            assert_eq!(redundant_bounds(schema.as_object().unwrap()), expected, "{schema}");
        }
    }
}
