//! Stored results and fingerprints of released versions.

use std::{collections::BTreeMap, fmt::Debug};

use super::*;
use crate::{
    domain::{BucketlistContent, ImportConflict, ItemContent},
    services::{
        ImportRecord,
        idempotency::{Fingerprint, KeyedRequest},
    },
};

/// Results as released versions have stored them. Never change a line: add one.
const BUCKETLIST: &str =
    r#"{"id":3,"name":"Learn","description":"Slowly.","items_total":0,"items_done":0,"created_at":1,"updated_at":2}"#;
const ITEM: &str = r#"{"id":7,"bucketlist_id":3,"name":"Cape Horn","description":null,"done":true,"done_at":5,"due_on":"2027-06-01","created_at":1,"updated_at":2}"#;
const EXPORT: &str = r#"{"id":9,"format":"ndjson","state":"queued","parts":null,"records":null,"created_at":1,"finished_at":null,"expires_at":2}"#;
const IMPORT: &str = r#"{"bucketlists":[[3,"renamed",7,"Learn (2)",4],[5,"skipped",null,"Travel",0]]}"#;
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
    let imported = |source_id, outcome, bucketlist_id: Option<i64>, name: &str, items| ImportedList {
        source_id,
        outcome,
        bucketlist_id: bucketlist_id.map(BucketlistId::new),
        name: name.to_owned(),
        items,
    };
    let import = Import {
        bucketlists: vec![
            imported(3, ImportOutcome::Renamed, Some(7), "Learn (2)", 4),
            imported(5, ImportOutcome::Skipped, None, "Travel", 0),
        ],
    };
    round_trip(IMPORT, &import);
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
        previous_valid_until: None,
        deprecation_notices_enabled: true,
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
    let record = ImportRecord {
        is_item: true,
        id: None,
        bucketlist_id: 3,
        name: "Swim".to_owned(),
        description: None,
        done: Some(true),
        done_at: Some(Timestamp::from_micros(5)),
        due_on: None,
        created_at: None,
        updated_at: None,
    };
    assert_eq!(
        hex(Fingerprint::new("import", &request::CanonicalImport::new(ImportConflict::Skip, &[record]))),
        sha256(
            r#"["import",{"on_conflict":"skip","records":[{"is_item":true,"bucketlist_id":3,"name":"Swim","description":null,"done":true,"done_at":5,"due_on":null,"created_at":null,"updated_at":null}]}]"#
        )
    );
    assert_eq!(hex(Fingerprint::new("export", &ExportFormat::Csv)), sha256(r#"["export","csv"]"#));
    assert_eq!(hex(Fingerprint::new("account", &("a@b.c", Some("Ada")))), sha256(r#"["account",["a@b.c","Ada"]]"#));
}

/// Otherwise all such requests would have the same fingerprint.
#[test]
fn request_that_cannot_be_serialized_has_no_fingerprint() {
    // The keys of a JSON object are strings.
    let request = BTreeMap::from([([1], 2)]);
    assert!(Fingerprint::new("bucketlist", &request).is_err());
    assert!(KeyedRequest::new(UserId::new(1), Some("once".to_owned()), "bucketlist", &request).is_err());
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(text))
}
