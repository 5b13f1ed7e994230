//! The operations of an API version by tag, with resolved references.

use contract::{ErrorCode, v1, v2};
use openapi_model::{
    base_path, pointer,
    traverse::{self, Entry, elements, members, text},
};
use openapi_samples::OperationSamples;
use serde_json::Value;

use crate::samples;

/// An API version.
pub(super) struct ReferenceDocument {
    /// `v2`.
    pub(super) version: &'static str,
    pub(super) value: &'static Value,
    samples: &'static [OperationSamples],
}

/// A tag with its operations, which share a page.
pub(super) struct TagPage {
    pub(super) name: &'static str,
    /// The last segment of its path: `api-clients`.
    pub(super) segment: String,
    pub(super) title: String,
    pub(super) description: &'static str,
    pub(super) operations: Vec<ReferenceOperation>,
}

/// An operation of the document.
pub(super) struct ReferenceOperation {
    document: &'static Value,
    entry: Entry<'static>,
    /// The path with the base path: `/v2/bucketlists`.
    pub(super) path: String,
    pub(super) samples: Option<&'static OperationSamples>,
}

/// A parameter of an operation.
pub(super) struct ReferenceParameter {
    pub(super) name: &'static str,
    pub(super) location: &'static str,
    pub(super) description: &'static str,
    pub(super) is_required: bool,
    pub(super) schema: &'static Value,
}

/// A request or response body.
#[derive(Clone, Copy)]
pub(super) struct ReferenceBody {
    pub(super) schema: Option<&'static Value>,
    pub(super) example: Option<&'static Value>,
}

impl ReferenceDocument {
    /// Returns the document of a version, if it is known.
    pub(super) fn of(version: &str) -> Option<Self> {
        match version {
            "v1" => Some(Self { version: "v1", value: v1::document().value(), samples: samples::v1() }),
            "v2" => Some(Self { version: "v2", value: v2::document().value(), samples: samples::v2() }),
            _ => None,
        }
    }

    pub(super) fn description(&self) -> &'static str {
        self.value.pointer("/info/description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the tags in the order of the document.
    pub(super) fn tags(&self) -> Vec<TagPage> {
        let base = base_path(self.value);
        let entries: Vec<Entry<'static>> = traverse::operations(self.value).collect();
        let page = |tag: &'static Value| {
            let name = text(tag, "name");
            let has_tag =
                |entry: &&Entry<'static>| elements(entry.operation.get("tags")).next().is_some_and(|tag| tag == name);
            let operations = entries.iter().filter(has_tag).map(|entry| ReferenceOperation {
                document: self.value,
                entry: *entry,
                path: format!("{base}{}", entry.path),
                samples: self.samples.iter().find(|samples| samples.operation_id == entry.id()),
            });
            let title = spaced(name);
            TagPage {
                name,
                segment: title.to_lowercase().replace(' ', "-"),
                title,
                description: text(tag, "description"),
                operations: operations.collect(),
            }
        };
        elements(self.value.get("tags")).map(page).filter(|page| !page.operations.is_empty()).collect()
    }
}

impl ReferenceOperation {
    pub(super) fn id(&self) -> &'static str {
        self.entry.id()
    }

    /// Returns the method in upper case.
    pub(super) fn method(&self) -> String {
        self.entry.method.to_uppercase()
    }

    pub(super) fn summary(&self) -> &'static str {
        text(self.entry.operation, "summary")
    }

    pub(super) fn description(&self) -> &'static str {
        text(self.entry.operation, "description")
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.entry.operation.get("deprecated") == Some(&Value::Bool(true))
    }

    /// Returns who may call the operation, as a sentence.
    pub(super) fn authentication(&self) -> &'static str {
        let has = |name: &str| {
            elements(self.entry.operation.get("security")).any(|requirement| requirement.get(name).is_some())
        };
        match (has("bearerAuth"), has("apiKeyAuth")) {
            (true, true) => "Requires an access token or the key of an API client.",
            (true, false) => "Requires an access token.",
            (false, true) => "Requires the key of an API client.",
            (false, false) => "Requires no authentication.",
        }
    }

    pub(super) fn parameters(&self) -> Vec<ReferenceParameter> {
        let parameters = self.entry.parameters(self.document).into_iter().map(|parameter| parameter.value);
        parameters
            .map(|parameter| ReferenceParameter {
                name: text(parameter, "name"),
                location: text(parameter, "in"),
                description: text(parameter, "description"),
                is_required: parameter.get("required") == Some(&Value::Bool(true)),
                schema: parameter.get("schema").unwrap_or(&Value::Null),
            })
            .collect()
    }

    /// Returns the request body in its first media type, with all media types.
    pub(super) fn request_body(&self) -> Option<(ReferenceBody, Vec<&'static str>)> {
        let body = pointer::resolve(self.document, self.entry.operation.get("requestBody")?)?;
        Some((self.body(body)?, media_types(body)))
    }

    /// Returns status, description, body and media types of the documented success response.
    pub(super) fn success(&self) -> Option<(&'static str, &'static str, Option<ReferenceBody>, Vec<&'static str>)> {
        let (status, response) = self.responses().find(|(status, _)| status.starts_with('2'))?;
        Some((status, text(response, "description"), self.body(response), media_types(response)))
    }

    /// Returns status and codes of the documented errors.
    pub(super) fn errors(&self) -> Vec<(&'static str, Vec<ErrorCode>)> {
        let is_error = |status: &&str| status.starts_with(['4', '5']);
        self.responses()
            .filter(|(status, _)| is_error(status))
            .map(|(status, response)| {
                let names = members(response.get("content"))
                    .next()
                    .into_iter()
                    .flat_map(|(_, media)| members(media.get("examples")).map(|(name, _)| name));
                let codes = names.filter_map(|name| ErrorCode::ALL.iter().find(|code| code.as_str() == name).copied());
                (status, codes.collect())
            })
            .collect()
    }

    fn responses(&self) -> impl Iterator<Item = (&'static str, &'static Value)> {
        let document = self.document;
        members(self.entry.operation.get("responses"))
            .filter_map(move |(status, response)| Some((status, pointer::resolve(document, response)?)))
    }

    fn body(&self, part: &'static Value) -> Option<ReferenceBody> {
        let (_, media) = members(part.get("content")).next()?;
        let schema = media.get("schema");
        let named = members(media.get("examples")).next();
        let named = named.and_then(|(_, example)| pointer::resolve(self.document, example)?.get("value"));
        let of_schema = || pointer::resolve(self.document, schema?)?.get("example");
        let example = named.or_else(|| media.get("example")).or_else(of_schema);
        Some(ReferenceBody { schema, example })
    }
}

fn media_types(part: &'static Value) -> Vec<&'static str> {
    members(part.get("content")).map(|(name, _)| name).collect()
}

/// Returns the words of a name: `API clients` for `ApiClients`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for (index, character) in name.char_indices() {
        if index > 0 && character.is_uppercase() {
            words.push(' ');
        }
        words.push(character);
    }
    match words.split_once(' ') {
        Some(("Api", rest)) => format!("API {}", rest.to_lowercase()),
        Some((first, rest)) => format!("{first} {}", rest.to_lowercase()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tags_are_divided_into_words() {
        for (name, title) in [("Items", "Items"), ("ApiClients", "API clients"), ("JobSchedules", "Job schedules")] {
            assert_eq!(spaced(name), title);
        }
    }

    #[test]
    fn every_operation_is_on_the_page_of_a_tag() {
        for version in ["v1", "v2"] {
            let document = ReferenceDocument::of(version).unwrap();
            let on_pages: usize = document.tags().iter().map(|tag| tag.operations.len()).sum();
            assert_eq!(on_pages, traverse::operations(document.value).count(), "{version}");
            for operation in document.tags().iter().flat_map(|tag| &tag.operations) {
                assert!(operation.samples.is_some(), "{} has no samples", operation.id());
                assert!(operation.success().is_some() && !operation.errors().is_empty(), "{}", operation.id());
                let documented = operation.errors();
                assert!(documented.iter().all(|(_, codes)| !codes.is_empty()), "{}: {documented:?}", operation.id());
            }
        }
    }
}
