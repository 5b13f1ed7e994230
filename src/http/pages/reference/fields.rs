//! Fields of schemas as lists. A field that is an object links to the description of its schema on the same page.

use std::collections::BTreeSet;

use openapi_model::{
    pointer,
    traverse::{SCHEMAS, elements, members, text},
};
use serde_json::Value;

use super::super::{markdown, template::escape_html};

/// Longer lists of values are not shown.
const MAX_VALUES: usize = 40;

/// A field or a parameter.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// Additional properties: where a parameter is, whether it is required.
    pub(super) notes: Vec<&'a str>,
    pub(super) description: &'a str,
    pub(super) schema: &'a Value,
}

/// The type of a value, and the object schema that describes it.
pub(super) struct TypeName<'d> {
    pub(super) text: String,
    pub(super) object: Option<&'d str>,
    pub(super) values: Vec<&'d str>,
}

/// Returns the fields of an object schema, which can be a reference.
pub(super) fn fields_of<'d>(document: &'d Value, schema: &'d Value, with_required: bool) -> Vec<Field<'d>> {
    let Some(schema) = pointer::resolve(document, schema) else { return Vec::new() };
    let required: BTreeSet<&str> = elements(schema.get("required")).filter_map(Value::as_str).collect();
    members(schema.get("properties"))
        .map(|(name, property)| {
            let target = pointer::resolve(document, property).unwrap_or(property);
            let own = text(property, "description");
            Field {
                name,
                notes: if with_required && required.contains(name) { vec!["required"] } else { Vec::new() },
                description: if own.is_empty() { text(target, "description") } else { own },
                schema: property,
            }
        })
        .collect()
}

/// Returns the name of the component that a schema refers to, directly or with a description.
pub(super) fn component(schema: &Value) -> Option<&str> {
    let reference = schema.get("$ref").or_else(|| match elements(schema.get("allOf")).collect::<Vec<_>>().as_slice() {
        [only] => only.get("$ref"),
        _ => None,
    });
    reference?.as_str()?.strip_prefix(SCHEMAS)
}

/// Returns the type of a value.
pub(super) fn type_of<'d>(document: &'d Value, schema: &'d Value) -> TypeName<'d> {
    let name = component(schema);
    let resolved = name.and_then(|name| document.pointer(&format!("/components/schemas/{name}"))).unwrap_or(schema);
    let is_nullable = |schema: &Value| schema.get("nullable") == Some(&Value::Bool(true));
    let or_null = if is_nullable(schema) || is_nullable(resolved) { " or null" } else { "" };
    let values: Vec<&str> = elements(resolved.get("enum")).filter_map(Value::as_str).collect();
    if text(resolved, "type") == "array" {
        let items = type_of(document, resolved.get("items").unwrap_or(&Value::Null));
        let text = format!("array of {}{or_null}", if items.text == "object" { "objects" } else { &items.text });
        return TypeName { text, ..items };
    }
    let object = name.filter(|_| resolved.get("properties").is_some());
    let kind = match text(resolved, "type") {
        "" => "any",
        kind => kind,
    };
    let format = match text(resolved, "format") {
        "" | "int32" | "int64" | "double" => String::new(),
        format => format!(" ({format})"),
    };
    TypeName { text: format!("{kind}{format}{or_null}"), object, values }
}

/// Returns the fields as HTML, and adds the object schemas that they refer to.
pub(super) fn html<'d>(document: &'d Value, fields: &[Field<'d>], objects: &mut BTreeSet<&'d str>) -> String {
    let mut list = String::from("<ul class=\"fields\">");
    for field in fields {
        let kind = type_of(document, field.schema);
        let mut notes = escape_html(&kind.text);
        if let Some(object) = kind.object {
            objects.insert(object);
            notes = format!("{notes}: <a href=\"#schema-{object}\">{object}</a>");
        }
        for note in &field.notes {
            let class = if *note == "required" { " class=\"required\"" } else { "" };
            notes.push_str(&format!(", <span{class}>{note}</span>"));
        }
        let name = escape_html(field.name);
        list.push_str(&format!("\n<li><code>{name}</code> <span class=\"type\">{notes}</span>"));
        list.push_str(&markdown::html(field.description));
        if !kind.values.is_empty() && kind.values.len() <= MAX_VALUES {
            let values: Vec<String> =
                kind.values.iter().map(|value| format!("<code>{}</code>", escape_html(value))).collect();
            list.push_str(&format!("<p class=\"values\">Values: {}</p>", values.join(", ")));
        }
        list.push_str("</li>");
    }
    list.push_str("\n</ul>\n");
    list
}

/// Returns the fields as a list in Markdown.
pub(super) fn markdown_list(document: &Value, fields: &[Field<'_>]) -> String {
    let mut list = String::new();
    for field in fields {
        let kind = type_of(document, field.schema);
        let mut notes = vec![kind.text];
        notes.extend(field.notes.iter().map(|note| (*note).to_owned()));
        let description = field.description.replace('\n', " ");
        list.push_str(&format!("- `{}` ({}): {description}", field.name, notes.join(", ")));
        if !kind.values.is_empty() && kind.values.len() <= MAX_VALUES {
            list.push_str(&format!(" Values: `{}`.", kind.values.join("`, `")));
        }
        list.push('\n');
    }
    list
}
