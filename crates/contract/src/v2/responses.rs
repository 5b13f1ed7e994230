//! The answers that v2's operations share, with their headers.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use crate::{Json, listing::PageHeaders, payload::Written};

/// 200 with a resource and its tag; 304 for a client that has it already, which the server sees to.
#[derive(Debug)]
pub struct Retrieved<T> {
    /// The resource.
    pub body: Json<T>,
    /// Its tag: what `ETag` says.
    pub tag: String,
}

/// 200 with a resource that has been changed, and its new tag.
#[derive(Debug)]
pub struct Updated<T> {
    /// The resource.
    pub body: Json<T>,
    /// Its tag: what `ETag` says.
    pub tag: String,
}

/// 201 with what has been made.
#[derive(Debug)]
pub struct Created<T> {
    /// What has been made.
    pub body: Json<T>,
    /// Its path.
    pub location: String,
    /// Its tag, if it has one.
    pub tag: Option<String>,
    /// Whether it was made by an earlier request with the same key.
    pub replayed: bool,
}

/// 201 with a session.
#[derive(Debug)]
pub struct SessionCreated<T> {
    /// The session.
    pub body: Json<T>,
    /// The path of the account.
    pub location: String,
    /// Whether an earlier request with the same key made the account.
    pub replayed: bool,
}

/// 200 with something that has no tag.
#[derive(Debug)]
pub struct Answered<T>(pub Json<T>);

/// 200 with a page, written already: its validator is made of the text. 304 for a client that has it.
#[derive(Debug)]
pub struct PageResponse<T> {
    /// The page.
    pub page: Written<T>,
    /// What the headers say of it.
    pub headers: PageHeaders,
}

/// 200 with a file for another program; `T` is what is told of its format.
#[derive(Debug)]
pub struct JsonDownload<T> {
    /// The file.
    pub text: String,
    /// What to call it.
    pub file_name: String,
    /// What it is.
    pub format: PhantomData<T>,
}

/// 200 with a command for a shell.
#[derive(Debug)]
pub struct ShellCommand(pub String);

/// 202: it will be done.
#[derive(Debug)]
pub struct Accepted;

/// 204: it is done.
#[derive(Debug)]
pub struct NoContent;

pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(super) fn response<T: Type>(
    status: StatusCode,
    description: &'static str,
    headers: Vec<MetaHeader>,
) -> MetaResponse {
    let body = MetaMediaType { content_type: <Json<T> as Payload>::CONTENT_TYPE, schema: T::schema_ref() };
    empty(status, description, vec![body], headers)
}

pub(super) fn empty(
    status: StatusCode,
    description: &'static str,
    content: Vec<MetaMediaType>,
    headers: Vec<MetaHeader>,
) -> MetaResponse {
    MetaResponse { description, status: Some(status.as_u16()), status_range: None, content, headers }
}

pub(super) fn header(name: &str, description: &str, required: bool, schema: MetaSchema) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(schema)),
    }
}

fn text(max_length: usize) -> MetaSchema {
    MetaSchema { max_length: Some(max_length), ..MetaSchema::new("string") }
}

pub(super) fn etag(required: bool) -> MetaHeader {
    header(
        "ETag",
        "Names this state of the resource; send it back as `If-Match` or `If-None-Match`.",
        required,
        text(100),
    )
}

pub(super) fn location() -> MetaHeader {
    header("Location", "The path of what was made.", true, text(200))
}

pub(super) fn replayed() -> MetaHeader {
    let description = "Sent as `true` when an earlier request with the same Idempotency-Key made it.";
    header("Idempotency-Replayed", description, false, MetaSchema::new("boolean"))
}

pub(super) fn with_tag(mut response: Response, tag: &str) -> Response {
    set(&mut response, header::ETAG, tag);
    response
}

pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl<T: Serialize + Send> IntoResponse for Retrieved<T> {
    fn into_response(self) -> Response {
        with_tag(self.body.into_response(), &self.tag)
    }
}

impl<T: Type> ApiResponse for Retrieved<T> {
    fn meta() -> MetaResponses {
        let found = response::<T>(StatusCode::OK, "The resource.", vec![etag(true)]);
        let known = empty(StatusCode::NOT_MODIFIED, "You have it already.", vec![], vec![etag(true)]);
        MetaResponses { responses: vec![found, known] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Updated<T> {
    fn into_response(self) -> Response {
        with_tag(self.body.into_response(), &self.tag)
    }
}

impl<T: Type> ApiResponse for Updated<T> {
    fn meta() -> MetaResponses {
        let changed = response::<T>(StatusCode::OK, "The resource as it is now.", vec![etag(true)]);
        MetaResponses { responses: vec![changed] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        response.set_status(StatusCode::CREATED);
        set(&mut response, header::LOCATION, &self.location);
        if let Some(tag) = &self.tag {
            set(&mut response, header::ETAG, tag);
        }
        if self.replayed {
            set(&mut response, REPLAYED, "true");
        }
        response
    }
}

impl<T: Type> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        let headers = vec![location(), etag(false), replayed()];
        MetaResponses { responses: vec![response::<T>(StatusCode::CREATED, "What was made.", headers)] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for SessionCreated<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        response.set_status(StatusCode::CREATED);
        set(&mut response, header::LOCATION, &self.location);
        if self.replayed {
            set(&mut response, REPLAYED, "true");
        }
        response
    }
}

impl<T: Type> ApiResponse for SessionCreated<T> {
    fn meta() -> MetaResponses {
        let opened =
            response::<T>(StatusCode::CREATED, "The account was made and is logged in.", vec![location(), replayed()]);
        MetaResponses { responses: vec![opened] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Answered<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: Type> ApiResponse for Answered<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![response::<T>(StatusCode::OK, "The answer.", vec![])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for PageResponse<T> {
    fn into_response(self) -> Response {
        let PageHeaders { link, etag } = self.headers;
        let mut response = with_tag(self.page.into_response(), &etag);
        if let Some(link) = link {
            set(&mut response, header::LINK, &link);
        }
        response
    }
}

impl<T: Type> ApiResponse for PageResponse<T> {
    fn meta() -> MetaResponses {
        let headers = || {
            let link = header("Link", "Where to go from here (RFC 8288).", true, text(16_384));
            vec![link, header("ETag", "The validator of the page.", true, text(100))]
        };
        let listed = response::<T>(StatusCode::OK, "The page.", headers());
        let known = empty(StatusCode::NOT_MODIFIED, "You have the page already.", vec![], headers());
        MetaResponses { responses: vec![listed, known] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// A text that is there already, with its length.
fn whole(content_type: &str, text: String) -> Response {
    Response::builder().content_type(content_type).header(header::CONTENT_LENGTH, text.len()).body(text)
}

pub(super) fn disposition() -> MetaHeader {
    header("Content-Disposition", "What to call the file.", true, text(200))
}

impl<T: Type> IntoResponse for JsonDownload<T> {
    fn into_response(self) -> Response {
        let mut response = whole(<Json<T> as Payload>::CONTENT_TYPE, self.text);
        let disposition = format!("attachment; filename=\"{}\"", self.file_name);
        set(&mut response, header::CONTENT_DISPOSITION, &disposition);
        response
    }
}

impl<T: Type> ApiResponse for JsonDownload<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![response::<T>(StatusCode::OK, "The file.", vec![disposition()])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

const PLAIN: &str = "text/plain";

impl IntoResponse for ShellCommand {
    fn into_response(self) -> Response {
        whole("text/plain; charset=utf-8", self.0)
    }
}

impl ApiResponse for ShellCommand {
    fn meta() -> MetaResponses {
        let example = "curl -sS -i -g --path-as-is -X 'GET' \"${BASE_URL:-http://localhost:8000}\"'/v2/users/me'\n";
        let schema = MetaSchema { example: Some(example.into()), ..text(134_217_728) };
        let content = MetaMediaType { content_type: PLAIN, schema: MetaSchemaRef::Inline(Box::new(schema)) };
        MetaResponses { responses: vec![empty(StatusCode::OK, "The command.", vec![content], vec![])] }
    }

    fn register(_: &mut Registry) {}
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl ApiResponse for Accepted {
    fn meta() -> MetaResponses {
        let accepted = empty(StatusCode::ACCEPTED, "It will be done.", vec![], vec![]);
        MetaResponses { responses: vec![accepted] }
    }

    fn register(_: &mut Registry) {}
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![empty(StatusCode::NO_CONTENT, "It is done.", vec![], vec![])] }
    }

    fn register(_: &mut Registry) {}
}
