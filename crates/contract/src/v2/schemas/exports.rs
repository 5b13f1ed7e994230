//! Exports of the caller's data to a file.

use chrono::NaiveDate;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Links, ResourceType, example_time, some};
use crate::{
    listing::Format,
    table::{Row, RowFormat},
    values::{Date, Id, Nullable, Timestamp},
};

/// Format of the exported file:
///
/// - `json`: A JSON object with all records.
/// - `csv`: A header row, then one row per record.
/// - `ndjson`: One JSON object per line.
#[derive(Clone, Copy, Debug, Default, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A JSON object with all records.
    #[default]
    Json,
    /// A header row, then one row per record.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

impl ExportFormat {
    /// Returns the format of the records.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Csv => Format::Rows(RowFormat::Csv),
            Self::Ndjson => Format::Rows(RowFormat::Ndjson),
        }
    }
}

/// State of an export:
///
/// - `queued`: The export waits to be processed.
/// - `running`: The file is being written.
/// - `finished`: The file can be downloaded.
/// - `failed`: The export has failed or was cancelled. It will not be retried, unless an administrator retries its job.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// Waiting to be processed.
    Queued,
    /// Being processed.
    Running,
    /// Finished: the file can be downloaded.
    Finished,
    /// Failed or cancelled.
    Failed,
}

impl ExportState {
    /// Returns the value in requests and responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// Options of a new export.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ExportCreate {
    /// Format of the file. Default: `json`.
    #[serde(default)]
    pub format: Option<ExportFormat>,
}

example! { ExportCreate { format: Some(ExportFormat::Json) } }

/// An export of all your bucketlists and items to a file.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Export {
    /// ID of the export.
    pub id: Id,
    /// State of the export. `finished` and `failed` are final.
    pub state: ExportState,
    /// Format of the file.
    pub format: ExportFormat,
    /// Number of bucketlists and items in the file; null until the export is finished.
    #[oai(validator(minimum(value = "0")))]
    pub records: Nullable<i64>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time at which the export finished, failed or was cancelled; null before.
    pub finished_at: Nullable<Timestamp>,
    /// Time at which the export and its file are deleted. `getExport` then returns 404.
    pub expires_at: Timestamp,
    /// Links to related resources; `content` is present when the file is available.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { Export {
    id: Id(1), state: ExportState::Finished, format: ExportFormat::Json, records: Nullable(Some(22)),
    created_at: example_time(), finished_at: Nullable(Some(example_time())),
    expires_at: Timestamp::from_micros(EXAMPLE_EXPIRY), links: Links::Export { id: 1, has_content: true },
} }

/// An export with its owner, for administrators. Only the owner can download the file.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct UserExport {
    /// ID of the export.
    pub id: Id,
    /// ID of the user whose data is exported.
    pub user_id: Id,
    /// State of the export. `finished` and `failed` are final.
    pub state: ExportState,
    /// Format of the file.
    pub format: ExportFormat,
    /// Number of bucketlists and items in the file; null until the export is finished.
    #[oai(validator(minimum(value = "0")))]
    pub records: Nullable<i64>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time at which the export finished, failed or was cancelled; null before.
    pub finished_at: Nullable<Timestamp>,
    /// Time at which the export and its file are deleted. `getExport` then returns 404.
    pub expires_at: Timestamp,
    /// Links to related resources; `cancel` is present while the export is queued or running.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { UserExport {
    id: Id(1), user_id: Id(2), state: ExportState::Finished, format: ExportFormat::Json, records: Nullable(Some(22)),
    created_at: example_time(), finished_at: Nullable(Some(example_time())),
    expires_at: Timestamp::from_micros(EXAMPLE_EXPIRY), links: Links::UserExport { user_id: 2, job_id: None },
} }

/// Expiry of the seed data, in microseconds since 1970: the end of the century.
pub const EXAMPLE_EXPIRY: i64 = 4_102_444_800_000_000;

/// A bucketlist or an item in an export. A bucketlist comes before its items.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ExportRecord {
    /// Type of the record.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// ID of the bucketlist or item.
    pub id: Id,
    /// ID of the bucketlist, or for an item, of the bucketlist that contains it.
    pub bucketlist_id: Id,
    /// Name of the bucketlist or item.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// Description of the bucketlist or item; null if it has none.
    #[oai(validator(max_length = 4000))]
    pub description: Nullable<String>,
    /// Whether the item is completed; null for a bucketlist.
    pub done: Nullable<bool>,
    /// Time of completion; null if the item is not completed.
    pub done_at: Nullable<Timestamp>,
    /// Due date; null if the item has none, and for a bucketlist.
    pub due_on: Nullable<Date>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
}

impl Row for ExportRecord {
    const COLUMNS: &'static [&'static str] = &[
        "type",
        "id",
        "bucketlist_id",
        "name",
        "description",
        "done",
        "done_at",
        "due_on",
        "created_at",
        "updated_at",
    ];
}

impl ExportRecord {
    /// Returns the bucketlist of the example item.
    fn example_list() -> Self {
        Self {
            kind: ResourceType::Bucketlist,
            id: Id(1),
            bucketlist_id: Id(1),
            name: "See the world".into(),
            description: some("Places to visit once."),
            done: Nullable(None),
            done_at: Nullable(None),
            due_on: Nullable(None),
            created_at: example_time(),
            updated_at: example_time(),
        }
    }
}

example! { ExportRecord {
    kind: ResourceType::Item, id: Id(1), bucketlist_id: Id(1), name: "Watch the northern lights".into(),
    description: some("Tromsø, far from the city."), done: Nullable(Some(false)), done_at: Nullable(None),
    due_on: Nullable(NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)), created_at: example_time(),
    updated_at: example_time(),
} }

/// The content of an export in JSON format.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ExportContent {
    /// Your bucketlists, each followed by its items, sorted by creation time.
    pub records: Vec<ExportRecord>,
}

example! { ExportContent { records: vec![ExportRecord::example_list(), ExportRecord::example()] } }
