//! Idempotency keys: a request that is retried with the same key creates nothing new.
//!
//! The result of the first request is stored in its transaction, in a form that later releases can read, together with a
//! fingerprint of the request. A retry gets the stored result; a different request with the same key is rejected.

mod stored;

use std::{future::Future, time::Duration};

use serde::Serialize;
use sha2::{Digest, Sha256};

pub(super) use stored::{Replayable, request};

use super::{Conflict, Error};
use crate::{
    db::{
        DbConnection,
        repositories::idempotency::{self, StoredResponse},
    },
    domain::{Timestamp, UserId},
};

/// Retention period of results.
const RETENTION: Duration = Duration::from_secs(86_400);

/// Delays between attempts while another request with the same key is in progress. After the last one, the request is rejected
/// with `Retry-After`.
const RETRY_DELAYS: [Duration; 7] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(500),
];

/// The result of a request with an idempotency key.
#[derive(Clone, Debug)]
pub struct Idempotent<T> {
    pub value: T,
    /// Whether an earlier request with the same key created the value.
    pub replayed: bool,
}

impl<T> Idempotent<T> {
    /// Converts the value.
    pub(super) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Idempotent<U> {
        Idempotent { value: convert(self.value), replayed: self.replayed }
    }
}

/// A namespace of idempotency keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Resources of an account. The empty string is the default of the column, which releases without scopes insert.
    Resources,
    /// The registration of an account.
    Registration,
}

impl Scope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Resources => "",
            Self::Registration => "registration",
        }
    }
}

/// A SHA-256 digest of everything that determines what a request creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// Computes the fingerprint of a request in its canonical form (see [`request`]).
    pub(super) fn new(operation: &str, request: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(&(operation, request)).map(|text| Self(Sha256::digest(text).to_vec()))
    }
}

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub(super) struct KeyedRequest {
    owner: UserId,
    scope: Scope,
    key: String,
    fingerprint: Fingerprint,
}

impl KeyedRequest {
    /// Describes a request that creates a resource of `owner`; `None` without a key. `request` is its canonical form (see
    /// [`request`]).
    pub(super) fn new(
        owner: UserId,
        key: Option<String>,
        operation: &str,
        request: &impl Serialize,
    ) -> Result<Option<Self>, serde_json::Error> {
        let Some(key) = key else { return Ok(None) };
        let fingerprint = Fingerprint::new(operation, request)?;
        Ok(Some(Self { owner, scope: Scope::Resources, key, fingerprint }))
    }

    /// Describes the request that registered `owner`.
    pub(super) fn registration(owner: UserId, key: String, fingerprint: Fingerprint) -> Self {
        Self { owner, scope: Scope::Registration, key, fingerprint }
    }

    /// Returns the advisory lock of the key.
    fn lock_id(&self) -> i64 {
        let digest = Sha256::digest(format!("{} {}", self.owner, self.key));
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        i64::from_be_bytes(first)
    }

    /// Finds the stored response of an earlier request.
    ///
    /// # Errors
    /// `IdempotencyKeyReused` if it was a different request.
    fn find(&self, c: &mut DbConnection, now: Timestamp) -> Result<Option<StoredResponse>, Error> {
        match idempotency::find(c, self.owner, self.scope.as_str(), &self.key, now)? {
            Some(stored) if stored.fingerprint != self.fingerprint.0 => Err(Error::IdempotencyKeyReused),
            stored => Ok(stored),
        }
    }

    fn store(&self, c: &mut DbConnection, result: String, now: Timestamp) -> Result<(), Error> {
        let response = StoredResponse { fingerprint: self.fingerprint.0.clone(), version: stored::VERSION, result };
        Ok(idempotency::store(c, self.owner, self.scope.as_str(), &self.key, &response, now + RETENTION)?)
    }
}

/// Calls `create`, or returns what an earlier request with the same key created. Runs in the caller's transaction.
///
/// # Errors
/// The errors of `create`; `Conflict(IdempotencyKeyInFlight)`, `IdempotencyKeyReused`.
pub(super) fn create_once<T: Replayable>(
    c: &mut DbConnection,
    request: Option<&KeyedRequest>,
    now: Timestamp,
    create: impl FnOnce(&mut DbConnection) -> Result<T, Error>,
) -> Result<Idempotent<T>, Error> {
    let Some(request) = request else {
        return Ok(Idempotent { value: create(c)?, replayed: false });
    };
    if !idempotency::try_lock(c, request.lock_id())? {
        return Err(Error::Conflict(Conflict::IdempotencyKeyInFlight));
    }
    if let Some(stored) = request.find(c, now)? {
        let value = stored::decode(stored.version, &stored.result)?;
        return Ok(Idempotent { value, replayed: true });
    }
    let value = create(c)?;
    request.store(c, stored::encode(&value)?, now)?;
    Ok(Idempotent { value, replayed: false })
}

/// Stores that a request was executed, without a result to replay. Runs in the caller's transaction.
pub(super) fn record(c: &mut DbConnection, request: &KeyedRequest, now: Timestamp) -> Result<(), Error> {
    request.store(c, String::new(), now)
}

/// Returns whether the request was executed before.
///
/// # Errors
/// `IdempotencyKeyReused` if a different request used the key.
pub(super) fn is_recorded(c: &mut DbConnection, request: &KeyedRequest, now: Timestamp) -> Result<bool, Error> {
    request.find(c, now).map(|stored| stored.is_some())
}

/// Retries `attempt` for about a second while another request with the same key is in progress, to replay its result.
pub(super) async fn retry_while_in_flight<T, F: Future<Output = Result<T, Error>>>(
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    for delay in RETRY_DELAYS {
        match attempt().await {
            Err(Error::Conflict(Conflict::IdempotencyKeyInFlight)) => tokio::time::sleep(delay).await,
            result => return result,
        }
    }
    attempt().await
}
