//! Conditional requests: from headers to preconditions and entity tags, and back.

use contract::{
    ErrorCode,
    conditional::ETagCondition,
    v2::{IfMatch, ProblemResponse},
};

use crate::{
    domain::{ETag, Versioned},
    services::{Error, Precondition},
};

/// Whether operations that change a resource require `If-Match`.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    pub(crate) required: bool,
}

impl Conditions {
    /// Returns the precondition of an `If-Match` header.
    pub(super) fn precondition(self, if_match: IfMatch) -> Result<Precondition, ProblemResponse> {
        match if_match.0 {
            None if self.required => Err(ErrorCode::PreconditionRequired.into()),
            // `*` requires that the resource exists, as the operation itself does.
            None | Some(ETagCondition::Any) => Ok(Precondition::None),
            // Also weak entity tags: the server sends none, so a proxy has weakened one of the server when it encoded the response. It
            // still identifies the state, which is what a change depends on.
            Some(ETagCondition::Listed(tags)) => {
                Ok(Precondition::OneOf(tags.iter().map(|tag| ETag::from_opaque(&tag.opaque)).collect()))
            }
        }
    }
}

/// Returns a resource, and the value of its `ETag` header.
pub(super) fn with_etag<T>(resource: Versioned<T>) -> Result<(T, String), Error> {
    let (value, etag) = resource.into_parts()?;
    Ok((value, header_value(&etag)))
}

/// Returns the value of an `ETag` header: a strong entity tag.
pub(super) fn header_value(etag: &ETag) -> String {
    format!("\"{}\"", etag.as_str())
}
