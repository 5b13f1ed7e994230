//! Writes the file of an export, part by part.
//!
//! Each part is a separate unit of work, so that a large export does not block other work. Rows that change while the export runs may
//! be in it or not; rows that do not change are in it exactly once. A later attempt supersedes an earlier one, which then
//! stops at its next write.

use std::sync::Arc;

use super::{
    job::{Claim, Job, JobError, Outcome},
    queue::VISIBILITY_TIMEOUT,
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            bucketlists, exports, items,
            jobs::{self, ExportRequest},
            users,
        },
    },
    domain::{
        Bucketlist, BucketlistFilter, BucketlistId, ExportAttempt, ExportRecord, Item, ItemFilter, Keyset,
        KeysetPosition, SortKey, UserId,
    },
    services::{Context, Error},
};

/// Number of bucketlists read in one query, and of items read for each of them.
const LISTS_PER_READ: i64 = 20;
const ITEMS_PER_LIST: i64 = 100;
/// Number of items read in one query from a bucketlist that has more.
const ITEMS_PER_READ: i64 = 500;
/// Minimum number of records in a part, except in the last one.
const MIN_RECORDS_PER_PART: usize = 500;

/// Writes the bucketlists and items of a user into an export.
pub(super) struct ExportJob {
    pub(super) context: Arc<Context>,
}

impl Job for ExportJob {
    type Payload = ExportRequest;

    async fn run(&self, payload: &ExportRequest, claim: &Claim<'_>) -> Result<Outcome, JobError> {
        let context = &*self.context;
        let (id, job, now) = (payload.export_id, claim.job.clone(), context.clock.now());
        let begin = move |c: &mut DbConnection| {
            if !jobs::extend_visibility(c, &job, now + VISIBILITY_TIMEOUT)? {
                return Ok(None);
            }
            Ok::<_, Error>(exports::begin(c, id, job.fencing_token, now)?)
        };
        // `None`: the claim is lost, the export was deleted, or an earlier attempt completed it but could not record that.
        let Some(attempt) = context.db.write(begin).await? else { return Ok(Outcome::Completed) };
        let mut writer = PartWriter { context, claim, attempt, buffer: Vec::new(), parts: 0, records: 0 };
        let mut after = None;
        loop {
            if claim.shutdown.is_cancelled() {
                return Ok(Outcome::Released);
            }
            let keyset = Keyset::oldest_first(after, LISTS_PER_READ);
            let (lists, items) = context.db.snapshot(move |c| read_lists(c, attempt.owner, &keyset)).await?;
            let is_last = lists.len() < LISTS_PER_READ as usize;
            after = lists.last().map(|list| list.position(SortKey::CreatedAt));
            let mut items = items.into_iter().peekable();
            for list in lists {
                writer.buffer.push(ExportRecord::from(&list));
                let (mut count, mut last) = (0, None);
                while let Some(item) = items.next_if(|item| item.bucketlist_id == list.id) {
                    count += 1;
                    last = Some(item.position(SortKey::CreatedAt));
                    writer.buffer.push(item.into());
                }
                if count == ITEMS_PER_LIST && !writer.add_remaining_items(list.id, last).await? {
                    return Ok(Outcome::Completed);
                }
                if !writer.flush(MIN_RECORDS_PER_PART).await? {
                    return Ok(Outcome::Completed);
                }
            }
            if is_last {
                writer.finish().await?;
                return Ok(Outcome::Completed);
            }
        }
    }
}

/// Reads some bucketlists and the first items of each.
fn read_lists(c: &mut DbConnection, owner: UserId, keyset: &Keyset) -> Result<(Vec<Bucketlist>, Vec<Item>), Error> {
    let lists = bucketlists::list_after(c, owner, &BucketlistFilter::default(), keyset)?;
    let ids: Vec<BucketlistId> = lists.iter().map(|list| list.id).collect();
    let items = items::list_first_per_bucketlist(c, &ids, ITEMS_PER_LIST)?;
    Ok((lists, items))
}

/// Collects records and writes them as parts of one attempt. Methods return `false` once the attempt is superseded.
struct PartWriter<'a> {
    context: &'a Context,
    claim: &'a Claim<'a>,
    attempt: ExportAttempt,
    buffer: Vec<ExportRecord>,
    parts: i32,
    records: i64,
}

impl PartWriter<'_> {
    /// Adds the items of a bucketlist after its first ones.
    async fn add_remaining_items(
        &mut self,
        list: BucketlistId,
        mut after: Option<KeysetPosition>,
    ) -> Result<bool, Error> {
        loop {
            let keyset = Keyset::oldest_first(after, ITEMS_PER_READ);
            let owner = self.attempt.owner;
            let read = move |c: &mut DbConnection| match bucketlists::find(c, owner, list)? {
                Some(_) => Ok::<_, Error>(items::list_after(c, list, &ItemFilter::default(), &keyset)?),
                // Deleted since the last read.
                None => Ok(Vec::new()),
            };
            let items = self.context.db.snapshot(read).await?;
            let is_last = items.len() < ITEMS_PER_READ as usize;
            after = items.last().map(|item| item.position(SortKey::CreatedAt));
            self.buffer.extend(items.into_iter().map(ExportRecord::from));
            if !self.flush(MIN_RECORDS_PER_PART).await? {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Writes a part if the buffer holds at least `min_records`, and extends the claim on the job.
    async fn flush(&mut self, min_records: usize) -> Result<bool, Error> {
        if self.buffer.len() < min_records {
            return Ok(true);
        }
        let records = std::mem::take(&mut self.buffer);
        let (text, attempt, number) = (exports::serialize_records(&records)?, self.attempt, self.parts);
        let job = self.claim.job.clone();
        let visible_at = self.context.clock.now() + VISIBILITY_TIMEOUT;
        self.parts += 1;
        self.records += i64::try_from(records.len()).unwrap_or_default();
        let write = move |c: &mut DbConnection| {
            Ok::<_, Error>(jobs::extend_visibility(c, &job, visible_at)? && exports::append(c, attempt, number, &text)?)
        };
        self.context.db.write(write).await
    }

    async fn finish(mut self) -> Result<(), Error> {
        if !self.flush(1).await? {
            return Ok(());
        }
        let Self { context, attempt, parts, records, .. } = self;
        let now = context.clock.now();
        let finish = move |c: &mut DbConnection| {
            // So that a replica which has this revision also has the parts.
            users::increment_revision(c, attempt.owner)?;
            Ok::<_, Error>(exports::finish(c, attempt, parts, records, now)?)
        };
        context.db.write(finish).await
    }
}
