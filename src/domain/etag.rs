//! Entity tags.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// An entity tag. Two states of a resource have the same entity tag only if they are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

/// Length of the digest in an entity tag: with 96 bits, a collision of two states of a resource is negligible.
const DIGEST_LENGTH: usize = 12;

impl ETag {
    /// Computes the entity tag of a state: a digest of its serialized form.
    ///
    /// # Errors
    /// Fails if the state cannot be serialized. There is no fallback, because different states would have the same entity tag.
    pub fn of(state: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(state).map(|text| Self::of_bytes(&text))
    }

    /// Computes the entity tag of a response body.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(hex::encode(&Sha256::digest(bytes)[..DIGEST_LENGTH]))
    }

    /// Returns the entity tag of a resource together with the state of its nested resources.
    #[must_use]
    pub fn with_nested(&self, nested: &Self) -> Self {
        Self(format!("{}.{}", self.0, nested.0))
    }

    /// Creates the entity tag of a resource from the opaque text that a client sent. It may not match any state. The part for nested
    /// resources is omitted, because a write to a resource does not depend on them.
    #[must_use]
    pub fn from_opaque(text: &str) -> Self {
        Self(text.split_once('.').map_or(text, |(resource, _)| resource).to_owned())
    }

    /// Returns the opaque text, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A resource, and how its entity tag is computed. Only v2 sends entity tags, so they are computed on request.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    pub value: T,
    compute_etag: fn(&T) -> Result<ETag, serde_json::Error>,
}

impl<T: Serialize> Versioned<T> {
    /// Computes the entity tag from all serialized fields of `value`.
    pub const fn new(value: T) -> Self {
        Self { value, compute_etag: ETag::of }
    }
}

impl<T> Versioned<T> {
    /// Computes the entity tag with `compute_etag`.
    pub const fn with(value: T, compute_etag: fn(&T) -> Result<ETag, serde_json::Error>) -> Self {
        Self { value, compute_etag }
    }

    /// Returns the resource and its entity tag.
    ///
    /// # Errors
    /// The errors of [`ETag::of`].
    pub fn into_parts(self) -> Result<(T, ETag), serde_json::Error> {
        let etag = (self.compute_etag)(&self.value)?;
        Ok((self.value, etag))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Serializer, ser::Error as _};

    use super::*;

    struct Unserializable;

    impl Serialize for Unserializable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("cannot be serialized"))
        }
    }

    #[test]
    fn different_states_have_different_etags() {
        let tag = |state: &str| ETag::of(&state).unwrap();
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
        assert_eq!(tag("a").as_str().len(), 24);
    }

    #[test]
    fn etag_with_nested_resources_identifies_the_resource() {
        let (list, items) = (ETag::of(&"list").unwrap(), ETag::of(&"items").unwrap());
        let nested = list.with_nested(&items);
        assert_ne!(nested, list);
        assert_ne!(nested, list.with_nested(&list));
        assert_eq!(ETag::from_opaque(nested.as_str()), list);
    }

    #[test]
    fn state_that_cannot_be_serialized_has_no_etag() {
        assert!(ETag::of(&Unserializable).is_err());
        assert!(Versioned::new(Unserializable).into_parts().is_err());
    }
}
