//! Files for tools and clients: the OpenAPI documents and the requests of the collection, adapted to this server.

use std::{borrow::Cow, sync::LazyLock};

use contract::{BasePath, v1, v2};
use openapi_model::Document;
use openapi_samples::OperationSamples;
use serde_json::{Value, json};

use crate::samples;

/// A published file.
pub(super) struct PublishedFile {
    pub(super) path: String,
    pub(super) text: Cow<'static, str>,
    pub(super) content_type: &'static str,
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

// Built once per process, because they do not depend on the configuration.
static V1_SAMPLES: LazyLock<String> = LazyLock::new(|| with_samples(v1::document(), samples::v1()));
static V2_SAMPLES: LazyLock<String> = LazyLock::new(|| with_samples(v2::document(), samples::v2()));
static V1_OVERLAY: LazyLock<String> = LazyLock::new(|| samples::overlay(v1::document(), "v1"));
static V2_OVERLAY: LazyLock<String> = LazyLock::new(|| samples::overlay(v2::document(), "v2"));

/// Sequences of requests for common tasks (Arazzo). Maintained by hand and executed by a test.
const FLOWS: &str = include_str!("../../openapi/flows.arazzo.json");

fn with_samples(document: &Document, samples: &[OperationSamples]) -> String {
    samples::with_samples(document, samples).value().to_string()
}

/// Returns the OpenAPI documents. With a `public_url`, their `servers` are absolute, because a tool that has only the document
/// does not know where it comes from. JSON is minified.
pub(super) fn openapi_documents(public_url: Option<&str>, base_path: &BasePath) -> Vec<PublishedFile> {
    let versions = [("v1", v1::document::BASE, v1::document()), ("v2", v2::document::BASE, v2::document())];
    let mut files = Vec::new();
    for (version, base, original) in versions {
        let document = match public_url {
            Some(public_url) => with_server(original, &format!("{public_url}{base}"), &base_path.join(base)),
            None => original.clone(),
        };
        let openapi_3_1 = document.to_openapi_3_1();
        for (name, text, content_type) in [
            (format!("{version}.json"), document.value().to_string(), JSON),
            (format!("{version}.yaml"), document.to_yaml(), YAML),
            (format!("{version}-3.1.json"), openapi_3_1.value().to_string(), JSON),
            (format!("{version}-3.1.yaml"), openapi_3_1.to_yaml(), YAML),
        ] {
            files.push(PublishedFile { path: format!("/openapi/{name}"), text: text.into(), content_type });
        }
        let samples = match (public_url, version) {
            (None, "v1") => Cow::Borrowed(V1_SAMPLES.as_str()),
            (None, _) => Cow::Borrowed(V2_SAMPLES.as_str()),
            (Some(_), "v1") => Cow::Owned(with_samples(&document, samples::v1())),
            (Some(_), _) => Cow::Owned(with_samples(&document, samples::v2())),
        };
        files.push(PublishedFile {
            path: format!("/openapi/{version}-samples.json"),
            text: samples,
            content_type: JSON,
        });
        let overlay = Cow::Borrowed(if version == "v1" { V1_OVERLAY.as_str() } else { V2_OVERLAY.as_str() });
        let path = format!("/openapi/{version}-samples.overlay.yaml");
        files.push(PublishedFile { path, text: overlay, content_type: YAML });
    }
    files.push(PublishedFile { path: "/openapi/flows.arazzo.json".to_owned(), text: FLOWS.into(), content_type: JSON });
    files
}

/// Returns the document with an absolute server before its relative one, which remains for pages of this server. `path` is the path
/// of both.
fn with_server(document: &Document, url: &str, path: &str) -> Document {
    let mut value = document.value().clone();
    if let Some(Value::Array(servers)) = value.get_mut("servers") {
        servers.iter_mut().for_each(|server| server["url"] = path.into());
        servers.insert(0, json!({"url": url, "description": "Public URL"}));
    }
    Document::from_value(value).unwrap_or_else(|_| document.clone())
}

/// Returns the media type of a file in the directory `postman/`.
pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "json" | "har")) => JSON,
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_the_public_url_if_it_is_set() {
        let servers = |public_url, base_path| -> Vec<Value> {
            let base_path = BasePath::new(base_path);
            let files = openapi_documents(public_url, &base_path);
            let json = files.iter().filter(|file| file.content_type == JSON && !file.path.contains("flows"));
            json.map(|file| serde_json::from_str::<Value>(&file.text).unwrap()["servers"].clone()).collect()
        };
        let relative = |base: &str| json!({"url": base, "description": "The server that serves this document"});
        assert_eq!(servers(None, "")[3], json!([relative("/v2")]));
        let public = servers(Some("https://api.example.com"), "");
        assert_eq!(public.len(), 6);
        for (servers, base) in public.iter().zip(["/v1", "/v1", "/v1", "/v2", "/v2", "/v2"]) {
            let absolute = json!({"url": format!("https://api.example.com{base}"), "description": "Public URL"});
            assert_eq!(*servers, json!([absolute, relative(base)]));
        }
        let nested = &servers(Some("https://example.com/api"), "/api")[3];
        let absolute = json!({"url": "https://example.com/api/v2", "description": "Public URL"});
        assert_eq!(*nested, json!([absolute, relative("/api/v2")]));
    }

    #[test]
    fn json_is_minified_and_equals_the_document() {
        let files = openapi_documents(None, &BasePath::default());
        let file = files.iter().find(|file| file.path == "/openapi/v2.json").unwrap();
        assert!(!file.text.contains('\n'));
        assert_eq!(serde_json::from_str::<Value>(&file.text).unwrap(), *v2::document().value());
    }
}
