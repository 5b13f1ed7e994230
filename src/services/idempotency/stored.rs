//! The stored form of results, and the canonical form of requests.
//!
//! Both must be stable across releases: a request that is repeated after an upgrade must have the same fingerprint, and the result
//! that the previous release stored must be readable. They are therefore declared separately from the entities:
//!
//! - A field that is added to a canonical form is skipped when the request does not set it.
//! - A field that is added to a stored form has a serde default. For any other change, increment [`VERSION`] and read both versions.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Error;
use crate::domain::{
    ApiClient, ApiClientId, ApiScopes, Bucketlist, BucketlistId, Export, ExportFormat, ExportId, ExportState, Item,
    ItemId, Timestamp, UserId,
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
            last_used_at: None,
            created_at,
            updated_at: created_at,
        }
    }
}

/// The canonical forms of requests.
pub(in crate::services) mod request {
    use chrono::NaiveDate;
    use serde::Serialize;

    use crate::domain::{BucketlistContent, ItemContent};

    /// A bucketlist to create.
    #[derive(Serialize)]
    pub(in crate::services) struct CanonicalBucketlist<'a> {
        name: &'a str,
        description: Option<&'a str>,
    }

    impl<'a> From<&'a BucketlistContent> for CanonicalBucketlist<'a> {
        fn from(content: &'a BucketlistContent) -> Self {
            Self { name: &content.name, description: content.description.as_deref() }
        }
    }

    /// An item to create.
    #[derive(Serialize)]
    pub(in crate::services) struct CanonicalItem<'a> {
        name: &'a str,
        description: Option<&'a str>,
        done: bool,
        due_on: Option<NaiveDate>,
    }

    impl<'a> From<&'a ItemContent> for CanonicalItem<'a> {
        fn from(content: &'a ItemContent) -> Self {
            Self {
                name: &content.name,
                description: content.description.as_deref(),
                done: content.done,
                due_on: content.due_on,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::{
        domain::{BucketlistContent, ItemContent},
        services::idempotency::Fingerprint,
    };

    /// Results as released versions have stored them. Never change a line: add one.
    const BUCKETLIST: &str = r#"{"id":3,"name":"Learn","description":"Slowly.","items_total":0,"items_done":0,"created_at":1,"updated_at":2}"#;
    const ITEM: &str = r#"{"id":7,"bucketlist_id":3,"name":"Cape Horn","description":null,"done":true,"done_at":5,"due_on":"2027-06-01","created_at":1,"updated_at":2}"#;
    const EXPORT: &str = r#"{"id":9,"format":"ndjson","state":"queued","parts":null,"records":null,"created_at":1,"finished_at":null,"expires_at":2}"#;
    const API_CLIENT: &str = r#"{"id":4,"name":"Sync","contact_email":"a@b.c","user_id":2,"scopes":"read admin","rate_limit":60,"key_prefix":"Ab3","expires_at":null,"created_at":1}"#;

    fn item() -> Item {
        Item {
            id: ItemId::new(7),
            bucketlist_id: BucketlistId::new(3),
            name: "Cape Horn".to_owned(),
            description: None,
            done: true,
            done_at: Some(Timestamp::from_micros(5)),
            due_on: NaiveDate::from_ymd_opt(2027, 6, 1),
            created_at: Timestamp::from_micros(1),
            updated_at: Timestamp::from_micros(2),
        }
    }

    fn round_trip<T: Replayable + PartialEq + Debug>(stored: &str, value: &T) {
        assert_eq!(&decode::<T>(VERSION, stored).unwrap(), value);
        assert_eq!(encode(value).unwrap(), stored);
    }

    #[test]
    fn results_of_earlier_releases_can_be_replayed() {
        let list = Bucketlist {
            id: BucketlistId::new(3),
            name: "Learn".to_owned(),
            description: Some("Slowly.".to_owned()),
            items_total: 0,
            items_done: 0,
            created_at: Timestamp::from_micros(1),
            updated_at: Timestamp::from_micros(2),
        };
        round_trip(BUCKETLIST, &list);
        round_trip(ITEM, &item());
        round_trip(&format!("[{ITEM},{ITEM}]"), &vec![item(), item()]);
        let export = Export {
            id: ExportId::new(9),
            format: ExportFormat::Ndjson,
            state: ExportState::Queued,
            parts: None,
            records: None,
            created_at: Timestamp::from_micros(1),
            finished_at: None,
            expires_at: Timestamp::from_micros(2),
        };
        round_trip(EXPORT, &export);
        let client = ApiClient {
            id: ApiClientId::new(4),
            name: "Sync".to_owned(),
            contact_email: "a@b.c".to_owned(),
            user_id: UserId::new(2),
            scopes: "read admin".parse().unwrap(),
            rate_limit: Some(60),
            key_prefix: "Ab3".to_owned(),
            expires_at: None,
            last_used_at: None,
            created_at: Timestamp::from_micros(1),
            updated_at: Timestamp::from_micros(1),
        };
        round_trip(API_CLIENT, &client);
    }

    #[test]
    fn fields_that_a_later_release_added_are_ignored() {
        let later = ITEM.replace(r#""done":true"#, r#""priority":"high","done":true"#);
        assert_eq!(decode::<Item>(VERSION, &later).unwrap(), item());
    }

    #[test]
    fn unknown_version_is_an_error() {
        let error = decode::<Item>(VERSION + 1, ITEM).unwrap_err();
        assert_eq!(error.to_string(), "internal: stored result has version 2, this release reads version 1");
    }

    /// The fingerprints that released versions have stored for these requests. Never change a line.
    #[test]
    fn repeated_request_has_the_same_fingerprint_in_every_release() {
        let list = BucketlistContent { name: "Learn".to_owned(), description: None };
        let item = ItemContent { due_on: NaiveDate::from_ymd_opt(2027, 6, 1), ..item().content() };
        let list_id = BucketlistId::new(3);
        let hex = |fingerprint: Result<Fingerprint, serde_json::Error>| hex::encode(fingerprint.unwrap().0);
        let canonical = request::CanonicalBucketlist::from(&list);
        assert_eq!(
            hex(Fingerprint::new("bucketlist", &canonical)),
            sha256(r#"["bucketlist",{"name":"Learn","description":null}]"#)
        );
        let canonical = request::CanonicalItem::from(&item);
        assert_eq!(
            hex(Fingerprint::new("item", &(list_id, canonical))),
            sha256(r#"["item",[3,{"name":"Cape Horn","description":null,"done":true,"due_on":"2027-06-01"}]]"#)
        );
        assert_eq!(hex(Fingerprint::new("export", &ExportFormat::Csv)), sha256(r#"["export","csv"]"#));
        assert_eq!(hex(Fingerprint::new("account", &("a@b.c", Some("Ada")))), sha256(r#"["account",["a@b.c","Ada"]]"#));
    }

    fn sha256(text: &str) -> String {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(text))
    }
}
