//! Responses of lists: a JSON page, or a stream of rows as CSV or NDJSON.

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
    operation::Argument,
    payload::SerializedJson,
    table::{Row, RowFormat},
};

/// The representation of a list that the client prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A JSON page.
    #[default]
    Json,
    /// A stream of rows.
    Rows(RowFormat),
}

/// The result of content negotiation. The server inserts it into the extensions of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedFormat(pub Format);

impl Format {
    /// Returns the format of a media type in the document.
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

impl Argument for Format {}

/// A JSON document, such as a page or an exported file, whose rows are also available as CSV and NDJSON.
pub trait HasRows: Type + Serialize + Send {
    /// Type of the rows.
    type Row: Row + Example;
}

/// The response of a list.
pub enum ListResponse<P> {
    /// A serialized page; its ETag is a hash of the text.
    Page(SerializedJson<P>, PageHeaders),
    /// A stream of rows.
    Rows(RowStream),
}

/// Headers of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageHeaders {
    /// Value of `Link` (RFC 8288).
    pub link: Option<String>,
    /// Value of `ETag`, in quotes.
    pub etag: String,
}

/// A stream of rows.
pub struct RowStream {
    /// Format of the body.
    pub format: RowFormat,
    /// File name without extension.
    pub file_name: &'static str,
    /// The rows.
    pub body: Body,
    /// Value of `Link` (RFC 8288).
    pub link: Option<String>,
}

impl<P: HasRows> IntoResponse for ListResponse<P> {
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
                let disposition = format!("attachment; filename=\"{file_name}.{}\"", format.extension());
                insert(response.headers_mut(), CONTENT_DISPOSITION, Some(disposition));
                insert(response.headers_mut(), LINK, link);
                response
            }
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    // Entity tags, links and file names contain only visible ASCII characters.
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

impl<P: HasRows> ApiResponse for ListResponse<P> {
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
            row_media_type::<P::Row>(RowFormat::Csv),
            row_media_type::<P::Row>(RowFormat::Ndjson),
        ];
        let this = "</v2/bucketlists?per_page=20>; rel=\"self\"";
        let link = || header("Link", "Paths of this page and of the next page (RFC 8288).", 16_384, this);
        let etag = || header("ETag", "ETag of a JSON page. Send it as `If-None-Match`.", 100, "\"5d41402abc4b2a76\"");
        let headers = vec![
            link(),
            etag(),
            header(
                "Content-Disposition",
                "Suggested file name for CSV or NDJSON.",
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
        MetaResponses {
            responses: vec![
                response(200, "A page, or rows as CSV or NDJSON.", content.into(), headers),
                response(
                    304,
                    "The page has not changed since the ETag in `If-None-Match`.",
                    vec![],
                    vec![link(), etag()],
                ),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        P::register(registry);
    }
}

#[expect(clippy::expect_used, reason = "an invalid contract must not start; the tests build it")]
pub(crate) fn row_media_type<R: Row + Example>(format: RowFormat) -> MetaMediaType {
    let example = format.write_header::<R>().and_then(|buffer| format.append(&[R::example()], buffer));
    let bytes = example.expect("examples can be serialized");
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
