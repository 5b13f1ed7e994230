//! Creations that may be repeated: a caller names one, and however often it is asked for it is made once.

use std::{future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{Conflict, Error, error::codes};
use crate::db::{
    DbConnection,
    repositories::idempotency::{self, Kept},
};

/// For how long what came of a creation is remembered: a day.
const KEPT_MICROS: i64 = 86_400 * 1_000_000;

/// How long to wait for somebody who is at the same creation, before the caller is told to come again.
const WAITS: [Duration; 7] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(500),
];

/// What came of a creation.
#[derive(Clone, Debug)]
pub struct Made<T> {
    /// What was made.
    pub value: T,
    /// Whether it was made by an earlier request of the same name.
    pub replayed: bool,
}

/// A creation that its caller named.
#[derive(Clone, Debug)]
pub(super) struct Named {
    owner: i64,
    name: String,
    fingerprint: Vec<u8>,
}

impl Named {
    /// `asked` is everything that decides what is made.
    pub(super) fn new(owner: i64, name: String, operation: &str, asked: &impl Serialize) -> Self {
        // Contents are plain structs: they always serialise.
        let asked = serde_json::to_vec(&(operation, asked)).unwrap_or_default();
        Self { owner, name, fingerprint: Sha256::digest(asked).to_vec() }
    }

    /// The same of somebody whose id is known only now.
    pub(super) fn of(&self, owner: i64) -> Self {
        Self { owner, ..self.clone() }
    }

    fn lock(&self) -> i64 {
        let digest = Sha256::digest(format!("{} {}", self.owner, self.name));
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        i64::from_be_bytes(first)
    }
}

/// Makes something once, within the caller's transaction.
///
/// # Errors
/// Those of `make`; `Conflict(IdempotencyKeyInFlight)`, `Invalid` for a name that stands for something else.
pub(super) fn once<T: Serialize + DeserializeOwned>(
    c: &mut DbConnection,
    named: Option<&Named>,
    now: i64,
    make: impl FnOnce(&mut DbConnection) -> Result<T, Error>,
) -> Result<Made<T>, Error> {
    let Some(named) = named else {
        return Ok(Made { value: make(c)?, replayed: false });
    };
    if !idempotency::lock(c, named.lock())? {
        return Err(Error::Conflict(Conflict::IdempotencyKeyInFlight));
    }
    if let Some(kept) = idempotency::find(c, named.owner, &named.name, now)? {
        if kept.fingerprint != named.fingerprint {
            return Err(reused());
        }
        let value = serde_json::from_str(&kept.result).map_err(|error| Error::Internal(Box::new(error)))?;
        return Ok(Made { value, replayed: true });
    }
    let value = make(c)?;
    let result = serde_json::to_string(&value).map_err(|error| Error::Internal(Box::new(error)))?;
    let kept = Kept { fingerprint: named.fingerprint.clone(), result };
    idempotency::keep(c, named.owner, &named.name, &kept, now.saturating_add(KEPT_MICROS))?;
    Ok(Made { value, replayed: false })
}

/// Remembers that something was made which cannot be given again as it was, within the transaction that makes it.
pub(super) fn remember(c: &mut DbConnection, named: &Named, now: i64) -> Result<(), Error> {
    let kept = Kept { fingerprint: named.fingerprint.clone(), result: String::new() };
    Ok(idempotency::keep(c, named.owner, &named.name, &kept, now.saturating_add(KEPT_MICROS))?)
}

/// Whether it was made under this name.
///
/// # Errors
/// `Invalid` for a name that stands for something else.
pub(super) fn is_remembered(c: &mut DbConnection, named: &Named, now: i64) -> Result<bool, Error> {
    match idempotency::find(c, named.owner, &named.name, now)? {
        Some(kept) if kept.fingerprint != named.fingerprint => Err(reused()),
        kept => Ok(kept.is_some()),
    }
}

/// A name that stands for something else.
pub(super) fn reused() -> Error {
    Error::invalid("", codes::KEY_REUSED, "stands for another creation")
}

/// Tries again for a while where somebody else is at the same creation: then there is an answer to give again.
pub(super) async fn patiently<T, F: Future<Output = Result<T, Error>>>(attempt: impl Fn() -> F) -> Result<T, Error> {
    for wait in WAITS {
        match attempt().await {
            Err(Error::Conflict(Conflict::IdempotencyKeyInFlight)) => tokio::time::sleep(wait).await,
            done => return done,
        }
    }
    attempt().await
}
