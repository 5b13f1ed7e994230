//! Which places of a request or a response hold secrets. Owns the reading of `format` and `x-sensitive`; masks nothing.

use serde_json::Value;

use super::body::BodySchema;
use super::compiled::Shape;
use super::operation::Operation;
use crate::text;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the field of this name.
    Key(String),
    /// To an element.
    Index,
}

/// What a document says of a place in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// It is a secret or personal: `x-sensitive: true`, `format: password` or `format: email`.
    Secret,
    /// Text that people write: no secret, unless they write one into it.
    Free,
    /// A number, a date, a word of a list, and the like: no secret.
    Open,
    /// The document knows no such place.
    Unknown,
}

impl BodySchema {
    /// What is at the end of this path.
    #[must_use]
    pub fn secrecy(&self, path: &[Step]) -> Secrecy {
        secrecy(self.root(), path)
    }
}

impl Operation {
    /// What a response with this status has at the end of this path of its JSON body.
    #[must_use]
    pub fn response_secrecy(&self, status: u16, path: &[Step]) -> Secrecy {
        self.json_response(status).map_or(Secrecy::Unknown, |schema| secrecy(schema.root(), path))
    }

    /// What a query parameter holds.
    #[must_use]
    pub fn query_secrecy(&self, name: &str) -> Secrecy {
        self.query_schema(name).map_or(Secrecy::Unknown, |schema| secrecy(schema, &[]))
    }
}

fn secrecy(root: Shape<'_>, path: &[Step]) -> Secrecy {
    let mut shape = root;
    for step in path {
        if is_secret(shape.schema()) {
            return Secrecy::Secret;
        }
        let next = match step {
            Step::Key(name) => shape.property(name),
            Step::Index => shape.items(),
        };
        match next {
            Some(next) => shape = next,
            None => return Secrecy::Unknown,
        }
    }
    match shape.schema() {
        schema if is_secret(schema) => Secrecy::Secret,
        schema if text::is_any(schema) => Secrecy::Free,
        _ => Secrecy::Open,
    }
}

fn is_secret(schema: &Value) -> bool {
    let format = schema.get("format").and_then(Value::as_str);
    schema.get("x-sensitive") == Some(&Value::Bool(true)) || matches!(format, Some("password" | "email"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::super::compiled::{Compiled, Definitions};
    use super::*;

    #[test]
    fn secrets_are_found_by_what_the_schema_says() {
        let inner = json!({"properties": {"email": {"type": "string", "format": "email"}, "id": {"type": "integer"}}});
        let definitions: Definitions = std::sync::Arc::new([("User".to_owned(), inner)].into_iter().collect());
        let schema = json!({"type": "object", "properties": {
            "password": {"type": "string", "format": "password"},
            "token": {"type": "string", "x-sensitive": true},
            "name": {"type": "string"},
            "sort": {"type": "string", "pattern": "^(name|id)$"},
            "users": {"type": "array", "items": {"$ref": "#/components/schemas/User"}},
        }});
        let compiled = Compiled::new(&schema, &definitions).unwrap();
        let at = |path: &[&str]| {
            let step = |name: &&str| if *name == "*" { Step::Index } else { Step::Key((*name).to_owned()) };
            secrecy(compiled.root(), &path.iter().map(step).collect::<Vec<_>>())
        };
        for (path, expected) in [
            (&["password"][..], Secrecy::Secret),
            (&["password", "x", "*"], Secrecy::Secret),
            (&["token"], Secrecy::Secret),
            (&["name"], Secrecy::Free),
            (&["sort"], Secrecy::Open),
            (&["users", "*", "email"], Secrecy::Secret),
            (&["users", "*", "id"], Secrecy::Open),
            (&["users", "email"], Secrecy::Unknown),
            (&["colour"], Secrecy::Unknown),
            (&[], Secrecy::Open),
        ] {
            assert_eq!(at(path), expected, "{path:?}");
        }
    }
}
