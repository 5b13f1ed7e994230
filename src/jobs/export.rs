//! Makes an export, part by part.
//!
//! It is read in several units of work, so that nobody waits for it: what is written meanwhile may be in it or not, what
//! stays as it is is in it once. Whoever begins anew supersedes who began before; then that one stops.

use crate::{
    db::{
        DbConnection,
        repositories::{
            bucketlists::{self, BucketlistRow},
            exports::{self, ExportAttempt, Record},
            items::{self, ItemRow},
            jobs::{self, QueuedJob},
            keyset::{Keyset, KeysetPosition, SortKey},
        },
    },
    services::{Context, Error},
};

use tokio::sync::watch;

use super::worker::{HIDDEN, Outcome};

/// How many lists to read at once, and how many items of each.
const LISTS: i64 = 20;
const ITEMS: i64 = 100;
/// How many items to read at once of a list that has more.
const MORE_ITEMS: i64 = 500;
/// How many records a part has at least, unless it is the last one.
const PART: usize = 500;

/// Makes the export of a job, unless told to stop.
pub(super) async fn run(context: &Context, job: &QueuedJob, stop: &watch::Receiver<bool>) -> Result<Outcome, Error> {
    let (id, now) = (job.payload.parse().unwrap_or_default(), context.clock.now());
    let begun = context.db.write(move |c| exports::begin(c, id, now).map_err(Error::from)).await?;
    // Deleted meanwhile, or finished by somebody who could not say so any more.
    let Some(attempt) = begun else { return Ok(Outcome::Done) };
    let mut file = File { context, job, attempt, waiting: Vec::new(), parts: 0, records: 0 };
    let mut after = None;
    loop {
        if *stop.borrow() {
            return Ok(Outcome::GivenBack);
        }
        let keyset = from(after, LISTS);
        let (lists, items) = context.db.snapshot(move |c| read_lists(c, attempt.owner, &keyset)).await?;
        let is_last = lists.len() < LISTS as usize;
        after = lists.last().map(|list| list.position(SortKey::CreatedAt));
        let mut items = items.into_iter().peekable();
        for list in lists {
            file.waiting.push(Record::from(&list));
            let (mut count, mut last) = (0, None);
            while let Some(item) = items.next_if(|item| item.bucketlist_id == list.id) {
                count += 1;
                last = Some(item.position(SortKey::CreatedAt));
                file.waiting.push(item.into());
            }
            if count == ITEMS && !file.add_rest(list.id, last).await? {
                return Ok(Outcome::Done);
            }
            if !file.flush(PART).await? {
                return Ok(Outcome::Done);
            }
        }
        if is_last {
            return file.finish().await.map(|()| Outcome::Done);
        }
    }
}

/// In the order they were made.
fn from(after: Option<KeysetPosition>, limit: i64) -> Keyset {
    Keyset { sort: SortKey::CreatedAt, descending: false, after, limit }
}

/// Some lists, each with its first items.
fn read_lists(c: &mut DbConnection, owner: i64, keyset: &Keyset) -> Result<(Vec<BucketlistRow>, Vec<ItemRow>), Error> {
    let lists = bucketlists::list_after(c, owner, &bucketlists::Filter::default(), keyset)?;
    let ids: Vec<i64> = lists.iter().map(|list| list.id).collect();
    let items = items::list_first_per_bucketlist(c, &ids, ITEMS)?;
    Ok((lists, items))
}

/// What has been made of an export.
struct File<'a> {
    context: &'a Context,
    job: &'a QueuedJob,
    attempt: ExportAttempt,
    /// Read, not yet written.
    waiting: Vec<Record>,
    parts: i32,
    records: i64,
}

impl File<'_> {
    /// Adds the items of a list that come after its first ones. False when it is not ours to go on.
    async fn add_rest(&mut self, list: i64, mut after: Option<KeysetPosition>) -> Result<bool, Error> {
        loop {
            let keyset = from(after, MORE_ITEMS);
            let owner = self.attempt.owner;
            let read = move |c: &mut DbConnection| match bucketlists::find(c, owner, list)? {
                Some(_) => Ok::<_, Error>(items::list_after(c, list, &items::Filter::default(), &keyset)?),
                // Deleted meanwhile.
                None => Ok(Vec::new()),
            };
            let items = self.context.db.snapshot(read).await?;
            let is_last = items.len() < MORE_ITEMS as usize;
            after = items.last().map(|item| item.position(SortKey::CreatedAt));
            self.waiting.extend(items.into_iter().map(Record::from));
            if !self.flush(PART).await? {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Writes a part, if there is enough for one. False when it is not ours to go on.
    async fn flush(&mut self, enough: usize) -> Result<bool, Error> {
        if self.waiting.len() < enough {
            return Ok(true);
        }
        let records = std::mem::take(&mut self.waiting);
        let (text, attempt, number) = (exports::serialize_records(&records)?, self.attempt, self.parts);
        let job = self.job.clone();
        let hidden_until = self.context.clock.now() + HIDDEN;
        self.parts += 1;
        self.records += i64::try_from(records.len()).unwrap_or_default();
        let write = move |c: &mut DbConnection| {
            // Nobody else takes the job while it goes on; if somebody has, it is theirs.
            Ok::<_, Error>(
                jobs::extend_visibility(c, &job, hidden_until)? && exports::append(c, attempt, number, &text)?,
            )
        };
        self.context.db.write(write).await
    }

    async fn finish(mut self) -> Result<(), Error> {
        if !self.flush(1).await? {
            return Ok(());
        }
        let Self { context, attempt, parts, records, .. } = self;
        let now = context.clock.now();
        context.db.write(move |c| exports::finish(c, attempt, parts, records, now).map_err(Error::from)).await
    }
}
