//! OpenAPI overlays (<https://spec.openapis.org/overlay/v1.0.0>).

use openapi_model::Document;
use serde_json::{Value, json};

use crate::OperationSamples;

/// Returns an overlay that adds the samples to the document as `x-codeSamples`, after those that it has: an overlay appends to lists.
/// `extends` is the URL of the document, which can be relative to that of the overlay.
#[must_use]
pub fn overlay(document: &Document, samples: &[OperationSamples], extends: &str) -> Value {
    let info = |name: &str| document.value().pointer(&format!("/info/{name}")).and_then(Value::as_str);
    let action = |samples: &OperationSamples| {
        json!({
            "target": format!("$.paths[{}].{}", single_quoted(&samples.path), samples.method),
            "update": {"x-codeSamples": samples.extension()},
        })
    };
    json!({
        "overlay": "1.0.0",
        "info": {
            "title": format!("Code samples of the {}", info("title").unwrap_or_default()),
            "version": info("version").unwrap_or_default(),
        },
        "extends": extends,
        "actions": samples.iter().map(action).collect::<Vec<_>>(),
    })
}

/// Returns a name in a JSONPath (RFC 9535).
fn single_quoted(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}
