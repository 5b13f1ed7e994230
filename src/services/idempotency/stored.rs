//! The stored form of results, and the canonical form of requests.
//!
//! Both must be stable across releases: a request that is retried after an upgrade must have the same fingerprint, and the result
//! that the previous release stored must be readable. They are therefore declared separately from the entities:
//!
//! - A field that is added to a canonical form is skipped when the request does not set it.
//! - A field that is added to a stored form has a serde default. For any other change, increment [`VERSION`] and read both versions.

pub(in crate::services) mod request;

#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Error;
use crate::domain::{
    ApiClient, ApiClientId, ApiScopes, Bucketlist, BucketlistId, Export, ExportFormat, ExportId, ExportState, Import,
    ImportOutcome, ImportedList, Item, ItemId, Timestamp, UserId,
};

/// The version of the stored forms.
pub(super) const VERSION: i32 = 1;

/// A result that can be stored and replayed.
pub(in crate::services) trait Replayable: Sized + Send + 'static {
    type Stored: Serialize + DeserializeOwned;

    fn to_stored(&self) -> Self::Stored;

    fn from_stored(stored: Self::Stored) -> Self;
}

/// The result was stored by a release with another version of the stored forms.
#[derive(Debug, thiserror::Error)]
#[error("stored result has version {found}, this release reads version {VERSION}")]
struct UnknownVersion {
    found: i32,
}

pub(super) fn encode<T: Replayable>(value: &T) -> Result<String, Error> {
    Ok(serde_json::to_string(&value.to_stored())?)
}

pub(super) fn decode<T: Replayable>(version: i32, text: &str) -> Result<T, Error> {
    if version != VERSION {
        return Err(Error::Internal(Box::new(UnknownVersion { found: version })));
    }
    Ok(T::from_stored(serde_json::from_str(text)?))
}

#[derive(Serialize, Deserialize)]
pub(in crate::services) struct StoredBucketlist {
    id: i64,
    name: String,
    description: Option<String>,
    items_total: i64,
    items_done: i64,
    created_at: i64,
    updated_at: i64,
}

impl Replayable for Bucketlist {
    type Stored = StoredBucketlist;

    fn to_stored(&self) -> StoredBucketlist {
        StoredBucketlist {
            id: self.id.get(),
            name: self.name.clone(),
            description: self.description.clone(),
            items_total: self.items_total,
            items_done: self.items_done,
            created_at: self.created_at.micros(),
            updated_at: self.updated_at.micros(),
        }
    }

    fn from_stored(stored: StoredBucketlist) -> Self {
        Self {
            id: BucketlistId::new(stored.id),
            name: stored.name,
            description: stored.description,
            items_total: stored.items_total,
            items_done: stored.items_done,
            created_at: Timestamp::from_micros(stored.created_at),
            updated_at: Timestamp::from_micros(stored.updated_at),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::services) struct StoredItem {
    id: i64,
    bucketlist_id: i64,
    name: String,
    description: Option<String>,
    done: bool,
    done_at: Option<i64>,
    due_on: Option<NaiveDate>,
    created_at: i64,
    updated_at: i64,
}

impl Replayable for Item {
    type Stored = StoredItem;

    fn to_stored(&self) -> StoredItem {
        StoredItem {
            id: self.id.get(),
            bucketlist_id: self.bucketlist_id.get(),
            name: self.name.clone(),
            description: self.description.clone(),
            done: self.done,
            done_at: self.done_at.map(Timestamp::micros),
            due_on: self.due_on,
            created_at: self.created_at.micros(),
            updated_at: self.updated_at.micros(),
        }
    }

    fn from_stored(stored: StoredItem) -> Self {
        Self {
            id: ItemId::new(stored.id),
            bucketlist_id: BucketlistId::new(stored.bucketlist_id),
            name: stored.name,
            description: stored.description,
            done: stored.done,
            done_at: stored.done_at.map(Timestamp::from_micros),
            due_on: stored.due_on,
            created_at: Timestamp::from_micros(stored.created_at),
            updated_at: Timestamp::from_micros(stored.updated_at),
        }
    }
}

impl<T: Replayable> Replayable for Vec<T> {
    type Stored = Vec<T::Stored>;

    fn to_stored(&self) -> Self::Stored {
        self.iter().map(T::to_stored).collect()
    }

    fn from_stored(stored: Self::Stored) -> Self {
        stored.into_iter().map(T::from_stored).collect()
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::services) struct StoredExport {
    id: i64,
    format: ExportFormat,
    state: ExportState,
    parts: Option<i32>,
    records: Option<i64>,
    created_at: i64,
    finished_at: Option<i64>,
    expires_at: i64,
}

impl Replayable for Export {
    type Stored = StoredExport;

    fn to_stored(&self) -> StoredExport {
        StoredExport {
            id: self.id.get(),
            format: self.format,
            state: self.state,
            parts: self.parts,
            records: self.records,
            created_at: self.created_at.micros(),
            finished_at: self.finished_at.map(Timestamp::micros),
            expires_at: self.expires_at.micros(),
        }
    }

    fn from_stored(stored: StoredExport) -> Self {
        Self {
            id: ExportId::new(stored.id),
            format: stored.format,
            state: stored.state,
            parts: stored.parts,
            records: stored.records,
            created_at: Timestamp::from_micros(stored.created_at),
            finished_at: stored.finished_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(stored.expires_at),
        }
    }
}

/// A bucketlist of an import: ID in the source account, outcome, ID, name and number of items. A tuple, because there can be
/// thousands.
type StoredImportedList = (i64, ImportOutcome, Option<i64>, String, i64);

#[derive(Serialize, Deserialize)]
pub(in crate::services) struct StoredImport {
    bucketlists: Vec<StoredImportedList>,
}

impl Replayable for Import {
    type Stored = StoredImport;

    fn to_stored(&self) -> StoredImport {
        let stored = |list: &ImportedList| {
            (list.source_id, list.outcome, list.bucketlist_id.map(BucketlistId::get), list.name.clone(), list.items)
        };
        StoredImport { bucketlists: self.bucketlists.iter().map(stored).collect() }
    }

    fn from_stored(stored: StoredImport) -> Self {
        let list = |(source_id, outcome, bucketlist_id, name, items): StoredImportedList| ImportedList {
            source_id,
            outcome,
            bucketlist_id: bucketlist_id.map(BucketlistId::new),
            name,
            items,
        };
        Self { bucketlists: stored.bucketlists.into_iter().map(list).collect() }
    }
}

/// An API client without its key, which is not stored.
#[derive(Serialize, Deserialize)]
pub(in crate::services) struct StoredApiClient {
    id: i64,
    name: String,
    contact_email: String,
    user_id: i64,
    scopes: String,
    rate_limit: Option<i32>,
    key_prefix: String,
    expires_at: Option<i64>,
    created_at: i64,
}

impl Replayable for ApiClient {
    type Stored = StoredApiClient;

    fn to_stored(&self) -> StoredApiClient {
        StoredApiClient {
            id: self.id.get(),
            name: self.name.clone(),
            contact_email: self.contact_email.clone(),
            user_id: self.user_id.get(),
            scopes: self.scopes.to_string(),
            rate_limit: self.rate_limit,
            key_prefix: self.key_prefix.clone(),
            expires_at: self.expires_at.map(Timestamp::micros),
            created_at: self.created_at.micros(),
        }
    }

    fn from_stored(stored: StoredApiClient) -> Self {
        let created_at = Timestamp::from_micros(stored.created_at);
        Self {
            id: ApiClientId::new(stored.id),
            name: stored.name,
            contact_email: stored.contact_email,
            user_id: UserId::new(stored.user_id),
            // A scope of a later release is omitted.
            scopes: stored.scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect::<ApiScopes>(),
            rate_limit: stored.rate_limit,
            key_prefix: stored.key_prefix,
            expires_at: stored.expires_at.map(Timestamp::from_micros),
            previous_valid_until: None,
            last_used_at: None,
            // Create requests do not set it, and the result does not change.
            deprecation_notices_enabled: true,
            created_at,
            updated_at: created_at,
        }
    }
}
