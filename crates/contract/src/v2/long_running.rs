//! The answers of what takes longer than a request: 202, how far it is, and the file in the end.

use std::marker::PhantomData;

use poem::{
    Body, IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponses, MetaSchema, Registry},
    types::Type,
};
use serde::Serialize;

use super::responses::{self, REPLAYED, disposition, empty, etag, header, location, replayed, response, set};
use crate::{
    Json,
    listing::{Format, Page, rows_content},
    table::RowFormat,
};

/// After how many seconds to ask again.
const RETRY_AFTER: &str = "1";

/// 202 with what will be made.
#[derive(Debug)]
pub struct Queued<T> {
    /// What will be made.
    pub body: Json<T>,
    /// Where to ask how far it is.
    pub location: String,
    /// Whether an earlier request with the same key asked for it.
    pub replayed: bool,
}

/// 200 with how far something is, and its tag.
#[derive(Debug)]
pub struct Progress<T> {
    /// How far it is.
    pub body: Json<T>,
    /// Its tag: what `ETag` says.
    pub tag: String,
    /// Whether it will not change any more.
    pub is_final: bool,
}

/// 200 with a file whose rows come as CSV, as NDJSON, or in a JSON document of the type `T`.
pub struct ExportDownload<T> {
    /// What it is.
    pub format: Format,
    /// What to call it, without its ending.
    pub file_name: String,
    /// All of it.
    pub body: Body,
    /// Of which type it is as JSON.
    pub document: PhantomData<T>,
}

fn retry_after(required: bool) -> MetaHeader {
    let seconds =
        MetaSchema { minimum: Some(0.0), maximum: Some(86_400.0), ..MetaSchema::new_with_format("integer", "int32") };
    header("Retry-After", "After how many seconds to ask again.", required, seconds)
}

impl<T: Serialize + Send> IntoResponse for Queued<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        response.set_status(StatusCode::ACCEPTED);
        set(&mut response, header::LOCATION, &self.location);
        set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
        if self.replayed {
            set(&mut response, REPLAYED, "true");
        }
        response
    }
}

impl<T: Type> ApiResponse for Queued<T> {
    fn meta() -> MetaResponses {
        let headers = vec![location(), retry_after(true), replayed()];
        MetaResponses { responses: vec![response::<T>(StatusCode::ACCEPTED, "It will be made.", headers)] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Progress<T> {
    fn into_response(self) -> Response {
        let mut response = responses::with_tag(self.body.into_response(), &self.tag);
        if !self.is_final {
            set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

impl<T: Type> ApiResponse for Progress<T> {
    fn meta() -> MetaResponses {
        let headers = || vec![etag(true), retry_after(false)];
        let found = response::<T>(StatusCode::OK, "How far it is.", headers());
        let known = empty(StatusCode::NOT_MODIFIED, "It is as far as you know.", vec![], headers());
        MetaResponses { responses: vec![found, known] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for ExportDownload<T> {
    fn into_response(self) -> Response {
        let (content_type, ending) = match self.format {
            Format::Json => ("application/json", "json"),
            Format::Rows(rows) => (rows.content_type(), rows.ending()),
        };
        let mut response = Response::builder().content_type(content_type).body(self.body);
        let disposition = format!("attachment; filename=\"{}.{ending}\"", self.file_name);
        set(&mut response, header::CONTENT_DISPOSITION, &disposition);
        response
    }
}

impl<T: Page> ApiResponse for ExportDownload<T> {
    fn meta() -> MetaResponses {
        let json = MetaMediaType { content_type: <Json<T> as Payload>::CONTENT_TYPE, schema: T::schema_ref() };
        let content = vec![json, rows_content::<T::Row>(RowFormat::Csv), rows_content::<T::Row>(RowFormat::Ndjson)];
        MetaResponses { responses: vec![empty(StatusCode::OK, "The file.", content, vec![disposition()])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
