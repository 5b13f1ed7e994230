//! A small API and changes to it. Each case is a change with the rules that it violates in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::{Difference, diff};
use crate::Document;
use openapi_fixtures::set;

/// One change to the base document.
pub(super) struct Case {
    /// The rules that are reported for the change and for its reversal, in the order of the report.
    pub(super) forward: Vec<&'static str>,
    pub(super) backward: Vec<&'static str>,
    /// The text of the first difference of the change.
    expected: &'static str,
    changes: Vec<(&'static str, Value)>,
}

/// Creates a case with one difference in each direction.
pub(super) fn case(
    forward: &'static str,
    backward: &'static str,
    expected: &'static str,
    pointer: &'static str,
    value: Value,
) -> Case {
    cases(&[forward], &[backward], expected, vec![(pointer, value)])
}

pub(super) fn cases(
    forward: &[&'static str],
    backward: &[&'static str],
    expected: &'static str,
    changes: Vec<(&'static str, Value)>,
) -> Case {
    Case { forward: forward.to_vec(), backward: backward.to_vec(), expected, changes }
}

impl Case {
    #[track_caller]
    pub(super) fn holds(&self) {
        let base = base();
        let mut changed = base.clone();
        for (pointer, value) in &self.changes {
            set(&mut changed, &full(pointer), value.clone());
        }
        let (base, changed) = (document(&base), document(&changed));
        let there = diff(&base, &changed);
        assert_eq!(rules(&there), self.forward, "{there:#?}");
        let line = there.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(line, format!("{} [{}]", self.expected, self.forward.first().unwrap_or(&"")));
        let back = diff(&changed, &base);
        assert_eq!(rules(&back), self.backward, "reversed: {back:#?}");
    }
}

fn rules(differences: &[Difference]) -> Vec<&str> {
    differences.iter().map(|one| one.rule).collect()
}

/// Expands the prefixes `list:`, `create:` and `read:` (operations) and `schema:` (component schemas) of a pointer.
fn full(pointer: &str) -> String {
    let Some((base, rest)) = pointer.split_once(':') else {
        return pointer.to_owned();
    };
    let base = match base {
        "list" => "/paths/~1lists/get",
        "create" => "/paths/~1lists/post",
        "read" => "/paths/~1lists~1{list_id}/get",
        "schema" => "/components/schemas",
        other => panic!("{other}"),
    };
    format!("{base}/{rest}")
}

pub(super) fn document(value: &Value) -> Document {
    Document::from_json(&value.to_string()).unwrap()
}

/// Returns the base document. It uses each schema once, so that a change of a schema is one difference.
pub(super) fn base() -> Value {
    let json = |schema: &str| {
        let reference = format!("#/components/schemas/{schema}");
        json!({"application/json": {"schema": {"$ref": reference}}})
    };
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Lists", "version": "1.0.0"},
        "servers": [{"url": "/v1", "description": "This server"}],
        "tags": [{"name": "Lists"}],
        "security": [{"bearer": []}],
        "x-webhooks": {"list.done": {"post": {"requestBody": {"content": json("Event")}}}},
        "paths": {
            "/lists": {
                "get": {
                    "operationId": "listLists",
                    "tags": ["Lists"],
                    "summary": "Lists lists.",
                    "parameters": [
                        {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 100}, "example": "x"},
                        {"name": "state", "in": "query", "required": true, "schema": {"$ref": "#/components/schemas/State"}},
                        {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                        {"$ref": "#/components/parameters/Depth"}
                    ],
                    "responses": {
                        "200": {
                            "description": "A page.",
                            "headers": {
                                "Link": {"required": true, "schema": {"type": "string"}},
                                "ETag": {"schema": {"type": "string"}}
                            },
                            "content": {
                                "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}},
                                "text/csv": {"schema": {"type": "string"}}
                            }
                        },
                        "404": {"description": "None.", "content": json("Error")}
                    }
                },
                "post": {
                    "operationId": "createList",
                    "requestBody": {
                        "required": true,
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/ListCreate"}},
                            "text/plain": {"schema": {"type": "string"}}
                        }
                    },
                    "responses": {"201": {"description": "Made.", "content": json("Made")}}
                }
            },
            "/lists/{list_id}": {
                "parameters": [{"name": "list_id", "in": "path", "required": true, "schema": {"type": "integer", "format": "int32"}}],
                "get": {
                    "operationId": "readList",
                    "security": [],
                    "responses": {
                        "200": {"description": "A list.", "content": json("List")},
                        "410": {"$ref": "#/components/responses/Gone"}
                    }
                }
            }
        },
        "components": {
            "parameters": {"Depth": {"name": "depth", "in": "query", "schema": {"type": "integer"}}},
            "headers": {"Sunset": {"schema": {"type": "string"}}},
            "responses": {
                "Gone": {"description": "Gone.", "headers": {"Sunset": {"$ref": "#/components/headers/Sunset"}}}
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}, "key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
            "schemas": {
                "State": {"type": "string", "enum": ["open", "done"]},
                "Row": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
                "Made": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
                "Event": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
                "Error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {
                        "code": {"type": "string", "enum": ["LIST_GONE", "LIST_HIDDEN"]},
                        "message": {"type": "string"}
                    }
                },
                "ListCreate": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[a-z]"},
                        "note": {"type": "string", "nullable": true},
                        "rank": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
                        "labels": {"type": "array", "maxItems": 10, "items": {"$ref": "#/components/schemas/Label"}},
                        "shape": {"oneOf": [{"$ref": "#/components/schemas/Round"}, {"$ref": "#/components/schemas/Square"}]}
                    }
                },
                "Label": {"type": "object", "properties": {"text": {"type": "string"}}},
                "Round": {"type": "object", "properties": {"radius": {"type": "number"}}},
                "Square": {"type": "object", "properties": {"side": {"type": "number"}}},
                "List": {
                    "type": "object",
                    "required": ["id", "name", "note", "kind", "parent"],
                    "description": "A list.",
                    "example": {"id": 1},
                    "properties": {
                        "id": {"type": "integer", "format": "int64"},
                        "name": {"type": "string", "maxLength": 100},
                        "note": {"type": "string", "nullable": true},
                        "kind": {"$ref": "#/components/schemas/Kind"},
                        "hint": {"type": "string"},
                        "parent": {"nullable": true, "allOf": [{"$ref": "#/components/schemas/List"}]},
                        "done": {"oneOf": [{"type": "boolean"}, {"type": "string"}]}
                    }
                },
                "Kind": {"type": "string", "enum": ["plain", "shared"]},
                "Unused": {"type": "object"}
            }
        }
    })
}
