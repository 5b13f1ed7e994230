//! Caches access tokens whose signature was verified, because a client sends the same token with many requests.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use super::Claims;

/// An older token is verified again.
const TTL: Duration = Duration::from_secs(900);
const MAX_ENTRIES: u64 = 10_000;

/// The claims of tokens whose signature, issuer and audience are valid for the keys of this process. The times of the claims and the status of
/// the token change, and must be verified for each request.
///
/// The key is the whole token: a digest would cost as much as the signature. The hashes are keyed, so that clients cannot choose tokens with
/// equal ones. The memory of the process also contains the keys that sign tokens.
pub(super) struct VerifiedTokens(Cache<Box<str>, Arc<Claims>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(TTL).build())
    }
}

impl VerifiedTokens {
    /// Returns the claims of a token that was verified.
    pub(super) fn get(&self, token: &str) -> Option<Arc<Claims>> {
        self.0.get(token)
    }

    /// Stores the claims of a valid token.
    pub(super) fn insert(&self, token: &str, claims: &Arc<Claims>) {
        self.0.insert(token.into(), Arc::clone(claims));
    }
}
