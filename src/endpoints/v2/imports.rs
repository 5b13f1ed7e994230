//! `/v2/imports`.

use contract::{
    Json, User,
    v2::{
        IdempotencyKey, ProblemResponse,
        endpoints::ImportEndpoints,
        parameters::ImportConflict,
        responses::Created,
        schemas::{ImportCreate, ImportOutcome, ImportRecord, ImportResult, ImportedBucketlist, ResourceType},
    },
    values::{Date, Id, Nullable, Timestamp},
};
use poem_openapi::param::Query;

use crate::{
    domain::{self, BucketlistId, UserId},
    services::{self, Imports},
};

/// Implements the endpoint of imports.
pub struct ImportApi {
    pub(super) imports: Imports,
}

impl ImportEndpoints for ImportApi {
    async fn create(
        &self,
        User(caller): User,
        Query(on_conflict): Query<Option<ImportConflict>>,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ImportCreate>,
    ) -> Result<Created<ImportResult>, ProblemResponse> {
        let on_conflict = match on_conflict.unwrap_or(ImportConflict::Reject) {
            ImportConflict::Reject => domain::ImportConflict::Reject,
            ImportConflict::Rename => domain::ImportConflict::Rename,
            ImportConflict::Skip => domain::ImportConflict::Skip,
        };
        let records = body.records.into_iter().map(record).collect();
        let created = self.imports.create(UserId::new(caller.user_id), records, on_conflict, key).await?;
        Ok(Created::new("/v2/bucketlists".to_owned(), None, created.replayed, import(created.value)))
    }
}

fn record(record: ImportRecord) -> services::ImportRecord {
    let time = |time: Option<Timestamp>| time.map(|time| domain::Timestamp::from_micros(time.micros()));
    let Id(bucketlist_id) = record.bucketlist_id;
    services::ImportRecord {
        is_item: record.kind == ResourceType::Item,
        id: record.id.map(|Id(id)| id),
        bucketlist_id,
        name: record.name,
        description: record.description,
        done: record.done,
        done_at: time(record.done_at),
        due_on: record.due_on.map(|Date(date)| date),
        created_at: time(record.created_at),
        updated_at: time(record.updated_at),
    }
}

fn import(import: domain::Import) -> ImportResult {
    let created = import.bucketlists.iter().filter(|list| list.bucketlist_id.is_some()).count();
    ImportResult {
        bucketlists_created: i64::try_from(created).unwrap_or(i64::MAX),
        items_created: import.bucketlists.iter().map(|list| list.items).sum(),
        bucketlists: import.bucketlists.into_iter().map(bucketlist).collect(),
    }
}

fn bucketlist(list: domain::ImportedList) -> ImportedBucketlist {
    ImportedBucketlist {
        source_id: Id(list.source_id),
        outcome: match list.outcome {
            domain::ImportOutcome::Created => ImportOutcome::Created,
            domain::ImportOutcome::Renamed => ImportOutcome::Renamed,
            domain::ImportOutcome::Skipped => ImportOutcome::Skipped,
        },
        bucketlist_id: Nullable(list.bucketlist_id.map(BucketlistId::get).map(Id)),
        name: list.name,
        items_created: list.items,
    }
}
