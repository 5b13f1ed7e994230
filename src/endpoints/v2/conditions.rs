//! Conditional requests: from headers to preconditions and entity tags, and back.

use contract::{
    ErrorCode,
    conditional::{ETagCondition, Tag},
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
    /// Returns the precondition of an `If-Match` header, and of an `If-None-Match` header with it.
    pub(super) fn precondition(self, if_match: IfMatch) -> Result<Precondition, ProblemResponse> {
        let excluded = match if_match.none_match {
            Some(ETagCondition::Any) => return Ok(Precondition::Never),
            Some(ETagCondition::Listed(tags)) => etags(&tags),
            None => Vec::new(),
        };
        match if_match.condition {
            None if self.required => Err(ErrorCode::PreconditionRequired.into()),
            // `*` requires that the resource exists, as the operation itself does.
            None | Some(ETagCondition::Any) if excluded.is_empty() => Ok(Precondition::None),
            None | Some(ETagCondition::Any) => Ok(Precondition::NoneOf(excluded)),
            // Also weak entity tags: the server sends none, so a proxy has weakened one of the server when it encoded the response. It
            // still identifies the state, which is what a change depends on.
            Some(ETagCondition::Listed(tags)) => {
                let mut tags = etags(&tags);
                tags.retain(|tag| !excluded.contains(tag));
                Ok(Precondition::OneOf(tags))
            }
        }
    }
}

fn etags(tags: &[Tag]) -> Vec<ETag> {
    tags.iter().map(|tag| ETag::from_opaque(&tag.opaque)).collect()
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
