//! Descriptions of the API for programs: `/llms.txt` for language models, and `/.well-known/api-catalog` (RFC 9727).

use serde_json::{Value, json};

use super::{PageInfo, guides, reference};

/// The media type of the catalog, with the profile of RFC 9727.
pub(super) const CATALOG_TYPE: &str = "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"";

/// Returns the catalog: a set of links per API version. URLs are relative to that of the catalog.
pub(super) fn api_catalog(info: &PageInfo<'_>) -> String {
    let base = info.base_path;
    let links = |contract: &&str| -> Value {
        json!({
            "anchor": format!("{base}/{contract}"),
            "service-desc": [
                {"href": format!("{base}/openapi/{contract}.json"), "type": "application/json", "title": "OpenAPI 3.0"},
                {"href": format!("{base}/openapi/{contract}-3.1.json"), "type": "application/json", "title": "OpenAPI 3.1"},
                {"href": format!("{base}/openapi/{contract}-samples.json"), "type": "application/json", "title": "OpenAPI 3.0 with code samples"},
                {"href": format!("{base}/openapi/{contract}-samples.overlay.yaml"), "type": "application/yaml", "title": "OpenAPI overlay with code samples"},
            ],
            "service-doc": [
                {"href": format!("{base}{}", reference::version_path(contract)), "type": "text/html", "title": "Reference"},
                {"href": format!("{base}{}", guides::PATH), "type": "text/html", "title": "Guides"},
                {"href": format!("{base}/docs?contract={contract}"), "type": "text/html", "title": "Interactive documentation"},
                {"href": format!("{base}/problems"), "type": "text/html", "title": "Error codes"},
            ],
            "service-meta": [
                {"href": format!("{base}/openapi/flows.arazzo.json"), "type": "application/json", "title": "Sequences of requests for common tasks (Arazzo)"},
            ],
            "status": [{"href": format!("{base}/health/ready"), "type": "application/health+json"}],
        })
    };
    json!({"linkset": info.contracts.iter().map(links).collect::<Vec<_>>()}).to_string()
}

/// Returns a summary in Markdown with links, in the form of llmstxt.org.
pub(super) fn llms_txt(info: &PageInfo<'_>) -> String {
    let base = info.base_path;
    let newest = info.contracts.first().copied().unwrap_or("v2");
    let documents: String = info
        .contracts
        .iter()
        .map(|contract| {
            format!(
                "- [OpenAPI document of {contract}](/openapi/{contract}.json): every operation, parameter, schema and error, \
                 with examples. Also as [YAML](/openapi/{contract}.yaml) and as [OpenAPI 3.1](/openapi/{contract}-3.1.json).\n"
            )
        })
        .collect();
    format!(
        "# BucketList API\n\n\
         > A REST API for bucketlists: named lists of things that a user wants to do. Requests and responses are JSON. \
         Version {version}; the newest version of the API is {newest}.\n\n\
         Log in with `POST {base}/{newest}/auth/login` (`email`, `password`), and send the `access_token` of the response as \
         `Authorization: Bearer <access_token>`. A program can send the key of an API client as `X-API-Key` instead. \
         Lists are paginated: follow `links.next` until it is null. An error response has a stable `code`, and `type` is \
         the path of a page that explains it. Send an `Idempotency-Key` to safely retry a create request.\n\n\
         ## Documents\n\n{documents}\
         - [OpenAPI document of {newest} with code samples](/openapi/{newest}-samples.json): the same document, with samples in \
         seven languages for every operation. The documents above have only curl samples.\n\
         - [Workflows](/openapi/flows.arazzo.json): sequences of requests for common tasks (Arazzo).\n\
         - [Error codes](/problems): causes and remedies of each code.\n\
         - [API catalog](/.well-known/api-catalog): links to all documents (RFC 9727).\n\n\
         ## Guides\n\n{guides}\n\
         ## Operations of {newest}\n\n\
         Each page has parameters, body, response, errors and code samples in seven languages.\n\n{operations}\n\
         ## Requests\n\n\
         - [HTTP request file](/postman/{newest}.http): an example of every operation.\n\
         - [Postman collection](/postman/collection.json): requests with tests.\n\n\
         ## Optional\n\n\
         - [Interactive documentation](/docs)\n\
         - [Reference](/reference)\n\
         - [Server version](/version)\n",
        version = info.version,
        guides = guides::links(),
        operations = reference::operation_links(newest),
    )
}
