//! Responses and errors.

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG, LOCATION},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(crate) enum Failure {
    InvalidToken,
    NotFound,
    NameTaken,
    InvalidName,
    Database(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE) => Self::NameTaken,
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) => Self::NameTaken,
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<deadpool_postgres::PoolError> for Failure {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Database(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "INVALID_TOKEN"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::NameTaken => (StatusCode::CONFLICT, "BUCKETLIST_NAME_TAKEN"),
            Self::InvalidName => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED"),
            Self::Database(error) => {
                eprintln!("error: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
            }
        };
        (status, axum::Json(serde_json::json!({"error": {"code": code}}))).into_response()
    }
}

/// Returns a JSON response.
pub(crate) fn json(status: StatusCode, value: &impl Serialize, location: Option<String>) -> Result<Response, Failure> {
    build(status, serialize(value)?, location, None)
}

/// Returns a JSON response with the entity tag of its body.
pub(crate) fn tagged(
    status: StatusCode,
    value: &impl Serialize,
    location: Option<String>,
) -> Result<Response, Failure> {
    let body = serialize(value)?;
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..12]));
    build(status, body, location, Some(etag))
}

fn serialize(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Database(error.to_string()))
}

fn build(
    status: StatusCode,
    body: Vec<u8>,
    location: Option<String>,
    etag: Option<String>,
) -> Result<Response, Failure> {
    let mut response =
        Response::builder().status(status).header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(etag) = etag {
        response = response.header(ETAG, etag);
    }
    if let Some(location) = location {
        response = response.header(LOCATION, location);
    }
    response.body(Body::from(body)).map_err(|error| Failure::Database(error.to_string()))
}
