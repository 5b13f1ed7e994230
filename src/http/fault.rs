//! Failures on demand, so that tools which see the server from outside only can try how each operation fails.
//!
//! Under APP_ENV=testing alone: `X-Fault` makes an operation fail instead of being done, once it is known who asks and the
//! body has been read. Everywhere else the header means nothing.

use std::panic::resume_unwind;

use contract::{ApiError, Detail, ErrorCode, payload::Incoming};
use document::{Location, ViolationCode};
use poem::{Request, Response, http::HeaderName};

use crate::{db::DbError, endpoints::Authenticator, services::Error};

/// How the operation is to fail.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-fault");

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The code panics: 500.
    Panic,
    /// A mistake of ours: 500.
    Internal,
    /// A query that the database refuses: 500.
    Query,
    /// The database is gone: 503.
    Unavailable,
}

const ALL: [(&str, Fault); 4] = [
    ("panic", Fault::Panic),
    ("internal", Fault::Internal),
    ("query", Fault::Query),
    ("unavailable", Fault::Unavailable),
];

impl Fault {
    /// What the request asks for.
    ///
    /// # Errors
    /// When there is no such fault: a test with a typing mistake must not pass for one without faults.
    pub(super) fn asked_by(request: &Request) -> Result<Option<Self>, ApiError> {
        let Some(value) = request.headers().get(&HEADER) else { return Ok(None) };
        let known = ALL.iter().find(|(name, _)| value.as_bytes() == name.as_bytes());
        known.map(|(_, fault)| Some(*fault)).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
            ApiError::invalid(vec![Detail {
                location: Location::Header("X-Fault".to_owned()),
                code: ViolationCode::InvalidFormat.as_str(),
                message: format!("is not one of {}", names.join(", ")),
            }])
        })
    }

    /// Fails in this way, unless whoever asks may not or the body cannot be read.
    pub(super) async fn happen(
        self,
        request: &mut Request,
        authenticator: &Authenticator,
    ) -> Result<Response, ApiError> {
        let incoming = request.extensions().get::<Incoming>().cloned();
        if let Some(incoming) = incoming {
            if incoming.operation.is_secured && authenticator.caller_of(request).await?.is_none() {
                return Err(ErrorCode::AuthenticationRequired.into());
            }
            if incoming.operation.body().is_some() {
                let read = request.take_body().into_bytes_limit(incoming.body_limit).await;
                read.map_err(|error| ApiError::new(ErrorCode::MalformedRequest).with_source(error))?;
            }
        }
        Err(match self {
            // Not a panic's own way, which would print; what follows is the same.
            Self::Panic => resume_unwind(Box::new("a panic was asked for")),
            Self::Internal => ApiError::new(ErrorCode::InternalError).with_source("an error was asked for"),
            Self::Query => Error::from(DbError::Query(diesel::result::Error::RollbackTransaction)).into(),
            Self::Unavailable => Error::from(DbError::Unavailable("asked for".to_owned())).into(),
        })
    }
}
