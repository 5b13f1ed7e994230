//! Preconditions of changes (`If-Match`).

use serde::Serialize;

use super::{Conflict, Error};
use crate::domain::ETag;

/// The states in which a resource may be changed.
#[derive(Clone, Debug, Default)]
pub enum Precondition {
    /// Any state.
    #[default]
    None,
    /// The states with these entity tags.
    OneOf(Vec<ETag>),
}

impl Precondition {
    /// Checks the current state of a resource, which is locked.
    ///
    /// # Errors
    /// `Conflict(PreconditionFailed)`.
    pub(super) fn check(&self, state: &impl Serialize) -> Result<(), Error> {
        match self {
            Self::None => Ok(()),
            Self::OneOf(tags) if tags.contains(&ETag::of(state)?) => Ok(()),
            Self::OneOf(_) => Err(Error::Conflict(Conflict::PreconditionFailed)),
        }
    }
}
