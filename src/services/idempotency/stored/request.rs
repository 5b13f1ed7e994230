//! The canonical forms of requests.

use chrono::NaiveDate;
use serde::Serialize;

use crate::{
    domain::{BucketlistContent, ImportConflict, ItemContent, Timestamp},
    services::ImportRecord,
};

/// A file to import.
#[derive(Serialize)]
pub(in crate::services) struct CanonicalImport<'a> {
    on_conflict: ImportConflict,
    records: Vec<CanonicalImportRecord<'a>>,
}

#[derive(Serialize)]
struct CanonicalImportRecord<'a> {
    is_item: bool,
    bucketlist_id: i64,
    name: &'a str,
    description: Option<&'a str>,
    done: Option<bool>,
    done_at: Option<Timestamp>,
    due_on: Option<NaiveDate>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl<'a> CanonicalImport<'a> {
    pub(in crate::services) fn new(on_conflict: ImportConflict, records: &'a [ImportRecord]) -> Self {
        let canonical = |record: &'a ImportRecord| CanonicalImportRecord {
            is_item: record.is_item,
            bucketlist_id: record.bucketlist_id,
            name: &record.name,
            description: record.description.as_deref(),
            done: record.done,
            done_at: record.done_at,
            due_on: record.due_on,
            created_at: record.created_at,
            updated_at: record.updated_at,
        };
        Self { on_conflict, records: records.iter().map(canonical).collect() }
    }
}

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
