//! Tags and conditions: which state a client has seen, in the words of HTTP.

use contract::{
    ErrorCode,
    conditional::ETagCondition,
    v2::{IfMatch, ProblemResponse},
};

use crate::services::{ETag, Precondition};

/// Whether changes must say which state they are meant for.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    pub(crate) required: bool,
}

impl Conditions {
    /// What `If-Match` demands.
    pub(super) fn precondition(self, if_match: IfMatch) -> Result<Precondition, ProblemResponse> {
        match if_match.0 {
            None if self.required => Err(ErrorCode::PreconditionRequired.into()),
            // That there is something to change at all, the change itself finds out.
            None | Some(ETagCondition::Any) => Ok(Precondition::None),
            // A weak tag never matches strongly (RFC 9110, section 13.1.1).
            Some(ETagCondition::Listed(tags)) => Ok(Precondition::OneOf(
                tags.iter().filter(|tag| !tag.weak).map(|tag| ETag::named(&tag.opaque)).collect(),
            )),
        }
    }
}

/// The strong entity tag of a state.
pub(super) fn tag(version: &ETag) -> String {
    format!("\"{}\"", version.as_str())
}
