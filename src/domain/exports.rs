//! Exports: all bucketlists and items of a user as one file.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    Bucketlist, BucketlistId, ExportId, Item, JobId, KeysetPosition, SortValue, Timestamp, UserId, text_enum::text_enum,
};

text_enum! {
    /// The progress of an export.
    ExportState {
        /// Waits for a worker.
        Queued "queued"
        /// A worker writes it.
        Running "running"
        /// Complete; it does not change any more.
        Finished "finished"
        /// Could not be completed.
        Failed "failed"
    }
}

impl ExportState {
    /// Returns whether the state can still change.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

text_enum! {
    /// The file format of an export.
    ExportFormat {
        /// One JSON document.
        Json "json"
        /// Comma-separated values with a header line.
        Csv "csv"
        /// One JSON object per line.
        Ndjson "ndjson"
    }
}

/// An export.
// Its entity tag is computed from the serialized fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    pub id: ExportId,
    pub format: ExportFormat,
    pub state: ExportState,
    /// Number of parts; `None` until the export is finished.
    pub parts: Option<i32>,
    /// Number of records; `None` until the export is finished.
    pub records: Option<i64>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

/// An export of any user, for administrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserExport {
    pub export: Export,
    pub owner: UserId,
    /// The job that writes the export, while it is queued or running.
    pub job: Option<JobId>,
}

impl UserExport {
    /// Returns the position in a list sorted by time.
    #[must_use]
    pub const fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(self.export.created_at), id: self.export.id.get() }
    }
}

/// A filter of exports; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportFilter {
    pub state: Option<ExportState>,
    pub owner: Option<UserId>,
}

/// An export to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewExport {
    pub owner: UserId,
    pub format: ExportFormat,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// One worker's attempt to write an export. A later attempt supersedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportAttempt {
    pub export_id: ExportId,
    pub owner: UserId,
    pub number: i32,
}

/// A bucketlist or an item in an export. This is also the format in which exports are stored, so a field that is added needs a
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRecord {
    pub is_item: bool,
    /// ID of the bucketlist or the item.
    pub id: i64,
    pub bucketlist_id: BucketlistId,
    pub name: String,
    pub description: Option<String>,
    pub done: Option<bool>,
    pub done_at: Option<Timestamp>,
    pub due_on: Option<NaiveDate>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<&Bucketlist> for ExportRecord {
    fn from(list: &Bucketlist) -> Self {
        Self {
            is_item: false,
            id: list.id.get(),
            bucketlist_id: list.id,
            name: list.name.clone(),
            description: list.description.clone(),
            done: None,
            done_at: None,
            due_on: None,
            created_at: list.created_at,
            updated_at: list.updated_at,
        }
    }
}

impl From<Item> for ExportRecord {
    fn from(item: Item) -> Self {
        Self {
            is_item: true,
            id: item.id.get(),
            bucketlist_id: item.bucketlist_id,
            name: item.name,
            description: item.description,
            done: Some(item.done),
            done_at: item.done_at,
            due_on: item.due_on,
            created_at: item.created_at,
            updated_at: item.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stored_by_an_earlier_release_can_be_read() {
        let stored = r#"{"is_item":true,"id":7,"bucketlist_id":3,"name":"Swim","description":null,"done":true,
            "done_at":5,"due_on":"2027-06-01","created_at":1,"updated_at":2}"#;
        let record: ExportRecord = serde_json::from_str(stored).unwrap();
        assert_eq!(
            (record.id, record.bucketlist_id, record.done_at),
            (7, BucketlistId::new(3), Some(Timestamp::from_micros(5)))
        );
    }
}
