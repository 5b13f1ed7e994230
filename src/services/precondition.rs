//! Preconditions of changes (`If-Match`, `If-None-Match`).

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
    /// All states but those with these entity tags.
    NoneOf(Vec<ETag>),
    /// No state: the resource must not exist.
    Never,
}

impl Precondition {
    /// Checks the current state of a resource, which is locked.
    ///
    /// # Errors
    /// `Conflict(PreconditionFailed)`, `Conflict(UnwantedState)`.
    pub(super) fn check(&self, state: &impl Serialize) -> Result<(), Error> {
        match self {
            Self::None => Ok(()),
            Self::OneOf(tags) if tags.contains(&ETag::of(state)?) => Ok(()),
            Self::OneOf(_) => Err(Error::Conflict(Conflict::PreconditionFailed)),
            Self::NoneOf(tags) if !tags.contains(&ETag::of(state)?) => Ok(()),
            Self::NoneOf(_) | Self::Never => Err(Error::Conflict(Conflict::UnwantedState)),
        }
    }
}
