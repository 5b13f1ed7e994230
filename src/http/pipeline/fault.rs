//! Fault injection: under `APP_ENV=testing`, the header `X-Fault` makes an operation fail, so that external test tools can
//! receive every documented error. In every other environment, the header is ignored.
//!
//! A fault replaces the operation. Authentication and reading the body come first.

use std::panic::resume_unwind;

use contract::{ApiError, Detail, ErrorCode};
use openapi_model::{Location, ViolationCode};
use poem::http::{HeaderMap, HeaderName};

use crate::{db::DbError, services::Error};

const X_FAULT: HeaderName = HeaderName::from_static("x-fault");

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A panic: 500.
    Panic,
    /// An internal error: 500.
    Internal,
    /// A failed query: 500.
    Query,
    /// The database is unavailable: 503.
    Unavailable,
    /// The database has no space left: 507.
    StorageFull,
}

const ALL: [(&str, Fault); 5] = [
    ("panic", Fault::Panic),
    ("internal", Fault::Internal),
    ("query", Fault::Query),
    ("unavailable", Fault::Unavailable),
    ("storage-full", Fault::StorageFull),
];

impl Fault {
    /// Returns the fault that a request selects.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` if the name is unknown: a test with a typo must not pass as one without a fault.
    pub(super) fn requested(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(value) = headers.get(&X_FAULT) else { return Ok(None) };
        let known = ALL.iter().find(|(name, _)| value.as_bytes() == name.as_bytes());
        known.map(|(_, fault)| Some(*fault)).ok_or_else(|| {
            ApiError::invalid(vec![Detail {
                location: Location::Header("X-Fault".to_owned()),
                code: ViolationCode::InvalidFormat.as_str(),
                message: format!("must be one of {}", ALL.map(|(name, _)| name).join(", ")),
            }])
        })
    }

    /// Fails this way.
    pub(super) fn trigger(self) -> ApiError {
        match self {
            // Without the panic hook, which would print.
            Self::Panic => resume_unwind(Box::new("injected fault")),
            Self::Internal => ApiError::new(ErrorCode::InternalError).with_source("injected fault"),
            Self::Query => Error::from(DbError::Query(diesel::result::Error::RollbackTransaction)).into(),
            Self::Unavailable => Error::from(DbError::Unavailable("injected fault".to_owned())).into(),
            Self::StorageFull => Error::from(DbError::StorageFull("injected fault".to_owned())).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(value: Option<&'static str>) -> Result<Option<Fault>, ErrorCode> {
        let value = value.map(|value| (X_FAULT, value.parse().unwrap()));
        Fault::requested(&value.into_iter().collect()).map_err(|error| error.code)
    }

    #[test]
    fn unknown_faults_are_rejected() {
        assert_eq!(requested(None), Ok(None));
        assert_eq!(requested(Some("query")), Ok(Some(Fault::Query)));
        assert_eq!(requested(Some("Query")), Err(ErrorCode::ValidationFailed));
    }

    #[test]
    fn faults_have_the_status_of_real_failures() {
        assert_eq!(Fault::Query.trigger().code, ErrorCode::InternalError);
        assert_eq!(Fault::Unavailable.trigger().code, ErrorCode::ServiceUnavailable);
        assert_eq!(Fault::StorageFull.trigger().code, ErrorCode::InsufficientStorage);
        assert!(std::panic::catch_unwind(|| Fault::Panic.trigger()).is_err());
    }
}
