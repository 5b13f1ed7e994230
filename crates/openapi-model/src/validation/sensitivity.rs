//! Classifies the fields of requests and responses by `format` and `x-sensitive`.

use serde_json::Value;

use super::body::BodySchema;
use super::operation::Operation;
use super::schema_validator::SchemaNode;

/// A segment of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSegment {
    /// The field with this name.
    Key(String),
    /// An element of an array.
    Index,
}

/// Sensitivity of a field, as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// Secret or personal: `x-sensitive: true`, `format: password` or `format: email`.
    Sensitive,
    /// Free text, which can contain anything.
    FreeText,
    /// A number, a date, an enumeration or similar.
    NotSensitive,
    /// Undocumented.
    Unknown,
}

impl BodySchema {
    /// Returns the sensitivity of the field at this path.
    #[must_use]
    pub fn sensitivity(&self, path: &[PathSegment]) -> Sensitivity {
        sensitivity(self.root(), path)
    }
}

impl BodySchema {
    /// Returns the sensitivity of a string or a number at this path: [`Sensitivity::Unknown`] if the schema describes another
    /// type, because a client that sends the wrong type can have sent anything.
    #[must_use]
    pub fn scalar_sensitivity(&self, path: &[PathSegment], is_number: bool) -> Sensitivity {
        let found = self.sensitivity(path);
        if matches!(found, Sensitivity::FreeText | Sensitivity::NotSensitive)
            && find_node(self.root(), path).is_some_and(|node| !describes_scalar(node.schema(), is_number))
        {
            return Sensitivity::Unknown;
        }
        found
    }
}

impl Operation {
    /// Returns the sensitivity of the field at this path of the JSON body of a response.
    #[must_use]
    pub fn response_sensitivity(&self, status: u16, path: &[PathSegment]) -> Sensitivity {
        self.json_response(status).map_or(Sensitivity::Unknown, |schema| sensitivity(schema.root(), path))
    }

    /// Returns the sensitivity of a query parameter.
    #[must_use]
    pub fn query_sensitivity(&self, name: &str) -> Sensitivity {
        self.query_schema(name).map_or(Sensitivity::Unknown, |schema| sensitivity(schema, &[]))
    }
}

fn sensitivity(root: SchemaNode<'_>, path: &[PathSegment]) -> Sensitivity {
    let mut shape = root;
    for step in path {
        if is_secret(shape.schema()) {
            return Sensitivity::Sensitive;
        }
        let next = match step {
            PathSegment::Key(name) => shape.property(name),
            PathSegment::Index => shape.items(),
        };
        match next {
            Some(next) => shape = next,
            None => return Sensitivity::Unknown,
        }
    }
    match shape.schema() {
        schema if is_secret(schema) => Sensitivity::Sensitive,
        _ if shape.is_free_text() => Sensitivity::FreeText,
        _ => Sensitivity::NotSensitive,
    }
}

fn find_node<'s>(root: SchemaNode<'s>, path: &[PathSegment]) -> Option<SchemaNode<'s>> {
    path.iter().try_fold(root, |node, step| match step {
        PathSegment::Key(name) => node.property(name),
        PathSegment::Index => node.items(),
    })
}

/// Returns whether a schema describes strings, or scalars if the value is a number. A schema without a type that is not composed of
/// fields can describe both.
fn describes_scalar(schema: &Value, is_number: bool) -> bool {
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => true,
        Some("object" | "array") => false,
        Some(_) => is_number,
        None => schema.get("properties").is_none() && schema.get("items").is_none(),
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

    use super::super::schema_validator::{Definitions, SchemaValidator};
    use super::*;

    #[test]
    fn sensitivity_follows_the_schema() {
        let inner = json!({"properties": {"email": {"type": "string", "format": "email"}, "id": {"type": "integer"}}});
        let definitions: Definitions = std::sync::Arc::new([("User".to_owned(), inner)].into_iter().collect());
        let schema = json!({"type": "object", "properties": {
            "password": {"type": "string", "format": "password"},
            "token": {"type": "string", "x-sensitive": true},
            "name": {"type": "string"},
            "sort": {"type": "string", "pattern": "^(name|id)$"},
            "users": {"type": "array", "items": {"$ref": "#/components/schemas/User"}},
        }});
        let compiled = SchemaValidator::new(&schema, &definitions).unwrap();
        let at = |path: &[&str]| {
            let step =
                |name: &&str| if *name == "*" { PathSegment::Index } else { PathSegment::Key((*name).to_owned()) };
            sensitivity(compiled.root(), &path.iter().map(step).collect::<Vec<_>>())
        };
        for (path, expected) in [
            (&["password"][..], Sensitivity::Sensitive),
            (&["password", "x", "*"], Sensitivity::Sensitive),
            (&["token"], Sensitivity::Sensitive),
            (&["name"], Sensitivity::FreeText),
            (&["sort"], Sensitivity::NotSensitive),
            (&["users", "*", "email"], Sensitivity::Sensitive),
            (&["users", "*", "id"], Sensitivity::NotSensitive),
            (&["users", "email"], Sensitivity::Unknown),
            (&["color"], Sensitivity::Unknown),
            (&[], Sensitivity::NotSensitive),
        ] {
            assert_eq!(at(path), expected, "{path:?}");
        }
    }
}
