//! The answers of lists: a page of JSON, or rows streamed as CSV and NDJSON.

use poem::{
    Body, FromRequest, IntoResponse, Request, RequestBody, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{CONTENT_DISPOSITION, ETAG, LINK},
    },
};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::{Example, Type},
};
use serde::Serialize;

use crate::{
    Json,
    payload::Written,
    table::{Row, RowFormat},
};

/// What a list is to be answered as; what the client likes best of what is documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A page of JSON.
    #[default]
    Json,
    /// Rows, streamed.
    Rows(RowFormat),
}

/// What the server chose for a request; it puts this into the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedFormat(pub Format);

impl Format {
    /// The format of a documented media type.
    #[must_use]
    pub fn of(media_type: &str) -> Self {
        [RowFormat::Csv, RowFormat::Ndjson]
            .into_iter()
            .find(|format| format.media_type() == media_type)
            .map_or(Self::Json, Self::Rows)
    }
}

impl<'a> FromRequest<'a> for Format {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(request.extensions().get::<NegotiatedFormat>().map(|NegotiatedFormat(format)| *format).unwrap_or_default())
    }
}

/// JSON whose rows are also offered as CSV and NDJSON.
pub trait Page: Type + Serialize + Send {
    /// What its rows are.
    type Row: Row + Example;
}

/// The answer of a list.
pub enum ListResponse<P> {
    /// One page, written already: its validator is made of the text.
    Page(Written<P>, PageHeaders),
    /// A stream of rows.
    Rows(RowStream),
}

/// What the headers say of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageHeaders {
    /// Where to go from it (RFC 8288).
    pub link: Option<String>,
    /// Its validator, in quotes.
    pub etag: String,
}

/// A stream of rows.
pub struct RowStream {
    /// What `body` is.
    pub format: RowFormat,
    /// What the file is called, without its ending.
    pub file_name: &'static str,
    /// The rows.
    pub body: Body,
    /// Where to go from them (RFC 8288).
    pub link: Option<String>,
}

impl<P: Page> IntoResponse for ListResponse<P> {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page, PageHeaders { link, etag }) => {
                let mut response = page.into_response();
                insert(response.headers_mut(), LINK, link);
                insert(response.headers_mut(), ETAG, Some(etag));
                response
            }
            Self::Rows(RowStream { format, file_name, body, link }) => {
                let mut response = Response::builder().content_type(format.content_type()).body(body);
                let disposition = format!("attachment; filename=\"{file_name}.{}\"", format.ending());
                insert(response.headers_mut(), CONTENT_DISPOSITION, Some(disposition));
                insert(response.headers_mut(), LINK, link);
                response
            }
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    // Tags, links and names are made of visible ASCII here; nothing else could be said in a header.
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

impl<P: Page> ApiResponse for ListResponse<P> {
    fn meta() -> MetaResponses {
        let header = |name: &str, description: &str, max_length, example: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required: false,
            deprecated: false,
            schema: text(Some(max_length), example.to_owned()),
        };
        let content = [
            MetaMediaType { content_type: Json::<P>::CONTENT_TYPE, schema: Json::<P>::schema_ref() },
            rows_content::<P::Row>(RowFormat::Csv),
            rows_content::<P::Row>(RowFormat::Ndjson),
        ];
        let this = "</v2/bucketlists?per_page=20>; rel=\"self\"";
        let link = || header("Link", "Where to go from here (RFC 8288).", 16_384, this);
        let etag = || header("ETag", "The validator of a page of JSON.", 100, "\"5d41402abc4b2a76\"");
        let headers = vec![
            link(),
            etag(),
            header(
                "Content-Disposition",
                "What to call the file of CSV or NDJSON.",
                200,
                "attachment; filename=\"rows.csv\"",
            ),
        ];
        let response = |status, description, content, headers| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers,
        };
        let listed = "One page; as CSV or NDJSON every row from the cursor on, streamed, unless `per_page` is given.";
        MetaResponses {
            responses: vec![
                response(200, listed, content.into(), headers),
                response(304, "You have the page already.", vec![], vec![link(), etag()]),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        P::register(registry);
    }
}

pub(crate) fn rows_content<R: Row + Example>(format: RowFormat) -> MetaMediaType {
    // An example that cannot be written is empty, which the tests of the document would show.
    let bytes = format.begin::<R>().and_then(|text| format.append(&[R::example()], text)).unwrap_or_default();
    let example = String::from_utf8_lossy(&bytes).into_owned();
    MetaMediaType { content_type: format.media_type(), schema: text(None, example) }
}

fn text(max_length: Option<usize>, example: String) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        max_length,
        example: Some(example.into()),
        ..MetaSchema::new("string")
    }))
}

#[cfg(test)]
mod tests;
