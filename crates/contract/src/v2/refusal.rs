//! The one error type of v2's handlers: v1's, with a problem for a body.

use std::fmt;

use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use crate::{
    ApiError, ErrorCode,
    problem::{self, Problem},
};

/// An [`ApiError`] whose body is a [`Problem`].
#[derive(Debug)]
pub struct ProblemResponse(pub ApiError);

impl<E: Into<ApiError>> From<E> for ProblemResponse {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<ProblemResponse> for poem::Error {
    fn from(refusal: ProblemResponse) -> Self {
        refusal.0.into()
    }
}

impl fmt::Display for ProblemResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As for [`ApiError`]: one status stands for all, the rules of the document add the others.
impl ApiResponse for ProblemResponse {
    fn meta() -> MetaResponses {
        let internal = MetaResponse {
            description: ErrorCode::InternalError.message(),
            status: Some(StatusCode::INTERNAL_SERVER_ERROR.as_u16()),
            status_range: None,
            content: vec![MetaMediaType { content_type: problem::MEDIA_TYPE, schema: Problem::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: vec![internal] }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
