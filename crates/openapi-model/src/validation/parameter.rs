//! Validation of parameters and headers: converts the received text to a value of the documented type.

use serde_json::Value;

use super::messages;
use super::schema_validator::{SchemaCompiler, SchemaNode, SchemaValidator};
use super::violation::{Location, ViolationCode, Violations};

/// A compiled parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) required: bool,
    /// Whether each value of a list is sent as a separate parameter.
    pub(super) exploded: bool,
    kind: Kind,
    compiled: SchemaValidator,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer { low: i64, high: i64 },
    Number,
    Boolean,
    Text,
    List,
}

impl Parameter {
    /// Compiles a parameter or header object.
    pub(super) fn compile(name: &str, parameter: &Value, compiler: &SchemaCompiler) -> Result<Self, String> {
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        let compiled = compiler.compile_request(schema)?;
        let resolved = compiled.root().schema();
        let kind = kind(resolved);
        let flag = |key| parameter.get(key).and_then(Value::as_bool);
        let exploded = matches!(kind, Kind::List) && flag("explode").unwrap_or(true);
        Ok(Parameter { name: name.to_owned(), required: flag("required").unwrap_or(false), exploded, kind, compiled })
    }

    /// Returns whether the parameter is a list that is written as one value, separated by commas.
    pub(super) fn is_joined(&self) -> bool {
        matches!(self.kind, Kind::List) && !self.exploded
    }

    /// What the document says of its value.
    pub(super) fn schema(&self) -> SchemaNode<'_> {
        self.compiled.root()
    }

    /// Validates a decoded value. Does not allocate for a valid integer or boolean.
    pub(super) fn check(&self, text: &str, location: &dyn Fn() -> Location, out: &mut Violations) {
        match self.kind {
            Kind::Integer { low, high } if integer(text).is_some_and(|value| (low..=high).contains(&value)) => {}
            Kind::Boolean if matches!(text, "true" | "false") => {}
            Kind::List if !self.exploded => {
                self.check_list(&mut text.split(','), location, out);
            }
            Kind::List => self.check_list(&mut std::iter::once(text), location, out),
            kind => {
                if let Some(value) = value_of(kind, self.compiled.root(), text, location, out) {
                    self.validate(&value, location, out);
                }
            }
        }
    }

    /// Validates all values of a list parameter.
    pub(super) fn check_list(
        &self,
        texts: &mut dyn Iterator<Item = &str>,
        location: &dyn Fn() -> Location,
        out: &mut Violations,
    ) {
        let Some(items) = self.compiled.root().items() else {
            return;
        };
        let schema = items.schema();
        let values: Option<Vec<Value>> = texts.map(|text| value_of(kind(schema), items, text, location, out)).collect();
        if let Some(values) = values {
            self.validate(&Value::Array(values), location, out);
        }
    }

    fn validate(&self, value: &Value, location: &dyn Fn() -> Location, out: &mut Violations) {
        // All violations of a parameter have the same location. A pattern mismatch is reported only if there is no other.
        let (mismatches, precise): (Vec<_>, Vec<_>) =
            self.compiled.violations(value).into_iter().partition(|problem| problem.is_pattern_mismatch);
        for problem in precise {
            out.push(location(), problem.code, problem.message);
        }
        for problem in mismatches {
            let location = location();
            if !out.has(&location) {
                out.push(location, problem.code, problem.message);
            }
        }
    }
}

fn kind(schema: &Value) -> Kind {
    let bound = |key, open| match schema.get(key) {
        None => open,
        Some(bound) => bound.as_i64().unwrap_or(open),
    };
    // The validator checks exclusive bounds, `multipleOf` and `enum`: an empty range passes every value to it.
    let simple =
        ["exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"].iter().all(|key| schema.get(*key).is_none());
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") if simple => {
            let small = schema.get("format").and_then(Value::as_str) == Some("int32");
            let (low, high) = if small { (i64::from(i32::MIN), i64::from(i32::MAX)) } else { (i64::MIN, i64::MAX) };
            Kind::Integer { low: bound("minimum", low), high: bound("maximum", high) }
        }
        Some("integer") => Kind::Integer { low: 1, high: 0 },
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some("array") => Kind::List,
        _ => Kind::Text,
    }
}

/// Converts a text to a value. Returns `None` and reports a violation if that is impossible.
fn value_of(
    kind: Kind,
    node: SchemaNode<'_>,
    text: &str,
    location: &dyn Fn() -> Location,
    out: &mut Violations,
) -> Option<Value> {
    let value = match kind {
        Kind::Integer { .. } => integer(text).map(Value::from),
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .filter(|_| !text.contains(|c: char| c.is_alphabetic() && c != 'e' && c != 'E'))
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::Bool),
        Kind::Text | Kind::List => {
            let kind = node.text_kind();
            if !text.chars().all(|character| kind.allows(character)) {
                let code = ViolationCode::InvalidCharacters;
                out.push(location(), code, kind.violation_message());
            }
            let composed = kind.compose(text);
            // Text of only whitespace is empty. Other text is validated without trimming, as the document describes it.
            let text = if kind.trim(&composed).is_empty() { String::new() } else { composed.into_owned() };
            Some(Value::String(text))
        }
    };
    if value.is_none() {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let beyond = is_plain_number(digits) && matches!(kind, Kind::Integer { .. });
        let code = match beyond {
            true if digits.len() < text.len() => ViolationCode::TooSmall,
            true => ViolationCode::TooLarge,
            false => ViolationCode::WrongType,
        };
        let schema = node.schema();
        let message =
            if code == ViolationCode::TooLarge { messages::expected_range(schema) } else { messages::expected(schema) };
        out.push(location(), code, message);
    }
    value
}

/// Parses an integer without a plus sign and without leading zeros, so that each resource has one URL.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_plain_number(digits).then(|| text.parse().ok()).flatten()
}

fn is_plain_number(digits: &str) -> bool {
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
}
