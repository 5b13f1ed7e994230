//! Locations in a document: as a JSON pointer for tools and as a name for people.

use openapi_model::{pointer, traverse};
use serde_json::Value;

/// A location in a document.
#[derive(Clone, Debug)]
pub(crate) struct LintLocation {
    pub(crate) pointer: String,
    pub(crate) name: String,
}

impl LintLocation {
    /// Returns the location of a component.
    pub(crate) fn component(section: &str, kind: &str, name: &str) -> Self {
        let pointer = pointer::join(&format!("/components/{section}"), name);
        LintLocation { pointer, name: format!("{kind} {name}") }
    }

    pub(crate) fn operation(entry: &traverse::Entry<'_>) -> Self {
        LintLocation { pointer: entry.pointer(), name: format!("operation {}", entry.name()) }
    }

    /// Returns the location of a parameter of this operation.
    pub(crate) fn parameter(&self, parameter: &traverse::ParameterEntry<'_>) -> Self {
        let name = traverse::text(parameter.value, "name");
        LintLocation { pointer: parameter.pointer.clone(), name: format!("{}, parameter {name}", self.name) }
    }

    /// Returns the location of a part, whose name follows that of this location.
    pub(crate) fn part(&self, tokens: &[&str], name: &str) -> Self {
        LintLocation { name: format!("{}, {name}", self.name), ..self.at(tokens) }
    }

    /// Returns the location of a part that has the same name.
    pub(crate) fn at(&self, tokens: &[&str]) -> Self {
        let mut pointer = self.pointer.clone();
        tokens.iter().for_each(|token| pointer::push(&mut pointer, token));
        LintLocation { pointer, name: self.name.clone() }
    }

    /// Returns the location of a subschema, whose name continues that of the schema.
    fn subschema(&self, tokens: &[&str], suffix: &str) -> Self {
        LintLocation { name: format!("{}{suffix}", self.name), ..self.at(tokens) }
    }
}

/// Calls `visit` with a schema and its subschemas, each with its location. References are not followed.
///
/// The members of a union or an `allOf` are part of the schema and have its name.
pub(crate) fn visit_schemas<'s>(
    location: &LintLocation,
    schema: &'s Value,
    visit: &mut dyn FnMut(&LintLocation, &'s Value),
) {
    visit(location, schema);
    if let Some(items) = schema.get("items") {
        visit_schemas(&location.subschema(&["items"], "[]"), items, visit);
    }
    if let Some(values @ Value::Object(_)) = schema.get("additionalProperties") {
        visit_schemas(&location.subschema(&["additionalProperties"], ".*"), values, visit);
    }
    if let Some(not) = schema.get("not") {
        visit_schemas(&location.at(&["not"]), not, visit);
    }
    for (name, inner) in traverse::members(schema.get("properties")) {
        visit_schemas(&location.subschema(&["properties", name], &format!(".{name}")), inner, visit);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in traverse::elements(schema.get(key)).enumerate() {
            visit_schemas(&location.at(&[key, &index.to_string()]), inner, visit);
        }
    }
}
