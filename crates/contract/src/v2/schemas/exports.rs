//! Exports: everything of the caller's as one file.

use chrono::NaiveDate;
use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{HitType, Links, example_time, some};
use crate::{
    listing::Format,
    table::{Row, RowFormat},
    values::{Date, Id, Nullable, Timestamp},
};

/// What the file of an export is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One JSON object with all records.
    #[default]
    Json,
    /// A header row with the names of the fields, then one record a row.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl ExportFormat {
    /// How its records are written.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Csv => Format::Rows(RowFormat::Csv),
            Self::Ndjson => Format::Rows(RowFormat::Ndjson),
        }
    }
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// Nobody has begun to make it.
    Queued,
    /// It is being made.
    Running,
    /// The file is there.
    Finished,
    /// It could not be made, and will not be tried again.
    Failed,
}

/// What to export.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ExportCreate {
    /// What the file is to be; `json` unless given.
    #[serde(default)]
    pub format: Option<ExportFormat>,
}

impl Example for ExportCreate {
    fn example() -> Self {
        Self { format: Some(ExportFormat::Json) }
    }
}

/// Everything of yours as one file, which is made while you wait for it.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Export {
    /// Identifies the export.
    pub id: Id,
    /// How far it is: `finished` and `failed` are final.
    pub state: ExportState,
    /// What the file is.
    pub format: ExportFormat,
    /// How many bucketlists and items it has; null until it is finished.
    #[oai(validator(minimum(value = "0")))]
    pub records: Nullable<i64>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was finished, or given up.
    pub finished_at: Nullable<Timestamp>,
    /// When it is deleted.
    pub expires_at: Timestamp,
    /// Where to go from here; to `content` once there is a file.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for Export {
    fn example() -> Self {
        Self {
            id: Id(1),
            state: ExportState::Finished,
            format: ExportFormat::Json,
            records: Nullable(Some(22)),
            created_at: example_time(),
            finished_at: Nullable(Some(example_time())),
            expires_at: Timestamp::from_micros(EXAMPLE_EXPIRY),
            links: Links::Export { id: 1, has_content: true },
        }
    }
}

/// When what is seeded expires, in microseconds since 1970: as good as never, at the end of the century.
pub const EXAMPLE_EXPIRY: i64 = 4_102_444_800_000_000;

/// A bucketlist, or an item of one, as a record of an export. Each bucketlist comes before its items.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ExportRecord {
    /// What it is.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: HitType,
    /// Identifies the bucketlist or the item.
    pub id: Id,
    /// The bucketlist it is, or is in.
    pub bucketlist_id: Id,
    /// Its name.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// More about it.
    #[oai(validator(max_length = 4000))]
    pub description: Nullable<String>,
    /// Whether it is done; null for a bucketlist.
    pub done: Nullable<bool>,
    /// When it was done.
    pub done_at: Nullable<Timestamp>,
    /// Until when to do it; null for a bucketlist.
    pub due_on: Nullable<Date>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
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
    /// The list that the item of the example is in.
    fn example_list() -> Self {
        Self {
            kind: HitType::Bucketlist,
            id: Id(1),
            bucketlist_id: Id(1),
            name: "See the world".into(),
            description: some("Places to stand in once."),
            done: Nullable(None),
            done_at: Nullable(None),
            due_on: Nullable(None),
            created_at: example_time(),
            updated_at: example_time(),
        }
    }
}

impl Example for ExportRecord {
    fn example() -> Self {
        Self {
            kind: HitType::Item,
            id: Id(1),
            bucketlist_id: Id(1),
            name: "Watch the northern lights".into(),
            description: some("Tromsø, away from the town."),
            done: Nullable(Some(false)),
            done_at: Nullable(None),
            due_on: Nullable(NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)),
            created_at: example_time(),
            updated_at: example_time(),
        }
    }
}

/// The file of an export as JSON.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ExportContent {
    /// Your bucketlists, each followed by its items; all in the order they were made.
    #[oai(validator(max_items = 2147483647))]
    pub records: Vec<ExportRecord>,
}

impl Example for ExportContent {
    fn example() -> Self {
        Self { records: vec![ExportRecord::example_list(), ExportRecord::example()] }
    }
}
