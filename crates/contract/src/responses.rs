//! Responses that several operations use, with their headers. Each operation describes its successful response with
//! `returns(…)`.

use std::marker::PhantomData;

use poem::{
    Body, IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, ResponseContent,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use crate::{
    Json,
    listing::{Format, HasRows, row_media_type},
    payload::SerializedJson,
    response_headers::{HeaderText, RetryAfter},
    table::RowFormat,
};

/// Documented maximum length of text and files whose length is not limited.
const MAX_DOCUMENTED_LENGTH: usize = 128 * 1024 * 1024;

/// 200 with a resource, or 304 if it matches `If-None-Match`.
#[derive(ApiResponse, Debug)]
pub enum Retrieved<T: Type + Serialize + Send> {
    /// The resource.
    #[oai(status = 200)]
    Ok(Json<T>, #[oai(header = "ETag")] HeaderText<100>),
    /// The resource has not changed since the ETag in `If-None-Match`.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] HeaderText<100>),
}

impl<T: Type + Serialize + Send> Retrieved<T> {
    /// Creates the response with status 200.
    pub fn new(etag: String, body: T) -> Self {
        Self::Ok(Json(body), etag.into())
    }
}

/// 200 with a changed resource.
#[derive(ApiResponse, Debug)]
pub enum Updated<T: Type + Serialize + Send> {
    /// The changed resource.
    #[oai(status = 200)]
    Ok(Json<T>, #[oai(header = "ETag")] HeaderText<100>),
}

impl<T: Type + Serialize + Send> Updated<T> {
    pub fn new(etag: String, body: T) -> Self {
        Self::Ok(Json(body), etag.into())
    }
}

/// 201 with a created resource.
#[derive(ApiResponse, Debug)]
pub enum Created<T: Type + Serialize + Send> {
    /// The created resource.
    #[oai(status = 201)]
    Created(
        Json<T>,
        #[oai(header = "Location")] HeaderText<200>,
        #[oai(header = "ETag")] Option<HeaderText<100>>,
        #[oai(header = "Idempotency-Replayed")] Option<bool>,
    ),
}

impl<T: Type + Serialize + Send> Created<T> {
    /// Creates the response. `is_replayed` indicates that an earlier request with the same key created the resource.
    pub fn new(location: String, etag: Option<String>, is_replayed: bool, body: T) -> Self {
        Self::Created(Json(body), location.into(), etag.map(Into::into), is_replayed.then_some(true))
    }
}

/// 201 with the session of a created account.
#[derive(ApiResponse, Debug)]
pub enum SessionCreated<T: Type + Serialize + Send> {
    /// The session.
    #[oai(status = 201)]
    Created(Json<T>, #[oai(header = "Location")] HeaderText<200>, #[oai(header = "Idempotency-Replayed")] Option<bool>),
}

/// 200 with a page, or 304 if it matches `If-None-Match`. The ETag is a hash of the serialized page.
#[derive(ApiResponse, Debug)]
pub enum PageResponse<T: Type + Send> {
    /// The page.
    #[oai(status = 200)]
    Ok(SerializedJson<T>, #[oai(header = "Link")] HeaderText<16_384>, #[oai(header = "ETag")] HeaderText<100>),
    /// The page has not changed since the ETag in `If-None-Match`.
    #[oai(status = 304)]
    NotModified(#[oai(header = "Link")] HeaderText<16_384>, #[oai(header = "ETag")] HeaderText<100>),
}

/// Seconds between two requests for the state of a background task.
const POLL_INTERVAL: u32 = 1;

/// 202 with a created resource that is processed in the background.
#[derive(ApiResponse, Debug)]
pub enum AcceptedWithBody<T: Type + Serialize + Send> {
    /// The queued resource.
    #[oai(status = 202)]
    Accepted(
        Json<T>,
        #[oai(header = "Location")] HeaderText<200>,
        #[oai(header = "Retry-After")] RetryAfter,
        #[oai(header = "Idempotency-Replayed")] Option<bool>,
    ),
}

impl<T: Type + Serialize + Send> AcceptedWithBody<T> {
    /// Creates the response. `is_replayed` indicates that an earlier request with the same key created the resource.
    pub fn new(location: String, is_replayed: bool, body: T) -> Self {
        Self::Accepted(Json(body), location.into(), RetryAfter(POLL_INTERVAL), is_replayed.then_some(true))
    }
}

/// 200 with the state of a background task, or 304 if it matches `If-None-Match`. `Retry-After` is present until the
/// task has ended.
#[derive(ApiResponse, Debug)]
pub enum StatusResponse<T: Type + Serialize + Send> {
    /// The state.
    #[oai(status = 200)]
    Ok(Json<T>, #[oai(header = "ETag")] HeaderText<100>, #[oai(header = "Retry-After")] Option<RetryAfter>),
    /// The state has not changed since the ETag in `If-None-Match`.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] HeaderText<100>, #[oai(header = "Retry-After")] Option<RetryAfter>),
}

impl<T: Type + Serialize + Send> StatusResponse<T> {
    /// Creates the response with status 200.
    pub fn new(etag: String, is_final: bool, body: T) -> Self {
        Self::Ok(Json(body), etag.into(), (!is_final).then_some(RetryAfter(POLL_INTERVAL)))
    }
}

/// 200 with a file in a JSON format; `T` is the documented part of the format.
#[derive(ApiResponse, Debug)]
pub enum JsonDownload<T: Type + Send> {
    /// The file.
    #[oai(status = 200)]
    Ok(SerializedJson<T>, #[oai(header = "Content-Disposition")] HeaderText<200>),
}

/// 200 with a shell command.
#[derive(ApiResponse, Debug)]
pub enum ShellCommandResponse {
    /// The command.
    #[oai(status = 200)]
    Ok(ShellCommand),
}

/// A command for a POSIX shell.
#[derive(Debug)]
pub struct ShellCommand(pub String);

impl Payload for ShellCommand {
    const CONTENT_TYPE: &'static str = "text/plain";

    fn schema_ref() -> MetaSchemaRef {
        let example = "curl -sS -i -g --path-as-is -X 'GET' \"${BASE_URL:-http://localhost:8000}\"'/v2/users/me'\n";
        let schema = MetaSchema::new("string");
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            max_length: Some(MAX_DOCUMENTED_LENGTH),
            example: Some(example.into()),
            ..schema
        }))
    }
}

impl IntoResponse for ShellCommand {
    fn into_response(self) -> Response {
        let response = Response::builder().content_type("text/plain; charset=utf-8");
        response.header(header::CONTENT_LENGTH, self.0.len()).body(self.0)
    }
}

/// 200 with an exported file.
#[derive(ApiResponse)]
pub enum ExportDownload<T: HasRows> {
    /// The file.
    #[oai(status = 200)]
    Ok(FileBody<T>, #[oai(header = "Content-Disposition")] HeaderText<200>),
}

/// A file that contains rows as CSV or NDJSON, or a JSON document of the type `T`.
pub struct FileBody<T> {
    /// Format of the file.
    pub format: Format,
    /// Content of the file.
    pub body: Body,
    /// Type of the JSON document.
    pub document: PhantomData<T>,
}

impl<T: Send> IntoResponse for FileBody<T> {
    fn into_response(self) -> Response {
        let content_type = match self.format {
            Format::Json => "application/json",
            Format::Rows(row_format) => row_format.content_type(),
        };
        Response::builder().content_type(content_type).body(self.body)
    }
}

impl<T: HasRows> ResponseContent for FileBody<T> {
    fn media_types() -> Vec<MetaMediaType> {
        let json = MetaMediaType { content_type: Json::<T>::CONTENT_TYPE, schema: T::schema_ref() };
        vec![json, row_media_type::<T::Row>(RowFormat::Csv), row_media_type::<T::Row>(RowFormat::Ndjson)]
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 200 with a profile.
#[derive(ApiResponse)]
pub enum ProfileDownload {
    /// The profile.
    #[oai(status = 200)]
    Ok(ProfileBody, #[oai(header = "Content-Disposition")] HeaderText<200>),
}

/// A profile as an SVG image or a compressed protocol buffer.
#[derive(Debug)]
pub enum ProfileBody {
    /// A flame graph.
    Svg(String),
    /// A profile for the program `pprof`.
    Pprof(Vec<u8>),
}

impl ProfileBody {
    /// Media type of a flame graph.
    pub const SVG: &str = "image/svg+xml";
    /// Media type of a profile for `pprof`, which has no registered one.
    pub const PPROF: &str = "application/octet-stream";
}

impl IntoResponse for ProfileBody {
    fn into_response(self) -> Response {
        let (content_type, body) = match self {
            Self::Svg(image) => (Self::SVG, image.into_bytes()),
            Self::Pprof(bytes) => (Self::PPROF, bytes),
        };
        Response::builder().content_type(content_type).header(header::CONTENT_LENGTH, body.len()).body(body)
    }
}

impl ResponseContent for ProfileBody {
    fn media_types() -> Vec<MetaMediaType> {
        let schema = |schema, example: &str| {
            let (max_length, example) = (Some(MAX_DOCUMENTED_LENGTH), Some(example.into()));
            MetaSchemaRef::Inline(Box::new(MetaSchema { max_length, example, ..schema }))
        };
        let image = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"51\"></svg>";
        let binary = MetaSchema::new_with_format("string", "binary");
        vec![
            MetaMediaType { content_type: Self::SVG, schema: schema(MetaSchema::new("string"), image) },
            MetaMediaType { content_type: Self::PPROF, schema: schema(binary, "H4sIAAAAAAAA") },
        ]
    }

    fn register(_: &mut Registry) {}
}

macro_rules! empty_response {
    ($(#[$doc:meta])* $name:ident, $status:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                StatusCode::$status.into_response()
            }
        }

        impl ApiResponse for $name {
            fn meta() -> MetaResponses {
                let response = MetaResponse {
                    description: "",
                    status: Some(StatusCode::$status.as_u16()),
                    status_range: None,
                    content: Vec::new(),
                    headers: Vec::new(),
                };
                MetaResponses { responses: vec![response] }
            }

            fn register(_: &mut Registry) {}
        }
    };
}

empty_response! {
    /// 202: the request will be processed.
    Accepted, ACCEPTED
}
empty_response! {
    /// 204: the request was processed.
    NoContent, NO_CONTENT
}
