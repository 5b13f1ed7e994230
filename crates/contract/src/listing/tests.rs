//! Compares the documented responses of lists with the responses of a service.

use std::collections::BTreeMap;

use openapi_model::{CompiledDocument, Document};
use openapi_repair::RepairOptions;
use poem::{Endpoint, http::StatusCode};
use poem_openapi::{Object, OpenApi, OpenApiService};

use super::*;
use crate::values::{Id, Nullable};

#[derive(Clone, Object, Serialize)]
#[oai(example)]
struct Wish {
    id: Id,
    #[oai(validator(max_length = 10))]
    name: String,
    #[oai(validator(max_length = 100))]
    note: Nullable<String>,
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    links: WishLinks,
}

#[derive(Clone, Object, Serialize)]
#[oai(example)]
struct WishLinks {
    #[oai(rename = "self", validator(max_length = 100))]
    #[serde(rename = "self")]
    this: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct WishPage {
    #[oai(validator(max_items = 100))]
    data: Vec<Wish>,
}

impl Example for WishLinks {
    fn example() -> Self {
        Self { this: "/wishes/1".into() }
    }
}

impl Example for Wish {
    fn example() -> Self {
        Self { id: Id(1), name: "fly, \"up\"".into(), note: Nullable(None), links: WishLinks::example() }
    }
}

impl Example for WishPage {
    fn example() -> Self {
        Self { data: vec![Wish::example()] }
    }
}

impl Row for Wish {
    const COLUMNS: &'static [&'static str] = &["id", "name", "note"];
}

impl HasRows for WishPage {
    type Row = Wish;
}

struct Api;

#[OpenApi]
impl Api {
    /// List wishes
    ///
    /// Returns all wishes.
    #[oai(path = "/wishes", method = "get", operation_id = "listWishes", tag = "Tag::Wishes")]
    async fn list(&self, format: Format) -> poem::Result<ListResponse<WishPage>> {
        Ok(match format {
            Format::Json => ListResponse::Page(
                Json(WishPage::example()).serialize().unwrap(),
                PageHeaders { link: Some("</wishes>; rel=\"self\"".into()), etag: "\"abc\"".into() },
            ),
            Format::Rows(format) => {
                let rows = [Wish::example(), Wish { note: Nullable(Some("=1".into())), ..Wish::example() }];
                let text = format.append(&rows, format.write_header::<Wish>().unwrap()).unwrap();
                ListResponse::Rows(RowStream { format, file_name: "wishes", body: text.into(), link: None })
            }
        })
    }
}

#[derive(poem_openapi::Tags)]
enum Tag {
    /// Wishes.
    Wishes,
}

fn document() -> Document {
    let finished = openapi_repair::repair(
        &OpenApiService::new(Api, "Wishes", "1.0.0").spec(),
        &RepairOptions {
            error_schema: "Problem",
            error_media_type: "application/problem+json",
            header_names: &["Link", "ETag", "Content-Disposition"],
            ..RepairOptions::default()
        },
    );
    finished.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn document_has_three_media_types_with_examples() {
    let document = document();
    let response = &document.value()["paths"]["/wishes"]["get"]["responses"]["200"];
    let content = response["content"].as_object().unwrap();
    assert_eq!(content.keys().collect::<Vec<_>>(), ["application/json", "text/csv", "application/x-ndjson"]);
    assert_eq!(content["application/json"]["schema"]["$ref"], "#/components/schemas/WishPage");
    assert_eq!(content["text/csv"]["example"], "id,name,note\r\n1,\"fly, \"\"up\"\"\",\r\n");
    let line = content["application/x-ndjson"]["example"].as_str().unwrap();
    assert_eq!(line, format!("{}\n", serde_json::to_string(&Wish::example()).unwrap()));
    for name in ["Link", "ETag", "Content-Disposition"] {
        assert_eq!(response["headers"][name]["required"], false, "{name}");
        assert!(response["headers"][name]["example"].is_string(), "{name}");
    }
}

async fn respond(chosen: Option<Format>) -> (BTreeMap<String, String>, Vec<u8>) {
    let service = OpenApiService::new(Api, "Wishes", "1.0.0");
    let mut request = Request::builder().uri_str("/wishes").finish();
    if let Some(format) = chosen {
        request.extensions_mut().insert(NegotiatedFormat(format));
    }
    let response = poem::Route::new().nest("/", service).call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers = response.headers().iter().map(header).collect();
    (headers, response.into_body().into_vec().await.unwrap())
}

#[tokio::test]
async fn responses_match_the_document() {
    let contract = CompiledDocument::compile(&document()).unwrap();
    let list = contract.operations().next().unwrap();
    for (chosen, expected) in [
        (None, &[("content-type", "application/json"), ("etag", "\"abc\""), ("link", "</wishes>; rel=\"self\"")][..]),
        (Some(Format::Json), &[("content-type", "application/json")]),
        (
            Some(Format::of("text/csv")),
            &[
                ("content-type", "text/csv; charset=utf-8; header=present"),
                ("content-disposition", "attachment; filename=\"wishes.csv\""),
            ],
        ),
        (
            Some(Format::of("application/x-ndjson")),
            &[
                ("content-type", "application/x-ndjson"),
                ("content-disposition", "attachment; filename=\"wishes.ndjson\""),
            ],
        ),
    ] {
        let (headers, body) = respond(chosen).await;
        for (name, value) in expected {
            assert_eq!(headers.get(*name).map(String::as_str), Some(*value), "{chosen:?}");
        }
        let headers: Vec<(String, String)> = headers.into_iter().collect();
        assert_eq!(list.check_response(200, &headers, &body), Vec::<String>::new(), "{chosen:?}");
    }
}

#[test]
fn format_of_media_type() {
    for (media_type, format) in [
        ("application/json", Format::Json),
        ("text/csv", Format::Rows(RowFormat::Csv)),
        ("application/x-ndjson", Format::Rows(RowFormat::Ndjson)),
        ("", Format::Json),
        ("text/html", Format::Json),
    ] {
        assert_eq!(Format::of(media_type), format);
    }
}
