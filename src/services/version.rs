//! Which state of a thing somebody has seen, and what they demand of it before they change it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Conflict, Error};

/// Names a state: two states of one thing have the same name only if they are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The version that a row is. 96 bits of SHA-256 over everything that is shown of it.
    #[must_use]
    pub fn of(row: &impl Serialize) -> Self {
        // Rows are plain structs: they always serialise.
        Self::of_text(&serde_json::to_vec(row).unwrap_or_default())
    }

    /// The version that is shown as this text.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Self {
        let digest = Sha256::digest(text);
        Self(digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The version somebody names; one that never was is equal to none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name: 24 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What must be so before a change is made.
#[derive(Clone, Debug, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// It is one of these states.
    OneOf(Vec<ETag>),
}

impl Precondition {
    /// Whether `row`, which nobody else can change now, is as it must be.
    ///
    /// # Errors
    /// `Conflict(PreconditionFailed)`.
    pub(super) fn check(&self, row: &impl Serialize) -> Result<(), Error> {
        match self {
            Self::None => Ok(()),
            Self::OneOf(versions) if versions.contains(&ETag::of(row)) => Ok(()),
            Self::OneOf(_) => Err(Error::Conflict(Conflict::PreconditionFailed)),
        }
    }
}
